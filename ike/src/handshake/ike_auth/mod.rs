//! IKE_AUTH (RFC 7296 sections 1.2 and 2.15).

mod ppk;
mod reply;
mod request;
mod signature;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::certificate::{Certificates, PeerChain};
use crate::crypto::{Algorithm, Fresh, PaddedPsk, PublicKey};
use crate::fleet::qcd::Token;
use crate::fleet::tunnels::{Known, Tunnels};
use crate::handshake::ike_sa_init::Initiated;
use crate::ike_sa::Established;
use crate::ike_sa::mobility::PeerAddress;
use crate::ike_sa::state::{Parameters, State};
use crate::message::channel::{Channel, Exhausted, Opened};
use crate::message::inbound::Arrived;
use crate::message::window::{Answered, Window};
use crate::negotiation::child_sa::AgreedChild;
use crate::negotiation::mobike::Addresses;
use crate::negotiation::selectors::Selectors;
use crate::wire::{Auth, ExchangeType, IdPayload, NotifyType, Payload};
use crate::{
    AuthRefusal, CertificateFault, Change, ChildRefusal, ChildSa, Credentials, Identity, NoChild, Secret,
    Side, Tunnel,
};
use ppk::ProofTerms;
pub(crate) use reply::seal_refusal;
use reply::{Proof, Reply};
use request::AuthRequest;
#[cfg(any(test, fuzzing, feature = "testkit"))]
pub(crate) use signature::{sign, verify};

/// An authentic IKE_AUTH request and what it is judged by.
pub(crate) struct Attempt<'a> {
    pub(crate) arrived: Arrived<'a>,
    pub(crate) initiated: &'a Initiated,
    pub(crate) tunnels: &'a Tunnels,
    /// Checked in place of the key of an unknown peer.
    pub(crate) decoy: &'a Decoy,
    /// The time since 1970.
    pub(crate) unix_time: Duration,
    /// For the peer; `None` without QUICK CRASH DETECTION.
    pub(crate) token: Option<Token>,
}

/// What nobody knows, in the place of the keys that there are not.
pub(crate) struct Decoy {
    ppk: Secret,
    psk: PaddedPsk,
}

impl Decoy {
    pub(crate) fn new(octets: Vec<u8>) -> Self {
        let ppk = Secret::new(octets);
        let psk = PaddedPsk::new(&ppk);
        Self { ppk, psk }
    }
}

/// How the attempt ends.
pub(crate) enum Judged {
    /// The reply is in the window, and waits for the changes.
    Accepted(Box<Accepted>, Vec<Change>),
    /// The error is to be sent, and to be repeated.
    Refused(AuthRefusal, Answered),
}

/// An IKE SA in the making.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) established: Established,
    /// The inbound SPI of its child SA, or why there is none.
    pub(crate) child: Result<u32, NoChild>,
    /// The gateway that has sent the peer here (RFC 5685 section 9.3).
    pub(crate) redirected_from: Option<IpAddr>,
    /// The tunnel has a PPK, and neither side insists on it: the peer does not use it.
    pub(crate) misses_ppk: bool,
}

impl Attempt<'_> {
    /// `issue_esp_spi` finds a free inbound SPI.
    pub(crate) fn judge(
        &self,
        mut channel: Channel,
        opened: &Opened,
        issue_esp_spi: impl FnOnce() -> Option<u32>,
    ) -> Result<Judged, Exhausted> {
        let refusal = match opened.payloads() {
            Ok(payloads) => match self.admit(&payloads) {
                Ok((request, authenticated)) => {
                    return self.accept(&request, &authenticated, channel, issue_esp_spi);
                }
                Err(refusal) => refusal,
            },
            Err(error) => error.into(),
        };
        let reply = seal_refusal(&mut channel, (ExchangeType::IkeAuth, self.message_id()), &refusal)?;
        Ok(Judged::Refused(
            refusal,
            Answered::new(self.arrived.octets, reply),
        ))
    }

    fn admit<'p>(
        &self,
        payloads: &'p [Payload<'p>],
    ) -> Result<(AuthRequest<'p>, Authenticated<'_>), AuthRefusal> {
        let request = AuthRequest::read(payloads)?;
        let authenticated = self.authenticate(&request)?;
        if request.mobike && Addresses::read(payloads).is_changed(self.arrived.path) {
            return Err(AuthRefusal::UnexpectedNat);
        }
        Ok((request, authenticated))
    }

    fn authenticate(&self, request: &AuthRequest<'_>) -> Result<Authenticated<'_>, AuthRefusal> {
        // A request for EAP has no AUTH payload (RFC 7296 section 2.16).
        let auth = request.auth.ok_or(AuthRefusal::Eap)?;
        let claimed = self.claimed(request);
        let ours = claimed.as_ref().ok().and_then(|tunnel| tunnel.ppk.as_ref());
        let decided = request.ppk.decide(self.initiated.uses_ppk, ours);
        let ppk = decided.as_ref().ok().copied().flatten();
        let terms = ProofTerms::new(self.initiated, request.ppk, auth, ppk, &self.decoy.ppk);
        let decided = decided.map(|_| ());
        let (tunnel, proof) = match auth.method {
            Auth::SHARED_KEY => {
                let claimed = claimed.and_then(|tunnel| decided.map(|()| tunnel));
                self.by_psk(request, &terms, claimed)?
            }
            method if signature::is_by_signature(method) => {
                // Names in certificates are no secret, so an unknown one may be refused sooner than another.
                let tunnel = claimed?;
                (tunnel, self.by_signature(request, &terms, tunnel, decided)?)
            }
            method => return Err(AuthRefusal::Method(method)),
        };
        Ok(Authenticated {
            tunnel,
            sk_d: terms.keys.sk_d.clone(),
            uses_ppk: terms.uses_ppk,
            proof,
        })
    }

    /// An identity that is not known here costs the same as a known one with a wrong key, by a check against the decoy,
    /// and is answered the same.
    fn by_psk<'t>(
        &self,
        request: &AuthRequest<'_>,
        terms: &ProofTerms<'_>,
        claimed: Result<&'t Known, AuthRefusal>,
    ) -> Result<(&'t Known, Proof), AuthRefusal> {
        let prf = self.initiated.suite.prf;
        let known = claimed.as_ref().ok().and_then(|tunnel| tunnel.psk.as_ref());
        let psk = known.unwrap_or(&self.decoy.psk).key(prf);
        let octets = self.initiated.initiator_octets(&terms.keys, request.id_i.body());
        let is_right = octets.is_psk_auth(prf, &psk, terms.auth.data);
        let tunnel = claimed?;
        if matches!(tunnel.credentials, Credentials::Certificates(_)) {
            return Err(AuthRefusal::OtherMethod(terms.auth.method));
        }
        if !is_right {
            return Err(AuthRefusal::WrongKey((*tunnel.remote_id).clone()));
        }
        let id = IdPayload::from(&self.local_id(tunnel));
        let octets = self.initiated.responder_octets(&terms.keys, id.body());
        let data = octets.psk_auth(prf, &psk);
        Ok((tunnel, Proof::new(id, Auth::SHARED_KEY, data.as_ref().to_vec())))
    }

    /// What was `decided` about the PPK is told once the signature has been checked either way: who cannot sign does not learn by
    /// the time that this takes which PPK_IDs are known here.
    fn by_signature(
        &self,
        request: &AuthRequest<'_>,
        terms: &ProofTerms<'_>,
        tunnel: &Tunnel,
        decided: Result<(), AuthRefusal>,
    ) -> Result<Proof, AuthRefusal> {
        match &tunnel.credentials {
            Credentials::Psk(_) => Err(AuthRefusal::OtherMethod(terms.auth.method)),
            Credentials::Certificates(certificates) => {
                let verified = self.verify_signature(request, terms, certificates);
                decided?;
                self.sign(tunnel, terms, certificates, verified?)
            }
        }
    }

    /// The algorithm by which the peer has signed, with a key that a certificate says is its own.
    fn verify_signature(
        &self,
        request: &AuthRequest<'_>,
        terms: &ProofTerms<'_>,
        certificates: &Certificates,
    ) -> Result<Algorithm, AuthRefusal> {
        let id_i = request
            .id_i
            .identity()
            .ok_or(AuthRefusal::UnknownIdentity(None))?;
        let from = self.arrived.path.peer.ip();
        let spki =
            PeerChain::read(&request.certificates)?.key_of(&id_i, from, certificates, self.unix_time)?;
        let key = PublicKey::read(&spki).ok_or(CertificateFault::Key)?;
        let octets = self.initiated.initiator_octets(&terms.keys, request.id_i.body());
        let octets = octets.concat(self.initiated.suite.prf);
        Ok(signature::verify(terms.auth, &key, &octets)?)
    }

    /// Our certificates are sent whether the peer asks for them or not (RFC 7296 section 3.6).
    fn sign(
        &self,
        tunnel: &Tunnel,
        terms: &ProofTerms<'_>,
        certificates: &Arc<Certificates>,
        peers: Algorithm,
    ) -> Result<Proof, AuthRefusal> {
        let id = match self.local_id(tunnel) {
            // Bit by bit what stands in the certificate (RFC 4945 section 3.1.5).
            Identity::DistinguishedName(_) => IdPayload::from(&certificates.subject()),
            id => IdPayload::from(&id),
        };
        let octets = self
            .initiated
            .responder_octets(&terms.keys, id.body())
            .concat(self.initiated.suite.prf);
        let hashes = self.initiated.hashes.as_ref();
        let (method, data) = signature::sign(certificates.signer(), hashes, peers, &octets)?;
        Ok(Proof {
            certificates: Some(Arc::clone(certificates)),
            ..Proof::new(id, method, data)
        })
    }

    /// The tunnel that the identities in the request are those of. An IDr that no tunnel has is answered with ours, since
    /// "the responder might use some other IDr to finish the exchange" (RFC 7296 section 1.2): peers behind or in front of a NAT,
    /// and those that put our address there, do not know better, and decide on our answer themselves.
    fn claimed(&self, request: &AuthRequest<'_>) -> Result<&Known, AuthRefusal> {
        let id_i = request.id_i.identity();
        let tunnel = id_i.as_ref().and_then(|id_i| self.tunnels.of_remote(id_i));
        let tunnel = tunnel.ok_or(AuthRefusal::UnknownIdentity(id_i))?;
        let id_r = request.id_r.and_then(IdPayload::identity);
        let is_other = |id_r: &Identity| *id_r != self.local_id(tunnel) && self.tunnels.is_local_of_any(id_r);
        match id_r.filter(is_other) {
            None => Ok(tunnel),
            Some(id_r) => Err(AuthRefusal::OtherTunnel(id_r)),
        }
    }

    fn message_id(&self) -> u32 {
        self.arrived.message.header.message_id
    }

    fn local_id(&self, tunnel: &Tunnel) -> Identity {
        tunnel
            .local_id
            .clone()
            .unwrap_or(Identity::Address(self.arrived.path.local.ip()))
    }

    /// Makes the IKE SA, its child SA and the reply.
    fn accept(
        &self,
        request: &AuthRequest<'_>,
        authenticated: &Authenticated<'_>,
        mut channel: Channel,
        issue_esp_spi: impl FnOnce() -> Option<u32>,
    ) -> Result<Judged, Exhausted> {
        let tunnel = authenticated.tunnel;
        let agreed = self.first_child(request, tunnel, issue_esp_spi);
        let statuses = [
            (request.mobike, NotifyType::MOBIKE_SUPPORTED),
            (authenticated.uses_ppk, NotifyType::PPK_IDENTITY),
        ];
        let statuses = statuses.into_iter().filter_map(|(is, kind)| is.then_some(kind));
        let reply = Reply {
            proof: &authenticated.proof,
            token: self.token.as_ref(),
            configuration: request.addresses.answer(&tunnel.addresses),
            agreed: &agreed,
            statuses: statuses.collect(),
        };
        let reply = reply.seal(&mut channel, self.message_id())?;

        let mut state = self.state(request, authenticated, channel, reply);
        let child = self.child(agreed, &mut state, &tunnel.selectors);
        let child_spi = child
            .as_ref()
            .map(|child| child.inbound_spi)
            .map_err(NoChild::clone);
        let mut changes = vec![Change::PutIke(state.record(request.initial_contact))];
        changes.extend(child.map(|child| Change::PutChild(Box::new(child))));
        let accepted = Accepted {
            established: Established::new(state, self.arrived.now),
            child: child_spi,
            redirected_from: self.initiated.redirects.from,
            misses_ppk: tunnel.ppk.is_some() && !authenticated.uses_ppk,
        };
        Ok(Judged::Accepted(Box::new(accepted), changes))
    }

    /// The IKE SA, without child SA.
    fn state(
        &self,
        request: &AuthRequest<'_>,
        authenticated: &Authenticated<'_>,
        channel: Channel,
        reply: Vec<u8>,
    ) -> State {
        let initiated = self.initiated;
        let parameters = Parameters {
            suite: initiated.suite,
            sk_d: authenticated.sk_d.clone(),
            tunnel: Arc::clone(&authenticated.tunnel.name),
            remote_id: Arc::clone(&authenticated.tunnel.remote_id),
            follows_redirects: initiated.redirects.followed,
            made: self.unix_time.as_secs(),
        };
        let window = Window::after_auth(self.message_id(), Answered::new(self.arrived.octets, reply));
        let address = PeerAddress::new(self.arrived.path, initiated.nat, request.mobike);
        let follows_up = initiated.additional.is_done();
        let peer_token = request.token.clone().filter(|_| self.token.is_some());
        State::after_auth(parameters, channel, window, address, follows_up, peer_token)
    }

    /// The child SA that was agreed on, which the IKE SA has from now on.
    fn child(
        &self,
        agreed: Result<(AgreedChild<'_>, u32), NoChild>,
        state: &mut State,
        usual: &Arc<Selectors>,
    ) -> Result<ChildSa, NoChild> {
        let fresh = Fresh {
            shared: None,
            ni: &self.initiated.ni,
            nr: &self.initiated.nr,
            additional: None,
        };
        let (agreed, inbound_spi) = agreed?;
        let fresh = (Side::Peer, &fresh);
        let child = agreed.terms.to_sa(inbound_spi, &state.parent(), fresh, false);
        state.add_first_child(&child, usual);
        Ok(child)
    }

    /// What is agreed on for the child SA that IKE_AUTH makes, and its inbound SPI. There is none for a peer that is to go
    /// elsewhere (RFC 5685 section 6).
    fn first_child<'r>(
        &self,
        request: &AuthRequest<'r>,
        tunnel: &Tunnel,
        issue_esp_spi: impl FnOnce() -> Option<u32>,
    ) -> Result<(AgreedChild<'r>, u32), NoChild> {
        if self.initiated.redirects.followed
            && let Some(to) = tunnel.redirect_from(self.arrived.path.local.ip())
        {
            return Err(NoChild::Redirected(to.clone()));
        }
        let wanted = request.child.as_ref().ok_or(NoChild::NotWanted)?;
        let assigned: Vec<_> = request.addresses.given(&tunnel.addresses).collect();
        let agreed = wanted.agree_first(tunnel, &assigned)?;
        Ok((agreed, issue_esp_spi().ok_or(ChildRefusal::NoFreeSpi)?))
    }
}

/// Who the peer is, and what follows from it.
struct Authenticated<'a> {
    /// What it is entitled to.
    tunnel: &'a Known,
    /// Of the IKE SA.
    sk_d: Secret,
    uses_ppk: bool,
    /// Our own.
    proof: Proof,
}
