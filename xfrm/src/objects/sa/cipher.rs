//! Algorithms: `struct xfrm_algo`, `xfrm_algo_auth` and `xfrm_algo_aead` (linux/xfrm.h).

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the packet crates' enums grow with the kernel: what is unknown is passed over"
)]

use std::ffi::CStr;

use netlink_packet_core::parse_u32;
use netlink_packet_xfrm::constants::{XFRMA_ALG_AEAD, XFRMA_ALG_AUTH_TRUNC, XFRMA_ALG_CRYPT};
use netlink_packet_xfrm::{Alg, AlgAead, AlgAuth, XFRM_ALG_NAME_LEN, XfrmAttrs};
use zeroize::Zeroize;

use crate::{Algorithm, Cipher};

pub(super) fn attributes(cipher: &Cipher) -> Vec<XfrmAttrs> {
    match cipher {
        Cipher::Aead { algorithm, icv_bits } => vec![XfrmAttrs::EncryptionAlgAead(AlgAead {
            alg_name: fixed_name(algorithm),
            alg_key_len: key_bits(algorithm),
            alg_icv_len: *icv_bits,
            alg_key: algorithm.key.to_vec(),
        })],
        Cipher::EncryptThenMac {
            encryption,
            integrity,
            icv_bits,
        } => vec![
            XfrmAttrs::EncryptionAlg(Alg {
                alg_name: fixed_name(encryption),
                alg_key_len: key_bits(encryption),
                alg_key: encryption.key.to_vec(),
            }),
            XfrmAttrs::AuthenticationAlgTrunc(AlgAuth {
                alg_name: fixed_name(integrity),
                alg_key_len: key_bits(integrity),
                alg_trunc_len: *icv_bits,
                alg_key: integrity.key.to_vec(),
            }),
        ],
    }
}

/// Cut to what the kernel's field holds with its terminating zero; the kernel then refuses the unknown name.
fn fixed_name(algorithm: &Algorithm) -> [u8; XFRM_ALG_NAME_LEN] {
    let mut fixed = [0; XFRM_ALG_NAME_LEN];
    for (place, byte) in fixed
        .iter_mut()
        .take(XFRM_ALG_NAME_LEN - 1)
        .zip(algorithm.name.bytes())
    {
        *place = byte;
    }
    fixed
}

fn key_bits(algorithm: &Algorithm) -> u32 {
    // No key is as long; the kernel refuses it.
    u32::try_from(8 * algorithm.key.len()).unwrap_or(u32::MAX)
}

/// The packet crate keeps keys in plain vectors.
pub(super) fn wipe(attributes: &mut [XfrmAttrs]) {
    for attribute in attributes {
        match attribute {
            XfrmAttrs::EncryptionAlgAead(algorithm) => algorithm.alg_key.zeroize(),
            XfrmAttrs::EncryptionAlg(algorithm) => algorithm.alg_key.zeroize(),
            XfrmAttrs::AuthenticationAlgTrunc(algorithm) => algorithm.alg_key.zeroize(),
            _ => {}
        }
    }
}

/// What the attributes of an SA have said of its cipher so far. XFRMA_ALG_AUTH, which repeats XFRMA_ALG_AUTH_TRUNC for
/// readers of old, is passed over.
#[derive(Default)]
pub(super) struct Found {
    aead: Option<(Algorithm, u32)>,
    encryption: Option<Algorithm>,
    integrity: Option<(Algorithm, u32)>,
}

impl Found {
    /// Takes in an attribute, of whatever kind; `None` if it cannot be read.
    pub(super) fn read(&mut self, kind: u16, value: &[u8]) -> Option<()> {
        match kind {
            XFRMA_ALG_AEAD => self.aead = Some(parse_with_icv(value)?),
            XFRMA_ALG_CRYPT => self.encryption = Some(parse_without_icv(value)?),
            XFRMA_ALG_AUTH_TRUNC => self.integrity = Some(parse_with_icv(value)?),
            _ => {}
        }
        Some(())
    }

    /// `None` for a cipher that is not of the form this crate makes.
    pub(super) fn cipher(self) -> Option<Cipher> {
        match (self.aead, self.encryption, self.integrity) {
            (Some((algorithm, icv_bits)), None, None) => Some(Cipher::Aead { algorithm, icv_bits }),
            (None, Some(encryption), Some((integrity, icv_bits))) => Some(Cipher::EncryptThenMac {
                encryption,
                integrity,
                icv_bits,
            }),
            _ => None,
        }
    }
}

// Not by the packet crate, which would leave a copy of the key in memory.

/// Name, length of the key, length of the check, key.
fn parse_with_icv(value: &[u8]) -> Option<(Algorithm, u32)> {
    let (name, lengths) = value.split_at_checked(XFRM_ALG_NAME_LEN)?;
    let (key_bits, rest) = lengths.split_at_checked(4)?;
    let (icv_bits, key) = rest.split_at_checked(4)?;
    Some((parse(name, key_bits, key)?, parse_u32(icv_bits).ok()?))
}

/// Name, length of the key, key.
fn parse_without_icv(value: &[u8]) -> Option<Algorithm> {
    let (name, rest) = value.split_at_checked(XFRM_ALG_NAME_LEN)?;
    let (key_bits, key) = rest.split_at_checked(4)?;
    parse(name, key_bits, key)
}

fn parse(name: &[u8], key_bits: &[u8], key: &[u8]) -> Option<Algorithm> {
    let name = CStr::from_bytes_until_nul(name).ok()?.to_str().ok()?;
    let key_bits = parse_u32(key_bits).ok()?;
    Some(Algorithm::new(name, key.get(..key_bits as usize / 8)?))
}

/// What the kernel builds an algorithm from.
pub(super) fn modules(algorithm: &str) -> &'static str {
    match algorithm {
        "rfc4106(gcm(aes))" => "seqiv, gcm, ctr, ghash_generic and an AES such as aesni_intel",
        "rfc7539esp(chacha20,poly1305)" => "seqiv, chacha20poly1305, chacha_generic and poly1305_generic",
        _ if algorithm.starts_with("cbc(aes) and hmac(sha") => {
            "echainiv, authenc, cbc, hmac, sha256_generic or sha512_generic, and an AES such as aesni_intel"
        }
        _ if algorithm.starts_with("ecb(cipher_null) and hmac(sha") => {
            "authenc, crypto_null, hmac, and sha256_generic or sha512_generic"
        }
        _ => "is the name right?",
    }
}
