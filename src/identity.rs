//! Identities between the words of `ike` and those of the fleet's schema.

use proto::Invalid;

/// The schema's own parser decides what is a name; a customer's certificate or key may hold any octets.
pub(crate) fn from_ike(identity: &ike::Identity) -> Result<proto::Identity, Invalid> {
    let kind = match identity {
        ike::Identity::Address(address) => return Ok(proto::Identity::Address(*address)),
        ike::Identity::Fqdn(name) => proto::v1::identity::Kind::Fqdn(name.clone()),
        ike::Identity::Rfc822(mail) => proto::v1::identity::Kind::Rfc822(mail.clone()),
        ike::Identity::KeyId(octets) => proto::v1::identity::Kind::KeyId(octets.clone()),
        ike::Identity::DistinguishedName(der) => proto::v1::identity::Kind::DistinguishedName(der.clone()),
    };
    proto::v1::Identity { kind: Some(kind) }.try_into()
}

/// For the responder.
pub(crate) fn to_ike(identity: &proto::Identity) -> ike::Identity {
    match identity {
        proto::Identity::Address(address) => ike::Identity::Address(*address),
        proto::Identity::Fqdn(name) => ike::Identity::Fqdn(name.clone()),
        proto::Identity::Rfc822(mail) => ike::Identity::Rfc822(mail.clone()),
        proto::Identity::KeyId(octets) => ike::Identity::KeyId(octets.clone()),
        proto::Identity::DistinguishedName(der) => ike::Identity::DistinguishedName(der.clone()),
    }
}
