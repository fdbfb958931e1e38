//! The keys of a child SA: the secret of its record, before it is sealed.

use std::fmt;

use prost::Message;
use zeroize::Zeroize;

use crate::{EspSuite, Invalid, Secret, v1};

/// Both keys of a child SA, each of [`EspSuite::key_len`] octets.
#[derive(Clone, PartialEq, Eq)]
pub struct ChildSaKeys {
    /// Customer to fleet.
    pub inbound: Secret,
    /// Fleet to customer.
    pub outbound: Secret,
}

impl ChildSaKeys {
    /// What [`crate::Sealed::new`] has to seal.
    pub fn encode(&self) -> Secret {
        let mut wire = v1::ChildSaKeys {
            inbound: self.inbound.expose().to_vec(),
            outbound: self.outbound.expose().to_vec(),
        };
        let encoded = Secret::new(wire.encode_to_vec());
        wire.inbound.zeroize();
        wire.outbound.zeroize();
        encoded
    }

    /// Reads the unsealed secret of a child SA with `suite`.
    pub fn decode(octets: &[u8], suite: EspSuite) -> Result<Self, Invalid> {
        let wire = v1::ChildSaKeys::decode(octets).map_err(|error| {
            Invalid::new(
                "keys",
                octets.len(),
                format!("octets are not encoded keys: {error}"),
            )
        })?;
        let keys = Self {
            inbound: Secret::new(wire.inbound),
            outbound: Secret::new(wire.outbound),
        };
        for (field, key) in [("inbound", &keys.inbound), ("outbound", &keys.outbound)] {
            let length = key.expose().len();
            if length != suite.key_len() {
                let rule = format!("octets are not a key for {suite}, which has {}", suite.key_len());
                return Err(Invalid::new(field, length, rule));
            }
        }
        Ok(keys)
    }
}

impl fmt::Debug for ChildSaKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChildSaKeys")
    }
}

impl fmt::Debug for v1::ChildSaKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChildSaKeys")
    }
}
