//! `anyswan pki`.

use std::os::unix::fs::PermissionsExt;

use crate::program::run;

#[test]
fn init_and_issue_print_the_files_they_made() {
    let dir = tempfile::tempdir().unwrap();
    let pki = dir.path().join("pki").to_str().unwrap().to_owned();
    let init = run(["pki", "init", "--dir", &pki, "--fleet", "test"], "").expect(0);
    assert_eq!(
        init.stdout,
        format!("{pki}/ca.pem\n{pki}/ca.key\n{pki}/fleet.key\n")
    );

    let out = dir.path().join("e1").to_str().unwrap().to_owned();
    let issue = run(["pki", "issue", "--dir", &pki, "edge", "e1", "--out", &out], "").expect(0);
    assert_eq!(issue.stdout, format!("{out}/e1.pem\n{out}/e1.key\n"));
    let mode = std::fs::metadata(format!("{out}/e1.key"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn nothing_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let pki = dir.path().to_str().unwrap();
    run(["pki", "init", "--dir", pki], "").expect(0);
    run(["pki", "init", "--dir", pki], "")
        .expect(1)
        .complains(&["fleet.key", "there is a file"]);
    run(["pki", "issue", "--dir", pki, "edge", "e1"], "").expect(0);
    run(["pki", "issue", "--dir", pki, "operator", "e1"], "")
        .expect(1)
        .complains(&["e1.key", "there is a file", "move it away"]);
}

#[test]
fn wrong_usage_is_told_apart_from_failure() {
    let dir = tempfile::tempdir().unwrap();
    let pki = dir.path().to_str().unwrap();
    run(["pki", "issue", "--dir", pki, "edge", "e1"], "")
        .expect(1)
        .complains(&["ca.key", "cannot read"]);
    run(["pki", "init", "--dir", pki], "").expect(0);
    run(["pki", "issue", "--dir", pki, "edge", "../e1"], "")
        .expect(2)
        .complains(&["../e1"]);
    run(["pki", "issue", "--dir", pki, "distributor", "hub"], "")
        .expect(2)
        .complains(&["--address"]);
    run(
        [
            "pki",
            "issue",
            "--dir",
            pki,
            "distributor",
            "hub",
            "--address",
            "10.9.0.10:7400",
        ],
        "",
    )
    .expect(2)
    .complains(&["give no port"]);
}
