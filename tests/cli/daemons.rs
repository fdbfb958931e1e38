//! `anyswan distributor` and `anyswan edge` as processes.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::hub::Hub;
use crate::program::run;

#[test]
fn what_was_added_survives_a_clean_stop_and_a_kill() {
    let mut hub = Hub::start(&[]);
    hub.add_tunnel("acme", "").expect(0);
    let (code, log) = hub.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    hub.check_no_secret(&log);

    hub.start_again();
    hub.add_tunnel("beta", "").expect(0);
    assert_eq!(hub.stop("-KILL").0, None);
    hub.start_again();
    let names: Vec<_> = hub
        .operator("tunnel list --json")
        .expect(0)
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|tunnel| tunnel["name"].clone())
        .collect();
    assert_eq!(names, ["acme", "beta"]);
}

#[test]
fn the_distributors_log_tells_what_was_decided() {
    let mut hub = Hub::start(&[]);
    hub.add_tunnel("acme", "").expect(0);
    hub.add_tunnel("acme", "").expect(1);
    hub.operator("sa revoke --tunnel acme").expect(0);
    hub.operator("tunnel remove acme").expect(0);
    let (_, log) = hub.stop("-TERM");
    let about = |action: &str| -> Vec<&str> { log.lines().filter(|line| line.contains(action)).collect() };
    let [made, refused] = about("put tunnel acme")[..] else {
        panic!("two lines: {log}");
    };
    assert!(
        made.contains("INFO") && made.contains("is made") && made.contains("ann"),
        "{made}"
    );
    assert!(
        refused.contains("WARN") && refused.contains("not made") && refused.contains("exists already"),
        "{refused}"
    );
    assert_eq!(about("revoke the SAs of tunnel acme").len(), 1, "{log}");
    assert_eq!(about("remove tunnel acme").len(), 1, "{log}");
}

#[test]
fn a_damaged_store_is_named_with_the_remedy() {
    let mut hub = Hub::start(&[]);
    hub.add_tunnel("acme", "").expect(0);
    hub.stop("-TERM");
    let store = hub.path("fleet.redb");
    let mut octets = fs::read(&store).unwrap();
    octets[4096..].fill(0xff);
    fs::write(&store, octets).unwrap();
    let config = hub.path("distributor.toml");
    let start = || run(["distributor", "--config", config.to_str().unwrap()], "");
    start()
        .expect(2)
        .complains(&["fleet.redb", "is damaged", "move it away", "drop every SA"]);
    fs::write(&store, "").unwrap();
    start()
        .expect(2)
        .complains(&["fleet.redb", "is damaged: it is empty", "move it away"]);
}

#[test]
fn a_new_store_is_told_once() {
    let mut hub = Hub::start(&[]);
    let news = |log: &str| {
        log.lines()
            .filter(|line| line.contains("this is a new one"))
            .count()
    };
    let (_, log) = hub.stop("-TERM");
    assert_eq!(news(&log), 1, "{log}");
    assert!(log.contains("WARN") && log.contains("fleet.redb"), "{log}");
    hub.start_again();
    let (_, log) = hub.stop("-TERM");
    assert_eq!(news(&log), 0, "{log}");
}

#[test]
fn a_wrong_config_names_file_line_and_field() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("daemon.toml");
    let config = path.to_str().unwrap();
    for daemon in ["edge", "distributor"] {
        run([daemon, "--config", config], "")
            .expect(2)
            .complains(&["daemon.toml", "cannot read"]);
    }
    fs::write(&path, "addresses = [\"203.0.113.1\"]\ndistributor = \"hub\"\n").unwrap();
    run(["edge", "--config", config], "")
        .expect(2)
        .complains(&["daemon.toml:2: distributor: ", "https://"]);
    fs::write(&path, "listen = \"10.9.0.10\"\n").unwrap();
    run(["distributor", "--config", config], "")
        .expect(2)
        .complains(&["daemon.toml:1: listen: ", "with a port"]);
}

#[test]
fn files_that_a_config_names_are_checked() {
    let hub = Hub::start(&[]);
    let text = fs::read_to_string(hub.path("distributor.toml")).unwrap();
    let path = hub.path("broken.toml");
    fs::write(&path, text.replace("hub.key", "nowhere.key")).unwrap();
    run(["distributor", "--config", path.to_str().unwrap()], "")
        .expect(2)
        .complains(&["nowhere.key"]);
    fs::write(&path, text.replace("hub.key", "fleet.key")).unwrap();
    let ended = run(["distributor", "--config", path.to_str().unwrap()], "")
        .expect(2)
        .complains(&["fleet.key"]);
    hub.check_no_secret(&ended.stderr);

    let open_to_all = fs::Permissions::from_mode(0o644);
    for key in ["hub.key", "fleet.key"] {
        fs::set_permissions(hub.path(key), open_to_all.clone()).unwrap();
    }
    let config = hub.path("distributor.toml");
    run(["distributor", "--config", config.to_str().unwrap()], "")
        .expect(2)
        .complains(&["hub.key", "chmod 600"]);
    hub.add_tunnel("acme", "")
        .expect(2)
        .complains(&["fleet.key", "chmod 600"]);
    fs::set_permissions(hub.path("fleet.key"), fs::Permissions::from_mode(0o600)).unwrap();

    fs::write(hub.path("fleet.key"), "something else").unwrap();
    hub.add_tunnel("acme", "")
        .expect(2)
        .complains(&["fleet.key", "pki init"]);
}

#[test]
fn an_edge_does_not_start_with_wrong_keys() {
    let hub = Hub::start(&["e1"]);
    let fleet_key = hub.path("fleet.key");
    let config = hub.write_operator_config("edge.toml", &hub, "e1");
    let rest = fs::read_to_string(&config).unwrap();
    let anycast =
        "addresses = [\"203.0.113.1\"]\nforward = \"127.0.0.1:4501\"\nhealth = \"127.0.0.1:9101\"\n";
    let start_with = |from: &str, to: &str| {
        fs::write(&config, format!("{anycast}{}", rest.replace(from, to))).unwrap();
        let ended = run(["edge", "--config", config.to_str().unwrap()], "").expect(2);
        hub.check_no_secret(&ended.stderr);
        ended
    };
    start_with("e1.key", "ann.key").complains(&["e1.pem", "ann.key", "no certificate and key"]);
    start_with("e1.", "ann.").complains(&["ann.pem", "operator ann", "edge's", "pki issue"]);
    start_with("e1.key", "fleet.key").complains(&["fleet.key", "no certificate and key"]);
    start_with("ca.pem", "e1.key").complains(&["e1.key", "no certificate in it"]);
    start_with(fleet_key.to_str().unwrap(), "/nowhere/fleet.key")
        .complains(&["/nowhere/fleet.key", "cannot read"]);
}

#[test]
fn usage_is_told_and_has_its_own_exit_code() {
    run([""; 0], "").expect(2).complains(&["Usage: anyswan"]);
    run(["tunel"], "")
        .expect(2)
        .complains(&["unrecognized subcommand"]);
    let help = run(["--help"], "").expect(0).stdout;
    assert!(help.contains("Exit codes: 0 done"), "{help}");
    let hub = Hub::start(&[]);
    let config = hub.path("distributor.toml");
    run(
        [
            "distributor",
            "--log",
            "=nonsense=",
            "--config",
            config.to_str().unwrap(),
        ],
        "",
    )
    .expect(2)
    .complains(&["--log"]);
}
