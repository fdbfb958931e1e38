//! Sealing: what only holders of the fleet key can read, and nobody else can change.
//!
//! ```text
//! sealed = version (1 octet, 1) | key id (4) | salt (32, random) | AES-256-GCM ciphertext and tag
//! key    = HKDF-SHA-256(fleet key, salt, purpose)
//! AAD    = what the secret is bound to: for a record, its kind and header
//! ```
//!
//! Every seal has a key of its own, since its salt is random; so the nonce can be zero. The distributor stores sealed
//! records: it can read no secret, and swap neither a header nor a kind.

use ike_types::Secret;
use proto::{Header, Sealed};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use thiserror::Error;

use crate::FleetKey;

const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 4;
const SALT_LEN: usize = 32;
const PREFIX_LEN: usize = 1 + KEY_ID_LEN + SALT_LEN;

/// Octets by which a sealed secret is longer than the secret.
pub const OVERHEAD: usize = PREFIX_LEN + 16;

/// What a seal is for; a secret opens only for the purpose it was sealed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The secret of a record.
    Record,
    /// An IKE message on its way from one edge to another.
    Forward,
}

impl Purpose {
    fn info(self) -> &'static str {
        match self {
            Self::Record => "anyswan record v1",
            Self::Forward => "anyswan forward v1",
        }
    }
}

/// A secret that could not be sealed.
#[derive(Debug, Error)]
#[error("the system's random number generator fails")]
pub struct NoRandomness;

/// Why a sealed secret does not open.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum OpenError {
    /// Too short, or of a version this program does not know.
    #[error("it is not a sealed secret of a version that this program knows")]
    Malformed,
    /// Sealed with another fleet key.
    #[error("it was sealed with another fleet key: every edge and operator needs the same fleet.key")]
    OtherKey,
    /// The secret, what it is bound to, or its purpose was changed.
    #[error("it was changed after it was sealed")]
    Tampered,
}

/// Seals the secret of a record together with its header.
pub fn seal_record<H: Header>(key: &FleetKey, header: H, secret: &Secret) -> Result<Sealed<H>, NoRandomness> {
    let salt = random_salt()?;
    let seal = |header: &[u8]| {
        seal_with(
            key,
            Purpose::Record,
            &salt,
            &record_binding::<H>(header),
            secret.expose(),
        )
        .into()
    };
    Ok(Sealed::new(header, seal))
}

/// The secret of a record that [`seal_record`] made.
pub fn open_record<H: Header>(key: &FleetKey, record: &Sealed<H>) -> Result<Secret, OpenError> {
    open(
        key,
        Purpose::Record,
        &record_binding::<H>(record.encoded_header()),
        record.secret(),
    )
}

/// Seals `secret` and binds it to the octets `bound`, which [`open`] must be given too.
pub fn seal(key: &FleetKey, purpose: Purpose, bound: &[u8], secret: &[u8]) -> Result<Vec<u8>, NoRandomness> {
    Ok(seal_with(key, purpose, &random_salt()?, bound, secret))
}

/// The secret, when nothing was changed since [`seal`].
pub fn open(key: &FleetKey, purpose: Purpose, bound: &[u8], sealed: &[u8]) -> Result<Secret, OpenError> {
    let Some((prefix, ciphertext)) = sealed.split_at_checked(PREFIX_LEN) else {
        return Err(OpenError::Malformed);
    };
    let (version, rest) = prefix.split_at(1);
    let (key_id, salt) = rest.split_at(KEY_ID_LEN);
    if version != [VERSION] {
        return Err(OpenError::Malformed);
    }
    if key_id != key.id() {
        return Err(OpenError::OtherKey);
    }

    let mut body = ciphertext.to_vec();
    let opened_len = cipher(key, purpose, salt)
        .open_in_place(zero_nonce(), Aad::from(bound), &mut body)
        .map_err(|_| OpenError::Tampered)?
        .len();
    body.truncate(opened_len); // What is cut off is the tag.
    Ok(Secret::new(body))
}

fn seal_with(
    key: &FleetKey,
    purpose: Purpose,
    salt: &[u8; SALT_LEN],
    bound: &[u8],
    secret: &[u8],
) -> Vec<u8> {
    // Room for the tag from the start: a growing vector would leave a copy of the secret behind.
    let mut body = Vec::with_capacity(secret.len() + OVERHEAD - PREFIX_LEN);
    body.extend_from_slice(secret);
    cipher(key, purpose, salt)
        .seal_in_place_append_tag(zero_nonce(), Aad::from(bound), &mut body)
        .expect("no secret comes near AES-GCM's limit of 64 GiB");

    let mut sealed = Vec::with_capacity(PREFIX_LEN + body.len());
    sealed.push(VERSION);
    sealed.extend_from_slice(&key.id());
    sealed.extend_from_slice(salt);
    sealed.extend_from_slice(&body);
    sealed
}

fn random_salt() -> Result<[u8; SALT_LEN], NoRandomness> {
    let mut salt = [0; SALT_LEN];
    SystemRandom::new().fill(&mut salt).map_err(|_| NoRandomness)?;
    Ok(salt)
}

/// A kind's name holds no zero octet, so no other pair of kind and header reads the same.
fn record_binding<H: Header>(header: &[u8]) -> Vec<u8> {
    [H::NAME.as_bytes(), &[0], header].concat()
}

fn cipher(key: &FleetKey, purpose: Purpose, salt: &[u8]) -> LessSafeKey {
    let one_time_key = key.derive(salt, purpose.info());
    let unbound = UnboundKey::new(&AES_256_GCM, one_time_key.expose());
    LessSafeKey::new(unbound.expect("a derived key has AES-256's length"))
}

fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

#[cfg(test)]
mod tests {
    use proto::testkit::tunnel;

    use super::*;

    const BOUND: &[u8] = b"header of acme";

    fn sealed(key: &FleetKey) -> Vec<u8> {
        seal(key, Purpose::Record, BOUND, b"a pre-shared key").unwrap()
    }

    #[test]
    fn opens_with_the_same_key_purpose_and_binding() {
        let key = FleetKey::generate().unwrap();
        let sealed = sealed(&key);
        assert_eq!(sealed.len(), b"a pre-shared key".len() + OVERHEAD);
        let opened = open(&key, Purpose::Record, BOUND, &sealed).unwrap();
        assert_eq!(opened.expose(), b"a pre-shared key");
    }

    #[test]
    fn the_same_secret_is_sealed_differently_each_time() {
        let key = FleetKey::generate().unwrap();
        let (one, other) = (sealed(&key), sealed(&key));
        assert_ne!(one[1 + KEY_ID_LEN..PREFIX_LEN], other[1 + KEY_ID_LEN..PREFIX_LEN]);
        assert_ne!(one[PREFIX_LEN..], other[PREFIX_LEN..]);
    }

    #[test]
    fn any_changed_bit_is_noticed() {
        let key = FleetKey::generate().unwrap();
        let sealed = sealed(&key);
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(
                open(&key, Purpose::Record, BOUND, &changed).is_err(),
                "octet {index}"
            );
        }
    }

    #[test]
    fn any_cut_is_noticed() {
        let key = FleetKey::generate().unwrap();
        let sealed = sealed(&key);
        for len in 0..sealed.len() {
            assert!(
                open(&key, Purpose::Record, BOUND, &sealed[..len]).is_err(),
                "cut to {len} octets"
            );
        }
    }

    #[test]
    fn another_binding_or_purpose_does_not_fit() {
        let key = FleetKey::generate().unwrap();
        let sealed = sealed(&key);
        let swapped = open(&key, Purpose::Record, b"header of evil", &sealed);
        assert_eq!(swapped.unwrap_err(), OpenError::Tampered);
        assert_eq!(
            open(&key, Purpose::Forward, BOUND, &sealed).unwrap_err(),
            OpenError::Tampered
        );
    }

    #[test]
    fn another_fleets_key_is_told_apart() {
        let sealed = sealed(&FleetKey::generate().unwrap());
        let other = FleetKey::generate().unwrap();
        assert_eq!(
            open(&other, Purpose::Record, BOUND, &sealed).unwrap_err(),
            OpenError::OtherKey
        );
    }

    #[test]
    fn a_records_secret_fits_no_other_header() {
        let key = FleetKey::generate().unwrap();
        let secret = Secret::new(b"a pre-shared key".to_vec());
        let acme = seal_record(&key, tunnel("acme", 1), &secret).unwrap();
        assert_eq!(open_record(&key, &acme).unwrap(), secret);

        let stolen = acme.secret().to_vec().into();
        let evil = Sealed::new(tunnel("evil", 1), |_| stolen);
        assert_eq!(open_record(&key, &evil).unwrap_err(), OpenError::Tampered);
    }
}
