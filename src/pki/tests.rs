use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::{GeneralName, X509Certificate};

use super::*;

fn fleet() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path(), &name("test")).unwrap();
    dir
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn with_certificate(path: &Path, check: impl FnOnce(&X509Certificate)) {
    let pem = fs::read(path).unwrap();
    let (_, pem) = parse_x509_pem(&pem).unwrap();
    check(&pem.parse_x509().unwrap());
}

#[test]
fn init_makes_private_files_once() {
    let dir = fleet();
    for (name, mode) in [("ca.key", 0o600), ("fleet.key", 0o600), ("ca.pem", 0o644)] {
        let metadata = fs::metadata(dir.path().join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{name}");
    }

    let before = fs::read(dir.path().join("ca.key")).unwrap();
    let error = init(dir.path(), &name("test")).unwrap_err().to_string();
    assert!(error.contains("fleet.key: there is a file"), "{error}");
    assert_eq!(fs::read(dir.path().join("ca.key")).unwrap(), before);
}

#[test]
fn where_one_file_is_in_the_way_none_is_made() {
    let dir = fleet();
    let edge = Role::Edge(name("e1"));
    fs::write(dir.path().join("e1.pem"), "old").unwrap();
    let error = issue(dir.path(), dir.path(), &edge, &[]).unwrap_err().to_string();
    assert!(
        error.contains("e1.pem: there is a file") && error.contains("move it away"),
        "{error}"
    );
    assert!(!dir.path().join("e1.key").exists());
}

#[test]
fn certificates_say_what_their_holder_may_do() {
    let dir = fleet();
    let edge = Role::Edge(name("e1"));
    let hub = Role::Distributor(name("hub"));
    let addresses = ["10.9.0.10", "hub.example"].map(|text| text.parse().unwrap());
    issue(dir.path(), dir.path(), &edge, &[]).unwrap();
    issue(dir.path(), dir.path(), &hub, &addresses).unwrap();

    with_certificate(&dir.path().join("ca.pem"), |ca| {
        assert!(ca.is_ca());
        for (name, role, serves) in [("e1", &edge, false), ("hub", &hub, true)] {
            with_certificate(&dir.path().join(format!("{name}.pem")), |certificate| {
                certificate.verify_signature(Some(ca.public_key())).unwrap();
                assert!(certificate.validity().is_valid());
                let usage = certificate.extended_key_usage().unwrap().unwrap().value;
                assert_eq!((usage.client_auth, usage.server_auth), (true, serves), "{name}");
                let names = &certificate
                    .subject_alternative_name()
                    .unwrap()
                    .unwrap()
                    .value
                    .general_names;
                assert!(names.contains(&GeneralName::URI(&role.to_uri())), "{names:?}");
                if serves {
                    assert!(names.contains(&GeneralName::DNSName("hub.example")), "{names:?}");
                    assert!(
                        names.contains(&GeneralName::IPAddress(&[10, 9, 0, 10])),
                        "{names:?}"
                    );
                }
            });
        }
    });
}

#[test]
fn a_second_certificate_does_not_replace_the_first() {
    let dir = fleet();
    let role = Role::Operator(name("ann"));
    let files = issue(dir.path(), dir.path(), &role, &[]).unwrap();
    let before: BTreeSet<_> = files.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(issue(dir.path(), dir.path(), &role, &[]).is_err());
    let after: BTreeSet<_> = files.iter().map(|path| fs::read(path).unwrap()).collect();
    assert_eq!(before, after);
}

#[test]
fn bad_requests_are_refused_with_the_remedy() {
    let dir = fleet();
    let error = issue(dir.path(), dir.path(), &Role::Distributor(name("hub")), &[]).unwrap_err();
    assert!(error.to_string().contains("--address"), "{error}");

    fs::write(dir.path().join("ca.key"), "something else").unwrap();
    let error = issue(dir.path(), dir.path(), &Role::Edge(name("e1")), &[])
        .unwrap_err()
        .to_string();
    assert!(error.contains("ca.key") && error.contains("pki init"), "{error}");
}

#[test]
fn addresses_are_ip_addresses_or_host_names() {
    assert_eq!(
        "2001:db8::1".parse::<Address>(),
        Ok(Address::Ip("2001:db8::1".parse().unwrap()))
    );
    assert!("hub.example".parse::<Address>().is_ok());
    for bad in [
        "",
        "hub..example",
        "10.9.0.10:7400",
        "https://hub.example",
        "hub example",
    ] {
        assert!(bad.parse::<Address>().is_err(), "{bad}");
    }
}
