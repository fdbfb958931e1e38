//! When two identities are the same.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use super::Identity;
use super::distinguished_name::{self, CanonicalName};

/// A form in which the same names are equal, and no others. Equality, order and hash all go by it, so they agree.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Canonical<'a> {
    Address(IpAddr),
    /// Host names have no case (RFC 4343), ...
    Fqdn(Cow<'a, str>),
    /// ... and neither have the domains of mail addresses. Whether users have, only their host knows (RFC 5321 section 2.4).
    Rfc822(&'a str, Option<Cow<'a, str>>),
    KeyId(&'a [u8]),
    DistinguishedName(CanonicalName),
    /// What is no name is equal to itself.
    NoName(&'a [u8]),
}

fn lower_case(text: &str) -> Cow<'_, str> {
    match text.bytes().any(|c| c.is_ascii_uppercase()) {
        true => Cow::Owned(text.to_ascii_lowercase()),
        false => Cow::Borrowed(text),
    }
}

impl Identity {
    fn canonical(&self) -> Canonical<'_> {
        match self {
            Self::Address(address) => Canonical::Address(*address),
            Self::Fqdn(name) => Canonical::Fqdn(lower_case(name)),
            Self::Rfc822(mail) => match mail.rsplit_once('@') {
                Some((user, domain)) => Canonical::Rfc822(user, Some(lower_case(domain))),
                None => Canonical::Rfc822(mail, None),
            },
            Self::KeyId(octets) => Canonical::KeyId(octets),
            Self::DistinguishedName(der) => match distinguished_name::canonical(der) {
                Some(name) => Canonical::DistinguishedName(name),
                None => Canonical::NoName(der),
            },
        }
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.canonical() == other.canonical()
    }
}

impl Eq for Identity {}

impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.canonical().hash(state);
    }
}

impl PartialOrd for Identity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Identity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.canonical().cmp(&other.canonical())
    }
}

#[cfg(test)]
mod tests {
    use std::hash::DefaultHasher;

    use proptest::prelude::*;

    use super::*;

    fn fqdn(name: &str) -> Identity {
        Identity::Fqdn(name.into())
    }

    fn mail(name: &str) -> Identity {
        Identity::Rfc822(name.into())
    }

    fn read(text: &str) -> Identity {
        text.parse().unwrap()
    }

    fn key_id(octets: &[u8]) -> Identity {
        Identity::KeyId(octets.to_vec())
    }

    fn hash(identity: &Identity) -> u64 {
        let mut hasher = DefaultHasher::new();
        identity.hash(&mut hasher);
        hasher.finish()
    }

    /// In DER: one attribute `CN` with `value`, in a string of type `tag`.
    fn common_name(tag: u8, value: &[u8]) -> Identity {
        use crate::der::{OBJECT_IDENTIFIER, SEQUENCE, SET, element};
        let pair = [element(OBJECT_IDENTIFIER, &[0x55, 4, 3]), element(tag, value)];
        let set = element(SET, &element(SEQUENCE, &pair.concat()));
        Identity::DistinguishedName(element(SEQUENCE, &set))
    }

    const UTF8: u8 = 0x0c;
    const PRINTABLE: u8 = 0x13;
    const BMP: u8 = 0x1e;

    #[test]
    fn identities_are_the_same_by_kind_and_by_the_rules_of_their_kind() {
        let address = Identity::Address("192.0.2.1".parse().unwrap());
        for (a, b, same) in [
            (fqdn("cpe.example"), fqdn("CPE.Example"), true),
            (fqdn("cpe.example"), fqdn("cpe.example."), false),
            (mail("Ann@Example.org"), mail("Ann@example.ORG"), true),
            (mail("Ann@example.org"), mail("ann@example.org"), false),
            (mail("a@X@y"), mail("a@X@Y"), true),
            (mail("a@X@y"), mail("a@x@y"), false),
            (mail("ann"), mail("ann@"), false),
            (fqdn("a@b"), mail("a@b"), false),
            (key_id(b"K"), key_id(b"K"), true),
            (key_id(b"K"), key_id(b"k"), false),
            (address.clone(), address.clone(), true),
            (address, fqdn("192.0.2.1"), false),
        ] {
            assert_eq!(a == b, same, "{a:?} {b:?}");
            assert_eq!(b == a, same, "{b:?} {a:?}");
        }
    }

    #[test]
    fn distinguished_names_are_the_same_whatever_the_case_of_their_text() {
        for (a, b, same) in [
            (
                read("C=CH, O=Acme, CN=cpe.example"),
                read("C=CH, O=ACME, CN=CPE.example"),
                true,
            ),
            (read("CN=a  b"), read("CN=A b"), true),
            (read("CN=a b"), read("CN=ab"), false),
            (read("CN=a"), read("O=a"), false),
            (read("CN=a, O=b"), read("O=b, CN=a"), false),
            (common_name(UTF8, b"Cpe"), common_name(PRINTABLE, b"cPE"), true),
            (common_name(BMP, b"\0A"), common_name(BMP, b"\0a"), false),
            (common_name(BMP, b"\0a"), common_name(UTF8, b"\0a"), false),
            (
                Identity::DistinguishedName(b"X".to_vec()),
                Identity::DistinguishedName(b"x".to_vec()),
                false,
            ),
        ] {
            assert_eq!(a == b, same, "{a:?} {b:?}");
            assert_eq!(b == a, same, "{b:?} {a:?}");
        }
    }

    /// Few letters, so that many of any three are the same.
    fn any_identity() -> impl Strategy<Value = Identity> {
        let tag = prop_oneof![Just(UTF8), Just(PRINTABLE), Just(BMP)];
        prop_oneof![
            "[aA.]{1,2}".prop_map(Identity::Fqdn),
            "[aA@]{0,3}".prop_map(Identity::Rfc822),
            prop::collection::vec(prop_oneof![Just(b'a'), Just(b'A')], 0..3).prop_map(Identity::KeyId),
            (tag, "[aA ]{0,2}").prop_map(|(tag, text)| common_name(tag, text.as_bytes())),
            prop::collection::vec(any::<u8>(), 0..3).prop_map(Identity::DistinguishedName),
            prop_oneof![Just([192, 0, 2, 1]), Just([192, 0, 2, 2])]
                .prop_map(|octets| Identity::Address(octets.into())),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn equality_is_an_equivalence_with_which_order_and_hash_agree(
            a in any_identity(),
            b in any_identity(),
            c in any_identity(),
        ) {
            prop_assert!(a == a.clone());
            prop_assert_eq!(a == b, b == a);
            prop_assert!(!(a == b && b == c) || a == c);

            prop_assert_eq!(a == b, a.cmp(&b) == Ordering::Equal);
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert!(!(a <= b && b <= c) || a <= c);

            prop_assert!(a != b || hash(&a) == hash(&b));
        }

        #[test]
        fn letters_that_have_no_case_make_no_other_identity(name in "[a-zA-Z0-9.-]{1,20}") {
            for make in [|name: &str| format!("ann@{name}"), |name: &str| format!("CN={name}")] {
                let [lower, upper] = [name.to_ascii_lowercase(), name.to_ascii_uppercase()].map(|it| read(&make(&it)));
                prop_assert_eq!(&lower, &upper);
                prop_assert_eq!(hash(&lower), hash(&upper));
            }
            prop_assert_eq!(fqdn(&name.to_ascii_lowercase()), fqdn(&name.to_ascii_uppercase()));
        }
    }
}
