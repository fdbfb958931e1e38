//! Proposals as peers in the field make them: for an IKE SA and for ESP.

use crate::negotiation::proposals::{NONE, encryption, esp_offer, ike_offer, key_exchange, taken};
use crate::negotiation::suites::{
    esp_suite, esp_suite_and_exchanges, ike_suite, mismatch_of_esp, mismatch_of_ike, wants_esn_only,
    without_key_exchange,
};
use crate::wire::{Proposal, Protocol, Transform, TransformType};
use crate::{Cipher, DhGroup, EspSuite, IkePolicy, IkeSuite, Integrity, Kem, Prf};

const SPI: [u8; 4] = [1; 4];
const IKE_SPI: [u8; 8] = [1; 8];
const GCM: EspSuite = EspSuite::Encrypted(Cipher::Aes256Gcm16);
const CHACHA: EspSuite = EspSuite::Encrypted(Cipher::ChaCha20Poly1305);
const ESN: Transform = transform(TransformType::ExtendedSequenceNumbers, 1);
const NO_ESN: Transform = transform(TransformType::ExtendedSequenceNumbers, NONE);
const NO_INTEGRITY: Transform = transform(TransformType::Integrity, NONE);
const HMAC: Transform = transform(TransformType::Integrity, 12);
const PRF: Transform = transform(TransformType::Prf, 5);
const X25519: Transform = transform(TransformType::KeyExchange, 31);

const fn transform(kind: TransformType, id: u16) -> Transform {
    Transform {
        kind,
        id,
        key_bits: None,
        unknown_attribute: false,
    }
}

fn gcm() -> Transform {
    encryption(Cipher::Aes256Gcm16).0
}

fn esp(transforms: Vec<Transform>) -> [Proposal<'static>; 1] {
    [Proposal {
        number: 1,
        protocol: Protocol::Esp,
        spi: &SPI,
        transforms,
    }]
}

fn ike(transforms: Vec<Transform>) -> [Proposal<'static>; 1] {
    [Proposal {
        protocol: Protocol::Ike,
        spi: &[],
        ..esp(transforms)[0].clone()
    }]
}

/// What IKE_AUTH answers to these transforms for ESP.
fn answer_of_auth(suite: EspSuite, transforms: Vec<Transform>) -> Option<Vec<Transform>> {
    let proposals = without_key_exchange(&esp(transforms));
    esp_suite(&[suite], &proposals).map(|chosen| chosen.answer.transforms)
}

/// What CREATE_CHILD_SA answers to them.
fn answer_of_create(suite: EspSuite, transforms: Vec<Transform>) -> Option<Vec<Transform>> {
    let (groups, kems) = ([DhGroup::Curve25519], [Kem::MlKem768]);
    let chosen = esp_suite_and_exchanges(&[suite], &groups, &kems, &esp(transforms));
    chosen.map(|(chosen, ..)| chosen.answer.transforms)
}

/// What is answered to them for an IKE SA, and its additional key exchange.
fn answer_of_ike(transforms: Vec<Transform>) -> Option<(Vec<Transform>, Option<Kem>)> {
    let policy = IkePolicy::default();
    let chosen = ike_suite(&policy, &policy.kems, &ike(transforms));
    chosen.map(|(chosen, kem)| (chosen.answer.transforms, kem))
}

fn sorted(mut transforms: Vec<Transform>) -> Vec<Transform> {
    transforms.sort_by_key(|it| (u8::from(it.kind), it.id));
    transforms
}

/// RFC 9370 section 2.2.2: transform types 6 to 12 are additional key exchanges 1 to 7, of each of which NONE may be chosen. One
/// that the peer insists on, and that is not done here, refuses the proposal.
#[test]
fn none_is_chosen_of_additional_key_exchanges_2_to_7() {
    let all: Vec<_> = (7..=12).map(TransformType::from).collect();
    let nones: Vec<_> = all.iter().map(|kind| transform(*kind, NONE)).collect();
    let among = all
        .iter()
        .flat_map(|kind| [transform(*kind, 37), transform(*kind, NONE)]);
    for choices in [nones.clone(), among.collect()] {
        let in_ike = [vec![gcm(), PRF, X25519], choices.clone()].concat();
        let (answer, kem) = answer_of_ike(in_ike.clone()).expect("a suite");
        assert_eq!(kem, None);
        assert_eq!(
            sorted(answer),
            sorted([vec![gcm(), PRF, X25519], nones.clone()].concat())
        );

        let first = transform(TransformType::AdditionalKeyExchange1, Kem::MlKem768.id());
        let (answer, kem) = answer_of_ike([in_ike, vec![first]].concat()).expect("a suite");
        assert_eq!(kem, Some(Kem::MlKem768));
        assert!(nones.iter().all(|none| answer.contains(none)), "{answer:?}");

        let expected = sorted([vec![gcm(), NO_ESN], nones.clone()].concat());
        let in_esp = [vec![gcm(), NO_ESN], choices].concat();
        let of_auth = answer_of_auth(GCM, in_esp.clone()).map(sorted);
        let of_create = answer_of_create(GCM, in_esp).map(sorted);
        assert_eq!([of_auth, of_create], [Some(expected.clone()), Some(expected)]);
    }
    for kind in all {
        let insisting = transform(kind, 37);
        assert_eq!(
            answer_of_ike(vec![gcm(), PRF, X25519, insisting]),
            None,
            "{kind:?}"
        );
        assert_eq!(
            answer_of_create(GCM, vec![gcm(), NO_ESN, X25519, insisting]),
            None,
            "{kind:?}"
        );
    }
}

/// Who proposes nothing of the type means what value 0 of it says (RFC 9827), and the answer has as little of it.
#[test]
fn sequence_numbers_have_32_bits_where_nothing_is_proposed() {
    for answer in [answer_of_auth, answer_of_create] {
        assert_eq!(answer(GCM, vec![gcm()]), Some(vec![gcm()]));
        assert_eq!(answer(GCM, vec![gcm(), ESN, NO_ESN]), Some(vec![gcm(), NO_ESN]));
        assert_eq!(answer(GCM, vec![gcm(), ESN]), None);
    }
}

/// The log says so of those alone who insist on extended sequence numbers.
#[test]
fn extended_sequence_numbers_are_blamed_only_where_they_are_insisted_on() {
    let blamed = |transforms| wants_esn_only(&[GCM], &[DhGroup::Curve25519], &[], &esp(transforms));
    assert!(blamed(vec![gcm(), ESN]));
    assert!(blamed(vec![gcm(), ESN, X25519]));
    assert!(!blamed(vec![PRF]), "nothing fits");
    assert!(
        !blamed(vec![encryption(Cipher::Aes128Gcm16).0, ESN]),
        "nor does the cipher"
    );
    assert!(
        !blamed(vec![gcm(), ESN, transform(TransformType::KeyExchange, 2)]),
        "nor does the group"
    );
}

/// "The SA payloads in the IKE_AUTH exchange cannot contain Transform Type 4 (Diffie-Hellman group) with any value other than
/// NONE" (RFC 7296 section 1.2). Some have them there all the same, and mean rekeys to come.
#[test]
fn a_group_in_ike_auth_is_passed_over() {
    let none = transform(TransformType::KeyExchange, NONE);
    let more = transform(TransformType::AdditionalKeyExchange1, 36);
    let expected = vec![gcm(), NO_ESN];
    assert_eq!(
        answer_of_auth(GCM, vec![gcm(), NO_ESN, X25519]),
        Some(expected.clone())
    );
    assert_eq!(
        answer_of_auth(GCM, vec![gcm(), NO_ESN, X25519, more]),
        Some(expected.clone())
    );
    let with_none = vec![gcm(), NO_ESN, X25519, none];
    assert_eq!(
        answer_of_auth(GCM, with_none),
        Some([expected, vec![none]].concat())
    );
    // In CREATE_CHILD_SA it means what it says.
    let other = transform(TransformType::KeyExchange, 14);
    assert_eq!(answer_of_create(GCM, vec![gcm(), NO_ESN, other]), None);
}

/// RFC 7296 section 3.3.5 has no key length for a cipher of one length. The right one is taken, and answered as it was proposed.
#[test]
fn the_only_key_length_of_chacha20_poly1305_may_be_spelled_out() {
    let with_length = |bits| Transform {
        key_bits: Some(bits),
        ..encryption(Cipher::ChaCha20Poly1305).0
    };
    for answer in [answer_of_auth, answer_of_create] {
        let spelled_out = vec![with_length(256), NO_ESN];
        assert_eq!(answer(CHACHA, spelled_out.clone()), Some(spelled_out));
        assert_eq!(answer(CHACHA, vec![with_length(128), NO_ESN]), None);
    }
    let spelled_out = vec![with_length(256), PRF, X25519];
    assert_eq!(answer_of_ike(spelled_out.clone()), Some((spelled_out, None)));
    assert_eq!(answer_of_ike(vec![with_length(288), PRF, X25519]), None);
    // Others have several lengths, so that it has to be said.
    let mute = Transform {
        key_bits: None,
        ..gcm()
    };
    assert_eq!(answer_of_auth(GCM, vec![mute, NO_ESN]), None);
}

/// Beside a cipher with integrity of its own another is passed over, or NONE chosen where that is proposed; a cipher without has
/// to have one.
#[test]
fn integrity_beside_an_aead_cipher_is_passed_over() {
    for answer in [answer_of_auth, answer_of_create] {
        assert_eq!(answer(GCM, vec![gcm(), HMAC, NO_ESN]), Some(vec![gcm(), NO_ESN]));
        let with_none = answer(GCM, vec![gcm(), HMAC, NO_INTEGRITY, NO_ESN]);
        assert_eq!(with_none, Some(vec![gcm(), NO_ESN, NO_INTEGRITY]));
    }
    assert_eq!(
        answer_of_ike(vec![gcm(), HMAC, PRF, X25519]),
        Some((vec![gcm(), PRF, X25519], None))
    );
    let cbc = EspSuite::Encrypted(Cipher::Aes256Cbc(Integrity::HmacSha256));
    let alone = encryption(Cipher::Aes256Cbc(Integrity::HmacSha256)).0;
    assert_eq!(answer_of_auth(cbc, vec![alone, NO_ESN]), None);
    assert_eq!(answer_of_auth(cbc, vec![alone, NO_INTEGRITY, NO_ESN]), None);
}

/// What a peer may answer to our own rekey: "exactly one transform of each type included in the proposal" (RFC 7296 section 2.7),
/// with NONE of a type that ours leaves out, or without a word about 32-bit sequence numbers.
#[test]
fn a_harmless_answer_to_our_offer_is_taken() {
    let (groups, kems) = ([DhGroup::Curve25519], []);
    let offer = esp_offer(GCM, &groups, &kems, &SPI);
    let is_taken = |transforms| taken(&offer, &esp(transforms)).is_some();
    let good = vec![gcm(), NO_ESN, X25519];
    assert!(is_taken(good.clone()));
    assert!(is_taken([good.clone(), vec![NO_INTEGRITY]].concat()));
    let no_more = transform(TransformType::AdditionalKeyExchange1, NONE);
    assert!(is_taken([good.clone(), vec![no_more]].concat()));
    assert!(is_taken(vec![gcm(), X25519]));
    for bad in [
        [good.clone(), vec![HMAC]].concat(),
        [good.clone(), vec![transform(TransformType::Other(99), NONE)]].concat(),
        [good.clone(), vec![X25519]].concat(),
        vec![gcm(), ESN, X25519],
        vec![gcm(), NO_ESN],
        vec![gcm(), NO_ESN, transform(TransformType::KeyExchange, NONE)],
        vec![NO_ESN, X25519],
    ] {
        assert!(!is_taken(bad.clone()), "{bad:?}");
    }

    let suite = IkeSuite {
        cipher: Cipher::Aes256Gcm16,
        prf: Prf::HmacSha256,
        dh: DhGroup::Curve25519,
    };
    let offer = ike_offer(suite, &kems, &IKE_SPI);
    let answer = |transforms| {
        let [proposal] = ike(transforms);
        [Proposal {
            spi: &IKE_SPI,
            ..proposal
        }]
    };
    let good = vec![gcm(), PRF, X25519];
    assert!(taken(&offer, &answer([good.clone(), vec![NO_INTEGRITY]].concat())).is_some());
    assert!(taken(&offer, &answer([good, vec![HMAC]].concat())).is_none());
}

/// The log has the proposal that came nearest, and both sides of what does not fit.
#[test]
fn what_did_not_fit_is_named() {
    let text =
        |proposals: &[Proposal<'_>]| mismatch_of_esp(&[GCM], &[DhGroup::Curve25519], proposals).to_string();
    let [far] = esp(vec![encryption(Cipher::Aes128Gcm16).0, NO_ESN]);
    let [near] = esp(vec![gcm(), ESN]);
    let near = Proposal { number: 2, ..near };
    assert_eq!(
        text(&[far, near]),
        ": proposal 2 has sequence numbers 64 bits (1), ours: 32 bits (0)"
    );
    let insisting = vec![gcm(), NO_ESN, X25519, transform(TransformType::from(8), 37)];
    assert_eq!(
        text(&esp(insisting)),
        ": proposal 1 has additional key exchange 3 mlkem1024 (37), ours: none at all"
    );
    assert_eq!(
        text(&esp(vec![gcm(), NO_ESN, key_exchange(DhGroup::Modp2048)])),
        ": proposal 1 has key exchange modp2048 (14), ours: curve25519 (31)"
    );
    assert_eq!(text(&[]), "");
    let with_length = Transform {
        key_bits: Some(128),
        ..encryption(Cipher::ChaCha20Poly1305).0
    };
    let policy = IkePolicy {
        ciphers: vec![Cipher::ChaCha20Poly1305],
        ..IkePolicy::default()
    };
    assert_eq!(
        mismatch_of_ike(&policy, &ike(vec![with_length, PRF, X25519])).to_string(),
        ": proposal 1 has encryption chacha20-poly1305 (28, 128 bits), ours: chacha20-poly1305 (28)"
    );
}
