//! CPU time of the responder for a handshake (commits answered at once, without sockets), and for the cryptography in it
//! alone.
//!
//! Writes a JSON object a line, one for each case and round; `interop/bench` makes a table of them. With arguments, only the
//! cases of these names.

mod bare;
#[path = "../common/case.rs"]
mod case;
#[path = "../common/credentials.rs"]
mod credentials;

use std::env;
use std::time::Duration;

use ike::testkit::{Initiator, Status, TestFleet, TestHost};
use ike::{DhGroup, IkePolicy, Limits, Transmit};
use rustix::time::{ClockId, clock_gettime};

use bare::Bare;
use case::Case;
use credentials::Sides;

/// Responder and bare cryptography take turns this often, so that what else the machine does strikes both.
const ROUNDS: u32 = 15;

/// Handshakes in a turn: fewer where each takes milliseconds.
fn batch(case: Case) -> u32 {
    match case.suite().dh {
        DhGroup::Curve25519 | DhGroup::P256 | DhGroup::P384 => 200,
        DhGroup::Modp2048 | DhGroup::Modp3072 | DhGroup::Modp4096 => 20,
    }
}

fn main() {
    let mut cases = IkePolicy::default()
        .dh
        .into_iter()
        .map(Case::Psk)
        .collect::<Vec<_>>();
    cases.extend(
        Case::USUAL
            .into_iter()
            .filter(|case| !matches!(case, Case::Psk(_))),
    );
    let named: Vec<String> = env::args().skip(1).filter(|it| it != "--bench").collect();
    let is_wanted = |case: &Case| named.is_empty() || named.contains(&case.to_string());
    let cases: Vec<_> = cases
        .into_iter()
        .filter(is_wanted)
        .map(|case| (case, case.key_kind().map(Sides::new)))
        .collect();
    for round in 0..ROUNDS {
        for (case, sides) in &cases {
            let (responder, exchanges) = responder_turn(*case, sides.as_ref(), round);
            let mut bare = Bare::new(*case, sides.as_ref(), &exchanges);
            let bare = cpu_time_of(|| (0..batch(*case)).for_each(|_| bare.handshake())).1;
            println!(
                r#"{{"case":"{case}","responder_us":{:.3},"bare_us":{:.3}}}"#,
                us_each(responder, *case),
                us_each(bare, *case)
            );
        }
    }
}

fn us_each(time: Duration, case: Case) -> f64 {
    time.as_secs_f64() * 1e6 / f64::from(batch(case))
}

/// Octets of a request and of the datagrams that answer it.
struct Exchange {
    request: usize,
    reply: Vec<usize>,
}

/// A batch of customers connects to a new responder. Their requests are made beforehand, so that only what the
/// responder does is measured.
fn responder_turn(case: Case, sides: Option<&Sides>, round: u32) -> (Duration, Vec<Exchange>) {
    let customer = case.customer(sides);
    let mut fleet = TestFleet::with_host(1, TestHost::new(1), Limits::default());
    let tunnel = case.tunnel(sides.map(|sides| (&sides.authority[..], &sides.fleet)));
    fleet.responder.handle_tunnel(fleet.now, tunnel);
    let batch = batch(case);
    let seeds = (0..batch).map(|number| u64::from(round * batch + number));
    let mut customers: Vec<_> = seeds.map(|seed| Initiator::new(customer.clone(), seed)).collect();

    let mut time = Duration::ZERO;
    let mut exchanges = Vec::new();
    let mut requests: Vec<_> = customers.iter_mut().map(Initiator::start).collect();
    while !requests.is_empty() {
        let (replies, spent) = deliver(&mut fleet, &requests);
        time += spent;
        exchanges.push(Exchange {
            request: requests[0].payload.len(),
            reply: replies[0].iter().map(|datagram| datagram.payload.len()).collect(),
        });
        requests = answers(&mut customers, &replies);
    }

    let up = customers
        .iter()
        .filter(|customer| customer.status() == Status::Up)
        .count();
    assert_eq!(up, customers.len(), "every customer has its IKE SA");
    (time, exchanges)
}

/// What the responder replies to each, and the CPU time that this took it.
fn deliver(fleet: &mut TestFleet, requests: &[Transmit]) -> (Vec<Vec<Transmit>>, Duration) {
    let mut deliver = |request| {
        let replies = fleet.deliver(request);
        // Made and done with, as in a process that hands them on.
        fleet.commits.clear();
        fleet.events.clear();
        replies
    };
    cpu_time_of(|| requests.iter().map(&mut deliver).collect())
}

/// What the customers send because of the replies, which are theirs in the same order.
fn answers(customers: &mut [Initiator], replies: &[Vec<Transmit>]) -> Vec<Transmit> {
    let pairs = customers.iter_mut().zip(replies);
    let sent = pairs.flat_map(|(customer, reply)| {
        let sent = reply
            .iter()
            .filter_map(|datagram| customer.handle_datagram(&datagram.payload));
        sent.collect::<Vec<_>>()
    });
    sent.collect()
}

fn cpu_time_of<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = cpu_time();
    let result = work();
    (result, cpu_time() - start)
}

/// Of this thread, so that the machine's other work does not count.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
