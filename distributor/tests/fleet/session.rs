//! Edges come, go, and come back.

use std::time::Duration;

use bytes::Bytes;
use distributor::{CustomerLimits, Limits};
use proto::v1::FleetStatusRequest;
use proto::v1::edge_status::State;
use proto::{Change, FromDistributor, Heartbeat, Sealed, ToDistributor};
use tonic::Code;

use crate::support::{Edge, Heard, Lab, child_key, handshake, ike_sa, put_tunnel, tunnel};

#[tokio::test]
async fn an_edge_that_comes_back_gets_what_it_missed_and_no_more() {
    let lab = Lab::start().await.with_tunnel().await;
    let e1 = lab.edge("e1").await;
    let mut e2 = lab.edge("e2").await;
    let slot = e1.slot();
    let (first, second) = (e1.commit(handshake(slot, 1)), e1.commit(handshake(slot, 2)));
    let remove = e1.commit(vec![Change::RemoveIkeSa(1)]);
    let e1 = e1.run();

    let first = tokio::spawn(first);
    e2.catch_up_until(|heard| heard.records.contains_key(&child_key(slot, 1)))
        .await;
    first.await.unwrap().unwrap();
    let heard = e2.heard.clone();
    drop(e2);
    second.await.unwrap();
    let last = remove.await.unwrap();

    let mut e2 = Edge::connect(lab.channel("edge", "e2").await, heard, None)
        .await
        .unwrap();
    e2.catch_up_to(last.revision).await;
    assert_eq!(e2.heard.snapshots, 1, "only the very first session needed one");
    assert!(e2.heard.is_deleted(&child_key(slot, 1)));

    let mut fresh = lab.edge("e3").await;
    e2.catch_up_to(fresh.heard.revision).await;
    fresh.catch_up_to(e2.heard.revision).await;
    assert_eq!(
        e2.heard, fresh.heard,
        "a resume and a snapshot end in the same state"
    );
    e1.abort();
}

#[tokio::test]
async fn an_edge_that_knows_another_store_or_the_future_gets_a_snapshot() {
    let lab = Lab::start().await.with_tunnel().await;
    let known = lab.edge("e1").await;
    for wrong in [
        Heard {
            store: known.heard.store ^ 1,
            ..known.heard.clone()
        },
        Heard {
            revision: known.heard.revision + 1000,
            ..known.heard.clone()
        },
    ] {
        let mut edge = Edge::connect(lab.channel("edge", "e2").await, wrong, None)
            .await
            .unwrap();
        let first = edge.hear().await.unwrap();
        assert_eq!(first, FromDistributor::SnapshotBegin);
        edge.catch_up().await;
        assert!(edge.heard.records.len() >= known.heard.records.len());
    }
}

#[tokio::test]
async fn a_snapshot_larger_than_a_delta_comes_whole() {
    let customer = CustomerLimits {
        ike_sas: 64,
        ..Default::default()
    };
    let limits = Limits {
        customer,
        ..Limits::default()
    };
    let lab = Lab::start_with(limits).await.with_tunnel().await;
    let e1 = lab.edge("e1").await;
    let slot = e1.slot();
    for block in 0..8 {
        let big = |number| Sealed::new(ike_sa(slot, number), |_| Bytes::from(vec![7; 30_000]));
        let numbers = block * 8 + 1..=block * 8 + 8;
        let commit = tokio::spawn(e1.commit(numbers.map(|number| Change::PutIkeSa(big(number))).collect()));
        drop(commit);
    }
    let mut e1 = e1;
    e1.catch_up_until(|heard| heard.records.len() == 64 + 2).await;
    let (mut late, mut deltas) = (
        Edge::connect(lab.channel("edge", "e2").await, Heard::default(), None)
            .await
            .unwrap(),
        0,
    );
    while late.heard.revision == 0 {
        deltas += usize::from(matches!(late.hear().await.unwrap(), FromDistributor::Delta(_)));
    }
    assert!(deltas > 4, "{deltas} deltas for two megabytes");
    e1.catch_up_to(late.heard.revision).await;
    assert_eq!(late.heard.records, e1.heard.records);
}

#[tokio::test]
async fn a_restarted_distributor_goes_on_where_it_was() {
    let mut lab = Lab::start().await.with_tunnel().await;
    let mut e1 = lab.edge("e1").await;
    let commit = tokio::spawn(e1.commit(handshake(e1.slot(), 1)));
    e1.catch_up_until(|heard| heard.records.contains_key(&child_key(heard_slot(heard), 1)))
        .await;
    commit.await.unwrap().unwrap();

    lab.restart().await;
    assert_eq!(e1.end().await.code(), Code::Unavailable);
    let (lease, heard) = (e1.lease, e1.heard);
    let mut e1 = Edge::connect(
        lab.channel("edge", "e1").await,
        heard.clone(),
        Some(lease.incarnation),
    )
    .await
    .unwrap();
    assert_eq!(
        (e1.lease.slot, e1.lease.incarnation),
        (lease.slot, lease.incarnation)
    );
    e1.catch_up().await;
    assert_eq!(e1.heard, heard, "nothing has changed, so nothing is told");

    let commit = tokio::spawn(e1.commit(handshake(e1.slot(), 2)));
    e1.catch_up_until(|heard| heard.records.contains_key(&child_key(lease.slot, 2)))
        .await;
    let response = commit.await.unwrap().unwrap();
    assert!(response.revision > heard.revision, "revisions go on");
    assert!(response.edges[0].applied);
}

fn heard_slot(heard: &Heard) -> proto::Slot {
    heard
        .records
        .keys()
        .find_map(|key| {
            if let proto::Key::Edge(slot) = key {
                Some(*slot)
            } else {
                None
            }
        })
        .unwrap()
}

#[tokio::test]
async fn a_second_session_replaces_the_first() {
    let lab = Lab::start().await.with_tunnel().await;
    let mut old = lab.edge("e1").await;
    let new = lab.edge("e1").await;
    assert_eq!(old.end().await.code(), Code::Aborted);
    assert_eq!(new.slot(), old.slot(), "the name keeps its slot");
    assert_ne!(
        new.lease.incarnation, old.lease.incarnation,
        "another process, another number"
    );
    let refused = old.commit(handshake(old.slot(), 1)).await.unwrap_err();
    assert_eq!(
        refused.code(),
        Code::FailedPrecondition,
        "a process that was replaced cannot publish"
    );
}

/// A machine was cloned, its certificate with it.
#[tokio::test]
async fn machines_with_one_certificate_are_named() {
    let lab = Lab::start().await;
    let mut operator = lab.operator().await;
    let mut rivals = async || {
        let status = operator.fleet_status(FleetStatusRequest {}).await.unwrap();
        status.into_inner().edges[0].rivals.clone()
    };
    let mut first = lab.edge("e1").await;
    let _second = lab.edge("e1").await;
    let told = first.end().await;
    assert!(
        told.message().contains("edge e1") && told.message().contains("from 127.0.0.1"),
        "{told}"
    );
    assert!(rivals().await.is_empty(), "it may have been restarted");

    let own = Some(first.lease.incarnation);
    let _back = Edge::connect(lab.channel("edge", "e1").await, first.heard, own)
        .await
        .unwrap();
    assert_eq!(rivals().await, ["127.0.0.1"]);
}

#[tokio::test]
async fn a_process_keeps_its_incarnation_over_sessions_and_no_other_gets_it() {
    let mut lab = Lab::start().await;
    let first = lab.edge("e1").await.lease.incarnation;
    let same = Edge::connect(lab.channel("edge", "e1").await, Heard::default(), Some(first))
        .await
        .unwrap();
    assert_eq!(same.lease.incarnation, first);
    let mut seen = vec![first];
    for name in ["e2", "e1", "e3"] {
        lab.restart().await;
        let given = lab.edge(name).await.lease.incarnation;
        assert!(!seen.contains(&given), "{name} got {given} again");
        seen.push(given);
    }
    let stale = Edge::connect(lab.channel("edge", "e1").await, Heard::default(), Some(first))
        .await
        .unwrap();
    assert!(
        !seen.contains(&stale.lease.incarnation),
        "what was given since makes an old number worthless"
    );
}

#[tokio::test]
async fn a_heartbeat_is_answered_with_its_number() {
    let lab = Lab::start().await;
    let mut edge = lab.edge("e1").await;
    edge.heartbeat(42).await;
    while edge.lease.heartbeat.is_none() {
        edge.hear().await.unwrap();
    }
    assert_eq!(edge.lease.heartbeat, Some(42));
    assert_eq!(edge.lease.ttl, Limits::default().lease);
}

#[tokio::test]
async fn an_edge_without_heartbeats_loses_its_lease_and_gets_it_back() {
    let lab = Lab::start_with(Limits {
        lease: Duration::from_millis(300),
        ..Limits::default()
    })
    .await
    .with_tunnel()
    .await;
    let mut edge = lab.edge("e1").await;
    let mut operator = lab.operator().await;
    let state = async |operator: &mut proto::v1::operator_client::OperatorClient<_>| {
        operator
            .fleet_status(FleetStatusRequest {})
            .await
            .unwrap()
            .into_inner()
            .edges[0]
            .state()
    };
    while state(&mut operator).await != State::Expired {}
    let refused = edge.commit(handshake(edge.slot(), 1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);

    edge.heartbeat(1).await;
    while edge.lease.heartbeat.is_none() {
        edge.hear().await.unwrap();
    }
    edge.commit(handshake(edge.slot(), 1))
        .await
        .expect("the lease runs again");
}

#[tokio::test]
async fn a_session_that_breaks_the_rules_ends() {
    let lab = Lab::start().await;
    let mut impossible = lab.edge("e1").await;
    impossible.apply(1_000_000, &[]).await;
    assert_eq!(impossible.end().await.code(), Code::InvalidArgument);

    let mut twice = lab.edge("e1").await;
    let hello = proto::Hello {
        forward: ([10, 0, 0, 1], 1).into(),
        resume: None,
        incarnation: None,
    };
    twice.say((&ToDistributor::Hello(hello)).into()).await;
    assert_eq!(twice.end().await.code(), Code::InvalidArgument);

    let mut empty = lab.edge("e1").await;
    empty.say(proto::v1::SyncRequest::default()).await;
    assert_eq!(empty.end().await.code(), Code::InvalidArgument);

    let mut client = proto::v1::fleet_client::FleetClient::new(lab.channel("edge", "e1").await);
    let late = ToDistributor::Heartbeat(Heartbeat { number: 1 });
    let refused = client
        .sync(tokio_stream::iter([(&late).into()]))
        .await
        .unwrap_err();
    assert_eq!(
        refused.code(),
        Code::InvalidArgument,
        "a session begins with a hello"
    );
}

#[tokio::test]
async fn edges_learn_of_each_other() {
    let lab = Lab::start().await;
    let mut e1 = lab.edge("e1").await;
    let e2 = lab.edge("e2").await;
    e1.catch_up_until(|heard| heard.records.contains_key(&proto::Key::Edge(e2.slot())))
        .await;
    let record = &e1.heard.records[&proto::Key::Edge(e2.slot())];
    let proto::Body::Edge(told) = &record.body else {
        panic!("an edge's record")
    };
    assert_eq!(told.name.as_str(), "e2");
    assert_eq!(told.incarnation, e2.lease.incarnation);
}

#[tokio::test]
async fn a_subscriber_that_does_not_read_holds_nobody_up() {
    let limits = Limits {
        barrier: Duration::from_millis(100),
        ..Limits::default()
    };
    let lab = Lab::start_with(limits).await;
    let mut asleep = lab.edge("asleep").await;
    let mut operator = lab.operator().await;
    // Far more than the connection's windows and buffers hold.
    for number in 1..=40 {
        let mut wide = tunnel("wide", 1);
        wide.mtu = Some(1000 + number);
        let sealed = Sealed::new(wide, |_| Bytes::from(vec![0; 32_000]));
        let request = proto::v1::PutTunnelRequest {
            tunnel: Some((&sealed).into()),
            replace: true,
            replaced_revision: 0,
        };
        operator.put_tunnel(request).await.unwrap();
    }
    put_tunnel(&mut operator, tunnel("last", 2), false).await.unwrap();
    let awake = lab.edge("awake").await;
    asleep.catch_up_to(awake.heard.revision).await;
    assert_eq!(asleep.heard.records, awake.heard.records);
    assert_eq!(asleep.heard.snapshots, 1);
}
