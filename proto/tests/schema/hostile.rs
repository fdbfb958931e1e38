//! Octets from anyone.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use proto::*;

use crate::any;

/// Reads octets as every message a caller can send. What is accepted must be sound: it travels unchanged.
fn read_as_everything(octets: &[u8]) {
    if let Ok(record) = Record::decode(Bytes::copy_from_slice(octets)) {
        assert_eq!(Record::decode(record.encode()).unwrap(), record);
    }
    if let Some(commit) = read::<v1::CommitRequest, Commit>(octets) {
        assert_eq!(Commit::try_from(v1::CommitRequest::from(&commit)), Ok(commit));
    }
    if let Some(message) = read::<v1::SyncRequest, ToDistributor>(octets) {
        assert_eq!(
            ToDistributor::try_from(v1::SyncRequest::from(&message)),
            Ok(message)
        );
    }
    read::<v1::SyncResponse, FromDistributor>(octets);
    let _ = ChildSaKeys::decode(octets, EspSuite::Encrypted(Cipher::Aes128Gcm16));
}

fn read<W: Message + Default, T: TryFrom<W>>(octets: &[u8]) -> Option<T> {
    W::decode(octets).ok()?.try_into().ok()
}

proptest! {
    #[test]
    fn noise_is_read_without_harm(octets in vec(any::<u8>(), 0..300)) {
        read_as_everything(&octets);
    }

    #[test]
    fn damaged_records_are_read_without_harm(
        record in any::record(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut octets = record.encode().to_vec();
        for (place, octet) in damage {
            octets[place.index(record.encode().len())] = octet;
        }
        read_as_everything(&octets);
        read_as_everything(&octets[..cut.index(octets.len())]);
    }

    #[test]
    fn damaged_commits_are_read_without_harm(
        commit in any::commit(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut octets = v1::CommitRequest::from(&commit).encode_to_vec();
        let length = octets.len();
        for (place, octet) in damage {
            octets[place.index(length)] = octet;
        }
        read_as_everything(&octets);
    }

    #[test]
    fn headers_of_noise_are_refused_or_sound(header in vec(any::<u8>(), 0..200)) {
        let wire = v1::Sealed { header: header.into(), secret: Bytes::from_static(b"secret") };
        if let Ok(sealed) = Sealed::<ChildSa>::try_from(wire) {
            prop_assert_eq!(ChildSa::try_from(v1::ChildSa::from(sealed.header())), Ok(sealed.header().clone()));
        }
    }
}
