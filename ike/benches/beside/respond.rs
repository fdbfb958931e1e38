//! Our responder behind two sockets: commits are answered at once, events thrown away.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path as FilePath;
use std::time::{Duration, Instant, SystemTime};

use ike::{CommitOutcome, Config, Host, Path, Responder, Secret, Slot};
use ring::rand::{SecureRandom, SystemRandom};
use rustix::event::{PollFd, PollFlags, poll};

use crate::case::Case;
use crate::folder;

/// With the non-ESP marker at the second.
pub(crate) const PORTS: [u16; 2] = [500, 4500];

/// Octets of the longest UDP payload.
const MAX_DATAGRAM: usize = 65_535;

/// Serves until it is killed.
pub(crate) fn respond(case: Case, files: &FilePath) -> ! {
    let fleet = case
        .key_kind()
        .map(|_| folder::read(files).expect("certificates are there"));
    let fleet = fleet.as_ref().map(|(authority, side)| (&authority[..], side));
    let mut responder = Responder::new(config(), Box::new(System(SystemRandom::new())));
    responder.handle_tunnel(Instant::now(), case.tunnel(fleet));
    let mut server = Server {
        sockets: PORTS.map(bind),
        responder,
        buffer: vec![0; MAX_DATAGRAM],
    };
    loop {
        server.wait();
        for index in 0..PORTS.len() {
            server.receive(index);
        }
    }
}

/// Neither cookies nor dead-peer checks: there is no flood, and nobody stays away.
fn config() -> Config {
    let slot = Slot::new(1).expect("a slot");
    let mut config = Config::new(slot, 1, Secret::new(vec![7; 32]));
    config.quick_crash_detection = false;
    config.limits.cookie_threshold = usize::MAX;
    config.limits.dpd_interval = Duration::from_secs(86_400);
    config
}

fn bind(port: u16) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is free");
    socket.set_nonblocking(true).expect("a socket");
    socket
}

struct Server {
    sockets: [UdpSocket; 2],
    responder: Responder,
    buffer: Vec<u8>,
}

impl Server {
    fn wait(&self) {
        let mut polled = self
            .sockets
            .each_ref()
            .map(|socket| PollFd::new(socket, PollFlags::IN));
        poll(&mut polled, None).expect("sockets can be waited for");
    }

    /// All that has come to one of the ports.
    fn receive(&mut self, index: usize) {
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, PORTS[index]));
        loop {
            let (length, peer) = match self.sockets[index].recv_from(&mut self.buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            };
            let (now, path) = (Instant::now(), Path { local, peer });
            self.responder.handle_datagram(now, path, &self.buffer[..length]);
            self.drain(now);
        }
    }

    fn drain(&mut self, now: Instant) {
        while let Some(commit) = self.responder.poll_commit() {
            self.responder.handle_commit(now, commit.id, CommitOutcome::Done);
        }
        while self.responder.poll_event().is_some() {}
        while let Some(transmit) = self.responder.poll_transmit() {
            let index = usize::from(transmit.path.local.port() == PORTS[1]);
            self.sockets[index]
                .send_to(&transmit.payload, transmit.path.peer)
                .expect("loopback takes it");
        }
    }
}

/// The randomness and the clock of an edge.
struct System(SystemRandom);

impl Host for System {
    fn fill_random(&mut self, buffer: &mut [u8]) {
        self.0.fill(buffer).expect("the system has randomness");
    }

    fn is_esp_spi_taken(&self, _spi: u32) -> bool {
        false
    }

    fn is_ike_sa_gone(&self, _responder_spi: u64) -> bool {
        false
    }

    fn unix_time(&self) -> Duration {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
    }
}
