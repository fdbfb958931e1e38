//! Time from a commit to its being applied at all of 1, 10, 100 and 1,000 subscribers, over real gRPC and mutual TLS
//! on loopback, and the distributor's CPU time for each delivery.
//!
//! Subscribers apply at once: they decode what comes and report it, and have no kernel behind them. Writes a JSON object
//! a line, one for each number of subscribers and round; `interop/bench` makes a table of them.

#![allow(clippy::disallowed_methods, reason = "real time is what these run in")]

#[path = "../tests/fleet/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the tests use the rest")]
mod support;

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use distributor::{CustomerLimits, Limits};
use proto::v1::fleet_client::FleetClient;
use proto::{Change, Commit, Delta, FromDistributor, Header, Lease, Sealed, v1};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tonic::transport::Channel;

use support::{Edge, Lab, child_sa, ike_sa};

const SUBSCRIBERS: [usize; 4] = [1, 10, 100, 1000];

const ROUNDS: usize = 5;

/// Commits of each measurement, one after the other.
const COMMITS: usize = 200;

/// Commits before it, within which new subscribers have caught up and joined the barrier's set.
const WARM_UP: usize = 20;

/// Octets of a sealed pair of keys, and of a sealed snapshot of an IKE SA after IKE_AUTH.
const CHILD_SECRET: usize = 130;
const IKE_SECRET: usize = 900;

/// Names of the distributor's threads: its runtime's and the store's.
const DISTRIBUTOR_THREADS: [&str; 2] = ["distributor", "store"];

fn main() -> io::Result<()> {
    allow_many_files()?;
    for _ in 0..ROUNDS {
        round()?;
    }
    Ok(())
}

/// A connection has two ends, and both are ours.
fn allow_many_files() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limit.maximum,
        ..limit
    };
    Ok(setrlimit(Resource::Nofile, wanted)?)
}

/// A new fleet, which grows.
fn round() -> io::Result<()> {
    let (distributor, edges) = (runtime(DISTRIBUTOR_THREADS[0])?, runtime("edges")?);
    let lab = distributor.block_on(async { Lab::start_with(limits()).await.with_tunnel().await });
    let lab = Arc::new(lab);
    let mut publisher = None;
    let mut connected = 0;
    for subscribers in SUBSCRIBERS {
        let joined = edges.block_on(join(&lab, connected..subscribers));
        connected = subscribers;
        let publisher = publisher.get_or_insert_with(|| Publisher::new(&joined[0]));
        joined
            .into_iter()
            .for_each(|edge| drop(edges.spawn(follow(edge))));

        edges.block_on(publisher.commit(WARM_UP));
        let cpu = distributor_cpu_time()?;
        let times = edges.block_on(publisher.commit(COMMITS));
        let cpu = distributor_cpu_time()? - cpu;
        report(subscribers, times, cpu);
    }
    Ok(())
}

fn runtime(threads: &str) -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .thread_name(threads)
        .enable_all()
        .build()
}

/// Leases that need no renewal meanwhile, and time for everyone to connect at once.
fn limits() -> Limits {
    Limits {
        lease: Duration::from_secs(3600),
        barrier: Duration::from_secs(10),
        handshake: Duration::from_secs(60),
        handshakes_of_source: usize::MAX,
        customer: CustomerLimits {
            ike_sas: usize::MAX,
            ..CustomerLimits::default()
        },
        ..Limits::default()
    }
}

async fn join(lab: &Arc<Lab>, numbers: std::ops::Range<usize>) -> Vec<Edge> {
    let mut joining = JoinSet::new();
    for number in numbers {
        let lab = Arc::clone(lab);
        joining.spawn(async move { lab.edge(&format!("e{number}")).await });
    }
    joining.join_all().await
}

/// Reports everything as applied as it comes, and keeps nothing.
async fn follow(mut edge: Edge) {
    while let Ok(message) = edge.hear().await {
        edge.heard.records.clear();
        if let FromDistributor::Delta(Delta {
            revision: Some(revision),
            ..
        }) = message
        {
            edge.apply(revision, &[]).await;
        }
    }
}

/// The edge that commits; it is one of the subscribers too.
struct Publisher {
    client: FleetClient<Channel>,
    lease: Lease,
    handshakes: u32,
}

/// Of one commit.
#[derive(Clone, Copy)]
struct Times {
    /// From the call to its answer: what the held IKE_AUTH reply waits for.
    commit: Duration,
    /// From the disk to the last edge's report, as the distributor measures it.
    spread: Duration,
    edges: usize,
}

impl Publisher {
    fn new(edge: &Edge) -> Self {
        Self {
            client: edge.client.clone(),
            lease: edge.lease,
            handshakes: 0,
        }
    }

    async fn commit(&mut self, count: usize) -> Vec<Times> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let request = self.next_handshake();
            let start = Instant::now();
            let answer = self
                .client
                .commit(request)
                .await
                .expect("the commit is admissible")
                .into_inner();
            let commit = start.elapsed();
            let slowest = answer
                .edges
                .iter()
                .map(|edge| edge.elapsed_us)
                .max()
                .unwrap_or_default();
            times.push(Times {
                commit,
                spread: Duration::from_micros(slowest.into()),
                edges: answer.edges.iter().filter(|edge| edge.applied).count(),
            });
        }
        times
    }

    /// An IKE SA and its child SA.
    fn next_handshake(&mut self) -> v1::CommitRequest {
        self.handshakes += 1;
        let ike = ike_sa(self.lease.slot, self.handshakes.into());
        let child = child_sa(&ike, self.handshakes);
        let changes = vec![
            Change::PutIkeSa(sealed(ike, IKE_SECRET)),
            Change::PutChildSa(sealed(child, CHILD_SECRET)),
        ];
        (&Commit {
            changes,
            deadline: None,
            incarnation: self.lease.incarnation,
        })
            .into()
    }
}

fn sealed<H: Header>(header: H, secret: usize) -> Sealed<H> {
    Sealed::new(header, |_| Bytes::from(vec![0xa5; secret]))
}

fn report(subscribers: usize, times: Vec<Times>, cpu: Duration) {
    assert!(
        times.iter().all(|it| it.edges == subscribers),
        "every subscriber applies every commit in time"
    );
    let deliveries = times.len() * subscribers;
    let [commit_p50, commit_p99] = percentiles(times.iter().map(|it| it.commit));
    let [spread_p50, spread_p99] = percentiles(times.iter().map(|it| it.spread));
    let cpu = cpu.as_secs_f64() * 1e6 / deliveries as f64;
    println!(
        r#"{{"subscribers":{subscribers},"commit_p50_us":{commit_p50},"commit_p99_us":{commit_p99},"spread_p50_us":{spread_p50},"spread_p99_us":{spread_p99},"cpu_per_delivery_us":{cpu:.2}}}"#
    );
}

/// The median and the 99th percentile, in microseconds.
fn percentiles(times: impl Iterator<Item = Duration>) -> [u128; 2] {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    [50, 99].map(|percent| times[(times.len() * percent).div_ceil(100) - 1].as_micros())
}

/// The sum over the distributor's threads of their time on a processor: first number of `schedstat` (proc(5)), in
/// nanoseconds.
fn distributor_cpu_time() -> io::Result<Duration> {
    let mut sum = Duration::ZERO;
    for thread in fs::read_dir("/proc/self/task")? {
        let thread = thread?.path();
        let name = fs::read_to_string(thread.join("comm"))?;
        if DISTRIBUTOR_THREADS.contains(&name.trim_end()) {
            let schedstat = fs::read_to_string(thread.join("schedstat"))?;
            let on_processor = schedstat.split(' ').next().and_then(|number| number.parse().ok());
            sum += Duration::from_nanos(on_processor.ok_or(io::ErrorKind::InvalidData)?);
        }
    }
    Ok(sum)
}
