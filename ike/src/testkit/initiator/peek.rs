//! What only the responder's own tests look at, or would do.

use super::Initiator;
use crate::message::udp;
use crate::testkit::Opened;
use crate::wire::{self, Head, Header, Payload};
use crate::{Prf, Secret, Transmit};

impl Initiator {
    /// As if somebody had changed IKE_INTERMEDIATE on its way.
    pub(crate) fn spoil_int_auth(&mut self) {
        self.init.int_auth[0] ^= 1;
    }

    /// An answer in the clear to a request of the responder, as from a router that has lost the IKE SA.
    pub(crate) fn disown(&self, request: &Transmit, payloads: &[Payload<'_>]) -> Option<Transmit> {
        let octets = udp::unwrap(self.path.peer.port(), &request.payload)?;
        let header = Header::decode(octets).ok()?;
        Some(self.wrap(&wire::encode(&Head::answering(&header), payloads)))
    }

    /// Where peers with MOBIKE go when they suspect a NAT (RFC 4555 section 3.3).
    pub(crate) fn move_to_port_4500(&mut self) {
        self.path.local.set_port(udp::NAT_T_PORT);
        self.path.peer.set_port(udp::NAT_T_PORT);
    }

    /// What a response of the responder holds.
    pub(crate) fn read(&self, datagram: &[u8]) -> Option<Opened> {
        self.open(datagram)
    }

    /// What later SAs' keys come of.
    pub(crate) fn prf_and_sk_d(&self) -> Option<(Prf, &Secret)> {
        let session = self.session.as_ref()?;
        Some((self.init.suite.prf, &session.keys.sk_d))
    }
}
