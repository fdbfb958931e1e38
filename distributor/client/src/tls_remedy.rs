//! What to do about certificates that a TLS handshake has failed over.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError, Error as TlsError};

/// What to do when `error`, or a cause of it, is a handshake that failed since one side did not accept the other's
/// certificate. Both sides say the same.
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "rustls has many errors, and most have no remedy"
)]
pub fn tls_remedy(error: &(dyn Error + 'static)) -> Option<&'static str> {
    match tls_error(error)? {
        // Authorities of one name tell themselves apart by their keys.
        TlsError::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            Some(
                "the other side's certificate is not from the authority in the file that `ca` names on this side; the whole fleet \
             needs the ca.pem of one `anyswan pki init`",
            )
        }
        TlsError::AlertReceived(AlertDescription::UnknownCA | AlertDescription::DecryptError) => Some(
            "this side's certificate is not from the authority in the file that `ca` names on the other side; the whole fleet \
             needs the ca.pem of one `anyswan pki init`",
        ),
        TlsError::AlertReceived(AlertDescription::CertificateExpired) => Some(
            "this side's certificate has expired, or the clocks differ; `anyswan pki issue` makes the next one",
        ),
        _ => None,
    }
}

/// An I/O error hides the error that it carries from the chain of sources.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a TlsError> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(carried) => tls_error(carried),
        None => tls_error(error.source()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_below_what_carries_it() {
        let alert = TlsError::AlertReceived(AlertDescription::UnknownCA);
        let inner = io::Error::other(alert);
        let outer = io::Error::other(inner);
        assert!(tls_remedy(&outer).unwrap().contains("on the other side"));
        let other = io::Error::other(TlsError::HandshakeNotComplete);
        assert_eq!(tls_remedy(&other), None);
    }
}
