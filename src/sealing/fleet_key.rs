//! The one secret that all edges share, and the keys derived from it.

use std::path::Path;

use files::FileError;
use ike_types::Secret;
use ring::hkdf::{self, HKDF_SHA256};
use ring::rand::{SecureRandom, SystemRandom};
use thiserror::Error;
use zeroize::Zeroizing;

/// Octets of the fleet key and of every key derived from it.
const KEY_LEN: usize = 32;

/// 32 random octets; `fleet.key` holds them as 64 hexadecimal digits. Edges and operators have it, the distributor
/// never.
#[derive(Debug)]
pub struct FleetKey(Secret);

/// Why there is no fleet key. Never shows a part of it.
#[derive(Debug, Error)]
pub enum FleetKeyError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file holds something else.
    #[error("{0}: not a fleet key; it has to hold the 64 hexadecimal digits that `anyswan pki init` wrote")]
    Malformed(String),
    /// The system gives no random octets.
    #[error("the system's random number generator fails")]
    NoRandomness,
}

impl FleetKey {
    /// A new one.
    pub fn generate() -> Result<Self, FleetKeyError> {
        let mut octets = vec![0; KEY_LEN];
        SystemRandom::new()
            .fill(&mut octets)
            .map_err(|_| FleetKeyError::NoRandomness)?;
        Ok(Self(Secret::new(octets)))
    }

    /// Reads `fleet.key`.
    pub fn load(path: &Path) -> Result<Self, FleetKeyError> {
        let text = files::read_secret(path)?;
        let malformed = || FleetKeyError::Malformed(path.display().to_string());
        let key = Secret::from_hex(text.trim_end()).filter(|key| key.expose().len() == KEY_LEN);
        key.map(Self).ok_or_else(malformed)
    }

    /// The text of `fleet.key`.
    pub fn to_file_text(&self) -> Zeroizing<String> {
        // With room for the line's end from the start: a growing string would leave a copy behind.
        let mut text = Zeroizing::new(String::with_capacity(2 * KEY_LEN + 1));
        text.push_str(&self.0.to_hex());
        text.push('\n');
        text
    }

    /// Masks the slot in IKE responder SPIs: see `ike::Config::spi_key`.
    pub fn spi_key(&self) -> Secret {
        self.derive(&[], "anyswan spi v1")
    }

    /// Tells which fleet key sealed something, and nothing about it.
    pub(crate) fn id(&self) -> [u8; 4] {
        let derived = self.derive(&[], "anyswan key id v1");
        let mut id = [0; 4];
        id.copy_from_slice(&derived.expose()[..4]);
        id
    }

    /// HKDF-SHA-256 (RFC 5869) of the fleet key, 32 octets; `info` names the purpose.
    pub(crate) fn derive(&self, salt: &[u8], info: &str) -> Secret {
        let info = [info.as_bytes()];
        let mut octets = vec![0; KEY_LEN];
        hkdf::Salt::new(HKDF_SHA256, salt)
            .extract(self.0.expose())
            .expand(&info, HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut octets))
            .expect("32 octets are far below HKDF's limit of 255 blocks (RFC 5869 section 2.3)");
        Secret::new(octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_gives_the_key_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fleet.key");
        let key = FleetKey::generate().unwrap();
        files::write_new(&path, key.to_file_text().as_bytes(), files::PRIVATE).unwrap();

        let loaded = FleetKey::load(&path).unwrap();
        assert_eq!(loaded.0, key.0);
        assert_eq!(loaded.id(), key.id());
    }

    #[test]
    fn derived_keys_differ_by_purpose_and_salt() {
        let key = FleetKey::generate().unwrap();
        let derived = [
            key.spi_key(),
            key.derive(&[], "a"),
            key.derive(&[], "b"),
            key.derive(&[1], "b"),
        ];
        for (i, one) in derived.iter().enumerate() {
            assert!(derived[i + 1..].iter().all(|other| other != one));
        }
    }

    #[test]
    fn a_file_with_something_else_is_refused_without_showing_it() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("short", "abcdef"),
            ("not-hex", &"g".repeat(64)),
            ("long", &"a".repeat(66)),
        ] {
            let path = dir.path().join(name);
            files::write_new(&path, text.as_bytes(), files::PRIVATE).unwrap();
            let error = FleetKey::load(&path).unwrap_err().to_string();
            assert!(
                error.contains(name) && error.contains("pki init") && !error.contains(text),
                "{error}"
            );
        }
    }
}
