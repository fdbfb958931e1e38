//! Who a certificate's holder is in the fleet.

use std::fmt;

use proto::Name;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Who a certificate's holder is in the fleet. It stands in the certificate as a URI among the subject's alternative
/// names (RFC 5280 section 4.2.1.6): `anyswan:edge:NAME`, `anyswan:operator:NAME` or `anyswan:distributor:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// May publish what carries its own slot, and gets every record.
    Edge(Name),
    /// May change tunnels, revoke, and see everything but the secrets.
    Operator(Name),
    /// Serves edges and operators.
    Distributor(Name),
}

const SCHEME: &str = "anyswan:";
const EDGE: &str = "edge";
const OPERATOR: &str = "operator";
const DISTRIBUTOR: &str = "distributor";

impl Role {
    /// The URI for the certificate.
    pub fn to_uri(&self) -> String {
        let (kind, name) = self.parts();
        format!("{SCHEME}{kind}:{name}")
    }

    /// `None` for a URI that names no role.
    pub fn from_uri(uri: &str) -> Option<Self> {
        let (kind, name) = uri.strip_prefix(SCHEME)?.split_once(':')?;
        let name = name.parse().ok()?;
        match kind {
            EDGE => Some(Self::Edge(name)),
            OPERATOR => Some(Self::Operator(name)),
            DISTRIBUTOR => Some(Self::Distributor(name)),
            _ => None,
        }
    }

    /// The holder's name.
    pub fn name(&self) -> &Name {
        self.parts().1
    }

    /// Reads the role from a certificate in DER whose chain has been checked already.
    pub fn of_certificate(der: &[u8]) -> Result<Self, RoleError> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| RoleError::Malformed)?;
        let extension = certificate
            .subject_alternative_name()
            .map_err(|_| RoleError::Malformed)?;
        let names = extension
            .map(|extension| extension.value.general_names.as_slice())
            .unwrap_or_default();
        let mut uris = names.iter().filter_map(|name| {
            let GeneralName::URI(uri) = name else {
                return None;
            };
            uri.starts_with(SCHEME).then_some(*uri)
        });
        match (uris.next(), uris.next()) {
            (None, _) => Err(RoleError::None),
            (Some(_), Some(_)) => Err(RoleError::Several),
            (Some(uri), None) => Self::from_uri(uri).ok_or_else(|| RoleError::Unknown(uri.to_owned())),
        }
    }

    fn parts(&self) -> (&'static str, &Name) {
        match self {
            Self::Edge(name) => (EDGE, name),
            Self::Operator(name) => (OPERATOR, name),
            Self::Distributor(name) => (DISTRIBUTOR, name),
        }
    }
}

/// As people say it: `edge e1`.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = self.parts();
        write!(f, "{kind} {name}")
    }
}

/// Why a certificate names no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoleError {
    /// Not a certificate, or alternative names that cannot be read or come twice.
    #[error("the certificate cannot be read")]
    Malformed,
    /// No URI of ours.
    #[error("the certificate has no alternative name with an anyswan: URI")]
    None,
    /// More than one, so that it would depend on the reader who the holder is.
    #[error("the certificate has more than one anyswan: URI")]
    Several,
    /// One of ours with an unknown role or a malformed name.
    #[error("the certificate's URI {0:?} names no role")]
    Unknown(String),
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn certificate(uris: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::new(["host.example".to_owned()]).unwrap();
        params
            .subject_alt_names
            .extend(uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())));
        params
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .der()
            .to_vec()
    }

    #[test]
    fn a_role_survives_its_uri() {
        for uri in [
            "anyswan:edge:e1",
            "anyswan:operator:ann",
            "anyswan:distributor:d-1.example",
        ] {
            assert_eq!(Role::from_uri(uri).unwrap().to_uri(), uri);
        }
    }

    #[test]
    fn a_uri_that_only_resembles_one_is_none() {
        for uri in [
            "edge:e1",
            "anyswan:edge:",
            "anyswan:edge:a/b",
            "anyswan:root:e1",
            "Anyswan:edge:e1",
            "anyswan:edge",
        ] {
            assert_eq!(Role::from_uri(uri), None, "{uri}");
        }
    }

    #[test]
    fn a_certificate_names_exactly_one_role() {
        let edge = Role::Edge("e1".parse().unwrap());
        assert_eq!(
            Role::of_certificate(&certificate(&["https://e.example", "anyswan:edge:e1"])),
            Ok(edge)
        );
        assert_eq!(Role::of_certificate(&certificate(&[])), Err(RoleError::None));
        let both = ["anyswan:edge:e1", "anyswan:operator:e1"];
        assert_eq!(Role::of_certificate(&certificate(&both)), Err(RoleError::Several));
        let unknown = Err(RoleError::Unknown("anyswan:root:e1".to_owned()));
        assert_eq!(Role::of_certificate(&certificate(&["anyswan:root:e1"])), unknown);
        assert_eq!(
            Role::of_certificate(b"not a certificate"),
            Err(RoleError::Malformed)
        );
    }
}
