//! Identities as people write and read them.

use std::fmt;
use std::str::FromStr;

use super::{Identity, distinguished_name, domain_name, key_id, mail_address};
use crate::Invalid;
use crate::hex::{self, Hex};

/// In front of hexadecimal octets: the first is what is written.
const KEY_ID_PREFIXES: [&str; 2] = ["keyid:", "key-id:"];

impl FromStr for Identity {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        if let Some(digits) = KEY_ID_PREFIXES.iter().find_map(|it| text.strip_prefix(it)) {
            let octets = hex::decode(digits);
            return key_id(octets.ok_or_else(|| Invalid::new("key_id", digits, "is not hexadecimal"))?);
        }
        if distinguished_name::is_like(text) {
            return distinguished_name::parse(text).map(Self::DistinguishedName);
        }
        if text.contains('@') {
            return mail_address(text.to_owned());
        }
        // What an operator wrote: a mistyped address, or a wildcard, which would match nobody.
        let is_mistyped =
            text.contains(['*', '%', '/']) || text.bytes().all(|c| c.is_ascii_digit() || c == b'.');
        match is_mistyped {
            true => Err(Invalid::new("identity", text, "is neither an address nor a name")),
            false => domain_name(text),
        }
    }
}

/// As a command takes it. What only a peer can have chosen, since no tunnel is for it, is escaped for logs.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Fqdn(text) | Self::Rfc822(text) => match text.bytes().all(|c| c.is_ascii_graphic()) {
                true => f.write_str(text),
                false => write!(f, "{}", text.escape_debug()),
            },
            Self::KeyId(octets) => write!(f, "{}{}", KEY_ID_PREFIXES[0], Hex(octets)),
            Self::DistinguishedName(der) => distinguished_name::write(der, f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_is_read_by_either_prefix() {
        for text in ["keyid:00ff", "key-id:00ff", "key-id:00FF"] {
            let identity: Identity = text.parse().unwrap();
            assert!(matches!(&identity, Identity::KeyId(octets) if *octets == [0, 0xff]));
            assert_eq!(identity.to_string(), "keyid:00ff");
        }
        for text in ["keyid:0", "key-id:0g", "keyid:"] {
            assert!(text.parse::<Identity>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        for text in [
            "192.0.2.1",
            "2001:db8::1",
            "cpe.example",
            "Ann.O'Neil\\x@Example.org",
            "keyid:00ff",
            "C=CH, O=Acme\\, Inc., CN=cpe.example",
        ] {
            let identity: Identity = text.parse().unwrap();
            assert_eq!(identity.to_string(), text);
            assert_eq!(identity.clone().validated().unwrap().to_string(), text);
        }
        assert_eq!(
            "Acme.Example".parse::<Identity>().unwrap().to_string(),
            "acme.example"
        );
    }

    #[test]
    fn what_a_peer_chose_freely_ends_no_line_of_a_log() {
        for (identity, shown) in [
            (Identity::Fqdn("a\nb".into()), "a\\nb"),
            (
                Identity::Rfc822("a\" id=\"b\u{202e}@c".into()),
                "a\\\" id=\\\"b\\u{202e}@c",
            ),
            (Identity::DistinguishedName(b"\n".to_vec()), "no-name:0a"),
        ] {
            assert_eq!(identity.to_string(), shown);
            assert!(identity.validated().is_err());
        }
    }

    #[test]
    fn what_is_mistyped_is_no_identity() {
        for text in ["10.0.0.300", "1.2.3", "*", "*.example", "%any", "/C=CH/CN=a"] {
            let error = text.parse::<Identity>().unwrap_err().to_string();
            assert_eq!(
                error,
                format!("identity: {text:?} is neither an address nor a name")
            );
        }
    }
}
