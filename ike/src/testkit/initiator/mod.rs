//! A small IKEv2 initiator: enough to try every answer of the responder.

mod auth;
#[cfg(test)]
mod handover;
mod init;
mod intermediate;
#[cfg(test)]
mod peek;
mod protected;
#[cfg(any(test, fuzzing))]
mod raw;
mod rekey;

use self::init::Init;
use super::customer::Customer;
use super::host::TestRandom;
use super::session::Session;
use crate::message::udp;
use crate::wire::{Delete, ExchangeType, Header, Message, Notify, Payload, Protocol};
use crate::{ChildSa, IkeSpis, IkeSuite, Path, Secret, Transmit};

/// How far an initiator has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It waits for the answer to IKE_SA_INIT or IKE_AUTH.
    Connecting,
    /// Its IKE SA is established, with child SA or without.
    Up,
    /// The responder refused, with this notify message type.
    Refused(u16),
    /// One of both sides has ended the IKE SA, or the responder has lost it.
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
    /// That of a new IKE SA, while the old one is deleted.
    next_session: Option<Box<Session>>,
    /// A rekey that it has asked for.
    asked: Option<rekey::Asked>,
    child: Option<ChildSa>,
    child_refusal: Option<u16>,
    /// By which the responder says that it has lost the IKE SA (RFC 6290).
    token: Option<Secret>,
    /// The last request, for retransmission.
    last_request: Vec<u8>,
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
        Self {
            path: customer.path,
            init: Init::new(&customer, &mut random),
            customer,
            random,
            status: Status::Connecting,
            session: None,
            next_session: None,
            asked: None,
            child: None,
            child_refusal: None,
            token: None,
            last_request: Vec::new(),
        }
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

    /// Whether it waits for no response, be it whole or the rest of its fragments.
    pub fn is_idle(&self) -> bool {
        match &self.session {
            Some(session) => session.is_idle(),
            None => self.status != Status::Connecting,
        }
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
}

fn first_error<'p, 'a>(payloads: &'p [Payload<'a>]) -> Option<&'p Notify<'a>> {
    payloads.iter().find_map(|payload| match payload {
        Payload::Notify(notify) if notify.kind.is_error() => Some(notify),
        _ => None,
    })
}
