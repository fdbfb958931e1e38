//! AUTH by signature: RFC 7427, and the methods of RFC 7296 section 3.8 and RFC 4754 for peers that do not know it.

use x509_parser::prelude::FromDer;
use x509_parser::x509::AlgorithmIdentifier;

use crate::crypto::{Algorithm, KeyKind, PublicKey, Sha2, Signer, hash_of_curve};
use crate::negotiation::hashes::Hashes;
use crate::wire::Auth;
use crate::{AuthRefusal, CertificateFault};

/// Whether a method is one that certificates go with.
pub(super) fn is_by_signature(method: u8) -> bool {
    [
        Auth::RSA,
        Auth::ECDSA_P256,
        Auth::ECDSA_P384,
        Auth::DIGITAL_SIGNATURE,
    ]
    .contains(&method)
}

/// The algorithm by which `key` has signed `octets` in the peer's AUTH payload.
pub(crate) fn verify(
    auth: Auth<'_>,
    key: &PublicKey<'_>,
    octets: &[u8],
) -> Result<Algorithm, CertificateFault> {
    let (candidates, signature) = match auth.method {
        // The hash is named inside the signature only.
        Auth::RSA => {
            let by_hash = [Sha2::Sha256, Sha2::Sha384, Sha2::Sha512].map(Algorithm::RsaPkcs1);
            (by_hash.to_vec(), auth.data)
        }
        Auth::ECDSA_P256 => (vec![Algorithm::EcdsaPlain(Sha2::Sha256)], auth.data),
        Auth::ECDSA_P384 => (vec![Algorithm::EcdsaPlain(Sha2::Sha384)], auth.data),
        _ => {
            let (algorithm, signature) = split(auth.data)?;
            (vec![algorithm], signature)
        }
    };
    let good = candidates
        .into_iter()
        .find(|algorithm| key.has_signed(*algorithm, octets, signature));
    match good {
        Some(algorithm) => Ok(algorithm),
        None if auth.method == Auth::RSA && key.has_signed_with_sha1(octets, signature) => {
            Err(CertificateFault::Sha1)
        }
        None => Err(CertificateFault::Signature),
    }
}

/// One octet of length, an AlgorithmIdentifier of that length, and the signature (RFC 7427 section 3).
fn split(data: &[u8]) -> Result<(Algorithm, &[u8]), CertificateFault> {
    let (length, rest) = data.split_first().ok_or(CertificateFault::Signature)?;
    let (identifier, signature) = rest
        .split_at_checked(usize::from(*length))
        .ok_or(CertificateFault::Signature)?;
    match Algorithm::of_identifier(identifier) {
        Some(algorithm) => Ok((algorithm, signature)),
        None => Err(unsupported(identifier)),
    }
}

fn unsupported(identifier: &[u8]) -> CertificateFault {
    /// sha1WithRSAEncryption and ecdsa-with-SHA1 (RFC 7427 sections A.1.1 and A.3.1).
    const SHA1: [&str; 2] = ["1.2.840.113549.1.1.5", "1.2.840.10045.4.1"];
    let oid = AlgorithmIdentifier::from_der(identifier)
        .map_or_else(|_| "without name".into(), |(_, it)| it.algorithm.to_id_string());
    match SHA1.contains(&oid.as_str()) {
        true => CertificateFault::Sha1,
        false => CertificateFault::Algorithm(oid),
    }
}

/// Our proof: method and data of an AUTH payload over `octets`. `hashes` are those the peer announced, and `peers`
/// is the algorithm by which it signed itself.
pub(crate) fn sign(
    signer: &Signer,
    hashes: Option<&Hashes>,
    peers: Algorithm,
    octets: &[u8],
) -> Result<(u8, Vec<u8>), AuthRefusal> {
    let kind = signer.public_key().kind;
    let chosen = match hashes {
        Some(hashes) => by_identifier(kind, hashes, peers).map(|it| (Auth::DIGITAL_SIGNATURE, it)),
        None => by_method(kind),
    };
    let (method, algorithm) = chosen.ok_or(CertificateFault::NoCommonHash)?;
    let signature = signer
        .sign(algorithm, octets)
        .ok_or(CertificateFault::NoCommonHash)?;
    let identifier = match method {
        Auth::DIGITAL_SIGNATURE => algorithm.identifier().unwrap_or_default(),
        _ => return Ok((method, signature)),
    };
    // The longest identifier has 67 octets.
    Ok((
        method,
        [&[identifier.len() as u8], &identifier[..], &signature].concat(),
    ))
}

/// With a hash that the peer has announced, which goes with a key of any kind (RFC 7427 section 4); ECDSA by that of its curve's
/// length where there is a choice. RSASSA-PSS, which everyone who knows RFC 7427 has to know (RFC 8247 section 3.2), unless the peer itself prefers PKCS#1.
fn by_identifier(kind: KeyKind, hashes: &Hashes, peers: Algorithm) -> Option<Algorithm> {
    let algorithm = match (kind, peers) {
        (KeyKind::Rsa, Algorithm::RsaPkcs1(_)) => Algorithm::RsaPkcs1(hashes.first_sha2()?),
        (KeyKind::Rsa, _) => Algorithm::RsaPss(hashes.first_sha2()?),
        (KeyKind::P256 | KeyKind::P384, _) => Algorithm::Ecdsa(hashes.best_sha2(hash_of_curve(kind))?),
        (KeyKind::Ed25519, _) => Algorithm::Ed25519,
    };
    hashes.has(algorithm).then_some(algorithm)
}

/// Ed25519 has no method of its own (RFC 8420).
fn by_method(kind: KeyKind) -> Option<(u8, Algorithm)> {
    match kind {
        KeyKind::Rsa => Some((Auth::RSA, Algorithm::RsaPkcs1(Sha2::Sha256))),
        KeyKind::P256 => Some((Auth::ECDSA_P256, Algorithm::EcdsaPlain(Sha2::Sha256))),
        KeyKind::P384 => Some((Auth::ECDSA_P384, Algorithm::EcdsaPlain(Sha2::Sha384))),
        KeyKind::Ed25519 => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, SignatureAlgorithm};

    use super::*;
    use crate::Secret;
    use crate::wire::{Notify, NotifyType, Payload};

    const OCTETS: &[u8] = b"what AUTH is over";

    fn signer(kind: &'static SignatureAlgorithm) -> Signer {
        let pair = KeyPair::generate_for(kind).unwrap();
        Signer::read(&Secret::new(pair.serialize_der())).unwrap()
    }

    fn announced(numbers: &[u16]) -> Hashes {
        let data: Vec<_> = numbers.iter().flat_map(|it| it.to_be_bytes()).collect();
        let notify = Notify::new(NotifyType::SIGNATURE_HASH_ALGORITHMS, &data);
        Hashes::read(&[Payload::Notify(notify)]).unwrap()
    }

    /// RFC 7427 section 4: a hash that is announced goes with every kind of key, ours and the peer's. The library that checks
    /// knows each pair by itself.
    #[test]
    fn every_announced_hash_goes_with_every_curve() {
        let hashes = [(2, Sha2::Sha256), (3, Sha2::Sha384), (4, Sha2::Sha512)];
        for kind in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384] {
            let signer = signer(kind);
            for (number, hash) in hashes {
                let algorithm = Algorithm::Ecdsa(hash);
                let (method, data) = sign(&signer, Some(&announced(&[number])), algorithm, OCTETS).unwrap();
                assert_eq!(method, Auth::DIGITAL_SIGNATURE);
                let auth = Auth { method, data: &data };
                let key = signer.public_key();
                assert_eq!(verify(auth, &key, OCTETS), Ok(algorithm), "{kind:?}");
                let other = verify(auth, &key, b"something else");
                assert_eq!(other, Err(CertificateFault::Signature), "{kind:?} with {hash:?}");
            }
            // Where there is a choice, the hash of the curve's own length.
            let (_, data) = sign(&signer, Some(&announced(&[2, 3, 4])), Algorithm::Ed25519, OCTETS).unwrap();
            let own = Algorithm::Ecdsa(hash_of_curve(signer.public_key().kind));
            assert_eq!(split(&data).map(|(algorithm, _)| algorithm), Ok(own));
        }
    }
}
