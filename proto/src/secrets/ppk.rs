//! A tunnel's post-quantum pre-shared key (RFC 8784): what may be known of it, and the secret of a record that has one.

use std::fmt;

use prost::Message;
use zeroize::Zeroize;

use crate::{Invalid, PpkId, Secret, v1};

/// A post-quantum pre-shared key without the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ppk {
    /// By which the customer names it.
    pub id: PpkId,
    /// The customer gets no IKE SA without it.
    pub required: bool,
}

impl TryFrom<v1::Ppk> for Ppk {
    type Error = Invalid;

    fn try_from(wire: v1::Ppk) -> Result<Self, Invalid> {
        Ok(Self {
            id: wire.id.parse()?,
            required: wire.required,
        })
    }
}

impl From<&Ppk> for v1::Ppk {
    fn from(ppk: &Ppk) -> Self {
        Self {
            id: ppk.id.to_string(),
            required: ppk.required,
        }
    }
}

/// The secret of a tunnel's record that has a [`Ppk`].
#[derive(Clone, PartialEq, Eq)]
pub struct TunnelSecrets {
    /// What [`crate::Tunnel::auth`] says.
    pub credentials: Secret,
    /// The key.
    pub ppk: Secret,
}

impl TunnelSecrets {
    /// What [`crate::Sealed::new`] has to seal.
    pub fn encode(&self) -> Secret {
        let mut wire = v1::TunnelSecrets {
            credentials: self.credentials.expose().to_vec(),
            ppk: self.ppk.expose().to_vec(),
        };
        let encoded = Secret::new(wire.encode_to_vec());
        wire.credentials.zeroize();
        wire.ppk.zeroize();
        encoded
    }

    /// Reads the unsealed secret of a tunnel with a [`Ppk`].
    pub fn decode(octets: &[u8]) -> Result<Self, Invalid> {
        let wire = v1::TunnelSecrets::decode(octets).map_err(|error| {
            let rule = format!("octets are not a tunnel's secrets: {error}");
            Invalid::new("secrets", octets.len(), rule)
        })?;
        let secrets = Self {
            credentials: Secret::new(wire.credentials),
            ppk: Secret::new(wire.ppk),
        };
        match secrets.ppk.expose().is_empty() {
            true => Err(Invalid::missing("secrets.ppk")),
            false => Ok(secrets),
        }
    }
}

impl fmt::Debug for TunnelSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TunnelSecrets")
    }
}

impl fmt::Debug for v1::TunnelSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TunnelSecrets")
    }
}
