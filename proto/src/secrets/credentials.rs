//! How the two sides of a tunnel prove who they are: the secret of its record, before it is sealed.

use std::fmt;

use prost::Message;
use zeroize::Zeroize;

use crate::{Invalid, Secret, v1};

/// What the secret of a tunnel's record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthMethod {
    /// The pre-shared key, its octets as they are.
    Psk,
    /// Encoded [`TunnelCertificates`].
    Certificates,
}

impl TryFrom<i32> for AuthMethod {
    type Error = Invalid;

    fn try_from(number: i32) -> Result<Self, Invalid> {
        match v1::AuthMethod::try_from(number) {
            Ok(v1::AuthMethod::Psk) => Ok(Self::Psk),
            Ok(v1::AuthMethod::Certificates) => Ok(Self::Certificates),
            Err(_) => Err(Invalid::new(
                "auth",
                number,
                "is no method that this program knows",
            )),
        }
    }
}

impl From<AuthMethod> for v1::AuthMethod {
    fn from(method: AuthMethod) -> Self {
        match method {
            AuthMethod::Psk => Self::Psk,
            AuthMethod::Certificates => Self::Certificates,
        }
    }
}

/// As `--json` and tables show it.
impl fmt::Display for AuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Psk => "psk",
            Self::Certificates => "certificate",
        })
    }
}

/// The certificates of a tunnel, all in DER, and the private key. What may stand in them `ike` knows.
#[derive(Clone, PartialEq, Eq)]
pub struct TunnelCertificates {
    /// Of the authorities whose customers are believed.
    pub anchors: Vec<Vec<u8>>,
    /// Lists of what they have revoked.
    pub crls: Vec<Vec<u8>>,
    /// The fleet's own certificate, and the intermediate ones above it.
    pub chain: Vec<Vec<u8>>,
    /// The private key of the first of them, in PKCS#8, PKCS#1 or SEC1.
    pub key: Secret,
}

impl TunnelCertificates {
    /// What [`crate::Sealed::new`] has to seal.
    pub fn encode(&self) -> Secret {
        let mut wire = v1::TunnelCertificates {
            anchors: self.anchors.clone(),
            crls: self.crls.clone(),
            chain: self.chain.clone(),
            key: self.key.expose().to_vec(),
        };
        let encoded = Secret::new(wire.encode_to_vec());
        wire.key.zeroize();
        encoded
    }

    /// Reads the unsealed secret of a tunnel with [`AuthMethod::Certificates`].
    pub fn decode(octets: &[u8]) -> Result<Self, Invalid> {
        let wire = v1::TunnelCertificates::decode(octets).map_err(|error| {
            let rule = format!("octets are not encoded certificates: {error}");
            Invalid::new("certificates", octets.len(), rule)
        })?;
        Ok(Self {
            anchors: wire.anchors,
            crls: wire.crls,
            chain: wire.chain,
            key: Secret::new(wire.key),
        })
    }
}

/// The private key is not for logs, and the rest too long for them.
impl fmt::Debug for TunnelCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TunnelCertificates")
    }
}

impl fmt::Debug for v1::TunnelCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TunnelCertificates")
    }
}
