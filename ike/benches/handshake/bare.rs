//! The cryptography that RFC 7296 asks of a responder in a handshake, with the primitives that the crate uses and no more
//! around them than a loop: no message is read or written, no state kept.

mod proof;

use std::hint::black_box;

use aws_lc_rs::kem::{DecapsulationKey, EncapsulationKey, ML_KEM_768};
use ike::testkit::TestHost;
use ike::{DhGroup, DhKeyPair, Host};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::{digest, hmac};

use crate::Exchange;
use crate::case::Case;
use crate::credentials::Sides;
use proof::Proof;

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
    /// What the peer sends in IKE_INTERMEDIATE.
    encapsulation_key: Option<Vec<u8>>,
    proof: Proof,
    init_messages: [Vec<u8>; 2],
    /// The exchanges behind IKE_SA_INIT: the request, and what is in each datagram of the reply.
    protected: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
}

impl Bare {
    pub(crate) fn new(case: Case, sides: Option<&Sides>, exchanges: &[Exchange]) -> Self {
        let group = case.suite().dh;
        let mut host = TestHost::new(0);
        let [init, protected @ ..] = exchanges else {
            panic!("a handshake begins with IKE_SA_INIT");
        };
        let protected = protected.iter().map(|exchange| {
            let mut request = vec![0; exchange.request - SK_CLEAR - SK_CHECK];
            seal(&mut request);
            let reply = exchange
                .reply
                .iter()
                .map(|len| vec![0; len - SK_CLEAR - SK_CHECK]);
            (request, reply.collect())
        });
        let encapsulation_key = (case == Case::Hybrid).then(|| {
            let key = DecapsulationKey::generate(&ML_KEM_768).expect("the system has randomness");
            let public = key
                .encapsulation_key()
                .and_then(|key| Ok(key.key_bytes()?.as_ref().to_vec()));
            public.expect("it is a key of its set")
        });
        Self {
            peer_public: key_pair(group, &mut host).public().to_vec(),
            group,
            host,
            encapsulation_key,
            proof: Proof::new(case.key_kind().zip(sides)),
            init_messages: [init.request, init.reply[0]].map(|len| vec![0; len]),
            protected: protected.collect(),
        }
    }

    pub(crate) fn handshake(&mut self) {
        // IKE_SA_INIT: the key exchange, its keys, and NAT detection for both addresses in both messages.
        let key_pair = key_pair(self.group, &mut self.host);
        let shared = key_pair.agree(&self.peer_public).expect("it is of the group");
        derive(&prf_key(&SEED[..NONCES_LEN]), shared.expose());
        for _ in 0..4 {
            black_box(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &NAT_DETECTION));
        }
        for (request, reply) in &self.protected {
            open(&mut request.clone());
            reply.iter().for_each(|inside| seal(&mut inside.clone()));
        }
        if let Some(key) = &self.encapsulation_key {
            self.intermediate(key);
        }
        // IKE_AUTH: proven by either side, and the keys of a child SA.
        self.proof.both(&self.init_messages, &SEED[..NONCES_LEN / 2], &ID);
        expand(&KEY, &SEED[..NONCES_LEN], CHILD_KEYS);
    }

    /// The encapsulation, new keys, and IntAuth over both messages (RFC 9242 section 3.3.2).
    fn intermediate(&self, key: &[u8]) {
        let key = EncapsulationKey::new(&ML_KEM_768, key).expect("of the right length");
        let (_, secret) = key.encapsulate().expect("a key");
        derive(&prf_key(&KEY), secret.as_ref());
        for part in [&self.protected[0].0, &self.protected[0].1[0]] {
            black_box(hmac::sign(&prf_key(&KEY), part));
        }
    }
}

fn key_pair(group: DhGroup, host: &mut TestHost) -> DhKeyPair {
    DhKeyPair::generate(group, &mut |buffer| host.fill_random(buffer))
}

/// SKEYSEED and the keys of an IKE SA.
fn derive(key: &hmac::Key, secret: &[u8]) {
    let skeyseed = hmac::sign(key, secret);
    expand(skeyseed.as_ref(), &SEED, IKE_KEYS);
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
