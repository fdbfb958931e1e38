//! Whose certificate it is (RFC 4945 section 3.1).

use super::*;

#[test]
fn a_peer_is_who_its_certificate_says() {
    let mut scene = Scene::new();
    let subject = scene.customer.certificates.as_ref().unwrap().subject();
    for id in [
        fqdn("CPE1.example"),
        Identity::Rfc822("router@CPE1.example".into()),
        Identity::Address([198, 51, 100, 1].into()),
        subject,
    ] {
        scene.name(id);
        scene.succeeds();
    }
    for id in [
        fqdn("cpe2.example"),
        // The common name of the organisation is no host.
        fqdn("Acme"),
        Identity::Rfc822("Router@cpe1.example".into()),
        Identity::Address([198, 51, 100, 2].into()),
        Identity::KeyId(b"cpe1.example".to_vec()),
        Identity::DistinguishedName(vec![0x30, 0]),
    ] {
        scene.name(id.clone());
        assert_eq!(scene.fault(), CertificateFault::OtherIdentity(id));
    }
    // It is in the certificate, but not where the peer is (RFC 4945 section 3.1.1).
    let address = [198, 51, 100, 99].into();
    scene.name(Identity::Address(address));
    assert_eq!(scene.fault(), CertificateFault::OtherAddress(address));
}

/// "Substring, wildcard, or regular expression matching MUST NOT be performed" (RFC 4945 section 3.1.2).
#[test]
fn wildcards_match_nothing() {
    let params = changed(leaf(CUSTOMER), |params| {
        params.subject_alt_names = vec![SanType::DnsName("*.example".try_into().unwrap())];
    });
    let mut scene = Scene::with(&params, &PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P256_SHA256);
    for name in [CUSTOMER, "*.example"] {
        scene.name(fqdn(name));
        assert_eq!(scene.fault(), CertificateFault::OtherIdentity(fqdn(name)));
    }
}

/// A name that an operator wrote finds the peer's own, whatever type its strings have.
#[test]
fn a_subject_is_found_by_a_name_of_other_strings() {
    /// "CN=cpe1.example" as a PrintableString.
    fn common_name(tag: u8, name: &str) -> Vec<u8> {
        let attribute = [
            &[0x06, 0x03, 0x55, 0x04, 0x03, tag, name.len() as u8],
            name.as_bytes(),
        ]
        .concat();
        let length = attribute.len() as u8;
        [
            &[0x30, length + 4, 0x31, length + 2, 0x30, length],
            &attribute[..],
        ]
        .concat()
    }
    let mut params = leaf(CUSTOMER);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Cpe  1");
    let mut scene = Scene::with(&params, &PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P256_SHA256);
    let utf8 = Identity::DistinguishedName(common_name(12, "Cpe  1"));
    assert_eq!(scene.customer.certificates.as_ref().unwrap().subject(), utf8);
    scene.customer.id = utf8;
    scene.tunnel.remote_id = Identity::DistinguishedName(common_name(19, "cpe 1"));
    scene.succeeds();
    // The peer itself has to send what stands in its certificate, bit by bit (RFC 4945 section 3.1.5).
    let other = Identity::DistinguishedName(common_name(19, "cpe 1"));
    scene.customer.id = other.clone();
    assert_eq!(scene.fault(), CertificateFault::OtherIdentity(other));
}
