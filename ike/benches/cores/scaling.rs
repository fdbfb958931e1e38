//! Handshakes in a second, by the clock.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use ike::testkit::{Customer, Initiator, Status, TestFleet, TestHost};
use ike::{Cipher, Config, DhGroup, EspSuite, IkeSuite, Path, Prf, Router, Shared, Slot, Transmit};

/// Of all threads together.
const HANDSHAKES: u64 = 2000;

/// By pre-shared key and Curve25519: the commonest way, of which least is cryptography.
pub(crate) fn customer() -> Customer {
    Customer {
        ike: vec![IkeSuite {
            cipher: Cipher::Aes256Gcm16,
            prf: Prf::HmacSha256,
            dh: DhGroup::Curve25519,
        }],
        esp: vec![EspSuite::Encrypted(Cipher::Aes256Gcm16)],
        ..Customer::new(1)
    }
}

/// Responders that know its tunnel.
pub(crate) fn responders(threads: usize) -> Vec<TestFleet> {
    let shared = Shared::default();
    shared.put_tunnel(customer().tunnel());
    let slot = Slot::new(1).expect("a slot");
    let mut config = Config::new(slot, 1, TestFleet::spi_key());
    config.limits.cookie_threshold = usize::MAX;
    config.limits.half_open_max = usize::MAX;
    let responder = |thread| {
        let host = TestHost::new(thread as u64);
        TestFleet::sharing(shared.clone(), config.clone(), host)
    };
    (0..threads).map(responder).collect()
}

/// Which of so many responders it is for.
pub(crate) fn thread_of(router: &Router, sent: &Transmit, threads: usize) -> usize {
    let path = Path {
        local: sent.path.peer,
        peer: sent.path.local,
    };
    router.route(path, &sent.payload).1.of(threads)
}

/// With so many threads. The customers' part is done before and between, by nobody's clock.
pub(crate) fn rate(threads: usize, round: u64) -> f64 {
    let router = Router::new(&TestFleet::spi_key());
    let mut responders = responders(threads);
    let seeds = (0..HANDSHAKES).map(|number| round * HANDSHAKES + number);
    let mut customers: Vec<_> = seeds.map(|seed| Initiator::new(customer(), seed)).collect();
    let mut requests: Vec<_> = customers.iter_mut().map(Initiator::start).collect();
    let mut time = Duration::ZERO;
    while !requests.is_empty() {
        let mut queues = vec![Vec::new(); threads];
        for (number, request) in requests.iter().enumerate() {
            queues[thread_of(&router, request, threads)].push((number, request));
        }
        let (replies, spent) = deliver(&mut responders, &queues);
        time += spent;
        let mut sent = Vec::new();
        for (number, reply) in replies {
            sent.extend(customers[number].handle_datagram(&reply.payload));
        }
        requests = sent;
    }
    assert!(customers.iter().all(|customer| customer.status() == Status::Up));
    HANDSHAKES as f64 / time.as_secs_f64()
}

/// What each responder answers to its queue, with the request's number, in the order of these; and how long all of them take.
fn deliver(
    responders: &mut [TestFleet],
    queues: &[Vec<(usize, &Transmit)>],
) -> (Vec<(usize, Transmit)>, Duration) {
    let start = Barrier::new(responders.len());
    let parts: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = responders
            .iter_mut()
            .zip(queues)
            .map(|(responder, queue)| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    let begun = Instant::now();
                    let mut replies = Vec::with_capacity(queue.len());
                    for (number, request) in queue {
                        replies.extend(
                            responder
                                .deliver(request)
                                .into_iter()
                                .map(|reply| (*number, reply)),
                        );
                    }
                    (replies, begun, Instant::now())
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("it does not panic"))
            .collect()
    });
    let first = parts.iter().map(|part| part.1).min();
    let last = parts.iter().map(|part| part.2).max();
    let spent = first
        .zip(last)
        .map_or(Duration::ZERO, |(first, last)| last - first);
    let mut replies: Vec<_> = parts.into_iter().flat_map(|part| part.0).collect();
    replies.sort_by_key(|(number, _)| *number);
    (replies, spent)
}
