//! Keys and what is computed with them (RFC 7296 sections 2.14, 2.15, 2.17 and 2.23).

use std::net::{IpAddr, SocketAddr};

use ring::{digest, hmac};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{EspSuite, IkeSuite, Integrity, Prf, PrfKey};
use crate::{IkeSpis, Secret};

/// The keys of an IKE SA (RFC 7296 section 2.14).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IkeKeys {
    pub(crate) sk_d: Secret,
    /// SK_ei, and behind it SK_ai, which an AEAD cipher has not.
    pub(crate) sk_ei: Secret,
    /// SK_er, and behind it SK_ar.
    pub(crate) sk_er: Secret,
    pub(crate) sk_pi: Secret,
    pub(crate) sk_pr: Secret,
}

impl IkeKeys {
    /// `shared` is g^ir, the result of the key exchange; `ni` and `nr` are the nonces' data.
    pub(crate) fn derive(suite: IkeSuite, shared: &Secret, ni: &[u8], nr: &[u8], spis: IkeSpis) -> Self {
        let skeyseed = PrfKey::new(suite.prf, &[ni, nr].concat()).compute(&[shared.expose()]);
        Self::expand(suite, skeyseed.as_ref(), ni, nr, spis)
    }

    /// For a new IKE SA that the one with SK_d `sk_d` and PRF `prf` is rekeyed by (RFC 7296 section 2.18). `spis` are
    /// the new ones, the initiator of the rekey first.
    pub(crate) fn rekey(
        (prf, sk_d): (Prf, &Secret),
        suite: IkeSuite,
        shared: &Secret,
        ni: &[u8],
        nr: &[u8],
        spis: IkeSpis,
    ) -> Self {
        let skeyseed = PrfKey::new(prf, sk_d.expose()).compute(&[shared.expose(), ni, nr]);
        Self::expand(suite, skeyseed.as_ref(), ni, nr, spis)
    }

    /// With a post-quantum pre-shared key mixed in (RFC 8784 section 3).
    pub(crate) fn mixed_with(&self, prf: Prf, ppk: &Secret) -> Self {
        let key = PrfKey::new(prf, ppk.expose());
        let mix = |secret: &Secret| {
            let [mixed] = expand_into(&key, &[secret.expose()], [secret.expose().len()]);
            mixed
        };
        Self {
            sk_d: mix(&self.sk_d),
            sk_pi: mix(&self.sk_pi),
            sk_pr: mix(&self.sk_pr),
            ..self.clone()
        }
    }

    fn expand(suite: IkeSuite, skeyseed: &[u8], ni: &[u8], nr: &[u8], spis: IkeSpis) -> Self {
        let (spi_i, spi_r) = (spis.initiator.to_be_bytes(), spis.responder.to_be_bytes());
        let (prf_len, encryption_len) = (suite.prf.len(), suite.cipher.encryption_key_len());
        let integrity_len = suite.cipher.integrity().map_or(0, Integrity::key_len);
        let [sk_d, sk_ai, sk_ar, sk_ei, sk_er, sk_pi, sk_pr] = expand_into(
            &PrfKey::new(suite.prf, skeyseed),
            &[ni, nr, &spi_i, &spi_r],
            [
                prf_len,
                integrity_len,
                integrity_len,
                encryption_len,
                encryption_len,
                prf_len,
                prf_len,
            ],
        );
        Self {
            sk_d,
            sk_ei: joined(&sk_ei, &sk_ai),
            sk_er: joined(&sk_er, &sk_ar),
            sk_pi,
            sk_pr,
        }
    }
}

/// Keys of the lengths asked for, one behind the other from prf+.
fn expand_into<const N: usize>(key: &PrfKey, seed: &[&[u8]], lengths: [usize; N]) -> [Secret; N] {
    let material = key.expand(seed, lengths.iter().sum());
    let mut rest = material.as_slice();
    lengths.map(|length| {
        let (secret, behind) = rest.split_at(length);
        rest = behind;
        Secret::new(secret.to_vec())
    })
}

fn joined(front: &Secret, back: &Secret) -> Secret {
    Secret::new([front.expose(), back.expose()].concat())
}

/// What one side proves with AUTH (RFC 7296 section 2.15).
pub(crate) struct SignedOctets<'a> {
    /// The side's IKE_SA_INIT message, whole, without non-ESP marker.
    pub(crate) message: &'a [u8],
    /// The other side's nonce.
    pub(crate) nonce: &'a [u8],
    /// The side's SK_pi or SK_pr.
    pub(crate) sk_p: &'a Secret,
    /// The body of the side's ID payload.
    pub(crate) id: &'a [u8],
    /// IntAuth, empty without IKE_INTERMEDIATE (RFC 9242 section 3.3.2).
    pub(crate) int_auth: &'a [u8],
}

impl SignedOctets<'_> {
    /// The octets themselves, for a signature.
    pub(crate) fn concat(&self, prf: Prf) -> Vec<u8> {
        let maced_id = self.maced_id(prf);
        [self.message, self.nonce, maced_id.as_ref(), self.int_auth].concat()
    }

    /// prf(SK_p, the body of the ID payload).
    fn maced_id(&self, prf: Prf) -> hmac::Tag {
        PrfKey::new(prf, self.sk_p.expose()).compute(&[self.id])
    }

    /// AUTH data by a pre-shared key: prf(prf(psk, "Key Pad for IKEv2"), octets).
    pub(crate) fn psk_auth(&self, prf: Prf, psk: &Secret) -> Vec<u8> {
        let maced_id = self.maced_id(prf);
        let padded = PrfKey::new(prf, psk.expose()).compute(&[b"Key Pad for IKEv2"]);
        PrfKey::new(prf, padded.as_ref())
            .compute(&[self.message, self.nonce, maced_id.as_ref(), self.int_auth])
            .as_ref()
            .to_vec()
    }

    /// Whether `auth` is what [`Self::psk_auth`] gives; takes the same time wherever they differ.
    pub(crate) fn is_psk_auth(&self, prf: Prf, psk: &Secret, auth: &[u8]) -> bool {
        self.psk_auth(prf, psk).ct_eq(auth).into()
    }
}

/// The keys of a child SA (RFC 7296 section 2.17), as [`EspSuite::key_len`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChildKeys {
    /// For the SA from the initiator of the exchange, which takes the first octets.
    pub(crate) from_initiator: Secret,
    /// For the SA towards it.
    pub(crate) from_responder: Secret,
}

impl ChildKeys {
    /// `shared` comes of a key exchange within CREATE_CHILD_SA, if there was one. The nonces are those of this
    /// exchange, or of IKE_SA_INIT for the child SA that IKE_AUTH creates.
    pub(crate) fn derive(
        suite: EspSuite,
        (prf, sk_d): (Prf, &Secret),
        shared: Option<&Secret>,
        ni: &[u8],
        nr: &[u8],
    ) -> Self {
        let key = PrfKey::new(prf, sk_d.expose());
        let shared = shared.map_or(&[][..], Secret::expose);
        let [from_initiator, from_responder] = expand_into(&key, &[shared, ni, nr], [suite.key_len(); 2]);
        Self {
            from_initiator,
            from_responder,
        }
    }
}

/// Data of NAT_DETECTION_SOURCE_IP and NAT_DETECTION_DESTINATION_IP: SHA-1 of SPIs, address and port
/// (RFC 7296 section 2.23). Nothing rests on its strength: a forger on the path can change addresses anyway.
pub(crate) fn nat_detection_hash(spis: IkeSpis, address: SocketAddr) -> [u8; 20] {
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(&spis.initiator.to_be_bytes());
    hash.update(&spis.responder.to_be_bytes());
    match address.ip() {
        IpAddr::V4(ip) => hash.update(&ip.octets()),
        IpAddr::V6(ip) => hash.update(&ip.octets()),
    }
    hash.update(&address.port().to_be_bytes());
    let mut octets = [0; 20];
    octets.copy_from_slice(hash.finish().as_ref());
    octets
}

/// The expected octets were computed with Python's hmac and hashlib after the formulas of the RFC.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{Cipher, DhGroup, unhex};

    const SUITE: IkeSuite = IkeSuite {
        cipher: Cipher::Aes256Gcm16,
        prf: Prf::HmacSha384,
        dh: DhGroup::P384,
    };

    const SPIS: IkeSpis = IkeSpis {
        initiator: 0x0102030405060708,
        responder: 0x1112131415161718,
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
            None,
            &counting(0, 32),
            &counting(0x40, 24),
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
            Some(&Secret::new(counting(0x90, 32))),
            &counting(0x10, 32),
            &counting(0x60, 16),
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
            IkeSuite {
                cipher: Cipher::Aes128Gcm16,
                prf: Prf::HmacSha256,
                dh: DhGroup::Curve25519,
            },
            &Secret::new(counting(0x90, 32)),
            &counting(0x10, 32),
            &counting(0x60, 16),
            IkeSpis {
                initiator: 0x2122232425262728,
                responder: 0x3132333435363738,
            },
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
        let proof = octets.psk_auth(SUITE.prf, &psk);
        assert_eq!(
            proof,
            unhex(
                "f169a27d a937ad3e 99fe33d7 3ca40b22 87739ca3 2a5ae795 2af71aec 335a3e4d
                    507bcebb 6a0d6a60 015fc6f6 7124ca4c"
            )
        );
        assert!(octets.is_psk_auth(SUITE.prf, &psk, &proof));
        assert!(!octets.is_psk_auth(SUITE.prf, &Secret::new(b"correct horsf".to_vec()), &proof));
        assert!(!octets.is_psk_auth(SUITE.prf, &psk, &proof[..47]));
        assert!(!octets.is_psk_auth(SUITE.prf, &psk, &[]));
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
}
