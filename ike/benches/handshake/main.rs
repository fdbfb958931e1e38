//! CPU time of the responder for a handshake (IKE_SA_INIT and IKE_AUTH with a pre-shared key, commits answered at
//! once), and for the cryptography in it alone.
//!
//! Writes a JSON object a line, one for each key exchange group and round; `interop/bench` makes a table of them.

mod bare;

use std::time::Duration;

use ike::testkit::{Customer, Initiator, Status, TestFleet, TestHost};
use ike::{Cipher, DhGroup, IkePolicy, IkeSuite, Limits, Prf, Transmit};
use rustix::time::{ClockId, clock_gettime};

use bare::Bare;

/// Responder and bare cryptography take turns this often, so that what else the machine does strikes both.
const ROUNDS: u32 = 15;

/// Handshakes in a turn: fewer where each takes milliseconds.
fn batch(group: DhGroup) -> u32 {
    match group {
        DhGroup::Curve25519 | DhGroup::P256 | DhGroup::P384 => 200,
        DhGroup::Modp2048 | DhGroup::Modp3072 | DhGroup::Modp4096 => 20,
    }
}

fn main() {
    for round in 0..ROUNDS {
        for dh in IkePolicy::default().dh {
            let suite = IkeSuite {
                cipher: Cipher::Aes256Gcm16,
                prf: Prf::HmacSha256,
                dh,
            };
            let (responder, sizes) = responder_turn(suite, round);
            let mut bare = Bare::new(dh, &sizes);
            let bare = cpu_time_of(|| (0..batch(dh)).for_each(|_| bare.handshake())).1;
            println!(
                r#"{{"group":"{dh}","responder_us":{:.3},"bare_us":{:.3}}}"#,
                us_each(responder, dh),
                us_each(bare, dh)
            );
        }
    }
}

/// Makes key pairs as an edge does.
fn host(seed: u64) -> TestHost {
    TestHost::new(seed).with_key_pairs_of_system()
}

fn us_each(time: Duration, group: DhGroup) -> f64 {
    time.as_secs_f64() * 1e6 / f64::from(batch(group))
}

/// Octets of the four messages, in their order.
struct Sizes([usize; 4]);

/// A batch of customers connects to a new responder. Their requests are made beforehand, so that only what the
/// responder does is measured.
fn responder_turn(suite: IkeSuite, round: u32) -> (Duration, Sizes) {
    let customer = Customer {
        ike: vec![suite],
        ..Customer::new(1)
    };
    let mut fleet = TestFleet::with_host(1, host(1), Limits::default());
    fleet.responder.handle_tunnel(fleet.now, customer.tunnel());
    let batch = batch(suite.dh);
    let seeds = (0..batch).map(|number| u64::from(round * batch + number));
    let mut customers: Vec<_> = seeds.map(|seed| Initiator::new(customer.clone(), seed)).collect();

    let init_requests: Vec<_> = customers.iter_mut().map(Initiator::start).collect();
    let (init_replies, init) = deliver(&mut fleet, &init_requests);
    let auth_requests = answers(&mut customers, &init_replies);
    let (auth_replies, auth) = deliver(&mut fleet, &auth_requests);
    answers(&mut customers, &auth_replies);

    let up = customers
        .iter()
        .filter(|customer| customer.status() == Status::Up)
        .count();
    assert_eq!(up, customers.len(), "every customer has its IKE SA");
    let messages = [init_requests, init_replies, auth_requests, auth_replies];
    (
        init + auth,
        Sizes(messages.map(|messages| messages[0].payload.len())),
    )
}

/// What the responder replies, and the CPU time that this took it.
fn deliver(fleet: &mut TestFleet, requests: &[Transmit]) -> (Vec<Transmit>, Duration) {
    cpu_time_of(|| {
        requests
            .iter()
            .flat_map(|request| fleet.deliver(request))
            .collect()
    })
}

/// What the customers send because of the replies, each of which is for one of them.
fn answers(customers: &mut [Initiator], replies: &[Transmit]) -> Vec<Transmit> {
    let pairs = customers.iter_mut().zip(replies);
    pairs
        .filter_map(|(customer, reply)| customer.handle_datagram(&reply.payload))
        .collect()
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
