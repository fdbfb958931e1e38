//! How long one customer's handshake takes at a responder that others flood with theirs.

use std::net::SocketAddr;
use std::time::Duration;

use ike::testkit::{Customer, Initiator, Status, TestFleet};
use ike::{Class, FairQueue, Path, Source, Transmit};

use rustix::time::{ClockId, clock_gettime};

use crate::scaling::{self, responders};

/// Others who flood the responder, each from an address of its own.
pub(crate) const FLOODING: usize = 4;

/// Requests that each of them keeps waiting.
const WAITING: usize = 16;

/// Handshakes that are measured.
const HANDSHAKES: u64 = 50;

/// Who has sent what waits.
enum Item {
    Ours(Transmit),
    Flood(Transmit),
}

/// Those who flood.
struct Flood {
    next_seed: u64,
    customers: Vec<Customer>,
}

impl Flood {
    /// As much as there is room for.
    fn fill(&mut self, queue: &mut FairQueue<Source, Item>) {
        for customer in &self.customers {
            for _ in 0..WAITING {
                self.next_seed += 1;
                let init = Initiator::new(customer.clone(), self.next_seed).start();
                // What finds no room is lost, as at an edge.
                let _ = queue.push(Class::New, source(&init), init.payload.len(), Item::Flood(init));
            }
        }
    }
}

fn source(sent: &Transmit) -> Source {
    Source::of(sent.path.local.ip())
}

fn customer(number: u8) -> Customer {
    let customer = scaling::customer();
    let path = Path {
        local: SocketAddr::from(([192, 0, 2, number], 500)),
        ..customer.path
    };
    Customer { path, ..customer }
}

/// Microseconds of the responder's thread from when the customer's messages wait until they are answered, while so many flood.
pub(crate) fn delay(flooding: usize, round: u64) -> f64 {
    let mut responder = responders(1).remove(0);
    let mut flood = Flood {
        next_seed: 1 << 32,
        customers: (2..).take(flooding).map(customer).collect(),
    };
    let mut queue = FairQueue::default();
    let mut time = Duration::ZERO;
    for number in 0..HANDSHAKES {
        let mut ours = Initiator::new(customer(1), round * HANDSHAKES + number);
        let mut class = Class::New;
        let mut sent = Some(ours.start());
        while let Some(message) = sent.take() {
            flood.fill(&mut queue);
            let from = source(&message);
            let octets = message.payload.len();
            assert!(
                queue.push(class, from, octets, Item::Ours(message)),
                "it has its share"
            );
            let begun = cpu_time();
            let replies = wait_for_ours(&mut queue, &mut responder);
            time += cpu_time() - begun;
            for reply in replies {
                sent = ours.handle_datagram(&reply.payload).or(sent);
            }
            class = Class::Known;
        }
        assert_eq!(ours.status(), Status::Up);
    }
    time.as_secs_f64() * 1e6 / HANDSHAKES as f64
}

/// Of this thread, so that the machine's other work does not count.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Answers one after the other, until ours has its turn.
fn wait_for_ours(queue: &mut FairQueue<Source, Item>, responder: &mut TestFleet) -> Vec<Transmit> {
    loop {
        match queue.pop().expect("ours is in it") {
            Item::Ours(message) => return responder.deliver(&message),
            Item::Flood(message) => drop(responder.deliver(&message)),
        }
    }
}
