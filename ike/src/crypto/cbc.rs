//! SK payloads with AES-CBC and an HMAC over all that precedes it: encrypt, then MAC (RFC 7296 section 3.14).

use aes::cipher::{Array, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit};
use aes::{Aes128, Aes256};
use subtle::ConstantTimeEq;

use super::protection::{OpenError, Protection};
use super::{Prf, PrfKey};
use crate::Integrity;

/// Octets of a block of AES, and of the IV (RFC 3602 section 3).
const BLOCK_LEN: usize = 16;

type Block = Array<u8, aes::cipher::consts::U16>;

pub(crate) struct CbcKey {
    aes: Aes,
    hmac: PrfKey,
    icv_len: usize,
}

/// The block cipher; its keys wipe themselves when they are dropped.
enum Aes {
    Bits128(Aes128),
    Bits256(Aes256),
}

impl CbcKey {
    /// `None` unless `secret` has the octets of both keys, that of the HMAC last.
    pub(crate) fn aes_128(integrity: Integrity, secret: &[u8]) -> Option<Self> {
        Self::new(integrity, secret, |key| {
            Aes128::new_from_slice(key).ok().map(Aes::Bits128)
        })
    }

    /// As [`Self::aes_128`].
    pub(crate) fn aes_256(integrity: Integrity, secret: &[u8]) -> Option<Self> {
        Self::new(integrity, secret, |key| {
            Aes256::new_from_slice(key).ok().map(Aes::Bits256)
        })
    }

    fn new(integrity: Integrity, secret: &[u8], aes: impl FnOnce(&[u8]) -> Option<Aes>) -> Option<Self> {
        let aes_len = secret.len().checked_sub(integrity.key_len())?;
        let (aes_key, hmac_key) = secret.split_at(aes_len);
        Some(Self {
            aes: aes(aes_key)?,
            hmac: PrfKey::new(Prf::from(integrity), hmac_key),
            icv_len: integrity.icv_len(),
        })
    }

    /// Whether `icv` is that of `clear` and `covered` together; takes the same time wherever they differ.
    fn is_whole(&self, clear: &[u8], covered: &[u8], icv: &[u8]) -> bool {
        let tag = self.hmac.compute(&[clear, covered]);
        tag.as_ref()[..self.icv_len].ct_eq(icv).into()
    }
}

impl Protection for CbcKey {
    /// CBC wants IVs that cannot be foretold (RFC 3602 section 3, NIST SP 800-38A appendix C). A pseudorandom function
    /// of a number that comes once gives them without drawing randomness. The key of the HMAC may serve, since it
    /// computes nothing else over 8 octets: a message has 28 at least.
    fn push_iv(&self, number: u64, message: &mut Vec<u8>) {
        let tag = self.hmac.compute(&[&number.to_be_bytes()]);
        message.extend_from_slice(&tag.as_ref()[..BLOCK_LEN]);
    }

    fn iv_len(&self) -> usize {
        BLOCK_LEN
    }

    fn block_len(&self) -> usize {
        BLOCK_LEN
    }

    fn icv_len(&self) -> usize {
        self.icv_len
    }

    fn seal(&self, iv_at: usize, message: &mut Vec<u8>) {
        let (iv, inside) = message[iv_at..].split_at_mut(BLOCK_LEN);
        self.aes.encrypt(iv, inside);
        let tag = self.hmac.compute(&[message]);
        message.extend_from_slice(&tag.as_ref()[..self.icv_len]);
    }

    /// The check comes first, and nothing that is not authentic is decrypted: how its padding looks cannot show.
    fn open(&self, clear: &[u8], body: &[u8]) -> Result<Vec<u8>, OpenError> {
        let icv_at = body.len().checked_sub(self.icv_len).ok_or(OpenError)?;
        let (covered, icv) = body.split_at(icv_at);
        if !self.is_whole(clear, covered, icv) {
            return Err(OpenError);
        }
        let (iv, ciphertext) = covered.split_at_checked(BLOCK_LEN).ok_or(OpenError)?;
        if ciphertext.len() % BLOCK_LEN != 0 {
            return Err(OpenError);
        }
        let mut inside = ciphertext.to_vec();
        self.aes.decrypt(iv, &mut inside);
        Ok(inside)
    }
}

impl Aes {
    /// `iv` is a block, and `inside` whole blocks.
    fn encrypt(&self, iv: &[u8], inside: &mut [u8]) {
        let (iv, blocks) = (block(iv), blocks(inside));
        match self {
            Self::Bits128(aes) => cbc::Encryptor::inner_iv_init(aes, iv).encrypt_blocks(blocks),
            Self::Bits256(aes) => cbc::Encryptor::inner_iv_init(aes, iv).encrypt_blocks(blocks),
        }
    }

    /// As [`Self::encrypt`].
    fn decrypt(&self, iv: &[u8], inside: &mut [u8]) {
        let (iv, blocks) = (block(iv), blocks(inside));
        match self {
            Self::Bits128(aes) => cbc::Decryptor::inner_iv_init(aes, iv).decrypt_blocks(blocks),
            Self::Bits256(aes) => cbc::Decryptor::inner_iv_init(aes, iv).decrypt_blocks(blocks),
        }
    }
}

fn block(octets: &[u8]) -> &Block {
    octets.try_into().expect("the caller has split a block off")
}

/// Octets beyond the last whole block are left out; the callers have none.
fn blocks(octets: &mut [u8]) -> &mut [Block] {
    Array::slice_as_chunks_mut(octets).0
}
