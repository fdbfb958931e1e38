//! Key exchange: Curve25519 (RFC 8031), P-256 and P-384 (RFC 5903), and modular exponential groups (RFC 3526).

mod curve25519;
mod dalek;
mod ecp;
mod modp;

use std::fmt;

use aws_lc_rs::agreement;
use dh_groups::{Ecp, Modp};
use serde::{Deserialize, Serialize};
use x25519_dalek::StaticSecret;

use super::Seeded;
use crate::Secret;

/// A key exchange group (transform type 4). `Display` writes it the way strongSwan's configuration does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DhGroup {
    /// Group 31 (RFC 8031).
    Curve25519,
    /// Group 19, the 256-bit random ECP group (RFC 5903).
    P256,
    /// Group 20, the 384-bit random ECP group (RFC 5903).
    P384,
    /// Group 14, the 2048-bit MODP group (RFC 3526).
    Modp2048,
    /// Group 15, the 3072-bit MODP group (RFC 3526).
    Modp3072,
    /// Group 16, the 4096-bit MODP group (RFC 3526).
    Modp4096,
}

impl DhGroup {
    /// Transform ID of transform type 4.
    pub(crate) fn id(self) -> u16 {
        match self {
            Self::Modp2048 => 14,
            Self::Modp3072 => 15,
            Self::Modp4096 => 16,
            Self::P256 => 19,
            Self::P384 => 20,
            Self::Curve25519 => 31,
        }
    }
}

impl fmt::Display for DhGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Curve25519 => "curve25519",
            Self::P256 => "ecp256",
            Self::P384 => "ecp384",
            Self::Modp2048 => "modp2048",
            Self::Modp3072 => "modp3072",
            Self::Modp4096 => "modp4096",
        })
    }
}

/// A private key that is used once, and its public value.
pub struct DhKeyPair {
    private: Private,
    public: Vec<u8>,
}

/// The private keys wipe themselves when they are dropped.
enum Private {
    Curve25519(agreement::PrivateKey),
    Ecp(ecp::PrivateKey),
    Seeded(StaticSecret),
    Modp(modp::PrivateKey),
}

impl DhKeyPair {
    /// One made of what `fill_random` gives, which must fill its argument with unpredictable octets.
    pub fn generate(group: DhGroup, fill_random: &mut dyn FnMut(&mut [u8])) -> Self {
        let (private, public) = match group {
            DhGroup::Curve25519 => {
                let private = curve25519::generate(fill_random);
                let public = curve25519::public(&private);
                (Private::Curve25519(private), public)
            }
            DhGroup::P256 => ecp_pair(Ecp::Bits256, fill_random),
            DhGroup::P384 => ecp_pair(Ecp::Bits384, fill_random),
            DhGroup::Modp2048 => modp_pair(Modp::Bits2048, fill_random),
            DhGroup::Modp3072 => modp_pair(Modp::Bits3072, fill_random),
            DhGroup::Modp4096 => modp_pair(Modp::Bits4096, fill_random),
        };
        Self { private, public }
    }

    /// The one that this seed makes, each time the same, in whichever process (see `ike_sa::create_child_sa::pending`).
    pub(crate) fn of_seed(group: DhGroup, seeded: &mut Seeded) -> Self {
        let mut fill_random = |buffer: &mut [u8]| seeded.fill(buffer);
        match group {
            DhGroup::Curve25519 => {
                let private = dalek::generate(&mut fill_random);
                Self {
                    public: dalek::public(&private),
                    private: Private::Seeded(private),
                }
            }
            group => Self::generate(group, &mut fill_random),
        }
    }

    /// As it stands in the KE payload.
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// The shared secret g^ir with the peer's public value.
    pub fn agree(self, peer_public: &[u8]) -> Result<Secret, DhError> {
        match self.private {
            Private::Curve25519(private) => curve25519::agree_on(&private, peer_public),
            Private::Ecp(private) => private.agree(peer_public),
            Private::Seeded(private) => dalek::agree(&private, peer_public),
            Private::Modp(private) => private.agree(peer_public),
        }
    }
}

fn ecp_pair(group: Ecp, fill_random: &mut dyn FnMut(&mut [u8])) -> (Private, Vec<u8>) {
    let (private, public) = ecp::PrivateKey::generate(group, fill_random);
    (Private::Ecp(private), public)
}

fn modp_pair(group: Modp, fill_random: &mut dyn FnMut(&mut [u8])) -> (Private, Vec<u8>) {
    let private = modp::PrivateKey::generate(group, fill_random);
    let public = private.public();
    (Private::Modp(private), public)
}

/// The peer's public value is not one of the group: INVALID_SYNTAX, since the group itself was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer's public value is not valid in its group")]
pub struct DhError;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{SEED_LEN, unhex};

    /// A key pair whose private key is `private`: all that is drawn.
    fn pair(group: DhGroup, private: &str) -> DhKeyPair {
        let private = unhex(private);
        DhKeyPair::generate(group, &mut |buffer| buffer.copy_from_slice(&private))
    }

    /// Both public values, and the secret from either side.
    fn assert_known_answer(group: DhGroup, i: &str, r: &str, public_i: &str, public_r: &str, secret: &str) {
        let (public_i, public_r, secret) = (unhex(public_i), unhex(public_r), Secret::new(unhex(secret)));
        assert_eq!(pair(group, i).public(), public_i);
        assert_eq!(pair(group, r).public(), public_r);
        assert_eq!(pair(group, i).agree(&public_r), Ok(secret.clone()));
        assert_eq!(pair(group, r).agree(&public_i), Ok(secret));
    }

    #[test]
    fn curve25519_as_rfc_7748_section_6_1() {
        assert_known_answer(
            DhGroup::Curve25519,
            "77076d0a7318a57d3c16c17251b26645 df4c2f87ebc0992ab177fba51db92c2a",
            "5dab087e624a8a4b79e17f8b83800ee6 6f3bb1292618b6fd1c2f8b27ff88e0eb",
            "8520f0098930a754748b7ddcb43ef75a 0dbf3a0d26381af4eba4a98eaa9b4e6a",
            "de9edb7d7b7dc1b4d35b61c2ece43537 3f8343c85b78674dadfc7e146f882b4f",
            "4a5d9d5ba4ce2de1728e3bf480350f25 e07e21c947d19e3376f09b3c1e161742",
        );
    }

    #[test]
    fn p256_as_rfc_5903_section_8_1() {
        assert_known_answer(
            DhGroup::P256,
            "C88F01F5 10D9AC3F 70A292DA A2316DE5 44E9AAB8 AFE84049 C62A9C57 862D1433",
            "C6EF9C5D 78AE012A 011164AC B397CE20 88685D8F 06BF9BE0 B283AB46 476BEE53",
            "DAD0B653 94221CF9 B051E1FE CA5787D0 98DFE637 FC90B9EF 945D0C37 72581180
             5271A046 1CDB8252 D61F1C45 6FA3E59A B1F45B33 ACCF5F58 389E0577 B8990BB3",
            "D12DFB52 89C8D4F8 1208B702 70398C34 2296970A 0BCCB74C 736FC755 4494BF63
             56FBF3CA 366CC23E 8157854C 13C58D6A AC23F046 ADA30F83 53E74F33 039872AB",
            "D6840F6B 42F6EDAF D13116E0 E1256520 2FEF8E9E CE7DCE03 812464D0 4B9442DE",
        );
    }

    #[test]
    fn p384_as_rfc_5903_section_8_2() {
        assert_known_answer(
            DhGroup::P384,
            "099F3C70 34D4A2C6 99884D73 A375A67F 7624EF7C 6B3C0F16 0647B674 14DCE655
             E35B5380 41E649EE 3FAEF896 783AB194",
            "41CB0779 B4BDB85D 47846725 FBEC3C94 30FAB46C C8DC5060 855CC9BD A0AA2942
             E0308312 916B8ED2 960E4BD5 5A7448FC",
            "667842D7 D180AC2C DE6F74F3 7551F557 55C7645C 20EF73E3 1634FE72 B4C55EE6
             DE3AC808 ACB4BDB4 C88732AE E95F41AA 9482ED1F C0EEB9CA FC498462 5CCFC23F
             65032149 E0E144AD A0241815 35A0F38E EB9FCFF3 C2C947DA E69B4C63 4573A81C",
            "E558DBEF 53EECDE3 D3FCCFC1 AEA08A89 A987475D 12FD950D 83CFA417 32BC509D
             0D1AC43A 0336DEF9 6FDA41D0 774A3571 DCFBEC7A ACF31964 72169E83 8430367F
             66EEBE3C 6E70C416 DD5F0C68 759DD1FF F83FA401 42209DFF 5EAAD96D B9E6386C",
            "11187331 C279962D 93D60424 3FD592CB 9D0A926F 422E4718 7521287E 7156C5C4
             D6031355 69B9E9D0 9CF5D4A2 70F59746",
        );
    }

    #[test]
    fn public_values_that_are_none_are_refused() {
        for group in [
            DhGroup::Curve25519,
            DhGroup::P256,
            DhGroup::P384,
            DhGroup::Modp2048,
        ] {
            let fresh = || DhKeyPair::generate(group, &mut |buffer| buffer.fill(7));
            let good = fresh().public().to_vec();
            assert!(fresh().agree(&good).is_ok());
            // The empty value, too short, too long, and with the octet that SEC 1 puts in front.
            for wrong in [
                &[],
                &good[1..],
                &[&good, &[0][..]].concat(),
                &[&[4], &good[..]].concat(),
            ] {
                assert_eq!(
                    fresh().agree(wrong),
                    Err(DhError),
                    "{group}, {} octets",
                    wrong.len()
                );
            }
            // Zero is of small order on Curve25519, not on the other curves, and no power of 2.
            assert_eq!(fresh().agree(&vec![0; good.len()]), Err(DhError), "{group}, zero");
        }
    }

    /// Two implementations of Curve25519 make the same of the same octets, and refuse the same.
    #[test]
    fn a_seed_makes_what_its_octets_make() {
        let seed = Secret::new(vec![7; SEED_LEN]);
        for group in [DhGroup::Curve25519, DhGroup::P256, DhGroup::Modp2048] {
            let of_seed = || DhKeyPair::of_seed(group, &mut Seeded::new(&seed));
            let of_octets = || {
                let mut seeded = Seeded::new(&seed);
                DhKeyPair::generate(group, &mut |buffer| seeded.fill(buffer))
            };
            let theirs = DhKeyPair::generate(group, &mut |buffer| buffer.fill(9));
            assert_eq!(of_seed().public(), of_octets().public(), "{group}");
            assert_eq!(
                of_seed().agree(theirs.public()),
                of_octets().agree(theirs.public()),
                "{group}"
            );
            let zero = vec![0; theirs.public().len()];
            for bad in [&[][..], &zero, &theirs.public()[1..]] {
                assert_eq!(of_seed().agree(bad), Err(DhError), "{group}");
            }
        }
    }

    /// The SubjectPublicKeyInfo of a key of Curve25519 (RFC 8410 section 4), which aws-lc would read.
    #[test]
    fn public_values_in_another_encoding_are_refused() {
        let fresh = || DhKeyPair::generate(DhGroup::Curve25519, &mut |buffer| buffer.fill(7));
        let in_der = [&unhex("302a 3005 0603 2b65 6e03 2100")[..], fresh().public()].concat();
        assert_eq!(fresh().agree(&in_der), Err(DhError));
    }

    #[test]
    fn points_off_the_curve_are_refused() {
        for group in [DhGroup::P256, DhGroup::P384] {
            let fresh = || DhKeyPair::generate(group, &mut |buffer| buffer.fill(7));
            let mut point = fresh().public().to_vec();
            let last = point.len() - 1;
            point[last] ^= 1;
            assert_eq!(fresh().agree(&point), Err(DhError), "{group}, y changed");
            assert_eq!(
                fresh().agree(&vec![0xff; last + 1]),
                Err(DhError),
                "{group}, above the field"
            );
        }
    }

    #[test]
    fn points_of_small_order_are_refused_on_curve25519() {
        let one = {
            let mut one = [0; 32];
            one[0] = 1;
            one
        };
        let of_order_8 = unhex("e0eb7a7c3b41b8ae1656e3faf19fc46a da098deb9c32b1fd866205165f49b800");
        for point in [one.as_slice(), &of_order_8] {
            let fresh = DhKeyPair::generate(DhGroup::Curve25519, &mut |buffer| buffer.fill(7));
            assert_eq!(fresh.agree(point), Err(DhError));
        }
    }

    /// The order of a curve's group, and zero, are no private keys.
    #[test]
    fn draws_outside_the_range_are_drawn_again() {
        let order = unhex("FFFFFFFF 00000000 FFFFFFFF FFFFFFFF BCE6FAAD A7179E84 F3B9CAC2 FC632551");
        let mut draws = vec![vec![7; 32], vec![0; 32], order];
        let pair = DhKeyPair::generate(DhGroup::P256, &mut |buffer| {
            buffer.copy_from_slice(&draws.pop().unwrap());
        });
        let expected = DhKeyPair::generate(DhGroup::P256, &mut |buffer| buffer.fill(7));
        assert_eq!(pair.public(), expected.public());
    }
}
