//! IKE_SA_INIT.

use super::intermediate::Asked;
use super::{Initiator, Status, Violation, first_error};
use crate::crypto::{DhKeyPair, IkeKeys, nat_detection_hash};
use crate::handshake::ike_sa_init::InitPayloads;
use crate::message::udp::NAT_T_PORT;
use crate::negotiation::hashes::Hashes;
use crate::negotiation::redirect;
use crate::testkit::customer::Customer;
use crate::testkit::host::TestRandom;
use crate::testkit::session::Session;
use crate::wire::{
    self, ExchangeType, Flags, Head, KeyExchange, Message, Notify, NotifyType, Payload, Proposal,
};
use crate::{Gateway, IkeSpis, IkeSuite, Kem, Transmit};

/// What IKE_SA_INIT leaves for IKE_AUTH.
pub(super) struct Init {
    spi: u64,
    /// The suite whose group was guessed, and after the response the one chosen.
    pub(super) suite: IkeSuite,
    key_pair: Option<DhKeyPair>,
    cookie: Option<Vec<u8>>,
    pub(super) ni: [u8; 32],
    pub(super) nr: Vec<u8>,
    pub(super) request: Vec<u8>,
    pub(super) response: Vec<u8>,
    pub(super) asked: Option<Asked>,
    pub(super) int_auth: Vec<u8>,
    pub(super) child_spi: [u8; 4],
    /// What the responder checks signatures by.
    pub(super) hashes: Option<Hashes>,
    /// Both sides have said USE_PPK.
    pub(super) uses_ppk: bool,
}

impl Init {
    pub(super) fn new(customer: &Customer, random: &mut TestRandom) -> Self {
        let mut ni = [0; 32];
        random.fill(&mut ni);
        Self {
            spi: random.next_u64() | 1,
            suite: customer.ike[0],
            key_pair: None,
            cookie: None,
            ni,
            nr: Vec::new(),
            request: Vec::new(),
            response: Vec::new(),
            asked: None,
            int_auth: Vec::new(),
            child_spi: (random.next_u64() as u32 | 1 << 31).to_be_bytes(),
            hashes: None,
            uses_ppk: false,
        }
    }
}

impl Initiator {
    /// The IKE_SA_INIT request.
    pub fn start(&mut self) -> Transmit {
        let group = self.init.suite.dh;
        let key_pair = DhKeyPair::generate(group, &mut |buffer| self.random.fill(buffer));
        self.start_with(key_pair)
    }

    /// The request with this key pair, and with the cookie if the responder has given one.
    fn start_with(&mut self, key_pair: DhKeyPair) -> Transmit {
        let spis = IkeSpis {
            initiator: self.init.spi,
            responder: 0,
        };
        let source = nat_detection_hash(spis, self.path.local);
        let destination = nat_detection_hash(spis, self.path.peer);
        let cookie = self.init.cookie.as_deref();
        let cookie = cookie.map(|cookie| Payload::Notify(Notify::new(NotifyType::COOKIE, cookie)));
        let mut payloads: Vec<_> = cookie.into_iter().collect();
        payloads.extend([
            Payload::Sa(self.customer.ike_proposals()),
            Payload::KeyExchange(KeyExchange {
                group: self.init.suite.dh.id(),
                public: key_pair.public(),
            }),
            Payload::Nonce(&self.init.ni),
            Payload::Notify(Notify::new(NotifyType::NAT_DETECTION_SOURCE_IP, &source)),
            Payload::Notify(Notify::new(
                NotifyType::NAT_DETECTION_DESTINATION_IP,
                &destination,
            )),
        ]);
        if self.customer.takes_fragments {
            let support = Notify::new(NotifyType::FRAGMENTATION_SUPPORTED, &[]);
            payloads.push(Payload::Notify(support));
        }
        if self.customer.follows_redirects {
            let support = Notify::new(NotifyType::REDIRECT_SUPPORTED, &[]);
            payloads.push(Payload::Notify(support));
        }
        let sent_by = self
            .customer
            .sent_by
            .map(|ip| redirect::data(&Gateway::Address(ip.into())));
        let sent_by = sent_by
            .as_deref()
            .map(|data| Notify::new(NotifyType::REDIRECTED_FROM, data));
        payloads.extend(sent_by.map(Payload::Notify));
        let hashes = self.customer.hash_algorithms.as_ref();
        let hashes: Option<Vec<u8>> =
            hashes.map(|hashes| hashes.iter().flat_map(|hash| hash.to_be_bytes()).collect());
        let hashes = hashes.as_ref().filter(|_| self.customer.certificates.is_some());
        payloads.extend(
            hashes.map(|hashes| Payload::Notify(Notify::new(NotifyType::SIGNATURE_HASH_ALGORITHMS, hashes))),
        );
        if self.customer.kem.is_some() {
            let support = Notify::new(NotifyType::INTERMEDIATE_EXCHANGE_SUPPORTED, &[]);
            payloads.push(Payload::Notify(support));
        }
        if self.customer.ppk.is_some() {
            payloads.push(Payload::Notify(Notify::new(NotifyType::USE_PPK, &[])));
        }
        let flags = Flags {
            initiator: true,
            response: false,
        };
        let head = Head {
            spis,
            exchange: ExchangeType::IkeSaInit,
            flags,
            message_id: 0,
        };
        self.init.request = wire::encode(&head, &payloads);
        self.init.key_pair = Some(key_pair);
        self.request(self.init.request.clone())
    }

    pub(super) fn handle_init(
        &mut self,
        message: &Message<'_>,
        octets: &[u8],
    ) -> Result<Option<Transmit>, Violation> {
        if let Some(notify) = first_error(&message.payloads) {
            return Ok(self.handle_init_error(notify));
        }
        if let [Payload::Notify(notify)] = &message.payloads[..]
            && notify.kind == NotifyType::COOKIE
        {
            return Ok(self.handle_cookie(notify.data));
        }
        let spis = message.header.spis;
        let InitPayloads {
            proposals,
            ke,
            nonce: nr,
            ..
        } = InitPayloads::read(&message.payloads)
            .map_err(|_| Violation("IKE_SA_INIT response without SA, KE or nonce"))?;
        let (suite, kem) = self
            .chosen_ike_suite(proposals)
            .ok_or(Violation("a suite that was not proposed"))?;
        let key_pair = self.init.key_pair.take().filter(|_| ke.group == suite.dh.id());
        let key_pair = key_pair.ok_or(Violation("a group that was not chosen"))?;
        let shared = key_pair
            .agree(ke.public)
            .map_err(|_| Violation("a bad public value"))?;
        let keys = IkeKeys::derive(suite, &shared, &self.init.ni, nr, spis);
        self.init.hashes = Hashes::read(&message.payloads);
        self.init.uses_ppk = NotifyType::USE_PPK.is_in(&message.payloads);
        self.init.suite = suite;
        self.init.nr = nr.to_vec();
        self.init.response = octets.to_vec();
        self.session = Some(Session::new(spis, suite.cipher, keys));
        if self.is_behind_nat(spis, &message.payloads) {
            self.path.local.set_port(NAT_T_PORT);
            self.path.peer.set_port(NAT_T_PORT);
        }
        Ok(match kem {
            Some(kem) => self.intermediate_with(kem, |_| {}),
            None => self.auth_with(|_| {}),
        })
    }

    /// The same request with the cookie in front (RFC 7296 section 2.6).
    fn handle_cookie(&mut self, cookie: &[u8]) -> Option<Transmit> {
        self.init.cookie = Some(cookie.to_vec());
        let key_pair = self.init.key_pair.take()?;
        Some(self.start_with(key_pair))
    }

    /// Tries again with the group the responder wants (RFC 7296 section 1.2).
    pub(super) fn handle_init_error(&mut self, notify: &Notify<'_>) -> Option<Transmit> {
        let wanted = notify.data.try_into().map(u16::from_be_bytes).ok();
        let suite = self
            .customer
            .ike
            .iter()
            .find(|suite| Some(suite.dh.id()) == wanted);
        match suite {
            Some(&suite)
                if notify.kind == NotifyType::INVALID_KE_PAYLOAD && suite.dh != self.init.suite.dh =>
            {
                self.init.suite = suite;
                Some(self.start())
            }
            _ => {
                self.status = Status::Refused(notify.kind.0);
                None
            }
        }
    }

    fn chosen_ike_suite(&self, answer: &[Proposal<'_>]) -> Option<(IkeSuite, Option<Kem>)> {
        let [answer] = answer else {
            return None;
        };
        let proposals = self.customer.ike_proposals();
        let position = proposals.iter().position(|proposal| proposal == answer)?;
        self.customer.ike_choices().get(position).copied()
    }

    /// RFC 7296 section 2.23: neither hash must be that of an address known here.
    fn is_behind_nat(&self, spis: IkeSpis, payloads: &[Payload<'_>]) -> bool {
        let differs = |kind: NotifyType, expected: [u8; 20]| {
            kind.data_in(payloads).is_some_and(|hash| hash != expected)
        };
        differs(
            NotifyType::NAT_DETECTION_SOURCE_IP,
            nat_detection_hash(spis, self.path.peer),
        ) || differs(
            NotifyType::NAT_DETECTION_DESTINATION_IP,
            nat_detection_hash(spis, self.path.local),
        )
    }
}
