//! Keys and what is computed with them (RFC 7296 sections 2.14, 2.15, 2.17 and 2.23).

use std::net::{IpAddr, SocketAddr};

use ring::digest;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{IkeSuite, Prf, PrfKey};
use crate::{EspSuite, IkeSpis, Secret};

/// The keys of an IKE SA (RFC 7296 section 2.14), without SK_ai and SK_ar, which an AEAD cipher has not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IkeKeys {
    pub(crate) sk_d: Secret,
    pub(crate) sk_ei: Secret,
    pub(crate) sk_er: Secret,
    pub(crate) sk_pi: Secret,
    pub(crate) sk_pr: Secret,
}

impl IkeKeys {
    /// `shared` is g^ir, the result of the key exchange; `ni` and `nr` are the nonces' data.
    pub(crate) fn derive(suite: IkeSuite, shared: &Secret, ni: &[u8], nr: &[u8], spis: IkeSpis) -> Self {
        let nonces = Zeroizing::new([ni, nr].concat());
        let skeyseed = PrfKey::new(suite.prf, &nonces).compute(&[shared.expose()]);
        let (spi_i, spi_r) = (spis.initiator.to_be_bytes(), spis.responder.to_be_bytes());
        let (prf_len, cipher_len) = (suite.prf.len(), suite.cipher.key_len());
        let [sk_d, sk_ei, sk_er, sk_pi, sk_pr] = expand_into(
            &PrfKey::new(suite.prf, skeyseed.as_ref()),
            &[&nonces, &spi_i, &spi_r],
            [prf_len, cipher_len, cipher_len, prf_len, prf_len],
        );
        Self {
            sk_d,
            sk_ei,
            sk_er,
            sk_pi,
            sk_pr,
        }
    }
}

/// Keys of the lengths asked for, one behind the other from prf+.
fn expand_into<const N: usize>(key: &PrfKey, seed: &[&[u8]], lengths: [usize; N]) -> [Secret; N] {
    let material = key.expand(seed, lengths.iter().sum());
    let mut rest = material.as_slice();
    lengths.map(|length| {
        let (secret, behind) = rest.split_at(length);
        rest = behind;
        Secret::new(secret.to_vec())
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
}

impl SignedOctets<'_> {
    /// AUTH data by a pre-shared key: prf(prf(psk, "Key Pad for IKEv2"), octets).
    pub(crate) fn psk_auth(&self, prf: Prf, psk: &Secret) -> Vec<u8> {
        let maced_id = PrfKey::new(prf, self.sk_p.expose()).compute(&[self.id]);
        let padded = PrfKey::new(prf, psk.expose()).compute(&[b"Key Pad for IKEv2"]);
        PrfKey::new(prf, padded.as_ref())
            .compute(&[self.message, self.nonce, maced_id.as_ref()])
            .as_ref()
            .to_vec()
    }

    /// Whether `auth` is what [`Self::psk_auth`] gives; takes the same time wherever they differ.
    pub(crate) fn is_psk_auth(&self, prf: Prf, psk: &Secret, auth: &[u8]) -> bool {
        self.psk_auth(prf, psk).ct_eq(auth).into()
    }
}

/// The keys of a child SA (RFC 7296 section 2.17), key and salt as [`EspSuite::key_len`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChildKeys {
    /// For the SA from the initiator of the exchange, which takes the first octets.
    pub(crate) from_initiator: Secret,
    /// For the SA towards it.
    pub(crate) from_responder: Secret,
}

impl ChildKeys {
    /// For the child SA that IKE_AUTH creates, with IKE_SA_INIT's nonces.
    pub(crate) fn derive(suite: EspSuite, prf: Prf, sk_d: &Secret, ni: &[u8], nr: &[u8]) -> Self {
        let key = PrfKey::new(prf, sk_d.expose());
        let [from_initiator, from_responder] = expand_into(&key, &[ni, nr], [suite.key_len(); 2]);
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
