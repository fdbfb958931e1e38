use std::time::Duration;

use super::*;

const EDGE: &str = r#"addresses = ["203.0.113.1", "2001:db8::1"]
distributor = "https://10.9.0.10:7400"
forward = "10.9.0.1:4501"
health = "127.0.0.1:9101"
fleet_key = "/etc/anyswan/fleet.key"

[tls]
ca = "/etc/anyswan/ca.pem"
certificate = "/etc/anyswan/e1.pem"
key = "/etc/anyswan/e1.key"
"#;

fn edge_error(from: &str, to: &str) -> String {
    assert!(EDGE.contains(from));
    let text = EDGE.replacen(from, to, 1);
    parse::<EdgeConfig>("edge.toml", &text).unwrap_err().to_string()
}

#[test]
fn a_good_edge_config_is_taken_with_defaults() {
    let config: EdgeConfig = parse("edge.toml", EDGE).unwrap();
    assert_eq!(config.addresses.len(), 2);
    assert_eq!(config.forward, "10.9.0.1:4501".parse().unwrap());
    assert_eq!(config.limits.sa_lease, Duration::from_secs(3600));
    assert_eq!(config.limits.reconcile, Duration::from_secs(5));
}

#[test]
fn limits_can_be_changed_one_by_one() {
    let text = format!("{EDGE}\n[limits]\nreconcile_seconds = 2\n");
    let config: EdgeConfig = parse("edge.toml", &text).unwrap();
    assert_eq!(config.limits.reconcile, Duration::from_secs(2));
    assert_eq!(config.limits.sa_lease, Duration::from_secs(3600));
}

#[test]
fn limits_that_contradict_each_other_are_refused() {
    let error = edge_error("[tls]", "[limits]\nrekey_child_seconds = 90000\n\n[tls]");
    assert!(
        error.contains("limits: rekey_child_seconds (90000) must be less than sa_lifetime_seconds (86400)"),
        "{error}"
    );
}

#[test]
fn every_mistake_is_told_with_file_line_field_and_remedy() {
    // What stands in the file, what is written instead, and what the error has to say.
    let cases = [
        (
            r#""2001:db8::1""#,
            r#""2001:db8::g""#,
            vec!["edge.toml:1: addresses[1]: ", "\"203.0.113.1\""],
        ),
        (
            r#"["203.0.113.1", "2001:db8::1"]"#,
            "[]",
            vec!["edge.toml:1: addresses: ", "at least one"],
        ),
        (
            r#""2001:db8::1""#,
            r#""203.0.113.1""#,
            vec!["edge.toml:1: addresses: ", "twice"],
        ),
        (
            r#""203.0.113.1""#,
            r#""0.0.0.0""#,
            vec!["edge.toml:1: addresses[0]: ", "customers send to"],
        ),
        (
            r#""203.0.113.1""#,
            "7",
            vec!["edge.toml:1: addresses[0]: ", "expected a string"],
        ),
        (
            "https://10",
            "http://10",
            vec!["edge.toml:2: distributor: ", "https://10.9.0.10:7400"],
        ),
        (
            ":7400",
            "",
            vec!["edge.toml:2: distributor: ", "https://10.9.0.10:7400"],
        ),
        (":4501", "", vec!["edge.toml:3: forward: ", "\"10.9.0.1:4501\""]),
        ("10.9.0.1:", "0.0.0.0:", vec!["edge.toml:3: forward: ", "unicast"]),
        (
            "127.0.0.1:",
            "10.9.0.1:",
            vec!["edge.toml:4: health: ", "loopback"],
        ),
        (
            "fleet_key",
            "fleet_kye",
            vec!["edge.toml:5: fleet_kye: ", "unknown field", "`fleet_key`"],
        ),
        (
            "forward = \"10.9.0.1:4501\"\n",
            "",
            vec!["edge.toml:", "missing field `forward`"],
        ),
        (
            "certificate = \"/etc/anyswan/e1.pem\"\n",
            "",
            vec!["tls: ", "missing field `certificate`"],
        ),
        ("health = ", "health ", vec!["edge.toml:4: "]),
        (
            "[tls]",
            "[limits]\nhalf_open_max = 0\n[tls]",
            vec!["edge.toml:8: limits.half_open_max: ", "1 to"],
        ),
        (
            "[tls]",
            "threads = 65\n[tls]",
            vec!["edge.toml:7: threads: ", "1 to 64"],
        ),
        (
            "[tls]",
            "[limits]\nreconcile_seconds = 0\n[tls]",
            vec!["edge.toml:8: limits.reconcile_seconds: ", "1 to"],
        ),
    ];
    for (from, to, expected) in cases {
        let error = edge_error(from, to);
        for part in expected {
            assert!(error.contains(part), "{from} -> {to}: {error:?} lacks {part:?}");
        }
    }
}

#[test]
fn a_missing_file_is_named() {
    let error = load::<OperatorConfig>(Path::new("/nowhere/operator.toml"))
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("/nowhere/operator.toml: cannot read: "),
        "{error}"
    );
}

const EDGE_EXAMPLE: &str = include_str!("../../packaging/edge.toml");
const DISTRIBUTOR_EXAMPLE: &str = include_str!("../../packaging/distributor.toml");
const OPERATOR_EXAMPLE: &str = include_str!("../../packaging/operator.toml");

#[test]
fn the_shipped_examples_are_good() {
    parse::<EdgeConfig>("edge.toml", EDGE_EXAMPLE).unwrap();
    parse::<DistributorConfig>("distributor.toml", DISTRIBUTOR_EXAMPLE).unwrap();
    parse::<OperatorConfig>("operator.toml", OPERATOR_EXAMPLE).unwrap();
}

#[test]
fn the_shipped_examples_show_the_true_defaults() {
    let edge: EdgeConfig = parse("edge.toml", &with_limits(EDGE_EXAMPLE)).unwrap();
    assert_eq!(edge.limits, self::edge::EdgeLimits::default());
    let distributor: DistributorConfig =
        parse("distributor.toml", &with_limits(DISTRIBUTOR_EXAMPLE)).unwrap();
    assert_eq!(
        distributor.limits,
        self::distributor::DistributorLimits::default()
    );
}

/// The example with its section `[limits]`, which is commented out.
fn with_limits(example: &str) -> String {
    let (before, limits) = example.split_once("# [limits]\n").unwrap();
    let lines = limits.lines().map(|line| line.strip_prefix("# ").unwrap());
    format!("{before}[limits]\n{}\n", lines.collect::<Vec<_>>().join("\n"))
}
