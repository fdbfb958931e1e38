//! Many initiators behind one socket for each port of the responder's.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use ike::testkit::{Customer, Initiator, Status};
use ike::{Path, Transmit};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::respond::PORTS;

/// So many at once wait for a reply: enough to keep all threads of a responder busy, too few to overflow a socket's buffer.
const IN_FLIGHT: usize = 16;

/// A responder that is silent for so long has failed.
const SILENCE: Duration = Duration::from_secs(10);

/// How long a process may take until it answers for the first time, and how often it is tried.
const START: Duration = Duration::from_secs(20);
const TRY: Duration = Duration::from_millis(50);

/// Octets of the longest message that a responder sends here.
const MAX_DATAGRAM: usize = 4096;

pub(crate) struct Crowd {
    customer: Customer,
    next_seed: u64,
    /// In the order of [`PORTS`].
    sockets: [UdpSocket; 2],
    buffer: Vec<u8>,
}

impl Crowd {
    /// Crowds of different numbers have different SPIs.
    pub(crate) fn new(customer: Customer, number: u64) -> Self {
        // As behind a NAT: the address that it believes to be its own is none that the responder sees.
        let path = Path {
            peer: SocketAddr::from((Ipv4Addr::LOCALHOST, PORTS[0])),
            ..customer.path
        };
        Self {
            customer: Customer { path, ..customer },
            next_seed: number << 32,
            sockets: PORTS.map(connect),
            buffer: vec![0; MAX_DATAGRAM],
        }
    }

    /// Tries one IKE_SA_INIT after the other until it is answered, and not by an error for want of configuration.
    pub(crate) fn wait_for_responder(&mut self) {
        let begun = Instant::now();
        while begun.elapsed() < START {
            let mut initiator = self.initiator();
            self.send(&initiator.start());
            if let Some(reply) = self.receive(TRY)
                && initiator.handle_datagram(&reply).is_some()
            {
                return;
            }
            thread::sleep(TRY);
        }
        panic!("no answer within {START:?}");
    }

    /// So many that have sent nothing yet.
    pub(crate) fn customers(&mut self, count: u64) -> Vec<Initiator> {
        (0..count).map(|_| self.initiator()).collect()
    }

    /// All of them connect.
    pub(crate) fn connect(&mut self, customers: &mut [Initiator]) {
        self.converse(customers, |customer| Some(customer.start()));
    }

    /// Each customer sends what `begin` gives, and goes on until it waits for no response; then its IKE SA must be up.
    pub(crate) fn converse(
        &mut self,
        customers: &mut [Initiator],
        begin: impl Fn(&mut Initiator) -> Option<Transmit>,
    ) {
        let mut waiting = customers.iter_mut();
        let mut under_way: HashMap<[u8; 8], &mut Initiator> = HashMap::new();
        loop {
            while under_way.len() < IN_FLIGHT
                && let Some(initiator) = waiting.next()
            {
                let sent = begin(initiator).expect("it can begin");
                under_way.insert(self.send(&sent), initiator);
            }
            if under_way.is_empty() {
                return;
            }
            let reply = self.receive(SILENCE).expect("the responder answers");
            let Some(initiator) = under_way.remove(&initiator_spi(&reply)) else {
                continue;
            };
            match initiator.handle_datagram(&reply) {
                Some(sent) => drop(under_way.insert(self.send(&sent), initiator)),
                // A fragment: there is more to come.
                None if !initiator.is_idle() => drop(under_way.insert(initiator_spi(&reply), initiator)),
                None => assert_eq!(initiator.status(), Status::Up),
            }
        }
    }

    fn initiator(&mut self) -> Initiator {
        self.next_seed += 1;
        Initiator::new(self.customer.clone(), self.next_seed)
    }

    /// Gives the initiator's SPI, by which the reply is known.
    fn send(&self, sent: &Transmit) -> [u8; 8] {
        let index = usize::from(sent.path.peer.port() == PORTS[1]);
        match self.sockets[index].send(&sent.payload) {
            Ok(_) => {}
            // Nobody was there for the message before.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            Err(error) => panic!("{error}"),
        }
        initiator_spi(&sent.payload)
    }

    /// The next message of the responder's; `None` when there is none for so long.
    fn receive(&mut self, limit: Duration) -> Option<Vec<u8>> {
        let limit = Timespec::try_from(limit).expect("a short time");
        let mut polled = self
            .sockets
            .each_ref()
            .map(|socket| PollFd::new(socket, PollFlags::IN));
        poll(&mut polled, Some(&limit)).expect("sockets can be waited for");
        let received = self
            .sockets
            .iter()
            .find_map(|socket| socket.recv(&mut self.buffer).ok());
        received.map(|length| self.buffer[..length].to_vec())
    }
}

/// Of a message with non-ESP marker or without: an SPI is not zero (RFC 7296 section 3.1).
fn initiator_spi(payload: &[u8]) -> [u8; 8] {
    let message = payload.strip_prefix(&[0; 4]).unwrap_or(payload);
    *message.first_chunk().expect("an IKE header")
}

fn connect(port: u16) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket
        .connect((Ipv4Addr::LOCALHOST, port))
        .expect("loopback is up");
    socket.set_nonblocking(true).expect("a socket");
    socket
}
