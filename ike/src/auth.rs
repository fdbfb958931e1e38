//! IKE_AUTH with a pre-shared key (RFC 7296 sections 1.2 and 2.15).

use crate::channel::{Channel, Exhausted, Kind, Opened};
use crate::child::{Agreed, ChildRequest, Fresh};
use crate::children::{Child, Children, Phase};
use crate::established::{Arrived, Established};
use crate::init::Initiated;
use crate::nat::Outer;
use crate::snapshot::State;
use crate::tunnels::{Tunnels, is_same_identity};
use crate::window::{Answered, Window};
use crate::wire::{Auth, ExchangeType, IdPayload, Notify, NotifyType, Payload, WireError};
use crate::{AuthRefusal, Change, ChildRefusal, Identity, Secret, Side, Tunnel};

/// Message ID of IKE_AUTH (RFC 7296 section 2.2); with pre-shared keys there is one such exchange.
pub(crate) const MESSAGE_ID: u32 = 1;

/// An authentic IKE_AUTH request and what it is judged by.
pub(crate) struct Attempt<'a> {
    pub(crate) arrived: Arrived<'a>,
    pub(crate) initiated: &'a Initiated,
    pub(crate) tunnels: &'a Tunnels,
    /// Checked in place of the key of an unknown peer.
    pub(crate) decoy: &'a Secret,
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
    pub(crate) child: Result<u32, ChildRefusal>,
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
                Ok((request, tunnel)) => return self.accept(&request, tunnel, channel, issue_esp_spi),
                Err(refusal) => refusal,
            },
            Err(error) => error.into(),
        };
        let reply = seal_refusal(&mut channel, &refusal)?;
        Ok(Judged::Refused(
            refusal,
            Answered::new(self.arrived.octets, reply),
        ))
    }

    fn admit<'p>(&self, payloads: &'p [Payload<'p>]) -> Result<(AuthRequest<'p>, &Tunnel), AuthRefusal> {
        let request = AuthRequest::read(payloads)?;
        let tunnel = self.verify(&request)?;
        Ok((request, tunnel))
    }

    /// The tunnel that the peer proves to be entitled to. An identity that is not known here costs the same as a
    /// known one with a wrong key, by a check against the decoy, and is answered the same.
    fn verify(&self, request: &AuthRequest<'_>) -> Result<&Tunnel, AuthRefusal> {
        // A request for EAP has no AUTH payload (RFC 7296 section 2.16).
        let auth = request.auth.ok_or(AuthRefusal::Eap)?;
        if auth.method != Auth::SHARED_KEY {
            return Err(AuthRefusal::Method(auth.method));
        }
        let claimed = self.claimed(request);
        let psk = claimed.as_ref().map_or(self.decoy, |tunnel| &tunnel.psk);
        let octets = self.initiated.initiator_octets(request.id_i.body());
        let is_right = octets.is_psk_auth(self.initiated.suite.prf, psk, auth.data);
        claimed.and_then(|tunnel| match is_right {
            true => Ok(tunnel),
            false => Err(AuthRefusal::WrongKey(tunnel.remote_id.clone())),
        })
    }

    /// The tunnel that the identities in the request are those of.
    fn claimed(&self, request: &AuthRequest<'_>) -> Result<&Tunnel, AuthRefusal> {
        let id_i = request.id_i.identity();
        let tunnel = id_i.as_ref().and_then(|id_i| self.tunnels.of_remote(id_i));
        let tunnel = tunnel.ok_or(AuthRefusal::UnknownIdentity(id_i))?;
        match request.id_r.map(IdPayload::identity) {
            None => Ok(tunnel),
            Some(Some(id_r)) if is_same_identity(&id_r, &self.local_id(tunnel)) => Ok(tunnel),
            Some(id_r) => Err(AuthRefusal::NotOurIdentity(id_r)),
        }
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
        tunnel: &Tunnel,
        mut channel: Channel,
        issue_esp_spi: impl FnOnce() -> Option<u32>,
    ) -> Result<Judged, Exhausted> {
        let agreed = request.child.agree(tunnel, &[]);
        let agreed = agreed.and_then(|agreed| Ok((agreed, issue_esp_spi().ok_or(ChildRefusal::NoFreeSpi)?)));
        let reply = self.seal_reply(&mut channel, tunnel, request.mobike, &agreed)?;

        let mut state = State {
            suite: self.initiated.suite,
            sk_d: self.initiated.keys.sk_d.clone(),
            channel,
            tunnel: tunnel.name.clone(),
            remote_id: tunnel.remote_id.clone(),
            path: self.arrived.path,
            nat: self.initiated.nat,
            outer: Outer::new(self.arrived.path, self.initiated.nat),
            mobike: request.mobike,
            unchecked: false,
            window: Window::after_auth(Answered::new(self.arrived.octets, reply)),
            next_request: 0,
            children: Children::default(),
            exchange: None,
            replaced: None,
        };
        let fresh = Fresh {
            initiator: Side::Peer,
            shared: None,
            ni: &self.initiated.ni,
            nr: &self.initiated.nr,
        };
        let child = agreed.map(|(agreed, spi)| agreed.into_sa(spi, &state.parent(), &fresh, false));
        if let Ok(child) = &child {
            state.children.push(Child::new(child, Phase::Active));
        }
        let child_spi = child
            .as_ref()
            .map(|child| child.inbound_spi)
            .map_err(|&refusal| refusal);
        let mut changes = vec![Change::PutIke(state.record(request.initial_contact))];
        changes.extend(child.map(|child| Change::PutChild(Box::new(child))));
        let accepted = Accepted {
            established: Established::new(state, self.arrived.now),
            child: child_spi,
        };
        Ok(Judged::Accepted(Box::new(accepted), changes))
    }

    /// IDr and AUTH, and either the child SA or the reason why there is none (RFC 7296 section 2.21.2).
    fn seal_reply(
        &self,
        channel: &mut Channel,
        tunnel: &Tunnel,
        mobike: bool,
        agreed: &Result<(Agreed<'_>, u32), ChildRefusal>,
    ) -> Result<Vec<u8>, Exhausted> {
        let id_r = IdPayload::from(&self.local_id(tunnel));
        let octets = self.initiated.responder_octets(id_r.body());
        let proof = octets.psk_auth(self.initiated.suite.prf, &tunnel.psk);
        let auth = Auth {
            method: Auth::SHARED_KEY,
            data: &proof,
        };
        let spi = agreed.as_ref().map_or([0; 4], |(_, spi)| spi.to_be_bytes());
        let mut payloads = vec![Payload::IdR(id_r.clone()), Payload::Auth(auth)];
        match agreed {
            Ok((agreed, _)) => payloads.extend(agreed.payloads(&spi)),
            Err(refusal) => payloads.push(Payload::Notify(Notify::new(refusal.notification().0, &[]))),
        }
        if mobike {
            payloads.push(Payload::Notify(Notify::new(NotifyType::MOBIKE_SUPPORTED, &[])));
        }
        channel.seal(Kind::Response, ExchangeType::IkeAuth, MESSAGE_ID, &payloads)
    }
}

/// The error that ends the exchange without an IKE SA.
pub(crate) fn seal_refusal(channel: &mut Channel, refusal: &AuthRefusal) -> Result<Vec<u8>, Exhausted> {
    let (kind, data) = refusal.notification();
    let payload = Payload::Notify(Notify::new(kind, &data));
    channel.seal(Kind::Response, ExchangeType::IkeAuth, MESSAGE_ID, &[payload])
}

/// The peer's claim and its proof.
struct AuthRequest<'a> {
    id_i: &'a IdPayload<'a>,
    id_r: Option<&'a IdPayload<'a>>,
    auth: Option<Auth<'a>>,
    initial_contact: bool,
    /// MOBIKE_SUPPORTED (RFC 4555 section 3.1).
    mobike: bool,
    child: ChildRequest<'a>,
}

impl<'a> AuthRequest<'a> {
    fn read(payloads: &'a [Payload<'a>]) -> Result<Self, WireError> {
        let (mut id_i, mut id_r, mut auth, mut initial_contact) = (None, None, None, false);
        for payload in payloads {
            match payload {
                Payload::IdI(id) => id_i = Some(id),
                Payload::IdR(id) => id_r = Some(id),
                Payload::Auth(proof) => auth = Some(*proof),
                Payload::Notify(notify) => initial_contact |= notify.kind == NotifyType::INITIAL_CONTACT,
                _ => {}
            }
        }
        let id_i = id_i.ok_or(WireError::Syntax("no IDi payload"))?;
        Ok(Self {
            id_i,
            id_r,
            auth,
            initial_contact,
            mobike: NotifyType::MOBIKE_SUPPORTED.is_in(payloads),
            child: ChildRequest::read(payloads)?,
        })
    }
}
