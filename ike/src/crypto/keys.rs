//! Keys and what is computed with them (RFC 7296 sections 2.14, 2.15, 2.17 and 2.23).

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{IkeSuite, Prf};
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
    /// `shared` is the result of the key exchange; `ni` and `nr` are the nonces' data.
    pub(crate) fn derive(suite: IkeSuite, shared: &Secret, ni: &[u8], nr: &[u8], spis: IkeSpis) -> Self {
        let _ = (suite, shared, ni, nr, spis);
        todo!()
    }
}

/// What one side proves with AUTH (RFC 7296 section 2.15).
pub(crate) struct SignedOctets<'a> {
    /// Its IKE_SA_INIT message, whole, without non-ESP marker.
    pub(crate) message: &'a [u8],
    /// The other side's nonce.
    pub(crate) nonce: &'a [u8],
    /// Its SK_pi or SK_pr.
    pub(crate) sk_p: &'a Secret,
    /// The body of its ID payload.
    pub(crate) id: &'a [u8],
}

impl SignedOctets<'_> {
    /// AUTH data by a pre-shared key (authentication method 2).
    pub(crate) fn psk_auth(&self, prf: Prf, psk: &Secret) -> Vec<u8> {
        let _ = (prf, psk);
        todo!()
    }

    /// Compares in constant time.
    pub(crate) fn is_psk_auth(&self, prf: Prf, psk: &Secret, auth: &[u8]) -> bool {
        let _ = (prf, psk, auth);
        todo!()
    }
}

/// The keys of a child SA (RFC 7296 section 2.17), key and salt as [`EspSuite::key_len`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChildKeys {
    /// For the SA from the initiator of the exchange.
    pub(crate) from_initiator: Secret,
    /// For the SA towards it.
    pub(crate) from_responder: Secret,
}

impl ChildKeys {
    /// For the child SA that IKE_AUTH creates, with IKE_SA_INIT's nonces.
    pub(crate) fn derive(suite: EspSuite, prf: Prf, sk_d: &Secret, ni: &[u8], nr: &[u8]) -> Self {
        let _ = (suite, prf, sk_d, ni, nr);
        todo!()
    }
}

/// Data of NAT_DETECTION_SOURCE_IP and NAT_DETECTION_DESTINATION_IP (RFC 7296 section 2.23).
pub(crate) fn nat_detection_hash(spis: IkeSpis, address: SocketAddr) -> [u8; 20] {
    let _ = (spis, address);
    todo!()
}
