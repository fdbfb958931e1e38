//! Tunnels as the responder takes them, their credentials opened.

use std::sync::Arc;

use ike::Secret;
use proto::{AuthMethod, Invalid, Sealed, TrafficSelector, TunnelCertificates, TunnelSecrets};
use sealing::{FleetKey, OpenError};
use thiserror::Error;

/// Why a tunnel's credentials cannot be used.
#[derive(Debug, Error)]
pub(crate) enum CredentialsError {
    /// They do not open.
    #[error(transparent)]
    Sealed(#[from] OpenError),
    /// What was sealed is not what the record's header says.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The certificates are none for a tunnel.
    #[error(transparent)]
    Certificates(#[from] ike::CredentialError),
}

/// A tunnel for the responder, its credentials opened.
pub(crate) fn tunnel(
    fleet_key: &FleetKey,
    sealed: &Sealed<proto::Tunnel>,
) -> Result<ike::Tunnel, CredentialsError> {
    let header = sealed.header();
    let (secret, ppk) = secrets(header.ppk.as_ref(), sealing::open_record(fleet_key, sealed)?)?;
    Ok(ike::Tunnel {
        name: String::from(&header.name),
        remote_id: header.remote_id.clone(),
        local_id: header.local_id.clone(),
        credentials: credentials(header.auth, secret)?,
        ppk,
        esp: header.esp.clone(),
        local_ts: header.local_ts.iter().map(TrafficSelector::from).collect(),
        remote_ts: header.remote_ts.iter().map(TrafficSelector::from).collect(),
        addresses: header.addresses.clone(),
        redirect: header.redirect.clone(),
    })
}

/// What the credentials are made of, and the PPK beside them.
fn secrets(ppk: Option<&proto::Ppk>, secret: Secret) -> Result<(Secret, Option<ike::Ppk>), Invalid> {
    let Some(header) = ppk else {
        return Ok((secret, None));
    };
    let TunnelSecrets { credentials, ppk } = TunnelSecrets::decode(secret.expose())?;
    let ppk = ike::Ppk {
        id: header.id.clone(),
        key: ppk,
        required: header.required,
    };
    Ok((credentials, Some(ppk)))
}

fn credentials(method: AuthMethod, secret: Secret) -> Result<ike::Credentials, CredentialsError> {
    Ok(match method {
        AuthMethod::Psk => ike::Credentials::Psk(secret),
        AuthMethod::Certificates => {
            let TunnelCertificates {
                anchors,
                crls,
                chain,
                key,
            } = TunnelCertificates::decode(secret.expose())?;
            let certificates = ike::Certificates::new(&anchors, &crls, &chain, &key)?;
            ike::Credentials::Certificates(Arc::new(certificates))
        }
    })
}

#[cfg(test)]
mod tests;
