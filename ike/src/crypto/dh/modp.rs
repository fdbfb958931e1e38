//! The modular exponential groups of RFC 3526, in constant time.

use crypto_bigint::modular::{ConstMontyForm, ConstMontyParams};
use crypto_bigint::{Encoding, U512, U2048, U3072, U4096, Uint, const_monty_params};
use zeroize::Zeroizing;

use super::DhError;
use crate::Secret;

/// Which group.
#[derive(Clone, Copy)]
pub(super) enum Modp {
    Bits2048,
    Bits3072,
    Bits4096,
}

/// A secret exponent.
pub(super) struct PrivateKey {
    group: Modp,
    exponent: Zeroizing<U512>,
}

impl Modp {
    /// Octets of an exponent: twice the strength of the group, by the higher of both estimates in RFC 3526 section 8.
    fn exponent_len(self) -> usize {
        match self {
            Self::Bits2048 => 320 / 8,
            Self::Bits3072 => 424 / 8,
            Self::Bits4096 => 480 / 8,
        }
    }
}

impl PrivateKey {
    pub(super) fn generate(group: Modp, fill_random: &mut dyn FnMut(&mut [u8])) -> Self {
        let mut octets = Zeroizing::new([0; 64]);
        let front = octets.len() - group.exponent_len();
        fill_random(&mut octets[front..]);
        Self {
            group,
            exponent: Zeroizing::new(U512::from_be_slice(&*octets)),
        }
    }

    /// The generator, 2, to the power of the exponent, as long as the modulus (RFC 7296 section 3.4).
    pub(super) fn public(&self) -> Vec<u8> {
        match self.group {
            Modp::Bits2048 => self.power::<Modulus2048, { U2048::LIMBS }>(&Uint::from_u8(2)),
            Modp::Bits3072 => self.power::<Modulus3072, { U3072::LIMBS }>(&Uint::from_u8(2)),
            Modp::Bits4096 => self.power::<Modulus4096, { U4096::LIMBS }>(&Uint::from_u8(2)),
        }
    }

    pub(super) fn agree(&self, peer_public: &[u8]) -> Result<Secret, DhError> {
        match self.group {
            Modp::Bits2048 => self.agree_in::<Modulus2048, { U2048::LIMBS }>(peer_public),
            Modp::Bits3072 => self.agree_in::<Modulus3072, { U3072::LIMBS }>(peer_public),
            Modp::Bits4096 => self.agree_in::<Modulus4096, { U4096::LIMBS }>(peer_public),
        }
    }

    /// The secret is as long as the modulus (RFC 7296 section 2.14). A public value r has to satisfy
    /// 1 < r < p-1 (RFC 6989 section 2.1); with these primes, whose half is prime too, that is all.
    fn agree_in<M, const LIMBS: usize>(&self, peer_public: &[u8]) -> Result<Secret, DhError>
    where
        M: ConstMontyParams<LIMBS>,
        Uint<LIMBS>: Encoding,
    {
        if peer_public.len() != Uint::<LIMBS>::BYTES {
            return Err(DhError);
        }
        let peer_public = Uint::<LIMBS>::from_be_slice(peer_public);
        let greatest = M::PARAMS.modulus().as_ref().wrapping_sub(&Uint::ONE);
        if peer_public <= Uint::ONE || peer_public >= greatest {
            return Err(DhError);
        }
        Ok(Secret::new(self.power::<M, LIMBS>(&peer_public)))
    }

    fn power<M, const LIMBS: usize>(&self, base: &Uint<LIMBS>) -> Vec<u8>
    where
        M: ConstMontyParams<LIMBS>,
        Uint<LIMBS>: Encoding,
    {
        let exponent_bits = 8 * self.group.exponent_len() as u32;
        let power = ConstMontyForm::<M, LIMBS>::new(base).pow_bounded_exp(&self.exponent, exponent_bits);
        Zeroizing::new(power.retrieve()).to_be_bytes().as_ref().to_vec()
    }
}

const_monty_params!(
    Modulus2048,
    U2048,
    concat!(
        "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD",
        "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED",
        "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F",
        "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B",
        "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510",
        "15728E5A8AACAA68FFFFFFFFFFFFFFFF",
    ),
    "2^2048 - 2^1984 - 1 + 2^64 * ([2^1918 pi] + 124476) (RFC 3526)."
);

const_monty_params!(
    Modulus3072,
    U3072,
    concat!(
        "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD",
        "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED",
        "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F",
        "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B",
        "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510",
        "15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7",
        "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C",
        "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
    ),
    "2^3072 - 2^3008 - 1 + 2^64 * ([2^2942 pi] + 1690314) (RFC 3526)."
);

const_monty_params!(
    Modulus4096,
    U4096,
    concat!(
        "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD",
        "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED",
        "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F",
        "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B",
        "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510",
        "15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7",
        "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C",
        "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A92108011A723C12A787E6D7",
        "88719A10BDBA5B2699C327186AF4E23C1A946834B6150BDA2583E9CA2AD44CE8DBBBC2DB04DE8EF92E8EFC141FBECAA6",
        "287C59474E6BC05D99B2964FA090C3A2233BA186515BE7ED1F612970CEE2D7AFB81BDD762170481CD0069127D5B05AA9",
        "93B4EA988D8FDDC186FFB7DC90A6C08F4DF435C934063199FFFFFFFFFFFFFFFF",
    ),
    "2^4096 - 2^4032 - 1 + 2^64 * ([2^3966 pi] + 240904) (RFC 3526)."
);

#[cfg(test)]
mod tests {
    use ring::digest;

    use super::*;
    use crate::crypto::unhex;

    fn sha256(octets: &[u8]) -> Vec<u8> {
        digest::digest(&digest::SHA256, octets).as_ref().to_vec()
    }

    /// Digests of both public values and of the secret, computed with Python's pow() from the primes in the text of
    /// RFC 3526. One exponent counts up from 1, the other down from 255.
    #[test]
    fn secrets_as_by_another_arithmetic() {
        for (group, length, public_up, public_down, secret) in [
            (
                Modp::Bits2048,
                256,
                "3ae26e14ac54744ba175a8b2c76205eebfc4fdb8314c4c40ae2ea47b3c0e28a3",
                "98e51d46204acc6e6494f73b42bea4c6598a9fbed684a7d4c7ea65fb7a531a30",
                "92a75375b3ea0974701c1d1910b074643166d3660053ea6c1c76fe13215ab174",
            ),
            (
                Modp::Bits3072,
                384,
                "3e8aafd670fd2402ca212ee8a0cc224d386360da99321bc61b2aa3f9304e4da8",
                "05c2a0da7895a84b4b6e36c17991b80296e2419ac12d8e449e6e92ab592713a1",
                "1904600914d96b4d0ba363bd1b24858aeeabbca18d38fa5cd2c73ee37f0020bd",
            ),
            (
                Modp::Bits4096,
                512,
                "7c9e4cdd9c1f1d69a426a40ae0987ba78b4ec3eda95fb8ecfe68cca73fc0acdd",
                "d9db7bbd08075077a97ea271775187b4ca939b3d8b942b06a2722213c9d8246c",
                "a81a626584dbc6fdc1066d010f589cb64c99447b8d93d7c03f7d6de4bc2364fd",
            ),
        ] {
            let up = PrivateKey::generate(group, &mut |buffer| {
                buffer
                    .iter_mut()
                    .zip(1..)
                    .for_each(|(octet, value)| *octet = value);
            });
            let down = PrivateKey::generate(group, &mut |buffer| {
                buffer
                    .iter_mut()
                    .zip(0..)
                    .for_each(|(octet, value)| *octet = 255 - value);
            });
            assert_eq!(up.public().len(), length);
            assert_eq!(sha256(&up.public()), unhex(public_up));
            assert_eq!(sha256(&down.public()), unhex(public_down));
            assert_eq!(sha256(up.agree(&down.public()).unwrap().expose()), unhex(secret));
            assert_eq!(sha256(down.agree(&up.public()).unwrap().expose()), unhex(secret));
        }
    }

    /// 0, 1, p-1, p and p+1 and more, and 2 and p-2 beside them, which are good.
    #[test]
    fn values_that_make_the_secret_known_are_refused() {
        let private = PrivateKey::generate(Modp::Bits2048, &mut |buffer| buffer.fill(7));
        let agree = |value: U2048| private.agree(value.to_be_bytes().as_ref());
        let p = *Modulus2048::PARAMS.modulus().as_ref();
        let small = U2048::from_u8;
        for bad in [
            small(0),
            small(1),
            p.wrapping_sub(&small(1)),
            p,
            p.wrapping_add(&small(1)),
            U2048::MAX,
        ] {
            assert_eq!(agree(bad), Err(DhError), "{bad}");
        }
        for good in [small(2), p.wrapping_sub(&small(2))] {
            assert!(agree(good).is_ok(), "{good}");
        }
    }
}
