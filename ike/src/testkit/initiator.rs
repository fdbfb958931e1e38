//! A small IKEv2 initiator: enough to try every answer of the responder.

use super::customer::Customer;
use super::host::TestRandom;
use super::session::Session;
use crate::crypto::{ChildKeys, DhKeyPair, IkeKeys, SignedOctets, nat_detection_hash};
use crate::udp::{self, NAT_T_PORT};
use crate::wire::{
    self, Auth, Delete, ExchangeType, Flags, Head, Header, IdPayload, KeyExchange, Message, Notify,
    NotifyType, Payload, Proposal, Protocol, Transform, TransformType,
};
use crate::{ChildSa, EspSuite, IkeSpis, IkeSuite, Path, Transmit};

/// How far an initiator has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It waits for the answer to IKE_SA_INIT or IKE_AUTH.
    Connecting,
    /// Its IKE SA is established, with child SA or without.
    Up,
    /// The responder refused, with this notify message type.
    Refused(u16),
    /// One of both sides has ended the IKE SA.
    Closed,
    /// The responder broke the protocol.
    Violated(&'static str),
}

/// One connection of a [`Customer`]. Each call may give a datagram to send; nothing is sent again unless asked for.
pub struct Initiator {
    customer: Customer,
    random: TestRandom,
    /// Where it sends to: moves to port 4500 behind a NAT.
    path: Path,
    status: Status,
    init: Init,
    session: Option<Session>,
    child: Option<ChildSa>,
    child_answer: Option<(u8, Vec<Transform>)>,
    child_refusal: Option<u16>,
    /// The last request, for retransmission.
    last_request: Vec<u8>,
}

/// What IKE_SA_INIT leaves for IKE_AUTH.
struct Init {
    spi: u64,
    /// The suite whose group was guessed, and after the response the one chosen.
    suite: IkeSuite,
    key_pair: Option<DhKeyPair>,
    ni: [u8; 32],
    nr: Vec<u8>,
    request: Vec<u8>,
    response: Vec<u8>,
    child_spi: [u8; 4],
}

/// The responder broke the protocol.
struct Violation(&'static str);

impl Initiator {
    /// `seed` decides on SPIs, nonces and key pairs.
    ///
    /// # Panics
    /// If the customer has no suite for its IKE SA.
    pub fn new(customer: Customer, seed: u64) -> Self {
        let mut random = TestRandom::new(seed);
        let mut ni = [0; 32];
        random.fill(&mut ni);
        let init = Init {
            spi: random.next_u64() | 1,
            suite: customer.ike[0],
            key_pair: None,
            ni,
            nr: Vec::new(),
            request: Vec::new(),
            response: Vec::new(),
            child_spi: (random.next_u64() as u32 | 1 << 31).to_be_bytes(),
        };
        Self {
            path: customer.path,
            customer,
            random,
            status: Status::Connecting,
            init,
            session: None,
            child: None,
            child_answer: None,
            child_refusal: None,
            last_request: Vec::new(),
        }
    }

    /// The IKE_SA_INIT request.
    pub fn start(&mut self) -> Transmit {
        let group = self.init.suite.dh;
        let key_pair = DhKeyPair::generate(group, &mut |buffer| self.random.fill(buffer));
        let spis = IkeSpis {
            initiator: self.init.spi,
            responder: 0,
        };
        let source = nat_detection_hash(spis, self.path.local);
        let destination = nat_detection_hash(spis, self.path.peer);
        let payloads = [
            Payload::Sa(self.customer.ike_proposals()),
            Payload::KeyExchange(KeyExchange {
                group: group.id(),
                public: key_pair.public(),
            }),
            Payload::Nonce(&self.init.ni),
            Payload::Notify(Notify::new(NotifyType::NAT_DETECTION_SOURCE_IP, &source)),
            Payload::Notify(Notify::new(
                NotifyType::NAT_DETECTION_DESTINATION_IP,
                &destination,
            )),
        ];
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

    /// Takes a UDP payload; gives what is to be sent because of it.
    pub fn handle_datagram(&mut self, datagram: &[u8]) -> Option<Transmit> {
        let octets = udp::unwrap(self.path.peer.port(), datagram)?;
        let message = Message::decode_body(Header::decode(octets).ok()?, octets).ok()?;
        let handled = match (&self.session, message.header.exchange) {
            (None, ExchangeType::IkeSaInit) => self.handle_init(&message, octets),
            (None, _) => Ok(None),
            (Some(_), _) => self.handle_protected(&message, octets),
        };
        handled.unwrap_or_else(|Violation(rule)| {
            self.status = Status::Violated(rule);
            None
        })
    }

    /// The last request once more, octet by octet.
    pub fn retransmit(&self) -> Transmit {
        self.wrap(&self.last_request)
    }

    /// An empty INFORMATIONAL request.
    pub fn probe(&mut self) -> Option<Transmit> {
        self.protected_request(ExchangeType::Informational, &[])
    }

    /// A DELETE of the child SA.
    pub fn delete_child(&mut self) -> Option<Transmit> {
        let spi = self.child.take()?.inbound_spi;
        let delete = Delete::Child {
            protocol: Protocol::Esp,
            spis: vec![spi],
        };
        self.protected_request(ExchangeType::Informational, &[Payload::Delete(delete)])
    }

    /// A DELETE of the IKE SA.
    pub fn delete_ike(&mut self) -> Option<Transmit> {
        self.status = Status::Closed;
        self.protected_request(ExchangeType::Informational, &[Payload::Delete(Delete::Ike)])
    }

    /// How far it has come.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The IKE SA's SPIs, once both are known.
    pub fn spis(&self) -> Option<IkeSpis> {
        self.session.as_ref().map(|session| session.spis)
    }

    /// The suite of the IKE SA, once the responder has chosen.
    pub fn suite(&self) -> Option<IkeSuite> {
        self.session.as_ref().map(|_| self.init.suite)
    }

    /// The child SA as this side sees it: its local end is the customer.
    pub fn child(&self) -> Option<&ChildSa> {
        self.child.as_ref()
    }

    /// The notify message type by which the responder refused the child SA.
    pub fn child_refusal(&self) -> Option<u16> {
        self.child_refusal
    }

    /// Addresses and ports it uses now.
    pub fn path(&self) -> Path {
        self.path
    }

    /// A request of any kind within the IKE SA; `None` before there is one.
    pub(crate) fn protected_request(
        &mut self,
        exchange: ExchangeType,
        payloads: &[Payload<'_>],
    ) -> Option<Transmit> {
        let octets = self.session.as_mut()?.request(exchange, payloads);
        Some(self.request(octets))
    }

    /// IKE_AUTH with whatever `change` makes of its payloads; `None` before IKE_SA_INIT is answered.
    pub(crate) fn auth_with(&mut self, change: impl FnOnce(&mut Vec<Payload<'_>>)) -> Option<Transmit> {
        let session = self.session.as_mut()?;
        let id = IdPayload::from(&self.customer.id);
        let signed = SignedOctets {
            message: &self.init.request,
            nonce: &self.init.nr,
            sk_p: &session.keys.sk_pi,
            id: id.body(),
        };
        let proof = signed.psk_auth(self.init.suite.prf, &self.customer.psk);
        let mut payloads = vec![
            Payload::IdI(id),
            Payload::Auth(Auth {
                method: Auth::SHARED_KEY,
                data: &proof,
            }),
            Payload::Sa(self.customer.esp_proposals(&self.init.child_spi)),
            Payload::TsI(self.customer.local_ts.clone()),
            Payload::TsR(self.customer.remote_ts.clone()),
        ];
        if let Some(peer_id) = &self.customer.peer_id {
            payloads.push(Payload::IdR(IdPayload::from(peer_id)));
        }
        if self.customer.initial_contact {
            payloads.push(Payload::Notify(Notify::new(NotifyType::INITIAL_CONTACT, &[])));
        }
        change(&mut payloads);
        let octets = session.first_request(ExchangeType::IkeAuth, &payloads);
        Some(self.request(octets))
    }

    /// An INFORMATIONAL request with any octets for payloads, the first being of type `first`.
    pub(crate) fn raw_request(&mut self, first: u8, chain: &[u8]) -> Option<Transmit> {
        let octets = self.session.as_mut()?.raw_request(first, chain);
        Some(self.request(octets))
    }

    /// What a response of the responder holds, each payload in `Debug`'s words.
    pub(crate) fn read(&self, datagram: &[u8]) -> Option<Vec<String>> {
        let octets = udp::unwrap(self.path.peer.port(), datagram)?;
        let message = Message::decode_body(Header::decode(octets).ok()?, octets).ok()?;
        let opened = self.session.as_ref()?.open(&message, octets)?;
        let payloads = opened.payloads().ok()?;
        Some(payloads.iter().map(|payload| format!("{payload:?}")).collect())
    }

    /// The responder's choice of a proposal for the child SA: its number and transforms.
    pub(crate) fn child_answer(&self) -> Option<&(u8, Vec<Transform>)> {
        self.child_answer.as_ref()
    }

    fn request(&mut self, octets: Vec<u8>) -> Transmit {
        self.last_request = octets;
        self.retransmit()
    }

    fn wrap(&self, message: &[u8]) -> Transmit {
        Transmit {
            path: self.path,
            payload: udp::wrap(self.path.peer.port(), message),
        }
    }

    fn handle_init(&mut self, message: &Message<'_>, octets: &[u8]) -> Result<Option<Transmit>, Violation> {
        if let Some(notify) = first_error(&message.payloads) {
            return Ok(self.handle_init_error(notify));
        }
        let spis = message.header.spis;
        let [mut proposals, mut ke, mut nr] = [None, None, None];
        for payload in &message.payloads {
            match payload {
                Payload::Sa(_) => proposals = Some(payload),
                Payload::KeyExchange(_) => ke = Some(payload),
                Payload::Nonce(_) => nr = Some(payload),
                _ => {}
            }
        }
        let (Some(Payload::Sa(proposals)), Some(Payload::KeyExchange(ke)), Some(Payload::Nonce(nr))) =
            (proposals, ke, nr)
        else {
            return Err(Violation("IKE_SA_INIT response without SA, KE or nonce"));
        };
        let suite = self
            .chosen_ike_suite(proposals)
            .ok_or(Violation("a suite that was not proposed"))?;
        let key_pair = self.init.key_pair.take().filter(|_| ke.group == suite.dh.id());
        let key_pair = key_pair.ok_or(Violation("a group that was not chosen"))?;
        let shared = key_pair
            .agree(ke.public)
            .map_err(|_| Violation("a bad public value"))?;
        let keys = IkeKeys::derive(suite, &shared, &self.init.ni, nr, spis);
        self.init.suite = suite;
        self.init.nr = nr.to_vec();
        self.init.response = octets.to_vec();
        self.session = Some(Session::new(spis, suite.cipher, keys));
        if self.is_behind_nat(spis, &message.payloads) {
            self.path.local.set_port(NAT_T_PORT);
            self.path.peer.set_port(NAT_T_PORT);
        }
        Ok(self.auth_with(|_| {}))
    }

    /// Tries again with the group the responder wants (RFC 7296 section 1.2).
    fn handle_init_error(&mut self, notify: &Notify<'_>) -> Option<Transmit> {
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

    fn chosen_ike_suite(&self, answer: &[Proposal<'_>]) -> Option<IkeSuite> {
        let [answer] = answer else {
            return None;
        };
        let proposals = self.customer.ike_proposals();
        let position = proposals.iter().position(|proposal| proposal == answer)?;
        Some(self.customer.ike[position])
    }

    /// RFC 7296 section 2.23: neither hash must be that of an address known here.
    fn is_behind_nat(&self, spis: IkeSpis, payloads: &[Payload<'_>]) -> bool {
        let differs = |kind, expected: [u8; 20]| {
            let found = payloads.iter().find_map(|payload| match payload {
                Payload::Notify(notify) if notify.kind == kind => Some(notify.data),
                _ => None,
            });
            found.is_some_and(|hash| hash != expected)
        };
        differs(
            NotifyType::NAT_DETECTION_SOURCE_IP,
            nat_detection_hash(spis, self.path.peer),
        ) || differs(
            NotifyType::NAT_DETECTION_DESTINATION_IP,
            nat_detection_hash(spis, self.path.local),
        )
    }

    fn handle_protected(
        &mut self,
        message: &Message<'_>,
        octets: &[u8],
    ) -> Result<Option<Transmit>, Violation> {
        let Some(session) = &mut self.session else {
            return Ok(None);
        };
        let header = message.header;
        if !header.flags.response {
            return self.handle_request(message, octets);
        }
        if !session.awaits(header.message_id) {
            return Ok(None);
        }
        let Some(opened) = session.open(message, octets) else {
            return Ok(None);
        };
        session.answered();
        let payloads = opened
            .payloads()
            .map_err(|_| Violation("a response that does not decode"))?;
        if header.exchange == ExchangeType::IkeAuth {
            self.handle_auth(&payloads)?;
        }
        Ok(None)
    }

    fn handle_auth(&mut self, payloads: &[Payload<'_>]) -> Result<(), Violation> {
        let session = self.session.as_ref().ok_or(Violation("no session"))?;
        let (mut id_r, mut auth, mut answer) = (None, None, None);
        let (mut ts_i, mut ts_r) = (Vec::new(), Vec::new());
        for payload in payloads {
            match payload {
                Payload::IdR(id) => id_r = Some(id),
                Payload::Auth(proof) => auth = Some(proof),
                Payload::Sa(proposals) => answer = proposals.first(),
                Payload::TsI(selectors) => ts_i.clone_from(selectors),
                Payload::TsR(selectors) => ts_r.clone_from(selectors),
                _ => {}
            }
        }
        let error = first_error(payloads).map(|notify| notify.kind.0);
        let (Some(id_r), Some(auth)) = (id_r, auth) else {
            self.status = error.map_or(Status::Violated("neither AUTH nor error"), Status::Refused);
            return Ok(());
        };
        let signed = SignedOctets {
            message: &self.init.response,
            nonce: &self.init.ni,
            sk_p: &session.keys.sk_pr,
            id: id_r.body(),
        };
        if !signed.is_psk_auth(self.init.suite.prf, &self.customer.psk, auth.data) {
            return Err(Violation("the responder has another pre-shared key"));
        }
        let Some(answer) = answer else {
            self.child_refusal = error;
            self.status = Status::Up;
            return Ok(());
        };
        self.child_answer = Some((answer.number, answer.transforms.clone()));
        let suite = self
            .chosen_esp_suite(answer)
            .ok_or(Violation("a child suite that was not proposed"))?;
        let outbound_spi = answer.spi.try_into().map(u32::from_be_bytes);
        let keys = ChildKeys::derive(
            suite,
            self.init.suite.prf,
            &session.keys.sk_d,
            &self.init.ni,
            &self.init.nr,
        );
        self.child = Some(ChildSa {
            ike: session.spis,
            tunnel: String::new(),
            inbound_spi: u32::from_be_bytes(self.init.child_spi),
            outbound_spi: outbound_spi.map_err(|_| Violation("an ESP SPI has 4 octets"))?,
            path: self.path,
            udp_encap: self.path.local.port() == NAT_T_PORT,
            suite,
            inbound_key: keys.from_responder,
            outbound_key: keys.from_initiator,
            local_ts: ts_i,
            remote_ts: ts_r,
        });
        self.status = Status::Up;
        Ok(())
    }

    fn chosen_esp_suite(&self, answer: &Proposal<'_>) -> Option<EspSuite> {
        let cipher = answer
            .transforms
            .iter()
            .find(|transform| transform.kind == TransformType::Encryption)?;
        let key_bits = usize::from(cipher.key_bits?);
        self.customer
            .esp
            .iter()
            .copied()
            .find(|suite| (suite.key_len() - 4) * 8 == key_bits)
    }

    /// A request of the responder: answered, and answered the same when it comes again.
    fn handle_request(
        &mut self,
        message: &Message<'_>,
        octets: &[u8],
    ) -> Result<Option<Transmit>, Violation> {
        let Some(session) = &mut self.session else {
            return Ok(None);
        };
        if let Some(reply) = session.repeated(message.header.message_id) {
            let reply = reply.to_vec();
            return Ok(Some(self.wrap(&reply)));
        }
        let Some(opened) = session.open_request(message, octets) else {
            return Ok(None);
        };
        let payloads = opened
            .payloads()
            .map_err(|_| Violation("a request that does not decode"))?;
        let mut answer = Vec::new();
        for payload in &payloads {
            match payload {
                Payload::Delete(Delete::Ike) => self.status = Status::Closed,
                Payload::Delete(Delete::Child { spis, .. }) => {
                    if let Some(child) = self.child.take_if(|child| spis.contains(&child.outbound_spi)) {
                        let spis = vec![child.inbound_spi];
                        answer.push(Payload::Delete(Delete::Child {
                            protocol: Protocol::Esp,
                            spis,
                        }));
                    }
                }
                _ => {}
            }
        }
        let reply = session.reply(message.header.message_id, &answer);
        Ok(Some(self.wrap(&reply)))
    }
}

fn first_error<'p, 'a>(payloads: &'p [Payload<'a>]) -> Option<&'p Notify<'a>> {
    payloads.iter().find_map(|payload| match payload {
        Payload::Notify(notify) if notify.kind.is_error() => Some(notify),
        _ => None,
    })
}
