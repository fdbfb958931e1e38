//! The state of an IKE SA as octets, for another process to take over.
//!
//! The first octet is the version of the layout behind it. A program writes one version and reads that and the one before, so that
//! the edges of a fleet can be upgraded one after the other: a new one takes over what an old one has committed.

use postcard::ser_flavors::Size;
use thiserror::Error;

use super::State;
use super::version_8;
use crate::{IkeSa, IkeSpis, Secret};

/// The layout that is written: [`State`] in postcard's encoding.
const VERSION: u8 = 9;

impl State {
    /// What the fleet keeps of it.
    pub(crate) fn record(&self, initial_contact: bool) -> IkeSa {
        IkeSa {
            spis: self.spis(),
            tunnel: self.tunnel().to_owned(),
            remote_id: self.remote_id().clone(),
            path: self.address.path(),
            initial_contact,
            snapshot: self.to_snapshot(),
        }
    }

    fn to_snapshot(&self) -> Secret {
        // Without room for all of it from the start, copies of its keys would stay behind.
        let length = postcard::serialize_with_flavor(self, Size::default()).unwrap_or_default();
        let mut octets = vec![VERSION; 1 + length];
        // Fails for types that do not know their length, of which there is none in here.
        match postcard::to_slice(self, &mut octets[1..]) {
            Ok(_) => Secret::new(octets),
            Err(_) => Secret::default(),
        }
    }

    pub(crate) fn from_snapshot(snapshot: &Secret) -> Result<Self, RestoreError> {
        let (&version, octets) = snapshot.expose().split_first().ok_or(RestoreError::Malformed)?;
        let read = match version {
            VERSION => postcard::take_from_bytes(octets),
            version_8::VERSION => version_8::read(octets),
            _ => return Err(RestoreError::Version(version)),
        };
        match read {
            Ok((state, [])) => Ok(state),
            Ok(_) | Err(_) => Err(RestoreError::Malformed),
        }
    }
}

/// Why an IKE SA was not restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// Written by a program that is more than one layout older, or newer.
    #[error("snapshot version {0} is not known")]
    Version(u8),
    /// Not a snapshot.
    #[error("the snapshot is malformed")]
    Malformed,
    /// It runs here already.
    #[error("the IKE SA {:016x} runs here already", .0.responder)]
    Running(IkeSpis),
}

/// The snapshots in `golden` were written by the program of each version, of IKE SAs in many situations. Those of one name are of
/// the same IKE SA. With `ANYSWAN_WRITE_GOLDEN` in the environment those of the present version are written again: for a new
/// version, whose folder is still empty. A folder of a version that was released does not change.
#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::*;

    fn folder(version: u8) -> PathBuf {
        let folder = format!("src/ike_sa/state/golden/version-{version}");
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder)
    }

    fn names(version: u8) -> BTreeSet<String> {
        let entries = std::fs::read_dir(folder(version)).unwrap();
        let name =
            |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        entries.map(name).collect()
    }

    fn golden(version: u8, name: &str) -> Secret {
        let octets = std::fs::read(folder(version).join(name)).unwrap();
        assert_eq!(octets.first(), Some(&version), "{name}");
        Secret::new(octets)
    }

    fn hex(secret: &Secret) -> String {
        secret
            .expose()
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect()
    }

    #[test]
    fn what_the_version_before_wrote_is_read_as_the_same_state() {
        let names_before = names(version_8::VERSION);
        assert!(names_before.len() >= 10, "{names_before:?}");
        if std::env::var_os("ANYSWAN_WRITE_GOLDEN").is_some() {
            for name in &names_before {
                let state = State::from_snapshot(&golden(version_8::VERSION, name)).unwrap();
                std::fs::write(folder(VERSION).join(name), state.to_snapshot().expose()).unwrap();
            }
        }
        assert_eq!(names(VERSION), names_before);
        for name in names_before {
            let state = State::from_snapshot(&golden(version_8::VERSION, &name)).unwrap();
            assert_eq!(hex(&state.to_snapshot()), hex(&golden(VERSION, &name)), "{name}");
        }
    }

    #[test]
    fn what_this_version_writes_is_what_it_reads() {
        for name in names(VERSION) {
            let octets = golden(VERSION, &name);
            let state = State::from_snapshot(&octets).unwrap();
            assert_eq!(hex(&state.to_snapshot()), hex(&octets), "{name}");
        }
    }

    /// By what the writer of version 8 has said of them.
    #[test]
    fn the_situations_are_there() {
        let state = |name: &str| State::from_snapshot(&golden(version_8::VERSION, name)).unwrap();
        let by_auth = state("established");
        assert_eq!(by_auth.tunnel(), "tunnel of cpe1.example");
        assert_eq!(by_auth.inbound_spis().count(), 1);
        assert_eq!(by_auth.promised_spis().count(), 0);
        // Our own replacement, and that of the peer.
        let simultaneous = state("simultaneous-ike-rekey");
        assert_eq!(simultaneous.promised_spis().count(), 2);
        let peers = simultaneous.peer_replacement.as_ref().unwrap();
        let replacement = peers.ike().unwrap();
        assert_eq!(replacement.tunnel(), simultaneous.tunnel());
        assert_ne!(replacement.spis(), simultaneous.spis());
        let simultaneous = state("simultaneous-child-rekey");
        let peers = simultaneous.peer_replacement.as_ref().unwrap();
        let inbound_spis: Vec<_> = simultaneous.inbound_spis().collect();
        assert!(inbound_spis.contains(&peers.child().unwrap()));
        assert_eq!(state("follow-up-of-peer-ike").promised_spis().count(), 1);
        assert!(state("mobike-unchecked").address.is_unchecked());
        assert!(state("with-token").peer_token().is_some());
    }

    #[test]
    fn what_is_no_snapshot_is_told_apart() {
        let error = |octets: &[u8]| State::from_snapshot(&Secret::new(octets.to_vec())).err();
        assert_eq!(error(&[]), Some(RestoreError::Malformed));
        for version in [0, version_8::VERSION - 1, VERSION + 1, u8::MAX] {
            assert_eq!(error(&[version, 0]), Some(RestoreError::Version(version)));
        }
        for version in [version_8::VERSION, VERSION] {
            let whole = golden(version, "established");
            let whole = whole.expose();
            for length in 1..whole.len() {
                assert_eq!(
                    error(&whole[..length]),
                    Some(RestoreError::Malformed),
                    "{length} octets"
                );
            }
            assert_eq!(error(&[whole, &[0]].concat()), Some(RestoreError::Malformed));
        }
    }
}
