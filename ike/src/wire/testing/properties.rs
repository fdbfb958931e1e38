//! Properties of the decoder and the encoder, over messages drawn at random.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::prelude::*;

use super::exercise::exercise;
use super::samples::samples;
use crate::wire::*;
use crate::{Identity, IkeSpis, TrafficSelector};

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_itself(head in head(), contents in vec(content(), 0..12)) {
        let payloads: Vec<Payload<'_>> = contents.iter().map(Content::payload).collect();
        let encoded = encode(&head, &payloads);
        let message = Message::decode(&encoded).unwrap();
        prop_assert_eq!(message.header.spis, head.spis);
        prop_assert_eq!(message.header.exchange, head.exchange);
        prop_assert_eq!(message.header.flags, head.flags);
        prop_assert_eq!(message.header.message_id, head.message_id);
        prop_assert_eq!(message.payloads, payloads);
        prop_assert_eq!(message.encrypted, None);
    }

    #[test]
    fn identities_survive_the_payload(identity in identity()) {
        prop_assert_eq!(IdPayload::from(&identity).identity(), Some(identity));
    }

    #[test]
    fn no_datagram_panics_the_decoder(datagram in vec(any::<u8>(), 0..600)) {
        exercise(&datagram);
    }

    /// A believable header in front: random octets alone hardly ever get past it.
    #[test]
    fn no_chain_panics_the_decoder(head in head(), first in 30..60_u8, chain in vec(any::<u8>(), 0..600)) {
        let mut message = Vec::new();
        head.encode(PayloadType(first), &mut message);
        message.extend_from_slice(&chain);
        let length = message.len();
        patch_length(&mut message, length);
        exercise(&message);
    }

    #[test]
    fn no_damaged_message_panics_the_decoder(
        sample in prop::sample::select(samples()),
        damages in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (_, mut message) = sample;
        for (at, octet) in damages {
            let at = at.index(message.len());
            message[at] = octet;
        }
        if let Some(cut) = cut {
            message.truncate(cut.index(message.len()));
        }
        // The header's length would catch every cut; what lies behind it is to be tried.
        if message.len() >= HEADER_LEN {
            let length = message.len();
            patch_length(&mut message, length);
        }
        exercise(&message);
    }
}

/// A payload that owns its octets, since [`Payload`] borrows them.
#[derive(Clone, Debug)]
enum Content {
    Sa(Vec<OwnedProposal>),
    KeyExchange(u16, Vec<u8>),
    Id(bool, Identity),
    Certificate(bool, u8, Vec<u8>),
    Auth(u8, Vec<u8>),
    Nonce(Vec<u8>),
    Notify(Protocol, Vec<u8>, u16, Vec<u8>),
    Delete(Delete),
    Ts(bool, Vec<TrafficSelector>),
    VendorId(Vec<u8>),
    Configuration(Vec<u8>),
    Eap(Vec<u8>),
    Unknown(u8, Vec<u8>),
}

#[derive(Clone, Debug)]
struct OwnedProposal {
    number: u8,
    protocol: Protocol,
    spi: Vec<u8>,
    transforms: Vec<Transform>,
}

impl Content {
    fn payload(&self) -> Payload<'_> {
        match self {
            Self::Sa(proposals) => Payload::Sa(proposals.iter().map(OwnedProposal::borrow).collect()),
            Self::KeyExchange(group, public) => Payload::KeyExchange(KeyExchange {
                group: *group,
                public,
            }),
            Self::Id(true, identity) => Payload::IdI(IdPayload::from(identity)),
            Self::Id(false, identity) => Payload::IdR(IdPayload::from(identity)),
            Self::Certificate(true, encoding, data) => Payload::Certificate(Certificate {
                encoding: *encoding,
                data,
            }),
            Self::Certificate(false, encoding, data) => Payload::CertificateRequest(Certificate {
                encoding: *encoding,
                data,
            }),
            Self::Auth(method, data) => Payload::Auth(Auth {
                method: *method,
                data,
            }),
            Self::Nonce(nonce) => Payload::Nonce(nonce),
            Self::Notify(protocol, spi, kind, data) => Payload::Notify(Notify {
                protocol: *protocol,
                spi,
                kind: NotifyType(*kind),
                data,
            }),
            Self::Delete(delete) => Payload::Delete(delete.clone()),
            Self::Ts(true, selectors) => Payload::TsI(selectors.clone()),
            Self::Ts(false, selectors) => Payload::TsR(selectors.clone()),
            Self::VendorId(body) => Payload::VendorId(body),
            Self::Configuration(body) => Payload::Configuration(body),
            Self::Eap(body) => Payload::Eap(body),
            Self::Unknown(kind, body) => Payload::Unknown {
                kind: PayloadType(*kind),
                body,
            },
        }
    }
}

impl OwnedProposal {
    fn borrow(&self) -> Proposal<'_> {
        Proposal {
            number: self.number,
            protocol: self.protocol,
            spi: &self.spi,
            transforms: self.transforms.clone(),
        }
    }
}

fn head() -> impl Strategy<Value = Head> {
    (1..=u64::MAX, any::<u64>(), any::<u8>(), any::<u8>(), any::<u32>()).prop_map(
        |(initiator, responder, exchange, flags, message_id)| Head {
            spis: IkeSpis { initiator, responder },
            exchange: exchange.into(),
            flags: flags.into(),
            message_id,
        },
    )
}

fn content() -> impl Strategy<Value = Content> {
    let octets = || vec(any::<u8>(), 0..40);
    let protocol = any::<u8>().prop_map(Protocol::from);
    prop_oneof![
        vec(proposal(), 0..4).prop_map(Content::Sa),
        (any::<u16>(), octets()).prop_map(|(group, public)| Content::KeyExchange(group, public)),
        (any::<bool>(), identity()).prop_map(|(initiator, identity)| Content::Id(initiator, identity)),
        (any::<bool>(), any::<u8>(), octets())
            .prop_map(|(held, encoding, data)| Content::Certificate(held, encoding, data)),
        (any::<u8>(), octets()).prop_map(|(method, data)| Content::Auth(method, data)),
        vec(any::<u8>(), 16..=256).prop_map(Content::Nonce),
        (protocol, octets(), any::<u16>(), octets())
            .prop_map(|(protocol, spi, kind, data)| Content::Notify(protocol, spi, kind, data)),
        delete().prop_map(Content::Delete),
        (any::<bool>(), vec(selector(), 0..8)).prop_map(|(initiator, list)| Content::Ts(initiator, list)),
        octets().prop_map(Content::VendorId),
        octets().prop_map(Content::Configuration),
        octets().prop_map(Content::Eap),
        (100..=255_u8, octets()).prop_map(|(kind, body)| Content::Unknown(kind, body)),
    ]
}

fn proposal() -> impl Strategy<Value = OwnedProposal> {
    let transform =
        (any::<u8>(), any::<u16>(), any::<Option<u16>>()).prop_map(|(kind, id, key_bits)| Transform {
            key_bits,
            ..Transform::new(kind.into(), id)
        });
    (
        any::<u8>(),
        any::<u8>(),
        vec(any::<u8>(), 0..9),
        vec(transform, 0..8),
    )
        .prop_map(|(number, protocol, spi, transforms)| OwnedProposal {
            number,
            protocol: protocol.into(),
            spi,
            transforms,
        })
}

fn identity() -> impl Strategy<Value = Identity> {
    prop_oneof![
        any::<IpAddr>().prop_map(Identity::Address),
        ".{0,30}".prop_map(Identity::Fqdn),
        ".{0,30}".prop_map(Identity::Rfc822),
        vec(any::<u8>(), 0..30).prop_map(Identity::KeyId),
    ]
}

fn delete() -> impl Strategy<Value = Delete> {
    let protocol = prop_oneof![Just(Protocol::Esp), Just(Protocol::Ah)];
    prop_oneof![
        Just(Delete::Ike),
        (protocol, vec(any::<u32>(), 0..8)).prop_map(|(protocol, spis)| Delete::Child { protocol, spis }),
    ]
}

fn selector() -> impl Strategy<Value = TrafficSelector> {
    let addresses = prop_oneof![
        (any::<Ipv4Addr>(), any::<Ipv4Addr>())
            .prop_map(|(a, b)| (IpAddr::V4(a.min(b)), IpAddr::V4(a.max(b)))),
        (any::<Ipv6Addr>(), any::<Ipv6Addr>())
            .prop_map(|(a, b)| (IpAddr::V6(a.min(b)), IpAddr::V6(a.max(b)))),
    ];
    let ports = (any::<u16>(), any::<u16>()).prop_map(|(a, b)| (a.min(b), a.max(b)));
    (any::<u8>(), ports, addresses).prop_map(|(protocol, ports, (first, last))| {
        TrafficSelector::new(protocol, ports, first, last).unwrap()
    })
}
