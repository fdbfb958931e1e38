//! `anyswan sa` and `anyswan fleet`, with edges played by the test.

use serde_json::json;
use views::{EdgeState, FleetView, IkeSaView, RevokedView, TunnelView};

use crate::edge::{Edge, Kernel};
use crate::hub::Hub;

/// The edges' sessions go on while a command runs, so there is a thread for each side.
macro_rules! two_threads {
    ($(#[$meta:meta])* async fn $name:ident() $body:block) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() $body
    };
}

two_threads! {
async fn an_sa_is_listed_and_shown_edge_by_edge() {
    let hub = Hub::start(&["e1", "e2"]);
    hub.add_tunnel("acme", "").expect(0);
    let mut owner = Edge::join(&hub, "e1", Kernel::Willing).await;
    let _other = Edge::join(&hub, "e2", Kernel::Refusing).await;
    let (ike_spi, child_spi) = owner.establish("acme", 1).await;

    let listed = hub.operator("sa list --json").expect(0).json();
    let sa = &listed[0];
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(sa["tunnel"], "acme");
    assert_eq!(sa["spi"], format!("{ike_spi:016x}"));
    assert_eq!(sa["owner"], "e1");
    assert_eq!(sa["peer"], "198.51.100.7:4500");
    let child = &sa["children"][0];
    assert_eq!(child["spi"], child_spi.to_string());
    assert_eq!(child["outbound_spi"], "0xc0de0001");
    assert_eq!(child["udp_encap"], true);
    let expected = json!([
        { "name": "e1", "installed": true, "failure": null },
        { "name": "e2", "installed": false, "failure": {
            "what": format!("child SA {child_spi}"), "errno": 93, "reason": "load the kernel module esp4",
        } },
    ]);
    assert_eq!(child["edges"], expected);

    for spi in [format!("{ike_spi:016x}"), child_spi.to_string()] {
        assert_eq!(&hub.operator(&format!("sa show {spi} --json")).expect(0).json(), sa);
        let shown = hub.operator(&format!("sa show {spi}")).expect(0).stdout;
        assert!(shown.contains("acme.example at 198.51.100.7:4500"), "{shown}");
        assert!(shown.contains("load the kernel module esp4"), "{shown}");
    }
    let table = hub.operator("sa list --tunnel acme").expect(0).stdout;
    assert!(table.contains(&child_spi.to_string()) && table.contains("1 of 2"), "{table}");
    hub.operator("sa list --tunnel other").expect(3).complains(&["no tunnel other"]);
    hub.operator("sa show ffffffff").expect(3);
    hub.operator("sa show acme").expect(2).complains(&["16 hexadecimal digits"]);
}
}

two_threads! {
async fn a_revocation_tells_how_many_edges_did_it_and_how_long_each_took() {
    let hub = Hub::start(&["e1", "e2"]);
    hub.add_tunnel("acme", "").expect(0);
    let mut owner = Edge::join(&hub, "e1", Kernel::Willing).await;
    let _other = Edge::join(&hub, "e2", Kernel::Willing).await;
    owner.establish("acme", 1).await;
    let (ike_spi, child_spi) = owner.establish("acme", 2).await;
    owner.establish("acme", 3).await;

    let revoked = hub.operator(&format!("sa revoke {child_spi} --json")).expect(0).json();
    assert_eq!((&revoked["ike_sas"], &revoked["child_sas"]), (&json!(0), &json!(1)));
    for (index, name) in ["e1", "e2"].into_iter().enumerate() {
        let edge = &revoked["edges"][index];
        assert_eq!((&edge["name"], &edge["applied"]), (&json!(name), &json!(true)));
        assert!((0.0..1000.0).contains(&edge["elapsed_ms"].as_f64().unwrap()), "{edge}");
    }

    let text = hub.operator(&format!("sa revoke {ike_spi:016x}")).expect(0).stdout;
    assert!(text.contains("1 IKE SAs and 0 child SAs gone from 2 of 2 edges") && text.contains(" ms"), "{text}");
    let revoked = hub.operator("sa revoke --tunnel acme --json").expect(0).json();
    assert_eq!((&revoked["ike_sas"], &revoked["child_sas"]), (&json!(2), &json!(2)));
    assert_eq!(hub.operator("sa list --json").expect(0).json(), json!([]));
    hub.operator("sa revoke 00400009").expect(3).complains(&["no child SA 0x00400009"]);
    hub.operator("sa revoke").expect(2);
}
}

two_threads! {
/// `--json` prints the views, and nothing that they do not have.
async fn what_is_printed_as_json_reads_as_the_views() {
    let hub = Hub::start(&["e1"]);
    hub.add_tunnel("acme", "").expect(0);
    let mut owner = Edge::join(&hub, "e1", Kernel::Willing).await;
    owner.establish("acme", 1).await;
    let read = |command: &str| hub.operator(command).expect(0).json();

    let tunnels: Vec<TunnelView> = serde_json::from_value(read("tunnel list --json")).unwrap();
    let sas: Vec<IkeSaView> = serde_json::from_value(read("sa list --json")).unwrap();
    let fleet: FleetView = serde_json::from_value(read("fleet status --json")).unwrap();
    let revoked: RevokedView = serde_json::from_value(read("sa revoke --tunnel acme --json")).unwrap();
    assert_eq!((tunnels[0].name.as_str(), sas[0].children.len()), ("acme", 1));
    assert_eq!((fleet.edges[0].state, fleet.edges[0].name.as_str()), (EdgeState::Live, "e1"));
    assert_eq!((revoked.ike_sas, revoked.edges[0].applied), (1, true));
}
}

two_threads! {
async fn an_edge_that_does_not_keep_up_is_named() {
    let hub = Hub::start(&["e1", "e2"]);
    hub.add_tunnel("acme", "").expect(0);
    let mut owner = Edge::join(&hub, "e1", Kernel::Willing).await;
    let _late = Edge::join(&hub, "e2", Kernel::Hanging).await;

    let removed = hub.operator("tunnel remove acme").expect(4).complains(&["e2"]);
    assert!(removed.stdout.contains("1 of 2 edges") && removed.stdout.contains("not yet"), "{removed:#?}");

    let status = hub.operator("fleet status --json").expect(0).json();
    let edges = status["edges"].as_array().unwrap();
    assert_eq!((&edges[0]["state"], &edges[0]["lag"]), (&json!("live"), &json!(0)));
    assert_eq!(edges[1]["state"], "lagging");
    assert!(edges[1]["lag"].as_u64().unwrap() >= 1, "{status}");

    // The barrier waits for it no more, and an operator still hears of it.
    hub.add_tunnel("beta", "").expect(4).complains(&["e2"]);
    owner.establish("beta", 1).await;
}
}

two_threads! {
async fn machines_that_share_a_certificate_are_shown() {
    let mut hub = Hub::start(&["e1"]);
    let first = Edge::join(&hub, "e1", Kernel::Willing).await;
    let _second = Edge::join(&hub, "e1", Kernel::Willing).await;
    let _back = Edge::join_as(&hub, "e1", Kernel::Willing, Some(first.incarnation())).await;

    let status = hub.operator("fleet status --json").expect(0).json();
    assert_eq!(status["edges"][0]["rivals"], json!(["127.0.0.1"]));
    let text = hub.operator("fleet status").expect(0).stdout;
    let (_, log) = hub.stop("-TERM");
    for told in [text, log] {
        assert!(["e1", "several machines", "127.0.0.1", "pki issue"].iter().all(|part| told.contains(part)), "{told}");
    }
}
}

two_threads! {
async fn the_fleets_status_tells_slots_states_and_failures() {
    let hub = Hub::start(&["e1", "e2"]);
    hub.add_tunnel("acme", "").expect(0);
    let mut owner = Edge::join(&hub, "e1", Kernel::Refusing).await;
    let gone = Edge::join(&hub, "e2", Kernel::Willing).await;
    let (_, child_spi) = owner.establish("acme", 1).await;
    gone.cut_off().await;

    let status = hub.operator("fleet status --json").expect(0).json();
    assert_eq!((&status["tunnels"], &status["ike_sas"], &status["child_sas"]), (&json!(1), &json!(1), &json!(1)));
    let edges = status["edges"].as_array().unwrap();
    assert_eq!((&edges[0]["name"], &edges[0]["slot"], &edges[0]["state"]), (&json!("e1"), &json!(1), &json!("live")));
    assert_eq!(edges[0]["failures_total"], 1);
    assert_eq!(edges[0]["failures"][0]["what"], format!("child SA {child_spi}"));
    assert_eq!(edges[1]["forward"], "127.0.0.1:4501");
    let text = hub.operator("fleet status").expect(0).stdout;
    assert!(text.contains(&format!("e1: child SA {child_spi}: load the kernel module esp4")), "{text}");
}
}
