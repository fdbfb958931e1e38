//! Distinguished names (RFC 5280 section 4.1.2.4): DER on the wire, `C=CH, O=Acme, CN=cpe.example` for people.
//!
//! The text has the attributes in the order of the certificate, as most tools print them, and not in that of RFC 4514.

use std::fmt;

use x509_parser::asn1_rs::Tag;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use crate::der::{OBJECT_IDENTIFIER, SEQUENCE, SET, element};
use crate::hex::Hex;
use crate::{Invalid, limits};

const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const IA5_STRING: u8 = 0x16;

/// A kind of attribute: what people call it, its object identifier in DER, and the type that RFC 5280 appendix A.1 gives
/// its values.
struct Attribute {
    name: &'static str,
    oid: &'static [u8],
    string: u8,
}

const fn attribute(name: &'static str, oid: &'static [u8], string: u8) -> Attribute {
    Attribute { name, oid, string }
}

/// Those of RFC 4514 section 3, and what is usual besides.
const ATTRIBUTES: [Attribute; 11] = [
    attribute("C", &[0x55, 0x04, 0x06], PRINTABLE_STRING),
    attribute("ST", &[0x55, 0x04, 0x08], UTF8_STRING),
    attribute("L", &[0x55, 0x04, 0x07], UTF8_STRING),
    attribute("O", &[0x55, 0x04, 0x0a], UTF8_STRING),
    attribute("OU", &[0x55, 0x04, 0x0b], UTF8_STRING),
    attribute("CN", &[0x55, 0x04, 0x03], UTF8_STRING),
    attribute("serialNumber", &[0x55, 0x04, 0x05], PRINTABLE_STRING),
    attribute("street", &[0x55, 0x04, 0x09], UTF8_STRING),
    attribute(
        "DC",
        &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19],
        IA5_STRING,
    ),
    attribute(
        "UID",
        &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01],
        UTF8_STRING,
    ),
    attribute(
        "E",
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01],
        IA5_STRING,
    ),
];

/// Whether the text begins like one: with the name of an attribute.
pub(super) fn is_like(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| find(name).is_some())
}

fn find(name: &str) -> Option<&'static Attribute> {
    let name = name.trim();
    ATTRIBUTES
        .iter()
        .find(|attribute| attribute.name.eq_ignore_ascii_case(name))
}

/// The name in DER, checked.
pub(super) fn check(der: Vec<u8>) -> Result<Vec<u8>, Invalid> {
    let is_name =
        X509Name::from_der(&der).is_ok_and(|(rest, name)| rest.is_empty() && name.iter().count() > 0);
    match is_name && der.len() <= limits::DISTINGUISHED_NAME {
        true => Ok(der),
        false => Err(Invalid::new(
            "distinguished_name",
            der,
            "is not a distinguished name in DER",
        )),
    }
}

/// Reads attributes with commas between them; `\` takes its meaning from the character behind it.
pub(super) fn parse(text: &str) -> Result<Vec<u8>, Invalid> {
    let wrong = |rule: &str| Invalid::new("distinguished_name", text, rule);
    let mut names = Vec::new();
    for part in split(text) {
        let (name, value) = part.split_once('=').ok_or_else(|| wrong("lacks a `=`"))?;
        let attribute = find(name).ok_or_else(|| {
            wrong("has an attribute that is not C, ST, L, O, OU, CN, serialNumber, street, DC, UID or E")
        })?;
        let value = unescape(value.trim());
        if value.is_empty() || (attribute.string != UTF8_STRING && !value.is_ascii()) {
            return Err(wrong("has a value that its attribute cannot have"));
        }
        let pair = [
            element(OBJECT_IDENTIFIER, attribute.oid),
            element(attribute.string, value.as_bytes()),
        ];
        names.extend(element(SET, &element(SEQUENCE, &pair.concat())));
    }
    check(element(SEQUENCE, &names))
}

/// The parts between commas that no `\` precedes.
fn split(text: &str) -> Vec<&str> {
    let mut is_escaped = false;
    text.split(|c: char| {
        let ends = c == ',' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    })
    .collect()
}

fn unescape(value: &str) -> String {
    let mut is_escaped = false;
    let kept = value.chars().filter(|c| {
        is_escaped = *c == '\\' && !is_escaped;
        !is_escaped
    });
    kept.collect()
}

/// A form in which names are equal that differ in the type of their strings, in case and in white space (RFC 5280
/// section 7.1), so that a name an operator wrote down finds the peer's: another kind of string would be hard to see.
///
/// It is not good enough to compare with a certificate (RFC 4945 section 3.1.5).
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CanonicalName(Vec<Vec<(Vec<u8>, Value)>>);

/// What an attribute holds, behind its object identifier.
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Value {
    /// In lower case, with single spaces between words.
    Text(Vec<u8>),
    /// A type of string without ASCII, or no string at all: the tag and the octets.
    Other(u32, Vec<u8>),
}

/// `None` for what is no name.
pub(super) fn canonical(der: &[u8]) -> Option<CanonicalName> {
    let (rest, name) = X509Name::from_der(der).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let relative_names = name.iter_rdn().map(|relative| {
        let attributes = relative.iter().map(|attribute| {
            let value = attribute.attr_value();
            let value = match value.tag() {
                Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::T61String => {
                    Value::Text(canonical_text(value.data))
                }
                tag => Value::Other(tag.0, value.data.to_vec()),
            };
            (attribute.attr_type().as_bytes().to_vec(), value)
        });
        // A set: DER orders it by octets that mean nothing here.
        let mut attributes: Vec<_> = attributes.collect();
        attributes.sort_unstable();
        attributes
    });
    Some(CanonicalName(relative_names.collect()))
}

fn canonical_text(text: &[u8]) -> Vec<u8> {
    let words = text
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ').to_ascii_lowercase()
}

/// Writes what [`parse`] reads; of names that it cannot make (several attributes in one place, other kinds of them) as
/// much as people need to recognise them.
pub(super) fn write(der: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Ok((_, name)) = X509Name::from_der(der) else {
        return write!(f, "no-name:{}", Hex(der));
    };
    for (index, relative) in name.iter_rdn().enumerate() {
        f.write_str(if index == 0 { "" } else { ", " })?;
        for (index, pair) in relative.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { " + " })?;
            let oid = pair.attr_type();
            match ATTRIBUTES
                .iter()
                .find(|attribute| attribute.oid == oid.as_bytes())
            {
                Some(attribute) => f.write_str(attribute.name)?,
                None => f.write_str(&oid.to_id_string())?,
            }
            write!(f, "={}", escape(&String::from_utf8_lossy(pair.as_slice())))?;
        }
    }
    Ok(())
}

/// So that commas end no attribute, and nothing that a peer chose confuses a log.
fn escape(value: &str) -> String {
    let mut escaped = String::new();
    let mut shown = value.escape_debug();
    while let Some(c) = shown.next() {
        match c {
            ',' => escaped.push_str("\\,"),
            // Quotes end nothing here.
            '\\' => match shown.next() {
                Some(quote @ ('"' | '\'')) => escaped.push(quote),
                next => escaped.extend(['\\'].into_iter().chain(next)),
            },
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identity;

    #[test]
    fn text_becomes_der_and_text_again() {
        let short = "CN=cpe";
        assert_eq!(
            parse(short).unwrap(),
            [
                &[0x30, 14, 0x31, 12, 0x30, 10, 0x06, 3, 0x55, 4, 3, 0x0c, 3][..],
                b"cpe"
            ]
            .concat()
        );
        for (text, shown) in [
            (short, short),
            ("CN=\"O'Neil\" e\u{301}", "CN=\"O'Neil\" e\u{301}"),
            (
                "c=CH,o=Acme\\, Inc.,cn=Zürich \\\\ 1",
                "C=CH, O=Acme\\, Inc., CN=Zürich \\\\ 1",
            ),
            (
                "DC=example, OU=Routers, E=ann@acme.example",
                "DC=example, OU=Routers, E=ann@acme.example",
            ),
        ] {
            let identity: Identity = text.parse().unwrap();
            assert!(matches!(identity, Identity::DistinguishedName(_)), "{identity:?}");
            assert_eq!(identity.to_string(), shown);
            assert_eq!(shown.parse::<Identity>().unwrap(), identity);
        }
        let long = format!("CN={}", "x".repeat(300));
        assert_eq!(long.parse::<Identity>().unwrap().to_string(), long);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = format!("CN={}", "x".repeat(limits::DISTINGUISHED_NAME));
        for text in ["CN=", "CN=a, b", "CN=a, X=b", "C=Zürich", "CN=a,", &long] {
            assert!(text.parse::<Identity>().is_err(), "{text}");
        }
        for der in [&[][..], &[0x30, 0], &[0x30, 1], &[0x04, 1, 1], &[0x30, 0, 0]] {
            assert!(check(der.to_vec()).is_err(), "{der:?}");
        }
    }
}
