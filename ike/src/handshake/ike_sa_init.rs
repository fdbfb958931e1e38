//! IKE_SA_INIT: suite, keys and NAT detection (RFC 7296 section 1.2).

use crate::crypto::{DhKeyPair, IkeKeys, SignedOctets};
use crate::fleet::tunnels::Tunnels;
use crate::handshake::cookie::Cookie;
use crate::message::channel::{Channel, Role};
use crate::message::fragments::{Assembly, longest_message};
use crate::message::inbound::Arrived;
use crate::negotiation::additional_ke::Additional;
use crate::negotiation::hashes::Hashes;
use crate::negotiation::nat::{Nat, NatDetection};
use crate::negotiation::redirect::Redirects;
use crate::negotiation::suites::{Chosen, NONCE_LEN, ike_suite, mismatch_of_ike, weakness_of_ike};
use crate::wire::{
    self, Certificate, ExchangeType, Flags, Head, Header, KeyExchange, Notify, NotifyType, Payload, Proposal,
    WireError,
};
use crate::{Dropped, Host, IkePolicy, IkeSpis, IkeSuite, InitRefusal, Kem};

/// An IKE SA between IKE_SA_INIT and IKE_AUTH.
#[derive(Debug)]
pub(crate) struct Initiated {
    pub(crate) suite: IkeSuite,
    pub(crate) spis: IkeSpis,
    pub(crate) keys: IkeKeys,
    pub(crate) ni: Vec<u8>,
    pub(crate) nr: [u8; NONCE_LEN],
    pub(crate) nat: Nat,
    /// Octets of the longest message that is sent in one piece, if the peer takes fragments (RFC 7383 section 2.3).
    longest_message: Option<u16>,
    /// Of the request that is awaited.
    pub(crate) assembly: Assembly,
    /// What the peer can check signatures by; `None` when it does not know RFC 7427.
    pub(crate) hashes: Option<Hashes>,
    pub(crate) redirects: Redirects,
    pub(crate) additional: Additional,
    /// Both sides have said USE_PPK (RFC 8784 section 3).
    pub(crate) uses_ppk: bool,
    /// Both messages are kept whole, since AUTH covers them.
    request: Vec<u8>,
    response: Vec<u8>,
}

/// Why a request was not accepted.
pub(crate) enum InitFailure {
    Refused(InitRefusal),
    Dropped(Dropped),
    /// The peer has to show first that it receives what is sent to its address.
    Unproven(Cookie),
}

impl From<InitRefusal> for InitFailure {
    fn from(refusal: InitRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Dropped> for InitFailure {
    fn from(dropped: Dropped) -> Self {
        Self::Dropped(dropped)
    }
}

/// INVALID_SYNTAX is not for unprotected messages (RFC 7296 section 3.10.1): a malformed one is dropped.
impl From<WireError> for InitFailure {
    fn from(error: WireError) -> Self {
        match error {
            WireError::CriticalPayload(kind) => Self::Refused(InitRefusal::CriticalPayload(kind)),
            WireError::NotIke(_)
            | WireError::MajorVersion(_)
            | WireError::TooManyPayloads
            | WireError::Syntax(_) => Self::Dropped(error.into()),
        }
    }
}

/// The three payloads that an IKE_SA_INIT message of either side has to have, and a request's cookie.
pub(crate) struct InitPayloads<'a> {
    pub(crate) proposals: &'a [Proposal<'a>],
    pub(crate) ke: KeyExchange<'a>,
    pub(crate) nonce: &'a [u8],
    /// It ought to be the first payload (RFC 7296 section 2.6); any place will do.
    pub(crate) cookie: Option<&'a [u8]>,
}

impl<'a> InitPayloads<'a> {
    pub(crate) fn read(payloads: &'a [Payload<'a>]) -> Result<Self, WireError> {
        let (mut proposals, mut ke, mut nonce, mut cookie) = (None, None, None, None);
        for payload in payloads {
            match payload {
                Payload::Sa(offered) => proposals = Some(offered.as_slice()),
                Payload::KeyExchange(value) => ke = Some(*value),
                Payload::Nonce(data) => nonce = Some(*data),
                Payload::Notify(notify) if notify.kind == NotifyType::COOKIE => cookie = Some(notify.data),
                _ => {}
            }
        }
        Ok(Self {
            proposals: proposals.ok_or(WireError::Syntax("no SA payload"))?,
            ke: ke.ok_or(WireError::Syntax("no KE payload"))?,
            nonce: nonce.ok_or(WireError::Syntax("no nonce"))?,
            cookie,
        })
    }
}

/// What an IKE_SA_INIT exchange agrees on besides suite and keys.
struct Extensions {
    fragments: bool,
    /// IKE_INTERMEDIATE, which carries the additional key exchange (RFC 9370 section 2.2).
    intermediate: bool,
    ppk: bool,
    /// For signatures by certificates.
    hashes: Option<Hashes>,
    /// CERTREQ, if any tunnel has certificates.
    authorities: Option<Vec<u8>>,
    our_hashes: Vec<u8>,
}

impl Extensions {
    /// What is asked for and offered depends on what the fleet's `tunnels` have use for.
    fn agree(payloads: &[Payload<'_>], tunnels: &Tunnels) -> Self {
        Self {
            fragments: NotifyType::FRAGMENTATION_SUPPORTED.is_in(payloads),
            intermediate: NotifyType::INTERMEDIATE_EXCHANGE_SUPPORTED.is_in(payloads),
            ppk: tunnels.have_ppk() && NotifyType::USE_PPK.is_in(payloads),
            hashes: Hashes::read(payloads),
            authorities: tunnels.authorities().request(),
            our_hashes: Hashes::ours(),
        }
    }

    /// What the response says of them.
    fn payloads(&self) -> Vec<Payload<'_>> {
        let supported = |kind| Payload::Notify(Notify::new(kind, &[]));
        let childless = Notify::about_ike(NotifyType::CHILDLESS_IKEV2_SUPPORTED, &[]);
        let mut payloads = vec![Payload::Notify(childless)];
        if self.fragments {
            payloads.push(supported(NotifyType::FRAGMENTATION_SUPPORTED));
        }
        if let Some(authorities) = &self.authorities {
            payloads.push(Payload::CertificateRequest(Certificate {
                encoding: Certificate::X509,
                data: authorities,
            }));
            if self.hashes.is_some() {
                payloads.push(Payload::Notify(Notify::new(
                    NotifyType::SIGNATURE_HASH_ALGORITHMS,
                    &self.our_hashes,
                )));
            }
        }
        if self.intermediate {
            payloads.push(supported(NotifyType::INTERMEDIATE_EXCHANGE_SUPPORTED));
        }
        if self.ppk {
            payloads.push(supported(NotifyType::USE_PPK));
        }
        payloads
    }
}

/// The suite for a request, with its answer, and the additional key exchange that follows.
fn choose<'a>(
    policy: &IkePolicy,
    request: &InitPayloads<'a>,
    takes_intermediate: bool,
) -> Result<(Chosen<'a, IkeSuite>, Option<Kem>), InitFailure> {
    let kems = match takes_intermediate {
        true => policy.kems.as_slice(),
        false => &[],
    };
    let (chosen, kem) = ike_suite(policy, kems, request.proposals).ok_or_else(|| {
        weakness_of_ike(request.proposals).map_or_else(
            || InitRefusal::NoProposal(mismatch_of_ike(policy, request.proposals)),
            InitRefusal::TooWeak,
        )
    })?;
    let wanted = chosen.suite.dh;
    if request.ke.group != wanted.id() {
        let got = request.ke.group;
        return Err(InitRefusal::WrongGroup { got, wanted }.into());
    }
    Ok((chosen, kem))
}

impl Initiated {
    /// Answers the request that has `arrived`, whose payloads are those of `request`, in the name of `responder_spi`.
    pub(crate) fn respond(
        policy: &IkePolicy,
        host: &mut dyn Host,
        arrived: Arrived<'_>,
        request: &InitPayloads<'_>,
        responder_spi: u64,
        tunnels: &Tunnels,
    ) -> Result<Self, InitFailure> {
        let (path, message) = (arrived.path, arrived.message);
        let extensions = Extensions::agree(&message.payloads, tunnels);
        let (chosen, kem) = choose(policy, request, extensions.intermediate)?;
        let suite = chosen.suite;

        let key_pair = DhKeyPair::generate(suite.dh, &mut |buffer| host.fill_random(buffer));
        let public = key_pair.public().to_vec();
        let shared = key_pair
            .agree(request.ke.public)
            .map_err(|_| WireError::Syntax("bad public value"))?;
        let mut nr = [0; NONCE_LEN];
        host.fill_random(&mut nr);

        let spis = IkeSpis {
            responder: responder_spi,
            ..message.header.spis
        };
        let keys = IkeKeys::derive(suite, &shared, request.nonce, &nr, spis);
        let nat = NatDetection::new(path, spis);
        let mut payloads = vec![
            Payload::Sa(vec![chosen.answer]),
            Payload::KeyExchange(KeyExchange {
                group: suite.dh.id(),
                public: &public,
            }),
            Payload::Nonce(&nr),
        ];
        payloads.extend(nat.payloads());
        payloads.extend(extensions.payloads());
        let response = wire::encode(&response_head(spis), &payloads);

        Ok(Self {
            suite,
            spis,
            keys,
            ni: request.nonce.to_vec(),
            nr,
            nat: Nat::detect(path, message.header.spis, &message.payloads),
            longest_message: extensions.fragments.then(|| longest_message(path.peer)),
            assembly: Assembly::default(),
            hashes: extensions.hashes,
            redirects: Redirects::read(&message.payloads),
            additional: kem.map_or(Additional::None, Additional::Awaited),
            uses_ppk: extensions.ppk,
            request: arrived.octets.to_vec(),
            response,
        })
    }

    /// For IKE_AUTH, with the first IVs of the keys.
    pub(crate) fn channel(&self, incarnation: u32) -> Channel {
        let keys = (self.keys.sk_ei.clone(), self.keys.sk_er.clone());
        Channel::new(
            self.spis,
            Role::Responder,
            self.suite.cipher,
            self.longest_message,
            keys,
            incarnation,
        )
    }

    pub(crate) fn response(&self) -> &[u8] {
        &self.response
    }

    /// What the initiator proves with AUTH (RFC 7296 section 2.15), by `keys`.
    pub(crate) fn initiator_octets<'a>(&'a self, keys: &'a IkeKeys, id_body: &'a [u8]) -> SignedOctets<'a> {
        SignedOctets {
            message: &self.request,
            nonce: &self.nr,
            sk_p: &keys.sk_pi,
            id: id_body,
            int_auth: self.additional.int_auth(),
        }
    }

    /// What we prove with AUTH.
    pub(crate) fn responder_octets<'a>(&'a self, keys: &'a IkeKeys, id_body: &'a [u8]) -> SignedOctets<'a> {
        SignedOctets {
            message: &self.response,
            nonce: &self.ni,
            sk_p: &keys.sk_pr,
            id: id_body,
            int_auth: self.additional.int_auth(),
        }
    }
}

/// The unprotected notification that answers a request which led to no IKE SA: the responder SPI is zero (RFC 7296
/// section 2.6). For a message of a later version, exchange type and message ID are copied (RFC 7296 section 1.5).
pub(crate) fn notification(header: &Header, kind: NotifyType, data: &[u8]) -> Vec<u8> {
    let head = Head {
        exchange: header.exchange,
        message_id: header.message_id,
        ..response_head(header.spis)
    };
    wire::encode(&head, &[Payload::Notify(Notify::new(kind, data))])
}

fn response_head(spis: IkeSpis) -> Head {
    let flags = Flags {
        initiator: false,
        response: true,
    };
    Head {
        spis,
        exchange: ExchangeType::IkeSaInit,
        flags,
        message_id: 0,
    }
}
