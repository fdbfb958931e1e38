//! Protection of messages: the SK payload with AES-GCM (RFC 7296 section 3.14, RFC 5282).
//!
//! A cipher with separate integrity (CBC with HMAC) would be another variant of what [`SkKey`] holds: the message's
//! layout below depends on the lengths of IV and check alone.

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::IkeCipher;
use crate::Secret;
use crate::wire::{self, HEADER_LEN, Head, Payload, PayloadType};

/// Octets of the IV in front of the ciphertext (RFC 5282 section 3.1).
const IV_LEN: usize = 8;

/// Octets of the integrity check behind it.
const ICV_LEN: usize = 16;

/// Octets of the salt, the end of the keying material (RFC 5282 section 7.1).
const SALT_LEN: usize = 4;

/// Octets of the generic payload header.
const PAYLOAD_HEADER_LEN: usize = 4;

/// One direction's key, ready for use.
pub(crate) struct SkKey {
    key: LessSafeKey,
    salt: [u8; SALT_LEN],
}

/// The message is not what the owner of the key sent: drop it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the SK payload is not authentic")]
pub(crate) struct OpenError;

impl SkKey {
    /// `secret` is SK_ei or SK_er; `None` unless it has [`IkeCipher::key_len`] octets.
    pub(crate) fn new(cipher: IkeCipher, secret: &Secret) -> Option<Self> {
        let algorithm = match cipher {
            IkeCipher::Aes128Gcm16 => &AES_128_GCM,
            IkeCipher::Aes256Gcm16 => &AES_256_GCM,
        };
        let (key, salt) = secret.expose().split_last_chunk()?;
        let key = UnboundKey::new(algorithm, key).ok()?;
        Some(Self {
            key: LessSafeKey::new(key),
            salt: *salt,
        })
    }

    /// A whole message with all its payloads inside SK. `iv` must not be used twice with one key (RFC 5282 section 3.1).
    pub(crate) fn seal(&self, head: &Head, payloads: &[Payload<'_>], iv: u64) -> Vec<u8> {
        let mut message = Vec::with_capacity(512);
        head.encode(PayloadType::SK, &mut message);
        message.extend_from_slice(&[wire::first_of(payloads).0, 0, 0, 0]);
        message.extend_from_slice(&iv.to_be_bytes());
        wire::encode_payloads(payloads, &mut message);
        // Pad Length: a counter-mode cipher needs no padding.
        message.push(0);

        let length = message.len() + ICV_LEN;
        wire::patch_length(&mut message, length);
        let sk_length = (length - HEADER_LEN) as u16;
        message[HEADER_LEN + 2..HEADER_LEN + PAYLOAD_HEADER_LEN].copy_from_slice(&sk_length.to_be_bytes());

        let (clear, inside) = message.split_at_mut(HEADER_LEN + PAYLOAD_HEADER_LEN + IV_LEN);
        let aad = Aad::from(&clear[..HEADER_LEN + PAYLOAD_HEADER_LEN]);
        let tag = self
            .key
            .seal_in_place_separate_tag(self.nonce(iv.to_be_bytes()), aad, inside)
            .expect("ring fails only for plaintexts of more than 2^36 octets");
        message.extend_from_slice(tag.as_ref());
        message
    }

    /// The payload chain inside the SK that ends `message`, as plaintext without padding. `body_len` is the length of
    /// SK's body; all that precedes it is authenticated with it (RFC 5282 section 5.1).
    pub(crate) fn open(&self, message: &[u8], body_len: usize) -> Result<Vec<u8>, OpenError> {
        let start = message.len().checked_sub(body_len).ok_or(OpenError)?;
        let (clear, body) = message.split_at(start);
        let (iv, ciphertext) = body.split_first_chunk().ok_or(OpenError)?;

        let mut inside = ciphertext.to_vec();
        let plaintext_len = self
            .key
            .open_in_place(self.nonce(*iv), Aad::from(clear), &mut inside)
            .map_err(|_| OpenError)?
            .len();
        inside.truncate(plaintext_len);

        let padding = usize::from(inside.pop().ok_or(OpenError)?);
        inside.truncate(inside.len().checked_sub(padding).ok_or(OpenError)?);
        Ok(inside)
    }

    /// Salt and IV (RFC 5282 section 4).
    fn nonce(&self, iv: [u8; IV_LEN]) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[..SALT_LEN].copy_from_slice(&self.salt);
        nonce[SALT_LEN..].copy_from_slice(&iv);
        Nonce::assume_unique_for_key(nonce)
    }
}
