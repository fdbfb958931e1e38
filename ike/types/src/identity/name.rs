//! Distinguished names in DER (RFC 5280 section 4.1.2.4).

use x509_parser::asn1_rs::Tag;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

/// A form in which names are equal that differ in the type of their strings, in case and in white space (RFC 5280
/// section 7.1), so that a name an operator wrote down finds the peer's. `None` for what is no name.
///
/// It is not good enough to compare with a certificate (RFC 4945 section 3.1.5).
pub(super) fn folded(der: &[u8]) -> Option<Vec<u8>> {
    let (rest, name) = X509Name::from_der(der).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let mut folded = Vec::with_capacity(2 * der.len());
    for relative in name.iter_rdn() {
        folded.push(relative.iter().count() as u8);
        for attribute in relative.iter() {
            let value = attribute.attr_value();
            let is_text = matches!(
                value.tag(),
                Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::T61String
            );
            push(&mut folded, attribute.attr_type().as_bytes());
            match is_text {
                true => push(&mut folded, &folded_text(value.data)),
                false => push(&mut folded, value.data),
            }
        }
    }
    Some(folded)
}

/// With its length in front, so that no value can pass for two.
fn push(folded: &mut Vec<u8>, part: &[u8]) {
    folded.extend_from_slice(&(part.len() as u32).to_be_bytes());
    folded.extend_from_slice(part);
}

/// In lower case, with single spaces between words.
fn folded_text(text: &[u8]) -> Vec<u8> {
    let words = text
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ').to_ascii_lowercase()
}

/// For logs: what a peer chose freely is escaped.
pub(super) fn words(der: &[u8]) -> Option<String> {
    let (_, name) = X509Name::from_der(der).ok()?;
    Some(name.to_string().escape_debug().to_string())
}
