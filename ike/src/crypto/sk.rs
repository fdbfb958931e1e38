//! Protection of messages: the SK payload with AES-GCM (RFC 7296 section 3.14, RFC 5282).
//!
//! A cipher with separate integrity (CBC with HMAC) would be another variant of what [`SkKey`] holds: the message's
//! layout below depends on the lengths of IV and check alone.

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::IkeCipher;
use crate::Secret;
use crate::wire::{self, Fragment, HEADER_LEN, Head, Payload, PayloadType};

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
        let encode = |out: &mut Vec<u8>| wire::encode_payloads(payloads, out);
        self.seal_chain(head, wire::first_of(payloads), encode, iv)
    }

    /// The same with whatever `encode` writes for payloads.
    pub(crate) fn seal_chain(
        &self,
        head: &Head,
        first: PayloadType,
        encode: impl FnOnce(&mut Vec<u8>),
        iv: u64,
    ) -> Vec<u8> {
        self.seal_part(head, first, None, encode, iv)
    }

    /// A message that is one fragment, with `chunk` of the payloads inside SKF (RFC 7383 section 2.5). `first` is the
    /// type of the first payload in the first fragment, and none in all others.
    pub(crate) fn seal_fragment(
        &self,
        head: &Head,
        first: PayloadType,
        fragment: Fragment,
        chunk: &[u8],
        iv: u64,
    ) -> Vec<u8> {
        let encode = |out: &mut Vec<u8>| out.extend_from_slice(chunk);
        self.seal_part(head, first, Some(fragment), encode, iv)
    }

    /// Octets of payloads, one at least, that a fragment of `message_len` octets has room for.
    pub(crate) fn fragment_room(&self, message_len: usize) -> usize {
        let around = HEADER_LEN + PAYLOAD_HEADER_LEN + Fragment::LEN + IV_LEN + 1 + ICV_LEN;
        message_len.saturating_sub(around).max(1)
    }

    fn seal_part(
        &self,
        head: &Head,
        first: PayloadType,
        fragment: Option<Fragment>,
        encode: impl FnOnce(&mut Vec<u8>),
        iv: u64,
    ) -> Vec<u8> {
        let mut message = Vec::with_capacity(512);
        let kind = fragment.map_or(PayloadType::SK, |_| PayloadType::SKF);
        head.encode(kind, &mut message);
        message.extend_from_slice(&[first.0, 0, 0, 0]);
        if let Some(fragment) = fragment {
            fragment.encode(&mut message);
        }
        let iv_at = message.len();
        message.extend_from_slice(&iv.to_be_bytes());
        encode(&mut message);
        // Pad Length: a counter-mode cipher needs no padding.
        message.push(0);

        let length = message.len() + ICV_LEN;
        wire::patch_length(&mut message, length);
        let sk_length = (length - HEADER_LEN) as u16;
        message[HEADER_LEN + 2..HEADER_LEN + PAYLOAD_HEADER_LEN].copy_from_slice(&sk_length.to_be_bytes());

        let (clear, inside) = message.split_at_mut(iv_at + IV_LEN);
        let aad = Aad::from(&clear[..iv_at]);
        let tag = self
            .key
            .seal_in_place_separate_tag(self.nonce(iv.to_be_bytes()), aad, inside)
            .expect("ring fails only for plaintexts of more than 2^36 octets");
        message.extend_from_slice(tag.as_ref());
        message
    }

    /// The payload chain, or the part of one, inside the SK or SKF that ends `message`, as plaintext without padding.
    /// `body_len` is the length of what begins with the IV; all that precedes it is authenticated with it (RFC 5282 section 5.1).
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

/// RFC 5282 has no test vectors: the messages below were made with Python's cryptography (OpenSSL) after its section 4
/// and 5.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::IkeSpis;
    use crate::crypto::unhex;
    use crate::wire::{Encrypted, ExchangeType, Flags, Message, Notify, NotifyType, decode_payloads};

    const HEAD: Head = Head {
        spis: IkeSpis {
            initiator: 0x0102030405060708,
            responder: 0x1112131415161718,
        },
        exchange: ExchangeType::IkeAuth,
        flags: Flags {
            initiator: false,
            response: true,
        },
        message_id: 1,
    };

    const IV: u64 = 0x0000002a_00000007;

    /// An IKE_AUTH response that says AUTHENTICATION_FAILED, sealed with each cipher.
    const SEALED: [(IkeCipher, &str); 2] = [
        (
            IkeCipher::Aes128Gcm16,
            "01020304 05060708 11121314 15161718 2e202320 00000001 00000041 29000025
             0000002a 00000007 b033de00 aeb110f6 dfd5a26e f7afefd2 b21c98c2 183a67bc
             e1",
        ),
        (
            IkeCipher::Aes256Gcm16,
            "01020304 05060708 11121314 15161718 2e202320 00000001 00000041 29000025
             0000002a 00000007 27ca58df 6cf102a6 190cc8b5 b2b5dfaa 96c34a0d bf325066
             03",
        ),
    ];

    fn key(cipher: IkeCipher) -> SkKey {
        let octets = (0..cipher.key_bits() / 8)
            .map(|octet| octet as u8)
            .chain([0xa0, 0xa1, 0xa2, 0xa3]);
        SkKey::new(cipher, &Secret::new(octets.collect())).unwrap()
    }

    fn failed() -> Payload<'static> {
        Payload::Notify(Notify::new(NotifyType::AUTHENTICATION_FAILED, &[]))
    }

    /// The message's SK opened: the type of the first payload inside, and the chain.
    fn open(cipher: IkeCipher, message: &[u8]) -> Result<(PayloadType, Vec<u8>), OpenError> {
        let Some(Encrypted::Whole { first, body }) = Message::decode(message).unwrap().encrypted else {
            panic!("no SK payload");
        };
        Ok((first, key(cipher).open(message, body.len())?))
    }

    #[test]
    fn seals_and_opens_the_known_messages() {
        for (cipher, expected) in SEALED {
            let sealed = key(cipher).seal(&HEAD, &[failed()], IV);
            assert_eq!(sealed, unhex(expected));
            let (first, chain) = open(cipher, &sealed).unwrap();
            assert_eq!(decode_payloads(first, &chain), Ok(vec![failed()]));
        }
    }

    #[test]
    fn an_empty_message_is_sealed_too() {
        let sealed = key(IkeCipher::Aes128Gcm16).seal(&HEAD, &[], IV);
        assert_eq!(
            open(IkeCipher::Aes128Gcm16, &sealed),
            Ok((PayloadType::NONE, vec![]))
        );
    }

    #[test]
    fn the_peers_padding_is_removed() {
        let padded = unhex(
            "01020304 05060708 11121314 15161718 2e202320 00000001 00000044 29000028
             0000002a 00000007 27ca58df 6cf102a6 e6fb2d06 5241e68e 5b0c87d4 b3f77379
             9e23b13c",
        );
        let (first, chain) = open(IkeCipher::Aes256Gcm16, &padded).unwrap();
        assert_eq!(decode_payloads(first, &chain), Ok(vec![failed()]));
    }

    /// Pad Length 3 with no padding at all.
    #[test]
    fn padding_longer_than_the_plaintext_is_refused() {
        let message = unhex(
            "01020304 05060708 11121314 15161718 2e202320 00000001 00000039 0000001d
             0000002a 00000007 246543c3 138b93c6 1a743a1c 580b5925 5a",
        );
        assert_eq!(open(IkeCipher::Aes256Gcm16, &message), Err(OpenError));
    }

    /// Header, payload header, IV, ciphertext and check: all are covered.
    #[test]
    fn no_octet_can_be_changed() {
        let cipher = IkeCipher::Aes256Gcm16;
        let sealed = key(cipher).seal(&HEAD, &[failed()], IV);
        let body_len = sealed.len() - HEADER_LEN - PAYLOAD_HEADER_LEN;
        for at in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[at] ^= 0x40;
            assert_eq!(key(cipher).open(&forged, body_len), Err(OpenError), "octet {at}");
        }
    }

    #[test]
    fn bodies_that_cannot_hold_iv_and_check_are_refused() {
        let sealed = key(IkeCipher::Aes128Gcm16).seal(&HEAD, &[failed()], IV);
        for body_len in (0..IV_LEN + ICV_LEN).chain([sealed.len() + 1, usize::MAX]) {
            assert_eq!(
                key(IkeCipher::Aes128Gcm16).open(&sealed, body_len),
                Err(OpenError)
            );
        }
    }

    #[test]
    fn keys_of_the_wrong_length_are_refused() {
        for len in [0, 3, 4, 16, 19, 21, 36] {
            assert!(
                SkKey::new(IkeCipher::Aes128Gcm16, &Secret::new(vec![1; len])).is_none(),
                "{len} octets"
            );
        }
    }
}
