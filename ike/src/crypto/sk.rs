//! Protection of messages: the SK payload with AES-GCM (RFC 7296 section 3.14, RFC 5282).

use super::IkeCipher;
use crate::Secret;
use crate::wire::{Head, Payload};

/// One direction's key, ready for use.
pub(crate) struct SkKey {}

impl SkKey {
    /// `secret` is SK_ei or SK_er, [`IkeCipher::key_len`] octets.
    pub(crate) fn new(cipher: IkeCipher, secret: &Secret) -> Self {
        let _ = (cipher, secret);
        todo!()
    }

    /// A whole message whose payloads are all inside SK. `iv` must never be used twice with this key.
    pub(crate) fn seal(&self, head: &Head, payloads: &[Payload<'_>], iv: u64) -> Vec<u8> {
        let _ = (head, payloads, iv);
        todo!()
    }

    /// The plaintext payload chain, padding removed, of a whole message that ends with an SK payload whose body is
    /// its last `body_len` octets.
    pub(crate) fn open(&self, message: &[u8], body_len: usize) -> Result<Vec<u8>, OpenError> {
        let _ = (message, body_len);
        todo!()
    }
}

/// The message is not what the owner of the key sent: drop it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the SK payload is not authentic")]
pub(crate) struct OpenError;
