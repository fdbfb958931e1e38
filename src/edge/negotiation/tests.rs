use std::net::SocketAddr;
use std::sync::mpsc;
use std::thread;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use proto::Slot;
use tokio::net::UdpSocket;

use super::*;
use crate::fixtures;
use crate::ingress::dispatch::Dispatcher;

/// For what has to happen soon; a machine under load takes its time.
const LIMIT: Duration = Duration::from_secs(60);

async fn negotiator(shared: &Shared) -> Negotiator {
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let socket = UdpSocket::bind(local).await.unwrap();
    let router = ike::Router::new(&shared.fleet_key.spi_key());
    let dispatcher = Dispatcher::new(1, router, shared.replica.clone());
    Negotiator {
        shared: shared.clone(),
        limits: Limits::default(),
        quick_crash_detection: false,
        sa_lifetime: Duration::from_secs(600),
        sockets: Arc::new(Sockets::of(local, socket)),
        common: Arc::new(Common::new(shared.metrics.clone())),
        place: dispatcher.places().next().unwrap(),
    }
}

/// A change of a child SA that the fleet has never had.
fn impossible() -> ike::Commit {
    ike::Commit {
        id: CommitId(1),
        ike: ike::IkeSpis {
            initiator: 1,
            responder: 2,
        },
        changes: vec![ike::Change::UpdateChild {
            inbound_spi: 0x0040_0001,
            update: ike::ChildUpdate::Activate,
        }],
    }
}

fn has_counted(metrics: &Metrics, line: &str) -> bool {
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    text.lines().any(|it| it == line)
}

/// The session's task writes the replica. A thread that holds on to it while it takes the outcome, which looks at it again,
/// would wait for that task, and that task for the thread.
#[tokio::test]
async fn a_commit_that_cannot_be_recorded_lets_the_replica_be_written_meanwhile() {
    let (shared, _writers) = Shared::new(Arc::new(fixtures::fleet_key()));
    *shared.replica.write() = fixtures::snapshot(1, vec![], 1);
    let negotiator = negotiator(&shared).await;
    let common = Arc::clone(&negotiator.common);
    let grant = LeaseGrant {
        slot: Slot::new(1).unwrap(),
        incarnation: 1,
        store: 1,
        until: Instant::now() + LIMIT,
    };

    // Taking the outcome begins with a line in the journal, so it waits for this.
    let journal = common.journal();
    let committing = thread::spawn(move || {
        let mut running = negotiator.start(grant);
        negotiator.commit(&mut running, impossible());
    });
    let begun = Instant::now();
    while !has_counted(&shared.metrics, "anyswan_commits_total{kind=\"invalid\"} 1") {
        assert!(begun.elapsed() < LIMIT, "the commit is not refused");
        thread::yield_now();
    }
    let (written, is_written) = mpsc::channel();
    let replica = shared.replica.clone();
    let writing = thread::spawn(move || {
        replica.write().begin_stream();
        written.send(()).unwrap();
    });
    is_written
        .recv_timeout(LIMIT)
        .expect("the replica is held while the outcome is taken");

    drop(journal);
    writing.join().unwrap();
    committing.join().unwrap();
}
