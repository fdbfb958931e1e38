//! AUTH of either side: the peer's is checked, ours made (RFC 7296 section 2.15).

use std::hint::black_box;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256, RsaEncoding,
    RsaKeyPair, UnparsedPublicKey, VerificationAlgorithm,
};
use ring::hmac;

use super::{KEY, prf_key};
use crate::credentials::{KeyKind, Sides};

/// Octets that a certificate's signature covers.
const CERTIFICATE: [u8; 300] = [5; 300];

/// What is proven with.
pub(super) enum Proof {
    /// prf(pre-shared key, "Key Pad for IKEv2"), the same in every handshake of a customer.
    Psk(Box<hmac::Key>),
    Signature(Box<Signatures>),
}

/// Made by the one key, with which the signatures of the certificate and of AUTH are checked too.
pub(super) struct Signatures {
    key: Key,
    of_certificate: Vec<u8>,
    of_auth: Vec<u8>,
    /// What AUTH covers.
    octets: Vec<u8>,
}

enum Key {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl Proof {
    pub(super) fn new(sides: Option<(KeyKind, &Sides)>) -> Self {
        match sides {
            Some((kind, sides)) => Self::Signature(Box::new(Signatures::new(&sides.fleet.key, kind))),
            None => Self::Psk(Box::new(prf_key(&KEY))),
        }
    }

    /// For both messages of IKE_SA_INIT: with a nonce of the other side and the body of an identity payload.
    pub(super) fn both(&self, messages: &[Vec<u8>; 2], nonce: &[u8], id: &[u8]) {
        for message in messages {
            let maced_id = hmac::sign(&prf_key(&KEY), id);
            if let Self::Psk(padded) = self {
                let mut proof = hmac::Context::with_key(padded);
                [message, nonce, maced_id.as_ref()]
                    .into_iter()
                    .for_each(|part| proof.update(part));
                black_box(proof.sign());
            }
        }
        if let Self::Signature(signatures) = self {
            signatures.check();
            black_box(signatures.key.sign(&signatures.octets, false));
        }
    }
}

impl Signatures {
    fn new(pkcs8: &[u8], kind: KeyKind) -> Self {
        let key = Key::new(pkcs8, kind);
        let octets = vec![6; 300];
        Self {
            of_certificate: key.sign(&CERTIFICATE, true),
            of_auth: key.sign(&octets, false),
            octets,
            key,
        }
    }

    /// The peer's certificate and its AUTH.
    fn check(&self) {
        for (octets, signature, is_certificate) in [
            (&CERTIFICATE[..], &self.of_certificate, true),
            (&self.octets, &self.of_auth, false),
        ] {
            let public = UnparsedPublicKey::new(self.key.verification(is_certificate), self.key.public());
            public
                .verify(octets, signature)
                .expect("it was signed by the key");
        }
    }
}

impl Key {
    fn new(pkcs8: &[u8], kind: KeyKind) -> Self {
        match kind {
            KeyKind::EcdsaP256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8);
                Self::Ecdsa(pair.expect("a key"))
            }
            KeyKind::Rsa2048 => Self::Rsa(RsaKeyPair::from_pkcs8(pkcs8).expect("a key")),
        }
    }

    fn public(&self) -> &[u8] {
        match self {
            Self::Ecdsa(pair) => pair.public_key().as_ref(),
            Self::Rsa(pair) => pair.public_key().as_ref(),
        }
    }

    /// RSA signs certificates by PKCS#1 and AUTH by PSS.
    fn verification(&self, is_certificate: bool) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Ecdsa(_) => &ECDSA_P256_SHA256_ASN1,
            Self::Rsa(_) if is_certificate => &RSA_PKCS1_2048_8192_SHA256,
            Self::Rsa(_) => &RSA_PSS_2048_8192_SHA256,
        }
    }

    fn sign(&self, octets: &[u8], is_certificate: bool) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Ecdsa(pair) => pair.sign(&random, octets).expect("it signs").as_ref().to_vec(),
            Self::Rsa(pair) => {
                let padding: &dyn RsaEncoding = match is_certificate {
                    true => &RSA_PKCS1_SHA256,
                    false => &RSA_PSS_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, octets, &mut signature)
                    .expect("it signs");
                signature
            }
        }
    }
}
