//! SK payloads with AES-GCM (RFC 5282) and ChaCha20-Poly1305 (RFC 7634), which are laid out alike.

use ring::aead::{
    AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey,
};

use super::protection::{OpenError, Protection};

/// Octets of the IV in front of the ciphertext (RFC 5282 section 3.1, RFC 7634 section 3).
const IV_LEN: usize = 8;

/// Octets of the salt, the end of the keying material (RFC 5282 section 7.1, RFC 7634 section 3).
const SALT_LEN: usize = 4;

pub(crate) struct AeadKey {
    key: LessSafeKey,
    salt: [u8; SALT_LEN],
}

impl AeadKey {
    /// `None` unless `secret` has the octets of key and salt.
    pub(crate) fn aes_128_gcm(secret: &[u8]) -> Option<Self> {
        Self::new(&AES_128_GCM, secret)
    }

    /// As [`Self::aes_128_gcm`].
    pub(crate) fn aes_256_gcm(secret: &[u8]) -> Option<Self> {
        Self::new(&AES_256_GCM, secret)
    }

    /// As [`Self::aes_128_gcm`].
    pub(crate) fn chacha20_poly1305(secret: &[u8]) -> Option<Self> {
        Self::new(&CHACHA20_POLY1305, secret)
    }

    fn new(algorithm: &'static Algorithm, secret: &[u8]) -> Option<Self> {
        let (key, salt) = secret.split_last_chunk()?;
        let key = UnboundKey::new(algorithm, key).ok()?;
        Some(Self {
            key: LessSafeKey::new(key),
            salt: *salt,
        })
    }

    /// Salt and IV (RFC 5282 section 4, RFC 7634 section 2).
    fn nonce(&self, iv: [u8; IV_LEN]) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[..SALT_LEN].copy_from_slice(&self.salt);
        nonce[SALT_LEN..].copy_from_slice(&iv);
        Nonce::assume_unique_for_key(nonce)
    }
}

impl Protection for AeadKey {
    fn push_iv(&self, number: u64, message: &mut Vec<u8>) {
        message.extend_from_slice(&number.to_be_bytes());
    }

    fn iv_len(&self) -> usize {
        IV_LEN
    }

    /// A counter-mode cipher needs no padding.
    fn block_len(&self) -> usize {
        1
    }

    fn icv_len(&self) -> usize {
        self.key.algorithm().tag_len()
    }

    fn seal(&self, iv_at: usize, message: &mut Vec<u8>) {
        let (clear, body) = message.split_at_mut(iv_at);
        let (iv, inside) = body.split_first_chunk_mut().expect("push_iv has put it there");
        let tag = self
            .key
            .seal_in_place_separate_tag(self.nonce(*iv), Aad::from(clear), inside)
            .expect("ring fails only for plaintexts of more than 2^36 octets");
        message.extend_from_slice(tag.as_ref());
    }

    /// What precedes the IV is authenticated with it (RFC 5282 section 5.1).
    fn open(&self, clear: &[u8], body: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (iv, ciphertext) = body.split_first_chunk().ok_or(OpenError)?;
        let mut inside = ciphertext.to_vec();
        let plaintext_len = self
            .key
            .open_in_place(self.nonce(*iv), Aad::from(clear), &mut inside)
            .map_err(|_| OpenError)?
            .len();
        inside.truncate(plaintext_len);
        Ok(inside)
    }
}
