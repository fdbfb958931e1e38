//! The cryptography that RFC 7296 asks of a responder in IKE_SA_INIT and IKE_AUTH, with the primitives that the crate
//! uses and no more around them than a loop: no message is read or written, no state kept.

use std::hint::black_box;

use ike::testkit::TestHost;
use ike::{DhGroup, Host};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::{digest, hmac};

use crate::{Sizes, host};

/// IKE header, SK payload header and IV precede what is encrypted, and the integrity check follows it.
const SK_CLEAR: usize = 28 + 4 + 8;
const SK_CHECK: usize = 16;

/// Octets of a key of AES-256 and of all keys of PRF-HMAC-SHA2-256.
const KEY: [u8; 32] = [1; 32];
/// Octets of SPIs, address and port under SHA-1 (RFC 7296 section 2.23).
const NAT_DETECTION: [u8; 22] = [2; 22];
/// Octets of SK_d, SK_pi and SK_pr, and of SK_ei and SK_er with their salts (RFC 7296 section 2.14).
const IKE_KEYS: usize = 3 * 32 + 2 * 36;
/// Octets of a child SA's two keys with their salts (RFC 7296 section 2.17).
const CHILD_KEYS: usize = 2 * 36;
/// Both nonces, and both SPIs behind them.
const SEED: [u8; 32 + 32 + 16] = [3; 80];
const NONCES_LEN: usize = 64;
/// The body of an identity payload.
const ID: [u8; 16] = [4; 16];

/// What handshakes have in common.
pub(crate) struct Bare {
    group: DhGroup,
    host: TestHost,
    peer_public: Vec<u8>,
    /// prf(pre-shared key, "Key Pad for IKEv2"), the same in every handshake of a customer.
    padded_psk: hmac::Key,
    init_messages: [Vec<u8>; 2],
    auth_request: Vec<u8>,
    auth_reply: Vec<u8>,
}

impl Bare {
    pub(crate) fn new(
        group: DhGroup,
        &Sizes([init_request, init_reply, auth_request, auth_reply]): &Sizes,
    ) -> Self {
        let mut host = host(0);
        let mut sealed = vec![0; auth_request - SK_CLEAR - SK_CHECK];
        seal(&mut sealed);
        Self {
            peer_public: host.key_pair(group).public().to_vec(),
            group,
            host,
            padded_psk: prf_key(&KEY),
            init_messages: [vec![0; init_request], vec![0; init_reply]],
            auth_request: sealed,
            auth_reply: vec![0; auth_reply - SK_CLEAR - SK_CHECK],
        }
    }

    pub(crate) fn handshake(&mut self) {
        // IKE_SA_INIT: the key exchange, its keys, and NAT detection for both addresses in both messages.
        let key_pair = self.host.key_pair(self.group);
        let shared = key_pair.agree(&self.peer_public).expect("it is of the group");
        let skeyseed = hmac::sign(&prf_key(&SEED[..NONCES_LEN]), shared.expose());
        expand(skeyseed.as_ref(), &SEED, IKE_KEYS);
        for _ in 0..4 {
            black_box(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &NAT_DETECTION));
        }

        // IKE_AUTH: opened, proven by either side, keys of a child SA, sealed.
        let mut request = self.auth_request.clone();
        open(&mut request);
        for message in &self.init_messages {
            let maced_id = hmac::sign(&prf_key(&KEY), &ID);
            let mut proof = hmac::Context::with_key(&self.padded_psk);
            proof.update(message);
            proof.update(&SEED[..NONCES_LEN / 2]);
            proof.update(maced_id.as_ref());
            black_box(proof.sign());
        }
        expand(&KEY, &SEED[..NONCES_LEN], CHILD_KEYS);
        seal(&mut self.auth_reply.clone());
    }
}

fn prf_key(key: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key)
}

/// prf+ (RFC 7296 section 2.13).
fn expand(key: &[u8], seed: &[u8], length: usize) {
    let key = prf_key(key);
    let mut previous: Option<hmac::Tag> = None;
    for number in 1..=length.div_ceil(KEY.len()) {
        let mut block = hmac::Context::with_key(&key);
        if let Some(previous) = &previous {
            block.update(previous.as_ref());
        }
        block.update(seed);
        block.update(&[number as u8]);
        previous = Some(block.sign());
    }
    black_box(previous);
}

fn aead_key() -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &KEY).expect("it has 32 octets"))
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn seal(inside: &mut Vec<u8>) {
    let aad = Aad::from([0; SK_CLEAR - 8]);
    aead_key()
        .seal_in_place_append_tag(nonce(), aad, inside)
        .expect("it is short enough");
    black_box(inside);
}

fn open(sealed: &mut [u8]) {
    let aad = Aad::from([0; SK_CLEAR - 8]);
    let opened = aead_key().open_in_place(nonce(), aad, sealed);
    black_box(opened.expect("it was sealed with the same key"));
}
