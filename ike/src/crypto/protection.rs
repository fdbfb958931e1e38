//! What SK's layout needs of a cipher (RFC 7296 section 3.14).

/// The message is not what the owner of the key sent: drop it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the SK payload is not authentic")]
pub(crate) struct OpenError;

/// A cipher's share in the layout: an IV, whole blocks of ciphertext, and an integrity check.
pub(crate) trait Protection {
    /// Appends the IV that belongs to `number`, which must not come twice with one key.
    fn push_iv(&self, number: u64, message: &mut Vec<u8>);

    /// Octets of the IV.
    fn iv_len(&self) -> usize;

    /// What is encrypted has a multiple of so many octets.
    fn block_len(&self) -> usize;

    /// Octets of the integrity check.
    fn icv_len(&self) -> usize;

    /// Encrypts all that follows the IV at `iv_at`, and appends the integrity check of the whole.
    fn seal(&self, iv_at: usize, message: &mut Vec<u8>);

    /// The plaintext of `body`, padding included, if it and `clear` in front of it are authentic.
    fn open(&self, clear: &[u8], body: &[u8]) -> Result<Vec<u8>, OpenError>;
}
