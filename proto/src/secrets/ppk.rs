//! A tunnel's post-quantum pre-shared key (RFC 8784): what may be known of it, and the secret of a record that has one.

use std::fmt;
use std::str::FromStr;

use prost::Message;
use zeroize::Zeroizing;

use crate::{Invalid, limits, v1};

/// A post-quantum pre-shared key without the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ppk {
    /// By which the customer names it.
    pub id: PpkId,
    /// The customer gets no IKE SA without it.
    pub required: bool,
}

/// PPK_ID without its type octet, which is PPK_ID_FIXED (RFC 8784 section 5.1): 1 to 255 printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PpkId(String);

impl FromStr for PpkId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let allowed = text.bytes().all(|c| c.is_ascii_graphic());
        match allowed && (1..=limits::IDENTITY).contains(&text.len()) {
            true => Ok(Self(text.to_owned())),
            false => Err(Invalid::new(
                "ppk.id",
                text,
                "is not 1 to 255 printable ASCII characters without blanks",
            )),
        }
    }
}

impl AsRef<str> for PpkId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PpkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
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
    pub credentials: Zeroizing<Vec<u8>>,
    /// The key.
    pub ppk: Zeroizing<Vec<u8>>,
}

impl TunnelSecrets {
    /// What [`crate::Sealed::new`] has to seal.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let wire = v1::TunnelSecrets {
            credentials: self.credentials.to_vec(),
            ppk: self.ppk.to_vec(),
        };
        let encoded = Zeroizing::new(wire.encode_to_vec());
        drop([wire.credentials, wire.ppk].map(Zeroizing::new));
        encoded
    }

    /// Reads the unsealed secret of a tunnel with a [`Ppk`].
    pub fn decode(octets: &[u8]) -> Result<Self, Invalid> {
        let wire = v1::TunnelSecrets::decode(octets).map_err(|error| {
            let rule = format!("octets are not a tunnel's secrets: {error}");
            Invalid::new("secrets", octets.len(), rule)
        })?;
        let secrets = Self {
            credentials: Zeroizing::new(wire.credentials),
            ppk: Zeroizing::new(wire.ppk),
        };
        match secrets.ppk.is_empty() {
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
