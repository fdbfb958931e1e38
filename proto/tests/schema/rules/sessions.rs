//! Rules of what an edge says to the distributor.

use proto::v1::sync_request::Message;
use proto::*;

use super::Rules;

fn request(message: Message) -> v1::SyncRequest {
    v1::SyncRequest {
        message: Some(message),
    }
}

fn applied(failures: Vec<v1::Failure>) -> v1::SyncRequest {
    request(Message::Applied(v1::Applied {
        revision: 1,
        failures_total: failures.len() as u32,
        failures,
    }))
}

fn failure(reason: &str) -> v1::Failure {
    v1::Failure {
        key: Some((&Key::Edge(testkit::slot(1))).into()),
        errno: 2,
        reason: reason.to_owned(),
    }
}

#[test]
fn of_sessions() {
    let rule = "is not one line of at most 512 octets";
    Rules::of(applied(vec![failure("one line")]))
        .broken(
            "an edge says where it takes messages",
            request(Message::Hello(v1::Hello::default())),
            "hello.forward: nothing where a value is needed",
        )
        .broken(
            "a heartbeat's number is not 0",
            request(Message::Heartbeat(v1::Heartbeat { number: 0 })),
            "heartbeat.number: nothing where a value is needed",
        )
        .broken(
            "a reason is one line",
            applied(vec![failure("two\nlines")]),
            &format!(r#"applied.failures[0].reason: "two\nlines" {rule}"#),
        )
        .broken(
            "a reason is not long",
            applied(vec![failure(&"x".repeat(513))]),
            &format!("applied.failures[0].reason: \"{}... {rule}", "x".repeat(63)),
        )
        .broken(
            "failures are not many",
            applied(vec![v1::Failure::default(); 257]),
            "applied.failures: 257 items are more than 256",
        )
        .check::<ToDistributor>();
}

#[test]
fn of_commits() {
    let remove = |kind| v1::Change {
        change: Some(v1::change::Change::Remove(v1::Key { kind: Some(kind) })),
    };
    Rules::of(v1::CommitRequest {
        changes: vec![remove(v1::key::Kind::IkeSa(1))],
        ..v1::CommitRequest::default()
    })
    .rule(
        "there is a change",
        |c| c.changes.clear(),
        "changes: nothing where a value is needed",
    )
    .rule(
        "a change is of some kind",
        |c| c.changes = vec![v1::Change::default()],
        "changes[0].change: nothing where a value is needed",
    )
    .rule(
        "an edge removes no tunnel",
        |c| c.changes = vec![remove(v1::key::Kind::Tunnel("acme".into()))],
        "changes[0].remove: tunnel acme is not for an edge to remove",
    )
    .rule(
        "what is removed has a good key",
        |c| c.changes = vec![remove(v1::key::Kind::ChildSa(5))],
        "changes[0].remove.inbound_spi: 0x00000005 has no slot in its high ten bits",
    )
    .check::<Commit>();
}
