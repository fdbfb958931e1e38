//! What a build for operators alone is made of.

use std::collections::BTreeSet;
use std::process::Command;

/// Whoever only types commands need not bring the code that speaks to kernels and customers, or a store, onto their machine.
#[test]
fn an_operators_build_has_neither_kernel_nor_ike_nor_store() {
    let tree = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "tree",
            "--package",
            "anyswan",
            "--no-default-features",
            "--edges",
            "normal",
        ])
        .args(["--prefix", "none", "--format", "{p}", "--locked", "--offline"])
        .output()
        .unwrap();
    let (stdout, stderr) = (&tree.stdout, &tree.stderr);
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(stderr));
    let text = String::from_utf8_lossy(stdout);
    let names: BTreeSet<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(names.contains("anyswan") && names.contains("tonic"), "{names:?}");
    for unwanted in [
        "edge",
        "xfrm",
        "ike",
        "distributor",
        "redb",
        "aws-lc-rs",
        "aws-lc-sys",
    ] {
        assert!(!names.contains(unwanted), "{unwanted} is in the operator's build");
    }
}
