//! Protection of messages: the layout of the SK payload (RFC 7296 section 3.14) and of the SKF payload (RFC 7383 section
//! 2.5), whatever the cipher in it.

use crate::crypto::{AeadKey, CbcKey, OpenError, Protection};
use crate::wire::{self, Fragment, HEADER_LEN, Head, Payload, PayloadType};
use crate::{Cipher, Secret};

/// Octets of the generic payload header.
const PAYLOAD_HEADER_LEN: usize = 4;

/// One direction's keys, ready for use.
pub(crate) struct SkKey(SkCipher);

enum SkCipher {
    Aead(AeadKey),
    Cbc(CbcKey),
}

impl SkKey {
    /// `secret` is SK_ei or SK_er, with SK_ai or SK_ar behind it where there is one; `None` unless it has
    /// [`Cipher::key_len`] octets.
    pub(crate) fn new(cipher: Cipher, secret: &Secret) -> Option<Self> {
        let secret = secret.expose();
        let kind = match cipher {
            Cipher::Aes128Gcm16 => SkCipher::Aead(AeadKey::aes_128_gcm(secret)?),
            Cipher::Aes256Gcm16 => SkCipher::Aead(AeadKey::aes_256_gcm(secret)?),
            Cipher::ChaCha20Poly1305 => SkCipher::Aead(AeadKey::chacha20_poly1305(secret)?),
            Cipher::Aes128Cbc(integrity) => SkCipher::Cbc(CbcKey::aes_128(integrity, secret)?),
            Cipher::Aes256Cbc(integrity) => SkCipher::Cbc(CbcKey::aes_256(integrity, secret)?),
        };
        Some(Self(kind))
    }

    fn protection(&self) -> &dyn Protection {
        match &self.0 {
            SkCipher::Aead(key) => key,
            SkCipher::Cbc(key) => key,
        }
    }

    /// A whole message with all its payloads inside SK. `number` decides on the IV and must not come twice with one
    /// key (RFC 5282 section 3.1).
    pub(crate) fn seal(&self, head: &Head, payloads: &[Payload<'_>], number: u64) -> Vec<u8> {
        let encode = |out: &mut Vec<u8>| wire::encode_payloads(payloads, out);
        self.seal_chain(head, wire::first_of(payloads), encode, number)
    }

    /// The same with whatever `encode` writes for payloads.
    pub(crate) fn seal_chain(
        &self,
        head: &Head,
        first: PayloadType,
        encode: impl FnOnce(&mut Vec<u8>),
        number: u64,
    ) -> Vec<u8> {
        self.seal_part(head, first, None, encode, number)
    }

    /// A message that is one fragment, with `chunk` of the payloads inside SKF (RFC 7383 section 2.5). `first` is the
    /// type of the first payload in the first fragment, and none in all others.
    pub(crate) fn seal_fragment(
        &self,
        head: &Head,
        first: PayloadType,
        fragment: Fragment,
        chunk: &[u8],
        number: u64,
    ) -> Vec<u8> {
        let encode = |out: &mut Vec<u8>| out.extend_from_slice(chunk);
        self.seal_part(head, first, Some(fragment), encode, number)
    }

    /// Octets of payloads, one at least, that a fragment of `message_len` octets has room for.
    pub(crate) fn fragment_room(&self, message_len: usize) -> usize {
        let protection = self.protection();
        let around =
            HEADER_LEN + PAYLOAD_HEADER_LEN + Fragment::LEN + protection.iv_len() + protection.icv_len();
        let inside = message_len.saturating_sub(around);
        // Pad Length is one of them, and padding fills the last block.
        let whole_blocks = inside - inside % protection.block_len();
        whole_blocks.saturating_sub(1).max(1)
    }

    fn seal_part(
        &self,
        head: &Head,
        first: PayloadType,
        fragment: Option<Fragment>,
        encode: impl FnOnce(&mut Vec<u8>),
        number: u64,
    ) -> Vec<u8> {
        let protection = self.protection();
        let mut message = Vec::with_capacity(512);
        let kind = fragment.map_or(PayloadType::SK, |_| PayloadType::SKF);
        head.encode(kind, &mut message);
        message.extend_from_slice(&[first.0, 0, 0, 0]);
        if let Some(fragment) = fragment {
            fragment.encode(&mut message);
        }
        let iv_at = message.len();
        protection.push_iv(number, &mut message);
        let inside_at = message.len();
        encode(&mut message);
        pad(inside_at, protection.block_len(), &mut message);

        let length = message.len() + protection.icv_len();
        wire::patch_length(&mut message, length);
        let sk_length = (length - HEADER_LEN) as u16;
        message[HEADER_LEN + 2..HEADER_LEN + PAYLOAD_HEADER_LEN].copy_from_slice(&sk_length.to_be_bytes());
        protection.seal(iv_at, &mut message);
        message
    }

    /// The payload chain, or the part of one, inside the SK or SKF that ends `message`, as plaintext without padding.
    /// `body_len` is the length of what begins with the IV; all that precedes it is authenticated with it.
    pub(crate) fn open(&self, message: &[u8], body_len: usize) -> Result<Vec<u8>, OpenError> {
        let iv_at = message.len().checked_sub(body_len).ok_or(OpenError)?;
        let (clear, body) = message.split_at(iv_at);
        let mut inside = self.protection().open(clear, body)?;
        let padding = usize::from(inside.pop().ok_or(OpenError)?);
        inside.truncate(inside.len().checked_sub(padding).ok_or(OpenError)?);
        Ok(inside)
    }
}

/// Appends zeros and Pad Length, so that what begins at `inside_at` is a multiple of `block_len`.
fn pad(inside_at: usize, block_len: usize, message: &mut Vec<u8>) {
    let unpadded = message.len() - inside_at + 1;
    let padding = unpadded.next_multiple_of(block_len) - unpadded;
    message.resize(message.len() + padding, 0);
    message.push(padding as u8);
}

/// The RFCs have no test vectors for SK: the messages below were made with Python's cryptography (OpenSSL) and hmac after
/// their text.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::Integrity;
    use crate::crypto::unhex;
    use crate::wire::{Encrypted, ExchangeType, Flags, Message, Notify, NotifyType, decode_payloads};
    use crate::{IkePolicy, IkeSpis};

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

    const NUMBER: u64 = 0x0000002a_00000007;

    const CBC: Cipher = Cipher::Aes128Cbc(Integrity::HmacSha256);

    /// An IKE_AUTH response that says AUTHENTICATION_FAILED, sealed with each cipher, without its SPIs.
    const SEALED: [(Cipher, &str); 9] = [
        (
            Cipher::Aes128Gcm16,
            "2e202320 00000001 00000041 29000025 0000002a 00000007 b033de00 aeb110f6
             dfd5a26e f7afefd2 b21c98c2 183a67bc e1",
        ),
        (
            Cipher::Aes256Gcm16,
            "2e202320 00000001 00000041 29000025 0000002a 00000007 27ca58df 6cf102a6
             190cc8b5 b2b5dfaa 96c34a0d bf325066 03",
        ),
        (
            Cipher::ChaCha20Poly1305,
            "2e202320 00000001 00000041 29000025 0000002a 00000007 39dc7e8f 215741e8
             850f24ed 04d5ea6a df4ea56d a005f8f2 2f",
        ),
        (
            Cipher::Aes128Cbc(Integrity::HmacSha256),
            "2e202320 00000001 00000050 29000034 7749be08 1d59622c 9789344a 420c3fc1
             4df06e6f 1bf275ff 2663a73c 3bfd75d4 51674568 e48762ad e1751f83 1c67141c",
        ),
        (
            Cipher::Aes128Cbc(Integrity::HmacSha384),
            "2e202320 00000001 00000058 2900003c c885683b 59127fa0 3fe4b561 e278f6f1
             cc5134d6 f01ee4d0 c2f4d25f b8f9f419 4f409087 ce58bc0f 6e2135ff a057938f
             e04a2fe1 e24c7e7e",
        ),
        (
            Cipher::Aes128Cbc(Integrity::HmacSha512),
            "2e202320 00000001 00000060 29000044 b45caec1 1806f40d 7c07054b 5286fbfd
             b76e981a d1265aa9 5da6842d 47bb17a2 84ce928c a819077e d5f73da0 77d499e8
             0ef1cc5a 1ca1527c 2b1cf7c0 63e867da",
        ),
        (
            Cipher::Aes256Cbc(Integrity::HmacSha256),
            "2e202320 00000001 00000050 29000034 7749be08 1d59622c 9789344a 420c3fc1
             add3b2dd 6efcd677 fcd4a47e 2b64b863 f84835ab a772b483 dcec8c24 f73c9c1f",
        ),
        (
            Cipher::Aes256Cbc(Integrity::HmacSha384),
            "2e202320 00000001 00000058 2900003c c885683b 59127fa0 3fe4b561 e278f6f1
             6030dda5 2b7938e0 494ba823 ff47b547 3bcea63d 4a3047c0 988438fd d4217949
             090cac3f fca5ca59",
        ),
        (
            Cipher::Aes256Cbc(Integrity::HmacSha512),
            "2e202320 00000001 00000060 29000044 b45caec1 1806f40d 7c07054b 5286fbfd
             58a09a80 d8b794d5 ed26ab47 e97240c6 988a7e26 71a356fc 50816ba1 a89b7bee
             66d41a6f 9f505a1c dbf8df9a 39624251",
        ),
    ];

    /// A message of [`HEAD`]'s IKE SA from its octets behind the SPIs.
    fn message(behind_spis: &str) -> Vec<u8> {
        unhex(&format!("0102030405060708 1112131415161718 {behind_spis}"))
    }

    /// Keys that count up: encryption from 0, its salt from a0, integrity from 40.
    fn key(cipher: Cipher) -> SkKey {
        let integrity_len = cipher.integrity().map_or(0, Integrity::key_len);
        let salt: &[u8] = match integrity_len {
            0 => &[0xa0, 0xa1, 0xa2, 0xa3],
            _ => &[],
        };
        let encryption: Vec<u8> = (0..32).take(cipher.encryption_key_len() - salt.len()).collect();
        let integrity: Vec<u8> = (0x40..).take(integrity_len).collect();
        let secret = Secret::new([&encryption, salt, &integrity].concat());
        SkKey::new(cipher, &secret).unwrap()
    }

    fn failed() -> Payload<'static> {
        Payload::Notify(Notify::new(NotifyType::AUTHENTICATION_FAILED, &[]))
    }

    /// The message's SK opened: the type of the first payload inside, and the chain.
    fn open(cipher: Cipher, message: &[u8]) -> Result<(PayloadType, Vec<u8>), OpenError> {
        let Some(Encrypted::Whole { first, body }) = Message::decode(message).unwrap().encrypted else {
            panic!("no SK payload");
        };
        Ok((first, key(cipher).open(message, body.len())?))
    }

    #[test]
    fn seals_and_opens_the_known_messages() {
        assert_eq!(SEALED.len(), IkePolicy::default().ciphers.len());
        for (cipher, expected) in SEALED {
            let sealed = key(cipher).seal(&HEAD, &[failed()], NUMBER);
            assert_eq!(sealed, message(expected), "{cipher}");
            let (first, chain) = open(cipher, &sealed).unwrap();
            assert_eq!(decode_payloads(first, &chain), Ok(vec![failed()]), "{cipher}");
        }
    }

    #[test]
    fn an_empty_message_is_sealed_too() {
        for (cipher, _) in SEALED {
            let sealed = key(cipher).seal(&HEAD, &[], NUMBER);
            assert_eq!(open(cipher, &sealed), Ok((PayloadType::NONE, vec![])), "{cipher}");
        }
    }

    /// "Padding MAY contain any value chosen by the sender", and "the recipient MUST accept any length" (RFC 7296 section
    /// 3.14).
    #[test]
    fn the_peers_padding_is_removed() {
        for (cipher, padded) in [
            (
                Cipher::Aes256Gcm16,
                "2e202320 00000001 00000044 29000028 0000002a 00000007 27ca58df 6cf102a6
                 e6fb2d06 5241e68e 5b0c87d4 b3f77379 9e23b13c",
            ),
            (
                CBC,
                "2e202320 00000001 00000060 29000044 7749be08 1d59622c 9789344a 420c3fc1
                 24d081ac 8357303c 26e59188 33078067 9368111f 64867136 0df61fde 42a063d3
                 fc2ddf09 737b3a46 5c2d72b4 76fb553d",
            ),
        ] {
            let (first, chain) = open(cipher, &message(padded)).unwrap();
            assert_eq!(decode_payloads(first, &chain), Ok(vec![failed()]), "{cipher}");
        }
    }

    /// Pad Length 3 with no padding at all, and 16 in a block of 16.
    #[test]
    fn padding_longer_than_the_plaintext_is_refused() {
        for (cipher, sealed) in [
            (
                Cipher::Aes256Gcm16,
                "2e202320 00000001 00000039 0000001d 0000002a 00000007 246543c3 138b93c6
                 1a743a1c 580b5925 5a",
            ),
            (
                CBC,
                "2e202320 00000001 00000050 29000034 7749be08 1d59622c 9789344a 420c3fc1
                 b76fb8e4 988c00e5 a848cb99 3e423ffa d72a22c8 f5d0ea74 1d3cac38 8404e33b",
            ),
        ] {
            assert_eq!(open(cipher, &message(sealed)), Err(OpenError), "{cipher}");
        }
    }

    /// Authentic all the same: 0, 15 and 17 octets of ciphertext.
    #[test]
    fn ciphertext_that_is_not_whole_blocks_is_refused() {
        for sealed in [
            "2e202320 00000001 00000040 29000024 7749be08 1d59622c 9789344a 420c3fc1
             4e0f5024 f18ec140 cf662c2c 8d8fdfff",
            "2e202320 00000001 0000004f 29000033 7749be08 1d59622c 9789344a 420c3fc1
             00000000 00000000 00000000 0000003c 686dfb70 ae3ac3e0 b5a1cd07 7b3d4a",
            "2e202320 00000001 00000051 29000035 7749be08 1d59622c 9789344a 420c3fc1
             00000000 00000000 00000000 00000000 005257c0 24bfc47f 63670514 0fa15d58
             ce",
        ] {
            assert_eq!(open(CBC, &message(sealed)), Err(OpenError));
        }
    }

    /// Header, payload header, IV, ciphertext and check: all are covered.
    #[test]
    fn no_octet_can_be_changed() {
        for (cipher, _) in SEALED {
            let sealed = key(cipher).seal(&HEAD, &[failed()], NUMBER);
            let body_len = sealed.len() - HEADER_LEN - PAYLOAD_HEADER_LEN;
            for at in 0..sealed.len() {
                let mut forged = sealed.clone();
                forged[at] ^= 0x40;
                let opened = key(cipher).open(&forged, body_len);
                assert_eq!(opened, Err(OpenError), "{cipher}, octet {at}");
            }
        }
    }

    #[test]
    fn bodies_that_cannot_hold_iv_and_check_are_refused() {
        for (cipher, _) in SEALED {
            let empty = key(cipher).seal(&HEAD, &[], NUMBER);
            let least = empty.len() - HEADER_LEN - PAYLOAD_HEADER_LEN;
            for body_len in (0..least).chain([empty.len() + 1, usize::MAX]) {
                let opened = key(cipher).open(&empty, body_len);
                assert_eq!(opened, Err(OpenError), "{cipher}, {body_len} octets");
            }
        }
    }

    /// The room is all there is: an octet more would make the datagram too long.
    #[test]
    fn a_fragment_fills_its_room_and_no_more() {
        let fragment = Fragment { number: 2, total: 3 };
        for (cipher, _) in SEALED {
            let room = key(cipher).fragment_room(1252);
            let sealed = |len| {
                let chunk = vec![7; len];
                key(cipher).seal_fragment(&HEAD, PayloadType::NONE, fragment, &chunk, NUMBER)
            };
            let message = sealed(room);
            assert!(message.len() <= 1252, "{cipher}: {} octets", message.len());
            assert!(sealed(room + 1).len() > 1252, "{cipher}: {room} octets of room");
            let body_len = message.len() - HEADER_LEN - PAYLOAD_HEADER_LEN - Fragment::LEN;
            assert_eq!(
                key(cipher).open(&message, body_len),
                Ok(vec![7; room]),
                "{cipher}"
            );
        }
    }

    #[test]
    fn keys_of_the_wrong_length_are_refused() {
        for (cipher, _) in SEALED {
            let of_len = |len| SkKey::new(cipher, &Secret::new(vec![1; len]));
            for len in (0..200).filter(|len| *len != cipher.key_len()) {
                assert!(of_len(len).is_none(), "{cipher}, {len} octets");
            }
        }
    }

    /// CBC needs IVs that cannot be foretold (RFC 3602 section 3): the next one, which the peer could compute if it were
    /// a count, shares nothing with the one before.
    #[test]
    fn the_ivs_of_cbc_are_not_a_count() {
        let iv = |number| -> [u8; 16] {
            let sealed = key(CBC).seal(&HEAD, &[], number);
            sealed[HEADER_LEN + PAYLOAD_HEADER_LEN..][..16]
                .try_into()
                .unwrap()
        };
        let ivs: Vec<_> = (0..64).map(|low| iv(NUMBER + low)).collect();
        for (index, one) in ivs.iter().enumerate() {
            for other in &ivs[..index] {
                let equal = one.iter().zip(other).filter(|(a, b)| a == b).count();
                assert!(equal < 6, "{one:02x?} and {other:02x?}");
            }
        }
    }
}
