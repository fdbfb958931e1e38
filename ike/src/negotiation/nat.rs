//! NAT detection (RFC 7296 section 2.23).

use serde::{Deserialize, Serialize};

use crate::crypto::nat_detection_hash;
use crate::message::udp::NAT_T_PORT;
use crate::wire::{Notify, NotifyType, Payload};
use crate::{IkeSpis, Path};

/// Who of the two is behind a NAT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Nat {
    pub(crate) peer: bool,
    pub(crate) local: bool,
}

impl Nat {
    /// From an IKE_SA_INIT request that came along `path`. A peer that sends no hashes does not do NAT traversal.
    pub(crate) fn detect(path: Path, spis: IkeSpis, payloads: &[Payload<'_>]) -> Self {
        Self {
            peer: differs(
                payloads,
                NotifyType::NAT_DETECTION_SOURCE_IP,
                &nat_detection_hash(spis, path.peer),
            ),
            local: differs(
                payloads,
                NotifyType::NAT_DETECTION_DESTINATION_IP,
                &nat_detection_hash(spis, path.local),
            ),
        }
    }

    pub(crate) fn is_present(self) -> bool {
        self.peer || self.local
    }

    /// The peer's address may change with its NAT's mapping; it is followed only by a side that is not itself
    /// behind a NAT.
    pub(crate) fn follows_peer(self) -> bool {
        self.peer && !self.local
    }
}

/// How a child SA travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Outer {
    pub(crate) path: Path,
    /// In UDP (RFC 3948).
    pub(crate) udp_encap: bool,
}

impl Outer {
    /// Beside an IKE SA that travels along `path`.
    pub(crate) fn new(path: Path, nat: Nat) -> Self {
        // "UDP encapsulation MUST NOT be done on port 500" (RFC 7296 section 2.23).
        let udp_encap = nat.is_present() && path.local.port() == NAT_T_PORT;
        Self { path, udp_encap }
    }
}

/// True when notifications of `kind` are there and none has the `expected` hash. There may be several from a peer
/// with several addresses.
fn differs(payloads: &[Payload<'_>], kind: NotifyType, expected: &[u8]) -> bool {
    let mut hashes = kind.all_data_in(payloads);
    match hashes.next() {
        None => false,
        Some(first) => first != expected && hashes.all(|hash| hash != expected),
    }
}

/// The hashes that let the peer detect a NAT, for a message that goes along `path`.
pub(crate) struct NatDetection {
    source: [u8; 20],
    destination: [u8; 20],
}

impl NatDetection {
    pub(crate) fn new(path: Path, spis: IkeSpis) -> Self {
        Self {
            source: nat_detection_hash(spis, path.local),
            destination: nat_detection_hash(spis, path.peer),
        }
    }

    pub(crate) fn payloads(&self) -> [Payload<'_>; 2] {
        [
            Payload::Notify(Notify::new(NotifyType::NAT_DETECTION_SOURCE_IP, &self.source)),
            Payload::Notify(Notify::new(
                NotifyType::NAT_DETECTION_DESTINATION_IP,
                &self.destination,
            )),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_of_several_source_addresses_may_be_the_right_one() {
        let path = Path {
            local: ([203, 0, 113, 1], 500).into(),
            peer: ([198, 51, 100, 1], 500).into(),
        };
        let spis = IkeSpis {
            initiator: 1,
            responder: 0,
        };
        let right = nat_detection_hash(spis, path.peer);
        let wrong = nat_detection_hash(spis, path.local);
        let peer_is_behind_nat = |hashes: &[[u8; 20]]| {
            let source = |hash| Payload::Notify(Notify::new(NotifyType::NAT_DETECTION_SOURCE_IP, hash));
            let payloads: Vec<_> = hashes.iter().map(|hash| source(hash)).collect();
            Nat::detect(path, spis, &payloads).peer
        };
        assert!(!peer_is_behind_nat(&[]));
        assert!(!peer_is_behind_nat(&[right]));
        assert!(!peer_is_behind_nat(&[wrong, right]));
        assert!(!peer_is_behind_nat(&[right, wrong]));
        assert!(peer_is_behind_nat(&[wrong, wrong]));
    }
}
