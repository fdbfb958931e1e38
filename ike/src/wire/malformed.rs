//! Messages that are wrong, one fault each, and the verdict on each.

use super::*;
use crate::crypto::unhex;

/// A message whose chain is `chain`, in hexadecimal, after a correct header that names `first`.
fn message(first: u8, chain: &str) -> Vec<u8> {
    let head = Head {
        spis: crate::IkeSpis {
            initiator: 1,
            responder: 0,
        },
        exchange: ExchangeType::IkeSaInit,
        flags: Flags {
            initiator: true,
            response: false,
        },
        message_id: 0,
    };
    let mut message = Vec::new();
    head.encode(PayloadType(first), &mut message);
    message.extend_from_slice(&unhex(chain));
    let length = message.len();
    patch_length(&mut message, length);
    message
}

/// A message that is one payload of type `kind`, its body in hexadecimal.
fn single(kind: u8, body: &str) -> Vec<u8> {
    message(kind, &format!("0000{:04x}{body}", 4 + unhex(body).len()))
}

fn verdict(message: &[u8]) -> Result<(), WireError> {
    Message::decode(message).map(|_| ())
}

#[test]
fn headers() {
    let good = message(0, "");
    assert_eq!(verdict(&good), Ok(()));
    let with = |at: usize, octet: u8| {
        let mut message = good.clone();
        message[at] = octet;
        message
    };
    let cases = [
        ("empty", vec![], "shorter than the header"),
        ("one octet short", good[..27].to_vec(), "shorter than the header"),
        (
            "one octet more than the length says",
            [&good[..], &[0]].concat(),
            "the length is not the datagram's",
        ),
        (
            "a length above the datagram's",
            with(27, 29),
            "the length is not the datagram's",
        ),
        (
            "a length of 4 GiB",
            with(24, 0xff),
            "the length is not the datagram's",
        ),
        (
            "an initiator's SPI of zero",
            with(7, 0),
            "the initiator's SPI is zero",
        ),
        ("version 1.0", with(17, 0x10), "major version below 2"),
    ];
    for (name, message, reason) in cases {
        assert_eq!(verdict(&message), Err(WireError::NotIke(reason)), "{name}");
    }
}

/// RFC 7296 section 2.5: a higher minor version is read as ours, a higher major version is answered.
#[test]
fn versions() {
    let mut message = message(0, "");
    message[17] = 0x2f;
    assert_eq!(verdict(&message), Ok(()));
    message[17] = 0x30;
    // Nothing else in such a message need make sense here.
    message[27] = 0;
    let Err(error @ WireError::MajorVersion(header)) = Header::decode(&message) else {
        panic!("version 3 was accepted");
    };
    assert_eq!(
        (header.spis.initiator, header.exchange),
        (1, ExchangeType::IkeSaInit)
    );
    assert_eq!(error.answer(), Some(NotifyType::INVALID_MAJOR_VERSION));
}

#[test]
fn chains() {
    let cases = [
        (
            "a type named, nothing there",
            message(40, ""),
            "a payload is shorter than its header",
        ),
        (
            "half a payload header",
            message(40, "0000"),
            "a payload is shorter than its header",
        ),
        (
            "a length of zero",
            message(43, "00000000"),
            "a payload's length is below 4",
        ),
        (
            "a length of three",
            message(43, "00000003"),
            "a payload's length is below 4",
        ),
        (
            "a length beyond the message",
            message(43, "00000005"),
            "a payload is longer than the message",
        ),
        (
            "octets behind the end",
            message(43, "0000000400"),
            "octets behind the last payload",
        ),
        (
            "octets behind a header that names none",
            message(0, "00"),
            "octets behind the last payload",
        ),
        (
            "the second payload is missing",
            message(43, "2b000004"),
            "a payload is shorter than its header",
        ),
        (
            "65 payloads",
            message(43, &("2b000004".repeat(64) + "00000004")),
            "too many payloads",
        ),
        (
            "SK before another payload",
            message(46, "2b000004 00000004"),
            "SK is not the last payload",
        ),
        (
            "SKF before another payload",
            message(53, "2b000004 00000004"),
            "SK is not the last payload",
        ),
    ];
    for (name, message, reason) in cases {
        assert_eq!(verdict(&message), Err(WireError::Syntax(reason)), "{name}");
    }
    assert_eq!(
        verdict(&message(43, &("2b000004".repeat(63) + "00000004"))),
        Ok(()),
        "64 payloads"
    );
    assert_eq!(
        decode_payloads(PayloadType::SK, &[0, 0, 0, 4]),
        Err(WireError::Syntax("SK inside SK")),
        "an SK inside an SK"
    );
}

/// RFC 7296 section 2.5.
#[test]
fn critical_payloads() {
    for kind in [1, 32, 49, 52, 54, 127, 255] {
        assert_eq!(
            verdict(&message(kind, "00800004")),
            Err(WireError::CriticalPayload(kind))
        );
        assert_eq!(
            verdict(&message(kind, "007f0004")),
            Ok(()),
            "the reserved bits say nothing"
        );
    }
    let known = [33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 53];
    for kind in known {
        let verdict = verdict(&message(kind, "00800004"));
        assert!(!matches!(verdict, Err(WireError::CriticalPayload(_))), "{kind}");
    }
    assert_eq!(
        WireError::CriticalPayload(200).answer(),
        Some(NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD)
    );
}

#[test]
fn payload_bodies() {
    let nonce = |octets: usize| single(40, &"55".repeat(octets));
    let id_len = "an address in an ID has the wrong length";
    let delete_len = "a deletion has SPIs of the wrong length for its protocol";
    let delete_count = "a deletion does not have the SPIs it counts";
    let cases = [
        (
            "KE without room for its group",
            single(34, "001f00"),
            "KE is shorter than its fixed part",
        ),
        (
            "an ID of three octets",
            single(35, "020000"),
            "an ID is shorter than its fixed part",
        ),
        (
            "an IPv4 ID of three octets",
            single(35, "01000000 c00002"),
            id_len,
        ),
        (
            "an IPv6 ID of four octets",
            single(36, "05000000 c0000201"),
            id_len,
        ),
        ("an empty CERT", single(37, ""), "CERT or CERTREQ is empty"),
        ("an empty CERTREQ", single(38, ""), "CERT or CERTREQ is empty"),
        (
            "AUTH without room for its method",
            single(39, "0200"),
            "AUTH is shorter than its fixed part",
        ),
        ("a nonce of 15 octets", nonce(15), "a nonce has 16 to 256 octets"),
        (
            "a nonce of 257 octets",
            nonce(257),
            "a nonce has 16 to 256 octets",
        ),
        (
            "half a notification",
            single(41, "0000"),
            "a notification is shorter than its fixed part",
        ),
        (
            "a notification's SPI beyond its end",
            single(41, "03044000 c0ffee"),
            "a notification's SPI is longer than the notification",
        ),
        (
            "half a deletion",
            single(42, "0304"),
            "a deletion is shorter than its fixed part",
        ),
        (
            "deletion of ESP by an 8-octet SPI",
            single(42, "03080001 0000000000000001"),
            delete_len,
        ),
        (
            "deletion of ESP without SPI length",
            single(42, "03000000"),
            delete_len,
        ),
        (
            "deletion of IKE by SPI",
            single(42, "01080001 0000000000000001"),
            delete_len,
        ),
        (
            "deletion for a protocol nobody knows",
            single(42, "09040001 00000001"),
            delete_len,
        ),
        (
            "a deletion that counts two and has one",
            single(42, "03040002 00000001"),
            delete_count,
        ),
        (
            "a deletion that counts one and has two",
            single(42, "03040001 0000000100000002"),
            delete_count,
        ),
        (
            "a deletion with half an SPI",
            single(42, "03040001 0000"),
            delete_count,
        ),
    ];
    for (name, message, reason) in cases {
        assert_eq!(verdict(&message), Err(WireError::Syntax(reason)), "{name}");
        assert_eq!(
            WireError::Syntax(reason).answer(),
            Some(NotifyType::INVALID_SYNTAX)
        );
    }
    assert_eq!(verdict(&nonce(16)), Ok(()));
    assert_eq!(verdict(&nonce(256)), Ok(()));
}

#[test]
fn security_associations() {
    let too_long = "a proposal or transform is longer than what holds it";
    let too_short = "a proposal's or transform's length is below 4";
    let last = "a proposal or transform is wrong about being the last";
    let count = "a proposal does not have the transforms it counts";
    let transform = "0300000c0100001480 0e0100 000000080200 0006";
    let cases = [
        (
            "half a proposal's beginning",
            "0000",
            "a proposal or transform is cut short",
        ),
        ("a proposal of length zero", "00000000", too_short),
        ("a proposal beyond the payload", "00000009 01010000", too_long),
        (
            "a proposal without its fixed part",
            "00000006 0101",
            "a proposal is shorter than its fixed part",
        ),
        (
            "an SPI beyond the proposal",
            "0000000a 01030400 0000",
            "a proposal's SPI is longer than the proposal",
        ),
        ("the only proposal announces another", "02000008 01010000", last),
        (
            "the first of two proposals is the last",
            "00000008 01010000 00000008 02010000",
            last,
        ),
        (
            "a proposal marked as a transform is",
            "03000008 01010000 00000008 02010000",
            last,
        ),
        ("one transform counted, none there", "00000008 01010001", count),
        (
            "three transforms counted, two there",
            &format!("0000001c 01010003 {transform}"),
            count,
        ),
        (
            "one transform counted, two there",
            &format!("0000001c 01010001 {transform}"),
            count,
        ),
        (
            "a transform of length three",
            "0000000c 01010001 00000003",
            too_short,
        ),
        (
            "a transform beyond the proposal",
            "00000010 01010001 00000009 01000014",
            too_long,
        ),
        (
            "a transform without its fixed part",
            "0000000e 01010001 00000006 0100",
            "a transform is shorter than its fixed part",
        ),
        (
            "the last transform announces another",
            "00000010 01010001 03000008 01000014",
            last,
        ),
        (
            "half an attribute",
            "00000012 01010001 0000000a 01000014 800e",
            "an attribute is shorter than its fixed part",
        ),
        (
            "an attribute beyond the transform",
            "00000016 01010001 0000000e 01000014 00010003 0000",
            "an attribute is longer than its transform",
        ),
    ];
    for (name, body, reason) in cases {
        assert_eq!(
            verdict(&single(33, body)),
            Err(WireError::Syntax(reason)),
            "{name}"
        );
    }
    assert_eq!(
        verdict(&single(33, &format!("0000001c 01010002 {transform}"))),
        Ok(())
    );
}

/// RFC 7296 section 3.3.6: what is not known is passed over when reading, and told apart when choosing.
#[test]
fn unknown_attributes() {
    let decode = |attributes: &str| {
        let length = 8 + unhex(attributes).len();
        let body = format!(
            "0000{:04x} 01010001 0000{length:04x} 01000014 {attributes}",
            8 + length
        );
        let message = single(33, &body);
        match &Message::decode(&message).unwrap().payloads[..] {
            [Payload::Sa(proposals)] => proposals[0].transforms[0],
            other => panic!("{other:?}"),
        }
    };
    let aes = Transform::new(TransformType::Encryption, 20);
    let unknown = Transform {
        unknown_attribute: true,
        ..aes
    };
    assert_eq!(decode(""), aes);
    assert_eq!(
        decode("800e0100"),
        Transform {
            key_bits: Some(256),
            ..aes
        }
    );
    assert_eq!(decode("800f0001"), unknown);
    assert_eq!(decode("000f0003 010203"), unknown);
    assert_eq!(
        decode("000f0003 010203 800e0080"),
        Transform {
            key_bits: Some(128),
            ..unknown
        }
    );
    // A key length in the long form, or given twice.
    assert_eq!(decode("000e0002 0100"), unknown);
    assert_eq!(
        decode("800e0080 800e0100"),
        Transform {
            key_bits: Some(128),
            ..unknown
        }
    );
}

#[test]
fn traffic_selectors() {
    let length = "a traffic selector has the wrong length for its type";
    let range = "a traffic selector's range ends before it begins";
    let any_v4 = "07000010 0000ffff 00000000 ffffffff";
    let cases = [
        (
            "no fixed part",
            "0100",
            "a TS payload is shorter than its fixed part",
        ),
        (
            "one counted, none there",
            "01000000",
            "a traffic selector is cut short",
        ),
        (
            "one counted, two there",
            &format!("01000000 {any_v4} {any_v4}"),
            "octets behind the last traffic selector",
        ),
        (
            "a length of three",
            "01000000 07000003",
            "a traffic selector is shorter than its fixed part",
        ),
        (
            "a length beyond the payload",
            "01000000 07000009 00",
            "a traffic selector is longer than its payload",
        ),
        (
            "IPv4 with one address",
            "01000000 0700000c 0000ffff 00000000",
            length,
        ),
        ("IPv4 with half a port", "01000000 07000006 0000", length),
        (
            "IPv4 with IPv6's length",
            &format!("01000000 07000028 0000ffff {}", "00".repeat(32)),
            length,
        ),
        (
            "IPv6 with IPv4's length",
            "01000000 08000010 0000ffff 00000000 ffffffff",
            length,
        ),
        (
            "the last address below the first",
            "01000000 07000010 0000ffff 0a000002 0a000001",
            range,
        ),
        (
            "the last port below the first",
            "01000000 07000010 00020001 00000000 ffffffff",
            range,
        ),
    ];
    for (name, body, reason) in cases {
        for kind in [44, 45] {
            assert_eq!(
                verdict(&single(kind, body)),
                Err(WireError::Syntax(reason)),
                "{name}"
            );
        }
    }
    // Opaque ports (RFC 4301 section 4.4.1.1), and a type not known here beside one that is.
    assert_eq!(
        verdict(&single(44, "01000000 07000010 ffff0000 00000000 ffffffff")),
        Ok(())
    );
    let message = single(44, &format!("02000000 09000008 12345678 {any_v4}"));
    let payloads = Message::decode(&message).unwrap().payloads;
    assert!(
        matches!(&payloads[..], [Payload::TsI(selectors)] if selectors.len() == 1),
        "{payloads:?}"
    );
}
