//! Signatures over AUTH: the algorithms of RFC 7427, RFC 8420 and RFC 4754 that are made and checked here.
//!
//! SHA-1 is none of them (RFC 8247 section 3.2), nor is an RSA key of fewer than 2048 bits.

use std::fmt;

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaEncoding, RsaKeyPair, UnparsedPublicKey,
    VerificationAlgorithm,
};
use ike_types::der::{SEQUENCE, element};
use rustls_pki_types::{AlgorithmIdentifier, alg_id};
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::Secret;

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sha2 {
    Sha256,
    Sha384,
    Sha512,
}

impl Sha2 {
    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    RsaPkcs1(Sha2),
    /// With MGF1 by the same hash and a salt of its length.
    RsaPss(Sha2),
    /// The signature is an ECDSA-Sig-Value.
    Ecdsa(Sha2),
    /// The signature is r and s, one behind the other (RFC 4754 section 7).
    EcdsaPlain(Sha2),
    Ed25519,
}

use Sha2::{Sha256, Sha384, Sha512};

impl Algorithm {
    /// All that an AlgorithmIdentifier can name.
    const NAMED: [Self; 10] = [
        Self::RsaPkcs1(Sha256),
        Self::RsaPkcs1(Sha384),
        Self::RsaPkcs1(Sha512),
        Self::RsaPss(Sha256),
        Self::RsaPss(Sha384),
        Self::RsaPss(Sha512),
        Self::Ecdsa(Sha256),
        Self::Ecdsa(Sha384),
        Self::Ecdsa(Sha512),
        Self::Ed25519,
    ];

    /// The inside of its AlgorithmIdentifier (RFC 7427 appendix A, RFC 8420 appendix A). RSASSA-PSS with its trailer
    /// field left out, as DER wants it of a default.
    fn inside(self) -> Option<AlgorithmIdentifier> {
        Some(match self {
            Self::RsaPkcs1(Sha256) => alg_id::RSA_PKCS1_SHA256,
            Self::RsaPkcs1(Sha384) => alg_id::RSA_PKCS1_SHA384,
            Self::RsaPkcs1(Sha512) => alg_id::RSA_PKCS1_SHA512,
            Self::RsaPss(Sha256) => alg_id::RSA_PSS_SHA256,
            Self::RsaPss(Sha384) => alg_id::RSA_PSS_SHA384,
            Self::RsaPss(Sha512) => alg_id::RSA_PSS_SHA512,
            Self::Ecdsa(Sha256) => alg_id::ECDSA_SHA256,
            Self::Ecdsa(Sha384) => alg_id::ECDSA_SHA384,
            Self::Ecdsa(Sha512) => alg_id::ECDSA_SHA512,
            Self::Ed25519 => alg_id::ED25519,
            Self::EcdsaPlain(_) => return None,
        })
    }

    /// Its AlgorithmIdentifier in DER; `None` for what only an authentication method of its own names.
    pub(crate) fn identifier(self) -> Option<Vec<u8>> {
        let inside = self.inside()?;
        Some(element(SEQUENCE, inside.as_ref()))
    }

    /// The algorithm of an AlgorithmIdentifier in DER.
    pub(crate) fn of_identifier(identifier: &[u8]) -> Option<Self> {
        let plain = without_trailer(identifier);
        Self::NAMED
            .into_iter()
            .find(|algorithm| algorithm.identifier().as_deref() == Some(&plain))
    }
}

/// `[3] INTEGER 1`: the trailer field of RSASSA-PSS-params spelled out, as RFC 7427 appendix A.4.3 has it.
const TRAILER: [u8; 5] = [0xa3, 0x03, 0x02, 0x01, 0x01];

/// The same identifier without a trailer field that only spells out the default. In RSASSA-PSS the lengths to correct are
/// those of the outer sequence and of the parameters behind the OID of 11 octets.
fn without_trailer(identifier: &[u8]) -> Vec<u8> {
    const PARAMETERS_LEN_AT: usize = 2 + 11 + 1;
    let mut plain = identifier.to_vec();
    if let Some(kept) = identifier.strip_suffix(&TRAILER)
        && kept.len() > PARAMETERS_LEN_AT
    {
        plain.truncate(kept.len());
        for at in [1, PARAMETERS_LEN_AT] {
            plain[at] = plain[at].wrapping_sub(TRAILER.len() as u8);
        }
    }
    plain
}

/// Kinds of keys, by what they can sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// A key to check signatures with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey<'a> {
    pub(crate) kind: KeyKind,
    /// The bit string of a SubjectPublicKeyInfo.
    bits: &'a [u8],
}

impl<'a> PublicKey<'a> {
    /// Reads a SubjectPublicKeyInfo in DER; `None` for a kind that is not supported.
    pub(crate) fn read(spki: &'a [u8]) -> Option<Self> {
        let (_, spki) = SubjectPublicKeyInfo::from_der(spki).ok()?;
        let parameters = spki.algorithm.parameters.as_ref();
        let curve = parameters.and_then(|parameters| parameters.as_oid().ok());
        let kind = match (
            spki.algorithm.algorithm.to_id_string().as_str(),
            curve.map(|curve| curve.to_id_string()).as_deref(),
        ) {
            ("1.2.840.113549.1.1.1", _) => KeyKind::Rsa,
            ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => KeyKind::P256,
            ("1.2.840.10045.2.1", Some("1.3.132.0.34")) => KeyKind::P384,
            ("1.3.101.112", _) => KeyKind::Ed25519,
            _ => return None,
        };
        let bits = match spki.subject_public_key.data {
            std::borrow::Cow::Borrowed(bits) => bits,
            std::borrow::Cow::Owned(_) => return None,
        };
        Some(Self { kind, bits })
    }

    /// Whether the holder of the private key has signed `message`.
    pub(crate) fn has_signed(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        verification(self.kind, algorithm).is_some_and(|algorithm| self.checks(algorithm, message, signature))
    }

    /// Whether it has signed with SHA-1, for the operator to know.
    pub(crate) fn has_signed_with_sha1(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithm = &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY;
        self.kind == KeyKind::Rsa && self.checks(algorithm, message, signature)
    }

    fn checks(
        &self,
        algorithm: &'static dyn VerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        UnparsedPublicKey::new(algorithm, self.bits)
            .verify(message, signature)
            .is_ok()
    }
}

/// `None` when the key is none for the algorithm.
fn verification(kind: KeyKind, algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (kind, algorithm) {
        (KeyKind::Rsa, Algorithm::RsaPkcs1(Sha256)) => &signature::RSA_PKCS1_2048_8192_SHA256,
        (KeyKind::Rsa, Algorithm::RsaPkcs1(Sha384)) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (KeyKind::Rsa, Algorithm::RsaPkcs1(Sha512)) => &signature::RSA_PKCS1_2048_8192_SHA512,
        (KeyKind::Rsa, Algorithm::RsaPss(Sha256)) => &signature::RSA_PSS_2048_8192_SHA256,
        (KeyKind::Rsa, Algorithm::RsaPss(Sha384)) => &signature::RSA_PSS_2048_8192_SHA384,
        (KeyKind::Rsa, Algorithm::RsaPss(Sha512)) => &signature::RSA_PSS_2048_8192_SHA512,
        (KeyKind::P256, Algorithm::Ecdsa(Sha256)) => &signature::ECDSA_P256_SHA256_ASN1,
        (KeyKind::P256, Algorithm::Ecdsa(Sha384)) => &signature::ECDSA_P256_SHA384_ASN1,
        (KeyKind::P256, Algorithm::Ecdsa(Sha512)) => &signature::ECDSA_P256_SHA512_ASN1,
        (KeyKind::P384, Algorithm::Ecdsa(Sha256)) => &signature::ECDSA_P384_SHA256_ASN1,
        (KeyKind::P384, Algorithm::Ecdsa(Sha384)) => &signature::ECDSA_P384_SHA384_ASN1,
        (KeyKind::P384, Algorithm::Ecdsa(Sha512)) => &signature::ECDSA_P384_SHA512_ASN1,
        (KeyKind::P256, Algorithm::EcdsaPlain(Sha256)) => &signature::ECDSA_P256_SHA256_FIXED,
        (KeyKind::P384, Algorithm::EcdsaPlain(Sha384)) => &signature::ECDSA_P384_SHA384_FIXED,
        (KeyKind::Ed25519, Algorithm::Ed25519) => &signature::ED25519,
        _ => return None,
    })
}

/// A private key, ready for use.
///
/// It is given to the responder with a tunnel and signs on the spot. ECDSA's nonce, the salt of
/// RSASSA-PSS and RSA's blinding are of the system's randomness: aws-lc lets nobody else bring them, and a nonce that a
/// caller could repeat would give the key away.
pub(crate) struct Signer(Keys);

enum Keys {
    Rsa(Box<RsaKeyPair>),
    /// The form of the signature belongs to the pair, so there is one for each.
    Ecdsa {
        kind: KeyKind,
        der: Box<EcdsaKeyPair>,
        plain: Box<EcdsaKeyPair>,
    },
    Ed25519(Box<Ed25519KeyPair>),
}

impl Signer {
    /// Reads a private key in PKCS#8, PKCS#1 (RSA) or SEC1 (ECDSA); `None` when it is none, or of a kind that is not supported.
    pub(crate) fn read(key: &Secret) -> Option<Self> {
        let der = key.expose();
        let rsa = || RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der));
        let p256 = || {
            ecdsa(
                KeyKind::P256,
                der,
                &signature::ECDSA_P256_SHA256_ASN1_SIGNING,
                &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
            )
        };
        let p384 = || {
            ecdsa(
                KeyKind::P384,
                der,
                &signature::ECDSA_P384_SHA384_ASN1_SIGNING,
                &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
            )
        };
        // Other programs write Ed25519 keys without the public half.
        let ed25519 = || Ed25519KeyPair::from_pkcs8_maybe_unchecked(der);
        let keys = (rsa().ok().map(|key| Keys::Rsa(Box::new(key))))
            .or_else(p256)
            .or_else(p384)
            .or_else(|| ed25519().ok().map(|key| Keys::Ed25519(Box::new(key))));
        keys.map(Self)
    }

    pub(crate) fn public_key(&self) -> PublicKey<'_> {
        let (kind, bits) = match &self.0 {
            Keys::Rsa(pair) => (KeyKind::Rsa, pair.public_key().as_ref()),
            Keys::Ecdsa { kind, der, .. } => (*kind, der.public_key().as_ref()),
            Keys::Ed25519(pair) => (KeyKind::Ed25519, pair.public_key().as_ref()),
        };
        PublicKey { kind, bits }
    }

    /// `None` when the key is none for the algorithm. In its older form (RFC 4754) ECDSA goes with the hash of the curve's
    /// own length only.
    pub(crate) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match (&self.0, algorithm) {
            (Keys::Rsa(pair), algorithm) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(rsa_encoding(algorithm)?, &random, message, &mut signature)
                    .ok()?;
                Some(signature)
            }
            (Keys::Ecdsa { kind, der, .. }, Algorithm::Ecdsa(hash)) => {
                let digest = fitted(*kind, hash, message)?;
                Some(der.sign_digest(&digest).ok()?.as_ref().to_vec())
            }
            (Keys::Ecdsa { kind, plain, .. }, Algorithm::EcdsaPlain(hash))
                if hash == hash_of_curve(*kind) =>
            {
                Some(plain.sign(&random, message).ok()?.as_ref().to_vec())
            }
            (Keys::Ed25519(pair), Algorithm::Ed25519) => Some(pair.sign(message).as_ref().to_vec()),
            _ => None,
        }
    }
}

/// The digest of `message` as ECDSA over this curve has it. Of a longer one than the curve's order the leftmost bits count, and a
/// shorter one is an integer with zeros before it (FIPS 186-5 section 6.4.1), so that each can be given to a key pair that is
/// bound to the hash of its curve.
fn fitted(kind: KeyKind, hash: Sha2, message: &[u8]) -> Option<Digest> {
    let digest = digest::digest(hash.algorithm(), message);
    let bound = hash_of_curve(kind).algorithm();
    let digest = digest.as_ref();
    let kept = digest.get(..bound.output_len()).unwrap_or(digest);
    let mut octets = vec![0; bound.output_len() - kept.len()];
    octets.extend_from_slice(kept);
    Digest::import_less_safe(&octets, bound).ok()
}

fn ecdsa(
    kind: KeyKind,
    key: &[u8],
    der: &'static signature::EcdsaSigningAlgorithm,
    plain: &'static signature::EcdsaSigningAlgorithm,
) -> Option<Keys> {
    let pair = |algorithm| EcdsaKeyPair::from_private_key_der(algorithm, key).ok();
    Some(Keys::Ecdsa {
        kind,
        der: Box::new(pair(der)?),
        plain: Box::new(pair(plain)?),
    })
}

fn rsa_encoding(algorithm: Algorithm) -> Option<&'static dyn RsaEncoding> {
    Some(match algorithm {
        Algorithm::RsaPkcs1(Sha256) => &signature::RSA_PKCS1_SHA256,
        Algorithm::RsaPkcs1(Sha384) => &signature::RSA_PKCS1_SHA384,
        Algorithm::RsaPkcs1(Sha512) => &signature::RSA_PKCS1_SHA512,
        Algorithm::RsaPss(Sha256) => &signature::RSA_PSS_SHA256,
        Algorithm::RsaPss(Sha384) => &signature::RSA_PSS_SHA384,
        Algorithm::RsaPss(Sha512) => &signature::RSA_PSS_SHA512,
        Algorithm::Ecdsa(_) | Algorithm::EcdsaPlain(_) | Algorithm::Ed25519 => return None,
    })
}

/// The hash that RFC 4754 section 3 pairs with the curve.
pub(crate) fn hash_of_curve(kind: KeyKind) -> Sha2 {
    match kind {
        KeyKind::P384 => Sha384,
        KeyKind::Rsa | KeyKind::P256 | KeyKind::Ed25519 => Sha256,
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({:?})", self.public_key().kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::unhex;

    /// RFC 7427 appendix A and RFC 8420 appendix A.
    #[test]
    fn identifiers_as_the_rfcs_have_them() {
        for (algorithm, identifier) in [
            (
                Algorithm::RsaPkcs1(Sha256),
                "300d 0609 2a86 4886 f70d 0101 0b05 00",
            ),
            (
                Algorithm::RsaPkcs1(Sha384),
                "300d 0609 2a86 4886 f70d 0101 0c05 00",
            ),
            (
                Algorithm::RsaPkcs1(Sha512),
                "300d 0609 2a86 4886 f70d 0101 0d05 00",
            ),
            (Algorithm::Ecdsa(Sha256), "300a 0608 2a86 48ce 3d04 0302"),
            (Algorithm::Ecdsa(Sha384), "300a 0608 2a86 48ce 3d04 0303"),
            (Algorithm::Ecdsa(Sha512), "300a 0608 2a86 48ce 3d04 0304"),
            (Algorithm::Ed25519, "3005 0603 2b65 70"),
        ] {
            let identifier = unhex(identifier);
            assert_eq!(algorithm.identifier(), Some(identifier.clone()));
            assert_eq!(Algorithm::of_identifier(&identifier), Some(algorithm));
        }
    }

    /// RFC 7427 section A.4.3 spells the trailer field out, which DER leaves out.
    #[test]
    fn pss_is_known_with_its_trailer_field_and_without() {
        let spelled_out = unhex(
            "3046 0609 2a86 4886 f70d 0101 0a30 39a0 0f30 0d06 0960 8648 0165 0304 0201 0500
             a11c 301a 0609 2a86 4886 f70d 0101 0830 0d06 0960 8648 0165 0304 0201 0500 a203
             0201 20a3 0302 0101",
        );
        let pss = Algorithm::RsaPss(Sha256);
        assert_eq!(Algorithm::of_identifier(&spelled_out), Some(pss));
        let plain = pss.identifier().unwrap();
        assert_eq!(plain.len() + TRAILER.len(), spelled_out.len());
        assert_eq!(Algorithm::of_identifier(&plain), Some(pss));
        for cut in 0..spelled_out.len() {
            assert_eq!(Algorithm::of_identifier(&spelled_out[cut..]).is_some(), cut == 0);
            assert_eq!(
                Algorithm::of_identifier(&spelled_out[..cut]),
                None,
                "{cut} octets"
            );
        }
        assert_eq!(Algorithm::of_identifier(&TRAILER), None);
    }
}
