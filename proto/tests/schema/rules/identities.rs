//! Rules of identities.

use proto::v1::identity::Kind;
use proto::*;

use super::Rules;

fn message(kind: Kind) -> v1::Identity {
    v1::Identity { kind: Some(kind) }
}

#[test]
fn of_identities() {
    let many = "x".repeat(256);
    let not_hosts = format!("fqdn: \"{}... is not a domain name", "x".repeat(63));
    Rules::of(message(Kind::Fqdn("acme.example".into())))
        .broken(
            "an address has 4 or 16 octets",
            message(Kind::Address(vec![1, 2, 3])),
            "address: [1, 2, 3] is not an address of 4 or 16 octets",
        )
        .broken(
            "a domain name is not empty",
            message(Kind::Fqdn(String::new())),
            r#"fqdn: "" is not a domain name"#,
        )
        .broken(
            "a domain name has no blanks",
            message(Kind::Fqdn("a b".into())),
            r#"fqdn: "a b" is not a domain name"#,
        )
        .broken("a domain name is not long", message(Kind::Fqdn(many)), &not_hosts)
        .broken(
            "a mail address has a user and a domain",
            message(Kind::Rfc822("nobody".into())),
            r#"rfc822: "nobody" is not an address like user@domain"#,
        )
        .broken(
            "a key ID is not empty",
            message(Kind::KeyId(vec![])),
            "key_id: [] is not 1 to 255 octets",
        )
        .broken(
            "a distinguished name is one in DER",
            message(Kind::DistinguishedName(vec![0x30, 0])),
            "distinguished_name: [48, 0] is not a distinguished name in DER",
        )
        .check::<Identity>();
}

#[test]
fn a_domain_name_is_kept_in_lower_case() {
    let identity = Identity::try_from(message(Kind::Fqdn("Acme.Example".into()))).unwrap();
    assert_eq!(identity.to_string(), "acme.example");
}
