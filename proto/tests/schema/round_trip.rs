//! What is sent is what is understood.

use proptest::prelude::*;
use prost::Message;
use proto::*;

use crate::any;

/// Over the wire and back.
fn travel<W, T>(value: &T) -> T
where
    W: Message + Default + for<'a> From<&'a T>,
    T: TryFrom<W, Error = Invalid>,
{
    let octets = W::from(value).encode_to_vec();
    W::decode(&octets[..]).unwrap().try_into().unwrap()
}

proptest! {
    #[test]
    fn of_records(record in any::record()) {
        let back = Record::decode(record.encode()).unwrap();
        prop_assert_eq!(back.encode(), record.encode());
        prop_assert_eq!(back.key(), record.key());
        prop_assert_eq!(back, record);
    }

    #[test]
    fn of_commits(commit in any::commit()) {
        let back = travel::<v1::CommitRequest, _>(&commit);
        prop_assert_eq!(v1::CommitRequest::from(&back), v1::CommitRequest::from(&commit));
        prop_assert_eq!(back, commit);
    }

    #[test]
    fn of_an_edges_messages(message in any::to_distributor()) {
        prop_assert_eq!(travel::<v1::SyncRequest, _>(&message), message);
    }

    #[test]
    fn of_leases(lease in any::lease()) {
        prop_assert_eq!(travel::<v1::Lease, _>(&lease), lease);
    }

    #[test]
    fn of_deltas(records in prop::collection::vec(any::record(), 0..5), revision in prop::option::of(1..=u64::MAX)) {
        let encoded = records.iter().map(Record::encode).collect();
        let delta = v1::Delta { records: encoded, revision: revision.unwrap_or_default() };
        let message = v1::SyncResponse { message: Some(v1::sync_response::Message::Delta(delta)) };
        let back = FromDistributor::try_from(v1::SyncResponse::decode(&message.encode_to_vec()[..]).unwrap());
        prop_assert_eq!(back, Ok(FromDistributor::Delta(Delta { records, revision })));
    }

    #[test]
    fn of_keys_of_child_sas(octets in any::<[u8; 36]>()) {
        let keys = ChildSaKeys { inbound: octets.to_vec().into(), outbound: octets.to_vec().into() };
        prop_assert!(ChildSaKeys::decode(keys.encode().expose(), EspSuite::Encrypted(Cipher::Aes256Gcm16)) == Ok(keys));
    }

    #[test]
    fn of_secrets_of_tunnels(credentials in any::<Vec<u8>>(), ppk in any::<[u8; 32]>()) {
        let secrets = TunnelSecrets { credentials: credentials.into(), ppk: ppk.to_vec().into() };
        prop_assert!(TunnelSecrets::decode(secrets.encode().expose()) == Ok(secrets));
    }

    #[test]
    fn of_identities_as_text(identity in any::identity()) {
        let text = identity.to_string();
        // Text cannot tell a domain name that looks like an address from the address, nor such a mail address.
        prop_assume!(!matches!(&identity, Identity::Fqdn(name) if name.bytes().all(|c| c.is_ascii_digit() || c == b'.')));
        prop_assume!(!matches!(&identity, Identity::Rfc822(mail) if mail.starts_with("keyid:") || mail.starts_with("key-id:") || mail.contains('=')));
        let back: Identity = text.parse().unwrap();
        prop_assert_eq!(back.to_string(), text);
        prop_assert_eq!(back, identity);
    }
}

#[test]
fn the_seal_covers_the_headers_octets_as_they_came() {
    // A field that this program does not know (number 100) makes another encoding of the same header.
    let tunnel = v1::Tunnel::from(&testkit::tunnel("acme", 1));
    let mut header = tunnel.encode_to_vec();
    header.extend([0xa0, 0x06, 0x01]);
    let wire = v1::Sealed {
        header: header.clone().into(),
        secret: b"secret"[..].into(),
    };
    let sealed = Sealed::<Tunnel>::try_from(wire.clone()).unwrap();
    assert_eq!(*sealed.header(), testkit::tunnel("acme", 1));
    assert_eq!(sealed.encoded_header(), header);
    assert_eq!(v1::Sealed::from(&sealed), wire);
}
