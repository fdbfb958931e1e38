//! Keys and what is computed with them (RFC 7296 sections 2.14, 2.15, 2.17 and 2.23).

use std::net::{IpAddr, SocketAddr};

use ring::{digest, hmac};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::{IkeSuite, Prf, PrfKey};
use crate::{EspSuite, IkeSpis, Integrity, Secret};

/// What a CREATE_CHILD_SA exchange, or the one that made the IKE SA, adds to the keys of a new SA.
#[derive(Clone, Copy)]
pub(crate) struct Fresh<'a> {
    /// The result of its key exchange, if there was one.
    pub(crate) shared: Option<&'a Secret>,
    pub(crate) ni: &'a [u8],
    pub(crate) nr: &'a [u8],
    /// The result of an additional key exchange behind it (RFC 9370 section 2.2.4).
    pub(crate) additional: Option<&'a Secret>,
}

impl<'a> Fresh<'a> {
    /// SK(0) | Ni | Nr | SK(1).
    fn octets(&self) -> [&'a [u8]; 4] {
        let of = |secret: Option<&'a Secret>| secret.map_or(&[][..], Secret::expose);
        [of(self.shared), self.ni, self.nr, of(self.additional)]
    }
}

/// The keys of an IKE SA (RFC 7296 section 2.14).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IkeKeys {
    pub(crate) sk_d: Secret,
    /// SK_ei, and behind it SK_ai, which an AEAD cipher has not.
    pub(crate) sk_ei: Secret,
    /// SK_er, and behind it SK_ar.
    pub(crate) sk_er: Secret,
    pub(crate) sk_pi: Secret,
    pub(crate) sk_pr: Secret,
}

impl IkeKeys {
    /// `shared` is g^ir, the result of the key exchange; `ni` and `nr` are the nonces' data.
    pub(crate) fn derive(suite: IkeSuite, shared: &Secret, ni: &[u8], nr: &[u8], spis: IkeSpis) -> Self {
        let skeyseed = PrfKey::new(suite.prf, &[ni, nr].concat()).compute(&[shared.expose()]);
        Self::expand(suite, skeyseed.as_ref(), ni, nr, spis)
    }

    /// For a new IKE SA that the one with SK_d `sk_d` and PRF `prf` is rekeyed by (RFC 7296 section 2.18, RFC 9370 section
    /// 2.2.4). `spis` are the new ones, the initiator of the rekey first.
    pub(crate) fn rekey(
        (prf, sk_d): (Prf, &Secret),
        suite: IkeSuite,
        fresh: &Fresh<'_>,
        spis: IkeSpis,
    ) -> Self {
        let skeyseed = PrfKey::new(prf, sk_d.expose()).compute(&fresh.octets());
        Self::expand(suite, skeyseed.as_ref(), fresh.ni, fresh.nr, spis)
    }

    /// With a post-quantum pre-shared key mixed in (RFC 8784 section 3).
    pub(crate) fn mixed_with(&self, prf: Prf, ppk: &Secret) -> Self {
        let key = PrfKey::new(prf, ppk.expose());
        let mix = |secret: &Secret| {
            let [mixed] = expand_into(&key, &[secret.expose()], [secret.expose().len()]);
            mixed
        };
        Self {
            sk_d: mix(&self.sk_d),
            sk_pi: mix(&self.sk_pi),
            sk_pr: mix(&self.sk_pr),
            ..self.clone()
        }
    }

    fn expand(suite: IkeSuite, skeyseed: &[u8], ni: &[u8], nr: &[u8], spis: IkeSpis) -> Self {
        let (spi_i, spi_r) = (spis.initiator.to_be_bytes(), spis.responder.to_be_bytes());
        let (prf_len, encryption_len) = (suite.prf.len(), suite.cipher.encryption_key_len());
        let integrity_len = suite.cipher.integrity().map_or(0, Integrity::key_len);
        let lengths = [
            prf_len,
            integrity_len,
            integrity_len,
            encryption_len,
            encryption_len,
            prf_len,
            prf_len,
        ];
        let key = PrfKey::new(suite.prf, skeyseed);
        let material = key.expand(&[ni, nr, &spi_i, &spi_r], lengths.iter().sum());
        let [sk_d, sk_ai, sk_ar, sk_ei, sk_er, sk_pi, sk_pr] = split(&material, lengths);
        Self {
            sk_d: Secret::new(sk_d.to_vec()),
            sk_ei: Secret::new([sk_ei, sk_ai].concat()),
            sk_er: Secret::new([sk_er, sk_ar].concat()),
            sk_pi: Secret::new(sk_pi.to_vec()),
            sk_pr: Secret::new(sk_pr.to_vec()),
        }
    }
}

/// Keys of the lengths asked for, one behind the other from prf+.
fn expand_into<const N: usize>(key: &PrfKey, seed: &[&[u8]], lengths: [usize; N]) -> [Secret; N] {
    let material = key.expand(seed, lengths.iter().sum());
    split(&material, lengths).map(|secret| Secret::new(secret.to_vec()))
}

/// What has these lengths, one behind the other.
fn split<const N: usize>(mut material: &[u8], lengths: [usize; N]) -> [&[u8]; N] {
    lengths.map(|length| {
        let (part, behind) = material.split_at(length);
        material = behind;
        part
    })
}

/// What one side proves with AUTH (RFC 7296 section 2.15).
pub(crate) struct SignedOctets<'a> {
    /// The side's IKE_SA_INIT message, whole, without non-ESP marker.
    pub(crate) message: &'a [u8],
    /// The other side's nonce.
    pub(crate) nonce: &'a [u8],
    /// The side's SK_pi or SK_pr.
    pub(crate) sk_p: &'a Secret,
    /// The body of the side's ID payload.
    pub(crate) id: &'a [u8],
    /// IntAuth, empty without IKE_INTERMEDIATE (RFC 9242 section 3.3.2).
    pub(crate) int_auth: &'a [u8],
}

impl SignedOctets<'_> {
    /// The octets themselves, for a signature.
    pub(crate) fn concat(&self, prf: Prf) -> Vec<u8> {
        let maced_id = self.maced_id(prf);
        [self.message, self.nonce, maced_id.as_ref(), self.int_auth].concat()
    }

    /// prf(SK_p, the body of the ID payload).
    fn maced_id(&self, prf: Prf) -> hmac::Tag {
        PrfKey::new(prf, self.sk_p.expose()).compute(&[self.id])
    }

    /// AUTH data by a pre-shared key: prf(prf(psk, "Key Pad for IKEv2"), octets).
    pub(crate) fn psk_auth(&self, prf: Prf, psk: &PskKey) -> hmac::Tag {
        let maced_id = self.maced_id(prf);
        psk.0
            .compute(&[self.message, self.nonce, maced_id.as_ref(), self.int_auth])
    }

    /// Whether `auth` is what [`Self::psk_auth`] gives; takes the same time wherever they differ.
    pub(crate) fn is_psk_auth(&self, prf: Prf, psk: &PskKey, auth: &[u8]) -> bool {
        self.psk_auth(prf, psk).as_ref().ct_eq(auth).into()
    }
}

/// prf(psk, "Key Pad for IKEv2") of a pre-shared key, which is the same in every handshake with one PRF, for each of them: made
/// when the key comes, so that no handshake takes longer than another.
#[derive(Clone)]
pub(crate) struct PaddedPsk([Secret; 3]);

impl PaddedPsk {
    pub(crate) fn new(psk: &Secret) -> Self {
        let padded = [Prf::HmacSha256, Prf::HmacSha384, Prf::HmacSha512].map(|prf| {
            let padded = PrfKey::new(prf, psk.expose()).compute(&[b"Key Pad for IKEv2"]);
            Secret::new(padded.as_ref().to_vec())
        });
        Self(padded)
    }

    /// Ready for the proofs of both sides.
    pub(crate) fn key(&self, prf: Prf) -> PskKey {
        let [sha256, sha384, sha512] = &self.0;
        let padded = match prf {
            Prf::HmacSha256 => sha256,
            Prf::HmacSha384 => sha384,
            Prf::HmacSha512 => sha512,
        };
        PskKey(PrfKey::new(prf, padded.expose()))
    }
}

/// With which AUTH is made by a pre-shared key.
pub(crate) struct PskKey(PrfKey);

/// The keys of a child SA (RFC 7296 section 2.17), as [`EspSuite::key_len`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChildKeys {
    /// For the SA from the initiator of the exchange, which takes the first octets.
    pub(crate) from_initiator: Secret,
    /// For the SA towards it.
    pub(crate) from_responder: Secret,
}

impl ChildKeys {
    /// The nonces are those of CREATE_CHILD_SA, or of IKE_SA_INIT for the child SA that IKE_AUTH creates.
    pub(crate) fn derive(suite: EspSuite, (prf, sk_d): (Prf, &Secret), fresh: &Fresh<'_>) -> Self {
        let key = PrfKey::new(prf, sk_d.expose());
        let [from_initiator, from_responder] = expand_into(&key, &fresh.octets(), [suite.key_len(); 2]);
        Self {
            from_initiator,
            from_responder,
        }
    }
}

/// Data of NAT_DETECTION_SOURCE_IP and NAT_DETECTION_DESTINATION_IP: SHA-1 of SPIs, address and port
/// (RFC 7296 section 2.23). Nothing rests on its strength: a forger on the path can change addresses anyway.
pub(crate) fn nat_detection_hash(spis: IkeSpis, address: SocketAddr) -> [u8; 20] {
    let mut hash = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(&spis.initiator.to_be_bytes());
    hash.update(&spis.responder.to_be_bytes());
    match address.ip() {
        IpAddr::V4(ip) => hash.update(&ip.octets()),
        IpAddr::V6(ip) => hash.update(&ip.octets()),
    }
    hash.update(&address.port().to_be_bytes());
    let mut octets = [0; 20];
    octets.copy_from_slice(hash.finish().as_ref());
    octets
}

#[cfg(test)]
mod tests;
