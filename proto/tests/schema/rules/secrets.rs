//! Rules of secrets.

use proto::*;

const SUITE: EspSuite = EspSuite::Encrypted(Cipher::Aes128Gcm16);

fn keys() -> ChildSaKeys {
    ChildSaKeys {
        inbound: vec![7; 20].into(),
        outbound: vec![7; 20].into(),
    }
}

#[test]
fn keys_are_of_their_suites_length() {
    let encoded = keys().encode();
    assert_eq!(ChildSaKeys::decode(encoded.expose(), SUITE), Ok(keys()));
    let longer = EspSuite::Encrypted(Cipher::Aes256Gcm16);
    let error = ChildSaKeys::decode(encoded.expose(), longer).unwrap_err();
    assert_eq!(
        error.to_string(),
        "inbound: 20 octets are not a key for aes256gcm16, which has 36"
    );
}

#[test]
fn keys_are_never_shown() {
    assert!(!format!("{:?}", keys()).contains('7'));
    let wire = v1::ChildSaKeys {
        inbound: vec![7; 20],
        outbound: vec![7; 20],
    };
    assert!(!format!("{wire:?}").contains('7'));
}
