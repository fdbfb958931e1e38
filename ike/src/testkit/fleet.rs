//! A responder on virtual time, with what it asked for at hand.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::host::TestHost;
use super::initiator::Initiator;
use crate::{
    Commit, CommitId, CommitOutcome, Config, Event, IkePolicy, Limits, Path, Responder, Secret, Shared, Slot,
    Transmit, What,
};

/// One edge, its clock and its distributor.
pub struct TestFleet {
    /// Under test.
    pub responder: Responder,
    /// Virtual time.
    pub now: Instant,
    /// Answers commits with `Done` at once.
    pub prompt: bool,
    /// Commits so far, oldest first.
    pub commits: Vec<Commit>,
    /// Events so far, oldest first.
    pub events: Vec<Event>,
    /// A NAT in front of the customers: their addresses become this one, their ports rise by 10,000.
    pub nat: Option<IpAddr>,
}

impl TestFleet {
    /// An edge with this slot, its incarnation being the same number.
    ///
    /// # Panics
    /// If it is not a slot.
    pub fn new(slot: u16) -> Self {
        Self::with_host(slot, TestHost::new(slot.into()), Limits::default())
    }

    /// One with a host and limits of the test's own.
    ///
    /// # Panics
    /// If `slot` is not a slot.
    pub fn with_host(slot: u16, host: TestHost, limits: Limits) -> Self {
        let config = Config {
            slot: Slot::new(slot).expect("a slot"),
            incarnation: slot.into(),
            spi_key: Self::spi_key(),
            quick_crash_detection: true,
            ike: IkePolicy::default(),
            limits,
        };
        Self::with_config(config, host)
    }

    /// One that is set up as the test says.
    pub fn with_config(config: Config, host: TestHost) -> Self {
        Self::sharing(Shared::default(), config, host)
    }

    /// One of several responders of an edge.
    #[expect(clippy::disallowed_methods, reason = "where virtual time begins")]
    pub fn sharing(shared: Shared, config: Config, host: TestHost) -> Self {
        Self {
            responder: Responder::sharing(shared, config, Box::new(host)),
            now: Instant::now(),
            prompt: true,
            commits: Vec::new(),
            events: Vec::new(),
            nat: None,
        }
    }

    /// The same for every edge.
    pub fn spi_key() -> Secret {
        Secret::new(vec![7; 32])
    }

    /// Delivers what a customer sends; gives what the edge sends because of it.
    pub fn deliver(&mut self, sent: &Transmit) -> Vec<Transmit> {
        let path = Path {
            local: sent.path.peer,
            peer: self.translate(sent.path.local),
        };
        self.responder.handle_datagram(self.now, path, &sent.payload);
        self.drain()
    }

    fn translate(&self, source: SocketAddr) -> SocketAddr {
        match self.nat {
            Some(ip) => SocketAddr::new(ip, source.port() + 10_000),
            None => source,
        }
    }

    /// Lets a customer connect, as far as that goes without the test's help.
    pub fn connect(&mut self, initiator: &mut Initiator) {
        let sent = initiator.start();
        self.converse(initiator, Some(sent));
    }

    /// Lets a customer begin, with IKE_SA_INIT; gives what it sends next.
    pub fn begin(&mut self, initiator: &mut Initiator) -> Option<Transmit> {
        let init = initiator.start();
        let response = self.deliver(&init).remove(0);
        initiator.handle_datagram(&response.payload)
    }

    /// Delivers a datagram of a customer's, and each answer's answer, until both are silent.
    pub fn converse(&mut self, initiator: &mut Initiator, sent: Option<Transmit>) {
        let mut under_way: Vec<Transmit> = sent.into_iter().collect();
        while let Some(sent) = under_way.pop() {
            for answer in self.deliver(&sent) {
                under_way.extend(initiator.handle_datagram(&answer.payload));
            }
        }
    }

    /// Ends a commit.
    pub fn finish(&mut self, id: CommitId, outcome: CommitOutcome) -> Vec<Transmit> {
        self.responder.handle_commit(self.now, id, outcome);
        self.drain()
    }

    /// Lets time pass; gives what the edge sends meanwhile, with the moment.
    pub fn wait(&mut self, duration: Duration) -> Vec<(Duration, Transmit)> {
        let (start, end) = (self.now, self.now + duration);
        let mut sent = Vec::new();
        while let Some(next) = self.responder.poll_timeout().filter(|next| *next <= end) {
            self.now = next.max(self.now);
            self.responder.handle_timeout(self.now);
            let elapsed = self.now - start;
            sent.extend(self.drain().into_iter().map(|transmit| (elapsed, transmit)));
        }
        self.now = end;
        sent
    }

    /// Takes what the edge has to send, and notes its commits and events.
    pub fn drain(&mut self) -> Vec<Transmit> {
        while let Some(commit) = self.responder.poll_commit() {
            if self.prompt {
                self.responder
                    .handle_commit(self.now, commit.id, CommitOutcome::Done);
            }
            self.commits.push(commit);
        }
        while let Some(event) = self.responder.poll_event() {
            self.events.push(event);
        }
        let mut sent = Vec::new();
        while let Some(transmit) = self.responder.poll_transmit() {
            sent.push(transmit);
        }
        sent
    }

    /// What happened last.
    pub fn last_event(&self) -> Option<&What> {
        self.events.last().map(|event| &event.what)
    }
}
