//! Whole edges with a real distributor over mutual TLS and a customer over UDP, in one process. Only the kernel is played;
//! the lab has the real one.

mod fleet;
mod kernel;
mod router;

use std::time::Duration;

use ike::Transmit;
use ike::testkit::Status;
use proto::v1;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use self::fleet::{Fleet, TestEdge};
use self::router::Router;

/// For what has to happen soon; a machine under load takes its time.
const LIMIT: Duration = Duration::from_secs(60);

/// A fleet whose edges are ready, and the router of its tunnel `acme`.
async fn with_acme<const N: usize>(names: [&str; N]) -> (Fleet, [TestEdge; N], Router) {
    let fleet = Fleet::start().await;
    let mut edges = Vec::new();
    for name in names {
        let mut edge = fleet.edge(name).await;
        edge.ready().await;
        edges.push(edge);
    }
    let (router, customer) = Router::new(1).await;
    fleet.put_tunnel("acme", &customer).await;
    let Ok(edges) = edges.try_into() else {
        panic!("an edge for each name")
    };
    (fleet, edges, router)
}

async fn get(edge: &TestEdge, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(edge.health).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The value of a counter at an edge.
async fn counter(edge: &TestEdge, name: &str) -> u64 {
    let metrics = get(edge, "/metrics").await;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name));
    line.map_or(0, |value| value.trim().parse().unwrap())
}

/// Returns when the counter has reached `number`.
async fn counted(edge: &TestEdge, name: &str, number: u64) {
    let reached = async {
        while counter(edge, name).await < number {
            tokio::task::yield_now().await;
        }
    };
    if tokio::time::timeout(LIMIT, reached).await.is_err() {
        panic!(
            "{name} is {} after {LIMIT:?}, not {number}",
            counter(edge, name).await
        );
    }
}

#[tokio::test]
async fn the_reply_waits_until_every_edge_has_installed_the_sa() {
    let (_fleet, [e1, mut e2], mut router) = with_acme(["e1", "e2"]).await;

    let auth = router.begin(&e1).await;
    e2.kernel.set_open(false);
    let before = e2.kernel.reached();
    router.send(&auth, &e1).await;
    e2.kernel.reached_beyond(before).await;
    // Others do not wait meanwhile.
    Router::new(2).await.0.begin(&e1).await;
    assert!(
        router.has_heard_nothing(),
        "e2 knows of the SA but has not installed it"
    );
    assert!(e2.kernel.installed().is_empty());

    e2.kernel.set_open(true);
    router.receive().await;
    assert_eq!(router.initiator.status(), Status::Up);
    let child = router.initiator.child().unwrap();
    assert!(e1.has_installed(child) && e2.has_installed(child));
}

#[tokio::test]
async fn a_message_at_another_edge_reaches_the_owner_and_its_answer_comes_back() {
    let (_fleet, [mut e1, mut e2], mut router) = with_acme(["e1", "e2"]).await;

    // The network changes its mind within the handshake.
    let auth = router.begin(&e1).await;
    router.send(&auth, &e2).await;
    router.receive().await;
    assert_eq!(router.initiator.status(), Status::Up);
    assert_eq!(counter(&e2, "anyswan_forwarded_total{kind=\"sent\"}").await, 1);
    assert_eq!(
        counter(&e1, "anyswan_forwarded_total{kind=\"received\"}").await,
        1
    );

    let delete = router.initiator.delete_ike().unwrap();
    router.send(&delete, &e2).await;
    router.receive().await;
    assert_eq!(router.initiator.status(), Status::Closed);
    e1.kernel.empty().await;
    e2.kernel.empty().await;
}

#[tokio::test]
async fn a_customer_that_authenticates_without_end_is_refused_and_others_are_not() {
    let fleet = Fleet::start().await;
    let mut edge = fleet.edge("e1").await;
    edge.ready().await;
    let (_, endless) = Router::new(1).await;
    let (mut calm, customer) = Router::new(2).await;
    fleet
        .put_tunnels([("endless".to_owned(), &endless), ("calm".to_owned(), &customer)])
        .await;

    let mut last = Status::Up;
    for _ in 0..1000 {
        let (mut router, _) = Router::new(1).await;
        let auth = router.begin(&edge).await;
        router.send(&auth, &edge).await;
        router.receive().await;
        last = router.initiator.status();
        if last != Status::Up {
            break;
        }
    }
    assert!(matches!(last, Status::Refused(_)), "{last:?}");
    calm.connect(&edge).await;
}

#[tokio::test]
async fn a_restarted_edge_goes_on_with_its_ike_sas() {
    let (fleet, [edge], mut router) = with_acme(["e1"]).await;
    router.connect(&edge).await;

    drop(edge);
    let mut again = fleet.edge("e1").await;
    again.ready().await;
    assert!(again.has_installed(router.initiator.child().unwrap()));
    let probe = router.initiator.probe().unwrap();
    router.send(&probe, &again).await;
    router.receive().await;
    assert_eq!(router.initiator.status(), Status::Up);
    assert_eq!(
        counter(&again, "anyswan_ike_events_total{kind=\"restored\"}").await,
        1
    );
}

/// RFC 6290: by way of the edge that holds the slot in the SPI, wherever the customer's request comes in.
#[tokio::test]
async fn a_customer_hears_at_once_that_the_whole_fleet_has_lost_its_ike_sa() {
    let (mut fleet, [e1], mut router) = with_acme(["e1"]).await;
    router.connect(&e1).await;

    drop(e1);
    fleet.stop_distributor().await;
    fleet.lose_store();
    fleet.start_distributor().await;
    let mut e1 = fleet.edge("e1").await;
    e1.ready().await;
    let mut e2 = fleet.edge("e2").await;
    e2.ready().await;
    let probe = router.initiator.probe().unwrap();
    router.send(&probe, &e2).await;
    router.receive().await;
    assert_eq!(router.initiator.status(), Status::Closed);
    let disowned = "anyswan_ike_events_total{kind=\"disowned\"}";
    assert_eq!(
        (counter(&e1, disowned).await, counter(&e2, disowned).await),
        (1, 0)
    );
}

#[tokio::test]
async fn what_the_customer_asks_while_the_distributor_is_away_is_done_when_it_is_back() {
    let (mut fleet, [mut edge], mut router) = with_acme(["e1"]).await;
    router.connect(&edge).await;

    fleet.stop_distributor().await;
    let delete = router.initiator.delete_ike().unwrap();
    router.send(&delete, &edge).await;
    let child = router.initiator.child();
    assert!(
        child.is_none_or(|child| edge.has_installed(child)),
        "nothing is gone before the fleet knows"
    );
    // What comes later is answered, so the request has been handled.
    Router::new(2).await.0.begin(&edge).await;
    assert!(router.has_heard_nothing());

    fleet.start_distributor().await;
    router.receive().await;
    edge.kernel.empty().await;
}

#[tokio::test]
async fn a_revoked_customer_is_told() {
    let (fleet, [edge], mut router) = with_acme(["e1"]).await;
    router.connect(&edge).await;

    let target = v1::revoke_request::Target::Tunnel("acme".into());
    let request = v1::RevokeRequest { target: Some(target) };
    let revoked = fleet.operator().await.revoke(request).await.unwrap().into_inner();
    assert_eq!((revoked.ike_sas, revoked.child_sas), (1, 1));
    assert!(
        edge.kernel.installed().is_empty(),
        "revoke answers when it is done"
    );
    router.receive().await;
    assert_eq!(router.initiator.status(), Status::Closed);
}

#[tokio::test]
async fn a_draining_edge_finishes_what_it_began_and_takes_nothing_new() {
    let (_fleet, [mut edge], mut router) = with_acme(["e1"]).await;
    assert!(get(&edge, "/health").await.starts_with("HTTP/1.1 200"));

    let auth = router.begin(&edge).await;
    edge.kernel.set_open(false);
    let before = edge.kernel.reached();
    router.send(&auth, &edge).await;
    edge.kernel.reached_beyond(before).await;

    let TestEdge {
        edge: ref mut daemon,
        ref kernel,
        ..
    } = edge;
    let ((), ()) = tokio::join!(daemon.drain(), async {
        tokio::task::yield_now().await;
        kernel.set_open(true);
    });
    router.receive().await;
    assert_eq!(router.initiator.status(), Status::Up);

    let (mut late, _) = Router::new(2).await;
    let init = late.initiator.start();
    late.send(&init, &edge).await;
    counted(&edge, "anyswan_datagrams_total{kind=\"dropped_draining\"}", 1).await;
    assert!(late.has_heard_nothing());
    let health = get(&edge, "/health").await;
    assert!(
        health.starts_with("HTTP/1.1 503") && health.contains("about to stop"),
        "{health}"
    );
}

#[tokio::test]
async fn garbage_is_counted_by_its_kind_and_harms_nobody() {
    let (_fleet, [edge], mut router) = with_acme(["e1"]).await;

    let init = router.initiator.start();
    let mut foreign = init.payload.clone();
    foreign[8..16].fill(0xa5); // A responder SPI that no edge has issued.
    for garbage in [
        &[][..],
        &[0xff; 5000],
        &init.payload[..20],
        &init.payload[..40],
        &foreign,
    ] {
        router
            .send(
                &Transmit {
                    payload: garbage.to_vec(),
                    ..init
                },
                &edge,
            )
            .await;
    }
    router.connect(&edge).await;
    let count =
        async |kind: &str| counter(&edge, &format!("anyswan_ike_events_total{{kind=\"{kind}\"}}")).await;
    // What came before is not heard before, by other threads.
    while count("dropped_malformed").await < 3
        || count("dropped_unexpected").await == 0
        || count("dropped_unknown_spi").await == 0
    {
        tokio::task::yield_now().await;
    }
    assert_eq!(count("dropped_malformed").await, 3);
    assert_eq!(count("dropped_unexpected").await, 1, "the flags of a response");
    assert_eq!(count("dropped_unknown_spi").await, 1);
    assert_eq!(count("established").await, 1);
}

#[tokio::test]
async fn strangers_on_the_forward_port_are_refused() {
    let fleet = Fleet::start().await;
    let mut edge = fleet.edge("e1").await;
    edge.ready().await;
    let stranger = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    stranger.send_to(b"let me in", edge.edges).await.unwrap();
    counted(
        &edge,
        "anyswan_forwarded_total{kind=\"dropped_not_authentic\"}",
        1,
    )
    .await;
}

#[tokio::test]
async fn two_hundred_customers_connect_at_once() {
    let fleet = Fleet::start().await;
    let mut edges = [fleet.edge("e1").await, fleet.edge("e2").await];
    for edge in &mut edges {
        edge.ready().await;
    }
    let mut routers = Vec::new();
    for number in 1..=200 {
        routers.push(Router::new(number).await);
    }
    let names = (1..=200).map(|number| format!("t{number}"));
    fleet
        .put_tunnels(names.zip(routers.iter().map(|(_, customer)| customer)))
        .await;

    for (index, (router, _)) in routers.iter_mut().enumerate() {
        let edge = &edges[index % 2];
        let auth = router.begin(edge).await;
        router.send(&auth, edge).await;
    }
    for (router, _) in &mut routers {
        router.receive().await;
        assert_eq!(router.initiator.status(), Status::Up);
    }
    for (router, _) in &routers {
        let child = router.initiator.child().unwrap();
        assert!(edges.iter().all(|edge| edge.has_installed(child)));
    }
    assert_eq!(edges[0].kernel.installed().len(), 200);
}

/// Each customer's IKE SA is on one of the threads, and after a restart with another number of them on one of those.
#[tokio::test]
async fn customers_are_served_by_every_thread_also_after_a_restart_with_fewer() {
    let fleet = Fleet::start().await;
    let mut edge = fleet.edge_of_threads("e1", 4).await;
    edge.ready().await;
    let mut routers = Vec::new();
    for number in 1..=24 {
        routers.push(Router::new(number).await);
    }
    let names = (1..=24).map(|number| format!("t{number}"));
    fleet
        .put_tunnels(names.zip(routers.iter().map(|(_, customer)| customer)))
        .await;
    let key = ike::Router::new(&fleet.fleet_key.spi_key());
    let mut used = std::collections::BTreeSet::new();
    for (router, _) in &mut routers {
        router.connect(&edge).await;
        let spi = router.initiator.spis().unwrap().responder;
        used.insert(key.shard_of(spi).of(4));
        let rekey = router.initiator.rekey_ike().unwrap();
        router.send(&rekey, &edge).await;
        let delete = router.receive().await.expect("the old IKE SA is deleted");
        router.send(&delete, &edge).await;
        router.receive().await;
    }
    assert!(used.len() > 1, "threads that have a customer: {used:?}");

    drop(edge);
    let mut edge = fleet.edge_of_threads("e1", 2).await;
    edge.ready().await;
    for (router, _) in &mut routers {
        let delete = router.initiator.delete_ike().unwrap();
        router.send(&delete, &edge).await;
        router.receive().await;
        assert_eq!(router.initiator.status(), Status::Closed);
    }
    edge.kernel.empty().await;
}
