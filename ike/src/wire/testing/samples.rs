//! Messages as honest peers send them: the beginnings of property tests and of fuzzing.

use std::net::{IpAddr, Ipv6Addr};

use crate::wire::*;
use crate::{Identity, IkeSpis, TrafficSelector};

/// Every sample with its name.
pub(crate) fn samples() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("ike-sa-init-request", ike_sa_init_request()),
        ("ike-auth-inside", ike_auth_inside()),
        ("informational-inside", informational_inside()),
        ("sealed", sealed()),
        ("fragment", fragment()),
    ]
}

/// An initiator's first message, two proposals long.
fn ike_sa_init_request() -> Vec<u8> {
    let transform = |kind, id, key_bits| Transform {
        key_bits,
        ..Transform::new(kind, id)
    };
    let proposal = |number, key_bits, prf| Proposal {
        number,
        protocol: Protocol::Ike,
        spi: &[],
        transforms: vec![
            transform(TransformType::Encryption, 20, Some(key_bits)),
            transform(TransformType::Prf, prf, None),
            transform(TransformType::KeyExchange, 31, None),
            transform(TransformType::KeyExchange, 19, None),
        ],
    };
    let head = Head {
        spis: IkeSpis { responder: 0, ..SPIS },
        message_id: 0,
        ..head(ExchangeType::IkeSaInit)
    };
    encode(
        &head,
        &[
            Payload::Sa(vec![proposal(1, 256, 6), proposal(2, 128, 5)]),
            Payload::KeyExchange(KeyExchange {
                group: 31,
                public: &[9; 32],
            }),
            Payload::Nonce(&[7; 32]),
            Payload::Notify(Notify::new(NotifyType::NAT_DETECTION_SOURCE_IP, &[1; 20])),
            Payload::Notify(Notify::new(NotifyType::NAT_DETECTION_DESTINATION_IP, &[2; 20])),
            Payload::VendorId(b"a vendor"),
        ],
    )
}

/// What an initiator's IKE_AUTH holds inside SK, in the clear.
fn ike_auth_inside() -> Vec<u8> {
    let proposal = Proposal {
        number: 1,
        protocol: Protocol::Esp,
        spi: &[0xc0, 0xff, 0xee, 0x01],
        transforms: vec![
            Transform {
                key_bits: Some(128),
                ..Transform::new(TransformType::Encryption, 20)
            },
            Transform::new(TransformType::ExtendedSequenceNumbers, 0),
        ],
    };
    let v4 = range(
        0,
        (0, 65535),
        [[10, 1, 0, 0], [10, 1, 255, 255]].map(IpAddr::from),
    );
    let v6 = range(6, (443, 443), [Ipv6Addr::LOCALHOST.into(); 2]);
    encode(
        &head(ExchangeType::IkeAuth),
        &[
            Payload::IdI(IdPayload::from(&Identity::Fqdn("cpe.example".into()))),
            Payload::Certificate(Certificate {
                encoding: 4,
                data: b"not really DER",
            }),
            Payload::CertificateRequest(Certificate {
                encoding: 4,
                data: &[5; 20],
            }),
            Payload::IdR(IdPayload::from(&Identity::Address(Ipv6Addr::LOCALHOST.into()))),
            Payload::Auth(Auth {
                method: Auth::SHARED_KEY,
                data: &[3; 48],
            }),
            Payload::Configuration(&[1, 0, 0, 0]),
            Payload::Sa(vec![proposal]),
            Payload::TsI(vec![v4, v6]),
            Payload::TsR(vec![v6]),
            Payload::Notify(Notify::new(NotifyType::INITIAL_CONTACT, &[])),
        ],
    )
}

/// Deletions, and a payload nobody knows.
fn informational_inside() -> Vec<u8> {
    encode(
        &head(ExchangeType::Informational),
        &[
            Payload::Delete(Delete::Child {
                protocol: Protocol::Esp,
                spis: vec![0xc0ffee01, 0xc0ffee02],
            }),
            Payload::Delete(Delete::Ike),
            Payload::Eap(&[1, 1, 0, 4]),
            Payload::Unknown {
                kind: PayloadType(200),
                body: b"?",
            },
        ],
    )
}

/// A message that is one SK payload.
fn sealed() -> Vec<u8> {
    protected(PayloadType::SK, PayloadType::IDI, &[0xa5; 64])
}

/// The first of two fragments (RFC 7383 section 2.5).
fn fragment() -> Vec<u8> {
    protected(
        PayloadType::SKF,
        PayloadType::IDI,
        &[&[0, 1, 0, 2][..], &[0xa5; 64]].concat(),
    )
}

fn protected(kind: PayloadType, first: PayloadType, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    head(ExchangeType::IkeAuth).encode(kind, &mut message);
    message.extend_from_slice(&[first.0, 0]);
    message.extend_from_slice(&(4 + body.len() as u16).to_be_bytes());
    message.extend_from_slice(body);
    let length = message.len();
    patch_length(&mut message, length);
    message
}

const SPIS: IkeSpis = IkeSpis {
    initiator: 0x0102030405060708,
    responder: 0x1112131415161718,
};

fn head(exchange: ExchangeType) -> Head {
    Head {
        spis: SPIS,
        exchange,
        flags: Flags {
            initiator: true,
            response: false,
        },
        message_id: 1,
    }
}

/// `ike/fuzz/corpus/decode` holds the samples, so that fuzzing begins with them. To bring it up to date:
/// `ANYSWAN_WRITE_CORPUS=1 cargo test -p ike corpus`.
#[test]
fn the_fuzzing_corpus_holds_the_samples() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/decode");
    for (name, sample) in samples() {
        let file = folder.join(name).with_extension("ike");
        if std::env::var_os("ANYSWAN_WRITE_CORPUS").is_some() {
            std::fs::write(&file, &sample).unwrap();
        }
        assert_eq!(std::fs::read(&file).unwrap(), sample, "{}", file.display());
    }
}

fn range(protocol: u8, ports: (u16, u16), [first, last]: [IpAddr; 2]) -> TrafficSelector {
    TrafficSelector::new(protocol, ports, first, last).expect("a range")
}
