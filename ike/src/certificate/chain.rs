//! From the certificates a peer sends to a trust anchor of the tunnel (RFC 5280 section 6, RFC 4945 section 5.1).

use std::net::IpAddr;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{
    EndEntityCert, Error, ExpirationPolicy, ExtendedKeyUsageValidator, KeyPurposeId, KeyPurposeIdIter,
    KeyUsage, RequiredEkuNotFoundContext, RevocationCheckDepth, RevocationOptions, RevocationOptionsBuilder,
    UnknownStatusPolicy, VerifiedPath,
};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::KeyUsage as UsageBits;
use x509_parser::prelude::FromDer;

use super::{CertificateFault, Certificates, identity};
use crate::Identity;
use crate::wire::Certificate;

/// Certificates of one side: its own, three intermediate ones, and the anchor's, which some send along.
pub(super) const MAX_CERTIFICATES: usize = 5;

/// Octets of one. With an RSA key of 4096 bits and a good many names it has 3,000.
pub(super) const MAX_LEN: usize = 8192;

/// How certificates and CRLs may be signed: by whatever AUTH may, with SHA-2 only.
const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    webpki::ring::ECDSA_P256_SHA256,
    webpki::ring::ECDSA_P256_SHA384,
    webpki::ring::ECDSA_P384_SHA256,
    webpki::ring::ECDSA_P384_SHA384,
    webpki::ring::ED25519,
    webpki::ring::RSA_PKCS1_2048_8192_SHA256,
    webpki::ring::RSA_PKCS1_2048_8192_SHA384,
    webpki::ring::RSA_PKCS1_2048_8192_SHA512,
    webpki::ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    webpki::ring::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    webpki::ring::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];

/// id-kp-ipsecIKE (RFC 4945 section 5.1.3.12).
const IPSEC_IKE: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x11];

/// anyExtendedKeyUsage (RFC 5280 section 4.2.1.12).
const ANY_PURPOSE: &[u8] = &[0x55, 0x1d, 0x25, 0x00];

/// What a peer sent in its CERT payloads: nothing of it is checked yet but its size.
#[derive(Debug)]
pub(crate) struct PeerChain<'a> {
    end_entity: CertificateDer<'a>,
    /// Of several with one subject the first only: so there is one path at most to each anchor, and the work is bounded by
    /// the number of certificates, whatever they say of each other.
    intermediates: Vec<CertificateDer<'a>>,
}

impl<'a> PeerChain<'a> {
    /// "The first certificate MUST contain the public key associated with the private key used to sign the AUTH payload.
    /// The other certificates may be sent in any order" (RFC 7296 section 3.6). Those of another encoding are passed over.
    pub(crate) fn read(payloads: &[Certificate<'a>]) -> Result<Self, CertificateFault> {
        let sent = payloads
            .iter()
            .filter(|payload| payload.encoding == Certificate::X509);
        if sent.clone().count() > MAX_CERTIFICATES {
            return Err(CertificateFault::TooMany(MAX_CERTIFICATES));
        }
        if let Some(long) = sent.clone().find(|payload| payload.data.len() > MAX_LEN) {
            return Err(CertificateFault::TooLong(long.data.len()));
        }
        let mut ders = sent.map(|payload| CertificateDer::from(payload.data));
        let end_entity = ders.next().ok_or(CertificateFault::Missing)?;
        let mut subjects = Vec::new();
        let mut intermediates = Vec::new();
        for der in ders {
            let subject = parse(&der)?.subject().to_vec();
            if !subjects.contains(&subject) {
                subjects.push(subject);
                intermediates.push(der);
            }
        }
        Ok(Self {
            end_entity,
            intermediates,
        })
    }

    /// The public key of the peer, if an authority of the tunnel's vouches for its being `identity`. `unix_time` is the
    /// time since 1970; `from` the address the peer speaks from. Gives a SubjectPublicKeyInfo in DER.
    pub(crate) fn key_of(
        &self,
        identity: &Identity,
        from: IpAddr,
        trust: &Certificates,
        unix_time: Duration,
    ) -> Result<Vec<u8>, CertificateFault> {
        let end_entity = parse(&self.end_entity)?;
        self.check_path(&end_entity, trust, unix_time)?;
        if !usage_allows(&self.end_entity, |usage| {
            usage.digital_signature() || usage.non_repudiation()
        }) {
            return Err(CertificateFault::KeyUsage);
        }
        if !identity::is_for(&self.end_entity, identity) {
            return Err(CertificateFault::OtherIdentity(identity.clone()));
        }
        match identity {
            Identity::Address(address) if *address != from => Err(CertificateFault::OtherAddress(*address)),
            _ => Ok(end_entity.subject_public_key_info().to_vec()),
        }
    }

    fn check_path(
        &self,
        end_entity: &EndEntityCert<'_>,
        trust: &Certificates,
        unix_time: Duration,
    ) -> Result<(), CertificateFault> {
        let crls: Vec<_> = trust.crls.iter().collect();
        let path = end_entity.verify_for_usage(
            ALGORITHMS,
            &trust.anchors,
            &self.intermediates,
            UnixTime::since_unix_epoch(unix_time),
            IkePurpose,
            revocation(&crls),
            None,
        );
        let path = path.map_err(|error| CertificateFault::Path(describe(&error)))?;
        match authorities_may_sign(&path) {
            true => Ok(()),
            false => Err(CertificateFault::AuthorityKeyUsage),
        }
    }
}

fn parse<'c>(der: &'c CertificateDer<'c>) -> Result<EndEntityCert<'c>, CertificateFault> {
    EndEntityCert::try_from(der).map_err(|_| CertificateFault::Malformed)
}

/// With CRLs, each certificate of the path has to be covered by one that has not run out: silence about it might be that
/// of a list that nobody has brought up to date.
fn revocation<'c>(crls: &'c [&'c webpki::CertRevocationList<'c>]) -> Option<RevocationOptions<'c>> {
    let options = RevocationOptionsBuilder::new(crls).ok()?;
    Some(
        options
            .with_depth(RevocationCheckDepth::Chain)
            .with_status_policy(UnknownStatusPolicy::Deny)
            .with_expiration_policy(ExpirationPolicy::Enforce)
            .build(),
    )
}

/// keyCertSign, which webpki leaves to its caller (RFC 5280 section 6.1.4 (n)).
fn authorities_may_sign(path: &VerifiedPath<'_>) -> bool {
    path.intermediate_certificates()
        .all(|authority| usage_allows(&authority.der(), UsageBits::key_cert_sign))
}

/// A certificate without the extension is for everything.
fn usage_allows(certificate: &CertificateDer<'_>, allows: impl Fn(&UsageBits) -> bool) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return false;
    };
    certificate
        .key_usage()
        .is_ok_and(|usage| usage.is_none_or(|usage| allows(usage.value)))
}

/// RFC 4945 section 5.1.3.12: a certificate that says what it is for must be for IKE, or for anything.
struct IkePurpose;

impl ExtendedKeyUsageValidator for IkePurpose {
    fn validate(&self, purposes: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        let mut says_something = false;
        for purpose in purposes {
            let purpose = purpose?;
            if [IPSEC_IKE, ANY_PURPOSE].map(KeyPurposeId::new).contains(&purpose) {
                return Ok(());
            }
            says_something = true;
        }
        match says_something {
            true => Err(Error::RequiredEkuNotFoundContext(RequiredEkuNotFoundContext {
                required: KeyUsage::required_if_present(IPSEC_IKE),
                present: Vec::new(),
            })),
            false => Ok(()),
        }
    }
}

/// For the operator.
fn describe(error: &Error) -> String {
    match error {
        Error::CertExpired { .. } => "a certificate has expired".into(),
        Error::CertNotValidYet { .. } => "a certificate is not valid yet".into(),
        Error::CertRevoked => "a certificate is revoked".into(),
        Error::UnknownRevocationStatus => "no CRL tells whether a certificate is revoked".into(),
        Error::CrlExpired { .. } => "a CRL has expired".into(),
        Error::UnknownIssuer => "no trusted authority has issued the certificate".into(),
        Error::InvalidSignatureForPublicKey => "a certificate is not signed by the authority it names".into(),
        Error::CaUsedAsEndEntity => "the peer's certificate is one of an authority".into(),
        Error::EndEntityUsedAsCa => "a certificate was issued by one that is no authority's".into(),
        Error::EmptyEkuExtension | Error::RequiredEkuNotFoundContext(_) => {
            "a certificate's extended key usage is not for IKE (RFC 4945 section 5.1.3.12)".into()
        }
        other => format!("the certificates form no valid path: {other}"),
    }
}
