//! The keys of a child SA: the secret of its record, before it is sealed.

use std::fmt;

use prost::Message;
use zeroize::Zeroizing;

use crate::{EspSuite, Invalid, v1};

/// Both keys of a child SA, each of [`EspSuite::key_len`] octets.
#[derive(Clone, PartialEq, Eq)]
pub struct ChildSaKeys {
    /// Customer to fleet.
    pub inbound: Zeroizing<Vec<u8>>,
    /// Fleet to customer.
    pub outbound: Zeroizing<Vec<u8>>,
}

impl ChildSaKeys {
    /// What [`crate::Sealed::new`] has to seal.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let wire = v1::ChildSaKeys {
            inbound: self.inbound.to_vec(),
            outbound: self.outbound.to_vec(),
        };
        let encoded = Zeroizing::new(wire.encode_to_vec());
        drop([wire.inbound, wire.outbound].map(Zeroizing::new));
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
            inbound: Zeroizing::new(wire.inbound),
            outbound: Zeroizing::new(wire.outbound),
        };
        for (field, key) in [("inbound", &keys.inbound), ("outbound", &keys.outbound)] {
            if key.len() != suite.key_len() {
                let rule = format!("octets are not a key for {suite}, which has {}", suite.key_len());
                return Err(Invalid::new(field, key.len(), rule));
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
