//! X.509 certificates in IKE (RFC 4945): whom a tunnel trusts, and how the fleet proves who it is to its customer.

mod authorities;
mod chain;
mod fault;
mod identity;

use std::fmt;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, TrustAnchor};
use thiserror::Error;
use webpki::{CertRevocationList, EndEntityCert, OwnedCertRevocationList};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::crypto::{PublicKey, Signer};
use crate::{Identity, Secret};
use identity::subject;

pub(crate) use authorities::Authorities;
pub(crate) use chain::PeerChain;
pub use fault::CertificateFault;

/// Trust anchors of a tunnel. A customer has one authority, and two while one replaces the other.
const MAX_ANCHORS: usize = 8;

/// CRLs of a tunnel: one for each authority of a chain.
const MAX_CRLS: usize = 16;

/// The credentials of a tunnel whose sides prove who they are by certificates.
pub struct Certificates {
    anchors: Vec<TrustAnchor<'static>>,
    /// For each anchor what CERTREQ calls it (RFC 7296 section 3.7).
    authorities: Vec<[u8; 20]>,
    crls: Vec<CertRevocationList<'static>>,
    /// Ours, the end entity's first.
    chain: Vec<CertificateDer<'static>>,
    signer: Signer,
}

/// Why certificates cannot be those of a tunnel.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CredentialError {
    /// Without one, no customer could be believed.
    #[error("there is no certificate of an authority to trust")]
    NoAnchor,
    /// More than the bound, which it names.
    #[error("there are more than {0} {1}")]
    TooMany(usize, &'static str),
    /// It cannot be read.
    #[error("certificate {0} of the authorities to trust is malformed")]
    Anchor(usize),
    /// It cannot be read, or is of a kind that RFC 5280 section 5 leaves to others (delta, indirect, version 1).
    #[error("CRL {0} cannot be used: {1}")]
    Crl(usize, String),
    /// There is none, it cannot be read, or it is longer than a peer would look at.
    #[error("certificate {0} of our own chain is missing, malformed or too long")]
    Chain(usize),
    /// It cannot be read.
    #[error(
        "the private key is not RSA of 2048 to 8192 bits, ECDSA P-256 or P-384, or Ed25519, in PKCS#8, PKCS#1 or SEC1"
    )]
    Key,
    /// They belong to different pairs.
    #[error("the private key is not that of our own certificate")]
    OtherKey,
    /// Our own certificate is good from and until then, and not now.
    #[error("our own certificate is good from {from} to {until}, and not now")]
    OutOfTime {
        /// In words.
        from: String,
        /// In words.
        until: String,
    },
    /// Our own certificate cannot prove it (RFC 4945 section 3.1).
    #[error("our own certificate is not for {0}")]
    NotOurs(Identity),
    /// No certificate holds an opaque key id (RFC 4945 section 3.1.7).
    #[error("no certificate can be for {0}")]
    NotProvable(Identity),
}

impl Certificates {
    /// `anchors` are the certificates of authorities whose customers are believed, `crls` their lists of revoked
    /// certificates, `chain` is our own certificate and the intermediate ones above it, all in DER, and `key` the private
    /// key of the first, in PKCS#8, PKCS#1 (RSA) or SEC1 (ECDSA).
    ///
    /// With any CRL at all, there must be a current one of each authority in a customer's chain.
    pub fn new(
        anchors: &[Vec<u8>],
        crls: &[Vec<u8>],
        chain: &[Vec<u8>],
        key: &Secret,
    ) -> Result<Self, CredentialError> {
        let anchors = read_anchors(anchors)?;
        let signer = Signer::read(key).ok_or(CredentialError::Key)?;
        let certificates = Self {
            authorities: anchors.iter().map(authorities::key_hash).collect(),
            anchors,
            crls: read_crls(crls)?,
            chain: read_chain(chain)?,
            signer,
        };
        let spki = certificates.end_entity()?.subject_public_key_info();
        match PublicKey::read(&spki) == Some(certificates.signer.public_key()) {
            true => Ok(certificates),
            false => Err(CredentialError::OtherKey),
        }
    }

    /// Whether a tunnel between these two can be had with them at this time, since the beginning of 1970.
    pub fn check(
        &self,
        remote_id: &Identity,
        local_id: &Identity,
        unix_time: Duration,
    ) -> Result<(), CredentialError> {
        let (_, ours) = X509Certificate::from_der(&self.chain[0]).map_err(|_| CredentialError::Chain(1))?;
        let now = i64::try_from(unix_time.as_secs()).unwrap_or(i64::MAX);
        let validity = ours.validity();
        if !(validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&now) {
            return Err(CredentialError::OutOfTime {
                from: validity.not_before.to_string(),
                until: validity.not_after.to_string(),
            });
        }
        if matches!(remote_id, Identity::KeyId(_)) {
            return Err(CredentialError::NotProvable(remote_id.clone()));
        }
        let is_ours = match local_id {
            Identity::DistinguishedName(_) => *local_id == self.subject(),
            local_id => identity::is_for(&self.chain[0], local_id),
        };
        match is_ours {
            true => Ok(()),
            false => Err(CredentialError::NotOurs(local_id.clone())),
        }
    }

    /// The subject of our own certificate, its octets as they stand there (RFC 4945 section 3.1.5).
    pub fn subject(&self) -> Identity {
        Identity::DistinguishedName(subject(&self.chain[0]).unwrap_or_default())
    }

    /// Ours, the end entity's first, in DER.
    pub(crate) fn chain(&self) -> impl Iterator<Item = &[u8]> {
        self.chain.iter().map(AsRef::as_ref)
    }

    pub(crate) fn signer(&self) -> &Signer {
        &self.signer
    }

    fn end_entity(&self) -> Result<EndEntityCert<'_>, CredentialError> {
        let first = self.chain.first().ok_or(CredentialError::Chain(1))?;
        EndEntityCert::try_from(first).map_err(|_| CredentialError::Chain(1))
    }
}

fn read_anchors(anchors: &[Vec<u8>]) -> Result<Vec<TrustAnchor<'static>>, CredentialError> {
    if anchors.is_empty() {
        return Err(CredentialError::NoAnchor);
    }
    bound(anchors, MAX_ANCHORS, "authorities to trust")?;
    let read = |(index, der): (usize, &Vec<u8>)| {
        let der = CertificateDer::from(der.as_slice());
        let anchor = webpki::anchor_from_trusted_cert(&der);
        anchor
            .map(|anchor| anchor.to_owned())
            .map_err(|_| CredentialError::Anchor(index + 1))
    };
    anchors.iter().enumerate().map(read).collect()
}

fn read_crls(crls: &[Vec<u8>]) -> Result<Vec<CertRevocationList<'static>>, CredentialError> {
    bound(crls, MAX_CRLS, "CRLs")?;
    let read = |(index, der): (usize, &Vec<u8>)| {
        OwnedCertRevocationList::from_der(der)
            .map(CertRevocationList::Owned)
            .map_err(|error| CredentialError::Crl(index + 1, error.to_string()))
    };
    crls.iter().enumerate().map(read).collect()
}

fn read_chain(chain: &[Vec<u8>]) -> Result<Vec<CertificateDer<'static>>, CredentialError> {
    bound(chain, chain::MAX_CERTIFICATES, "certificates in our own chain")?;
    let read = |(index, der): (usize, &Vec<u8>)| {
        let der = CertificateDer::from(der.clone());
        match EndEntityCert::try_from(&der) {
            Ok(_) if der.len() <= chain::MAX_LEN => Ok(der),
            _ => Err(CredentialError::Chain(index + 1)),
        }
    };
    chain.iter().enumerate().map(read).collect()
}

fn bound(items: &[Vec<u8>], most: usize, what: &'static str) -> Result<(), CredentialError> {
    match items.len() > most {
        true => Err(CredentialError::TooMany(most, what)),
        false => Ok(()),
    }
}

/// Whose they are is enough for a log.
impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "certificates of {}, {:?}, {} authorities, {} CRLs",
            self.subject(),
            self.signer,
            self.anchors.len(),
            self.crls.len()
        )
    }
}
