//! A commit is answered when every live edge has applied it, or at its deadline.

use std::time::Duration;

use crate::support::{Lab, child_key, handshake};
use distributor::Limits;
use proto::v1::edge_status::State;
use proto::v1::{FleetStatusRequest, FleetStatusResponse};
use proto::{Commit, Failure, Key};
use tokio::time::timeout;

#[tokio::test]
async fn the_answer_waits_for_the_last_edge() {
    let lab = Lab::start().await.with_tunnel().await;
    let (mut e1, mut e2, mut e3) = (lab.edge("e1").await, lab.edge("e2").await, lab.edge("e3").await);
    let commit = tokio::spawn(e1.commit(handshake(e1.slot(), 1)));
    let child = child_key(e1.slot(), 1);
    for edge in [&mut e1, &mut e2] {
        edge.catch_up_until(|heard| heard.records.contains_key(&child))
            .await;
    }
    while !e3.heard.records.contains_key(&child) {
        e3.hear_revision().await;
    }
    assert!(!commit.is_finished(), "e3 has the record but has not applied it");

    e3.apply(e3.heard.revision, &[]).await;
    let response = commit.await.unwrap().unwrap();
    assert_eq!(response.revision, e3.heard.revision);
    let edges: Vec<_> = response
        .edges
        .iter()
        .map(|edge| (edge.name.as_str(), edge.applied))
        .collect();
    assert_eq!(edges, [("e1", true), ("e2", true), ("e3", true)]);
    assert!(response.edges[2].elapsed_us >= response.edges[0].elapsed_us);
}

#[tokio::test]
async fn a_repeated_commit_changes_nothing_and_still_waits() {
    let lab = Lab::start().await.with_tunnel().await;
    let (mut e1, e2) = (lab.edge("e1").await, lab.edge("e2").await.run());
    let changes = handshake(e1.slot(), 1);
    let child = child_key(e1.slot(), 1);
    let first = tokio::spawn(e1.commit(changes.clone()));
    e1.catch_up_until(|heard| heard.records.contains_key(&child))
        .await;
    let first = first.await.unwrap().unwrap();
    let again = e1.commit(changes).await.unwrap();
    assert_eq!(again.revision, first.revision);
    assert!(again.edges.iter().all(|edge| edge.applied));
    drop(e2);
}

#[tokio::test]
async fn a_slow_edge_costs_one_deadline_then_lags_until_it_has_caught_up() {
    let limits = Limits {
        barrier: Duration::from_millis(200),
        ..Limits::default()
    };
    let lab = Lab::start_with(limits).await.with_tunnel().await;
    let (e1, mut slow) = (lab.edge("e1").await, lab.edge("slow").await);
    let slot = e1.slot();
    let client = e1.commit(handshake(slot, 1));
    let second = e1.commit(handshake(slot, 2));
    let third = e1.commit(handshake(slot, 3));
    let e1 = e1.run();

    let first = client.await.unwrap();
    let missed: Vec<_> = first
        .edges
        .iter()
        .filter(|edge| !edge.applied)
        .map(|edge| edge.name.as_str())
        .collect();
    assert_eq!(
        missed,
        ["slow"],
        "the deadline ends the wait and names who missed it"
    );
    assert_eq!(state_of(&lab, "slow").await, State::Lagging);

    let response = second.await.unwrap();
    let applied: Vec<_> = response.edges.iter().map(|edge| edge.applied).collect();
    assert_eq!(
        applied,
        [true, false],
        "a lagging edge is shown and not waited for"
    );

    slow.catch_up_to(response.revision).await;
    while state_of(&lab, "slow").await != State::Live {}
    let slow = slow.run();
    let response = third.await.unwrap();
    assert_eq!(response.edges.len(), 2, "it is waited for again");
    assert!(response.edges.iter().all(|edge| edge.applied));
    drop((e1, slow));
}

#[tokio::test]
async fn a_commit_says_how_long_it_wants_to_wait() {
    let lab = Lab::start().await.with_tunnel().await;
    let (e1, _never_applies) = (lab.edge("e1").await, lab.edge("e2").await);
    let deadline = Some(Duration::from_millis(50));
    let commit = Commit {
        changes: handshake(e1.slot(), 1),
        deadline,
        incarnation: e1.lease.incarnation,
    };
    let answer = timeout(Duration::from_secs(4), e1.commit_as(commit)).await;
    let response = answer.expect("earlier than the distributor's own 5 s").unwrap();
    assert!(response.edges.iter().all(|edge| !edge.applied));
}

#[tokio::test]
async fn what_a_kernel_refuses_is_told_with_the_commit_and_in_the_status() {
    let lab = Lab::start().await.with_tunnel().await;
    let mut e1 = lab.edge("e1").await;
    let child = child_key(e1.slot(), 1);
    let commit = tokio::spawn(e1.commit(handshake(e1.slot(), 1)));
    while !e1.heard.records.contains_key(&child) {
        e1.hear_revision().await;
    }
    let failure = Failure {
        key: child,
        errno: 93,
        reason: "no esp4: modprobe esp4".to_owned(),
    };
    let unrelated = Failure {
        key: Key::Tunnel("acme".parse().unwrap()),
        ..failure.clone()
    };
    e1.apply(e1.heard.revision, &[unrelated, failure.clone()]).await;

    let response = commit.await.unwrap().unwrap();
    assert_eq!(
        response.edges[0].failures,
        [(&failure).into()],
        "only those of the commit's own records"
    );
    let status = fleet_status(&lab).await;
    assert_eq!(status.edges[0].failures.len(), 2);
    assert_eq!(status.edges[0].failures_total, 2);

    let mut operator = lab.operator().await;
    let mut sas = operator
        .list_sas(proto::v1::ListSasRequest::default())
        .await
        .unwrap()
        .into_inner();
    let install = sas.message().await.unwrap().unwrap().children[0].edges[0].clone();
    assert!(!install.installed);
    assert_eq!(install.failure, Some((&failure).into()));
}

async fn fleet_status(lab: &Lab) -> FleetStatusResponse {
    lab.operator()
        .await
        .fleet_status(FleetStatusRequest {})
        .await
        .unwrap()
        .into_inner()
}

async fn state_of(lab: &Lab, name: &str) -> State {
    let status = fleet_status(lab).await;
    status
        .edges
        .iter()
        .find(|edge| edge.name == name)
        .expect("a known edge")
        .state()
}
