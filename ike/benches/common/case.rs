//! The handshakes that are measured: how both sides prove who they are, and how they exchange keys.

use std::fmt;
use std::slice;
use std::sync::Arc;

use ike::testkit::Customer;
use ike::{
    Certificates, Cipher, Credentials, DhGroup, EspSuite, Identity, IkeSuite, Kem, Prf, Secret, Tunnel,
};

use crate::credentials::{KeyKind, Side, Sides};

/// One kind of handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    /// A pre-shared key, and this group.
    Psk(DhGroup),
    /// A pre-shared key, X25519, and ML-KEM-768 in IKE_INTERMEDIATE.
    Hybrid,
    /// A certificate of its authority for either side, with keys of this kind, and X25519.
    Certificates(KeyKind),
}

/// The customer of all cases, and the fleet.
pub(crate) const CUSTOMER: &str = "cpe1.example";
pub(crate) const FLEET: &str = "fleet.example";

impl Case {
    /// Those that are measured beside another responder.
    pub(crate) const USUAL: [Self; 6] = [
        Self::Psk(DhGroup::Curve25519),
        Self::Certificates(KeyKind::EcdsaP256),
        Self::Hybrid,
        Self::Certificates(KeyKind::Rsa2048),
        Self::Psk(DhGroup::Modp2048),
        Self::Psk(DhGroup::Modp3072),
    ];

    /// The kind of keys in its certificates.
    pub(crate) fn key_kind(self) -> Option<KeyKind> {
        match self {
            Self::Certificates(kind) => Some(kind),
            Self::Psk(_) | Self::Hybrid => None,
        }
    }

    /// One suite for each SA, so that there is nothing to choose.
    pub(crate) fn suite(self) -> IkeSuite {
        IkeSuite {
            cipher: Cipher::Aes256Gcm16,
            prf: Prf::HmacSha256,
            dh: match self {
                Self::Psk(group) => group,
                Self::Hybrid | Self::Certificates(_) => DhGroup::Curve25519,
            },
        }
    }

    /// A customer that connects in this way.
    pub(crate) fn customer(self, sides: Option<&Sides>) -> Customer {
        Customer {
            ike: vec![self.suite()],
            kem: (self == Self::Hybrid).then_some(Kem::MlKem768),
            esp: vec![EspSuite::Encrypted(Cipher::Aes256Gcm16)],
            peer_id: Some(Identity::Fqdn(FLEET.into())),
            certificates: sides.map(|sides| certificates(&sides.authority, &sides.customer)),
            ..Customer::new(1)
        }
    }

    /// The fleet's tunnel for it, which proves who it is as `fleet`, and believes `authority`.
    pub(crate) fn tunnel(self, fleet: Option<(&[u8], &Side)>) -> Tunnel {
        let tunnel = self.customer(None).tunnel();
        match fleet {
            Some((authority, fleet)) => Tunnel {
                credentials: Credentials::Certificates(certificates(authority, fleet)),
                ..tunnel
            },
            None => tunnel,
        }
    }
}

fn certificates(authority: &[u8], side: &Side) -> Arc<Certificates> {
    let key = Secret::new(side.key.clone());
    let certificates = Certificates::new(
        &[authority.to_vec()],
        &[],
        slice::from_ref(&side.certificate),
        &key,
    );
    Arc::new(certificates.expect("made for it"))
}

/// How it stands in the figures.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Psk(group) => write!(f, "psk, {group}"),
            Self::Hybrid => f.write_str("psk, curve25519 and mlkem768"),
            Self::Certificates(KeyKind::EcdsaP256) => f.write_str("ecdsa p256, curve25519"),
            Self::Certificates(KeyKind::Rsa2048) => f.write_str("rsa 2048, curve25519"),
        }
    }
}
