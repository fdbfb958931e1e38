//! The expected octets were computed with Python's hmac and hashlib after the formulas of the RFC.

use super::*;
use crate::Cipher;
use crate::crypto::{DhGroup, unhex};

const SUITE: IkeSuite = IkeSuite {
    cipher: Cipher::Aes256Gcm16,
    prf: Prf::HmacSha384,
    dh: DhGroup::P384,
};

const SPIS: IkeSpis = IkeSpis {
    initiator: 0x0102030405060708,
    responder: 0x1112131415161718,
};

/// Of a rekey.
const NEXT_SUITE: IkeSuite = IkeSuite {
    cipher: Cipher::Aes128Gcm16,
    prf: Prf::HmacSha256,
    dh: DhGroup::Curve25519,
};

const NEXT_SPIS: IkeSpis = IkeSpis {
    initiator: 0x2122232425262728,
    responder: 0x3132333435363738,
};

fn counting(first: u8, len: u8) -> Vec<u8> {
    (first..first + len).collect()
}

fn ike_keys() -> IkeKeys {
    let shared = Secret::new(counting(0x80, 48));
    IkeKeys::derive(SUITE, &shared, &counting(0, 32), &counting(0x40, 24), SPIS)
}

#[test]
fn ike_keys_as_section_2_14() {
    let IkeKeys {
        sk_d,
        sk_ei,
        sk_er,
        sk_pi,
        sk_pr,
    } = ike_keys();
    assert_eq!(
        sk_d.expose(),
        unhex(
            "93a2647b 0489b2c0 a90350c4 71024fc4 66ab742b a0725d3a 77c512cf 98183e4b
                e97d2ae7 5c9166f3 22ce137a 7ba8206c"
        )
    );
    assert_eq!(
        sk_ei.expose(),
        unhex(
            "908ad5c6 6383bbd5 56899670 37dfedc9 83bc414e adb91414 ac9690f4 f8d24b89
                0ae26d99"
        )
    );
    assert_eq!(
        sk_er.expose(),
        unhex(
            "f67b265a e9ecf001 45c9d6e9 a4b962e3 2974412d a06ed1ab b7a574a2 486fcc87
                cb18af1c"
        )
    );
    assert_eq!(
        sk_pi.expose(),
        unhex(
            "332cac90 53050f0b 08ef5ff1 79da50a1 26f5be2c e8670435 39941000 f8a001a0
                dfa584ae 74066766 d83136ab 668b6f1c"
        )
    );
    assert_eq!(
        sk_pr.expose(),
        unhex(
            "367c8966 c6b90e96 00df561c 9585b097 d5d8e89a 2a70ac12 5497d919 6f14df12
                2bc84895 ab401288 a283f665 664e06ec"
        )
    );
}

#[test]
fn child_keys_as_section_2_17() {
    let keys = ChildKeys::derive(
        EspSuite::Encrypted(Cipher::Aes256Gcm16),
        (SUITE.prf, &ike_keys().sk_d),
        &Fresh {
            shared: None,
            ni: &counting(0, 32),
            nr: &counting(0x40, 24),
            additional: None,
        },
    );
    assert_eq!(
        keys.from_initiator.expose(),
        unhex(
            "27f894c8 2d3b07ae 1ce6a626 1651986c 20c62cd6 1350eaaa 88f35d2a f67af9aa
                b1464f6d"
        )
    );
    assert_eq!(
        keys.from_responder.expose(),
        unhex(
            "7cf1cce5 7ee54953 31c3bcc7 96c15c52 895fceb8 0986f016 4797a20e 5d352448
                f50d5274"
        )
    );
}

#[test]
fn child_keys_with_a_key_exchange_as_section_2_17() {
    let keys = ChildKeys::derive(
        EspSuite::Encrypted(Cipher::Aes128Gcm16),
        (SUITE.prf, &ike_keys().sk_d),
        &Fresh {
            shared: Some(&Secret::new(counting(0x90, 32))),
            ni: &counting(0x10, 32),
            nr: &counting(0x60, 16),
            additional: None,
        },
    );
    assert_eq!(
        keys.from_initiator.expose(),
        unhex("d20be06f fe6789a1 4b3c9234 ba60c0b9 ab238ed1")
    );
    assert_eq!(
        keys.from_responder.expose(),
        unhex("da081a2b 500f7ba0 2dcd8f34 ab319022 1120d2a8")
    );
}

/// The old IKE SA's PRF makes SKEYSEED, the new one's makes the keys.
#[test]
fn keys_of_a_rekeyed_ike_sa_as_section_2_18() {
    let keys = IkeKeys::rekey(
        (SUITE.prf, &ike_keys().sk_d),
        NEXT_SUITE,
        &Fresh {
            shared: Some(&Secret::new(counting(0x90, 32))),
            ni: &counting(0x10, 32),
            nr: &counting(0x60, 16),
            additional: None,
        },
        NEXT_SPIS,
    );
    assert_eq!(
        keys.sk_d.expose(),
        unhex("88cb6fa3 f8c3f2f5 87ee0410 15392e6a 12c1a887 2f0ae2ef 6f6557f4 56d8f542")
    );
    assert_eq!(
        keys.sk_ei.expose(),
        unhex("d403f7bf 77ee4176 93b76933 1b8ca85b 963f6cc2")
    );
    assert_eq!(
        keys.sk_er.expose(),
        unhex("01bbee7e fdf77a1a 5d5f3eaa ebda6194 dfdbceba")
    );
}

/// SK(1) stands behind the nonces.
#[test]
fn an_additional_key_exchange_counts_as_rfc_9370_section_2_2_4() {
    let (shared, additional) = (Secret::new(counting(0x90, 32)), Secret::new(counting(0xb0, 32)));
    let fresh = Fresh {
        shared: Some(&shared),
        ni: &counting(0x10, 32),
        nr: &counting(0x60, 16),
        additional: Some(&additional),
    };
    let sk_d = ike_keys().sk_d;
    let suite = EspSuite::Encrypted(Cipher::Aes128Gcm16);
    let child = ChildKeys::derive(suite, (SUITE.prf, &sk_d), &fresh);
    assert_eq!(
        child.from_initiator.expose(),
        unhex("f0da1136 d8f044cd fa4b21c4 a2a2bada 7c1675be")
    );
    assert_eq!(
        child.from_responder.expose(),
        unhex("90bdcfff 3dcdac4b 5743c1e0 541690d0 5ddc1a1e")
    );
    assert_eq!(
        IkeKeys::rekey((SUITE.prf, &sk_d), NEXT_SUITE, &fresh, NEXT_SPIS)
            .sk_d
            .expose(),
        unhex("75350a84 cc91b7b5 244a258d 02eed0fa ed5f6cf5 4f5ce904 a4f8450f 9a596090")
    );
}

#[test]
fn a_ppk_is_mixed_in_as_rfc_8784_section_3() {
    let keys = ike_keys();
    let mixed = keys.mixed_with(SUITE.prf, &Secret::new(b"a post-quantum pre-shared key".to_vec()));
    assert_eq!(
        mixed.sk_d.expose(),
        unhex(
            "7c50c495 83e52eb0 cabf32cf d5627515 e9cd673f 9b051c31 f08386ab 7a3734f6
                568470aa 314ed227 6c100fe7 505bc4be"
        )
    );
    assert_eq!(
        mixed.sk_pi.expose(),
        unhex(
            "02ced3de 4e9cfb59 d8f5ce0c 63a5e94f d3cf2cfc 426ebc07 5000f306 3465674c
                1341ea30 dded3521 9139981f 2755ee54"
        )
    );
    assert_eq!(
        mixed.sk_pr.expose(),
        unhex(
            "0c73f942 43f4d702 0ca3e8b8 9efee5e7 33d581e8 0f3e6784 c5fce25f afff1f76
                be835e43 9c8a3245 acd7e614 e6d535ff"
        )
    );
    // IKE_AUTH itself is protected by the keys of before.
    assert_eq!((mixed.sk_ei, mixed.sk_er), (keys.sk_ei, keys.sk_er));
}

#[test]
fn psk_proof_as_section_2_15() {
    let psk = Secret::new(b"correct horse".to_vec());
    let keys = ike_keys();
    let octets = SignedOctets {
        message: b"an IKE_SA_INIT request",
        nonce: &counting(0x40, 24),
        sk_p: &keys.sk_pi,
        id: b"\x02\0\0\0cpe.example",
        int_auth: &[],
    };
    let key = |psk: &Secret| PaddedPsk::new(psk).key(SUITE.prf);
    let proof = octets.psk_auth(SUITE.prf, &key(&psk)).as_ref().to_vec();
    assert_eq!(
        proof,
        unhex(
            "f169a27d a937ad3e 99fe33d7 3ca40b22 87739ca3 2a5ae795 2af71aec 335a3e4d
                507bcebb 6a0d6a60 015fc6f6 7124ca4c"
        )
    );
    assert!(octets.is_psk_auth(SUITE.prf, &key(&psk), &proof));
    assert!(!octets.is_psk_auth(SUITE.prf, &key(&Secret::new(b"correct horsf".to_vec())), &proof));
    assert!(!octets.is_psk_auth(SUITE.prf, &key(&psk), &proof[..47]));
    assert!(!octets.is_psk_auth(SUITE.prf, &key(&psk), &[]));
}

#[test]
fn nat_detection_as_section_2_23() {
    let hash = |address: &str| nat_detection_hash(SPIS, address.parse().unwrap());
    assert_eq!(
        hash("192.0.2.1:500").to_vec(),
        unhex("d798d986143f878f70765e0e869c80bbc375f701")
    );
    assert_eq!(
        hash("[2001:db8::1]:4500").to_vec(),
        unhex("1ee24423bf8f59515e0265c6d0f08be3d038f7e5")
    );
}
