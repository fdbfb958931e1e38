//! The fleet, and a customer's router that rekeys as we do, over a network with delays and losses. Commits take their
//! time. After each step it is checked that what one side sends, the other receives.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::*;
use crate::responder::tests::installed::Installed;
use crate::testkit::{TestHost, TestRandom, UNIX_TIME};
use crate::wire::{ExchangeType, PayloadType};
use crate::{CommitId, CommitOutcome, IkeSpis, Kem, Limits, Tunnel};

/// Its two ends.
pub(super) const FLEET: usize = 0;
pub(super) const ROUTER: usize = 1;

pub(super) struct Pair {
    pub(super) ends: [End; 2],
    pub(super) network: Network,
    now: Instant,
    /// When it began, and all hosts' time of day.
    begun: Instant,
    clock: Arc<AtomicU64>,
    under_way: BTreeMap<(Instant, u64), (usize, UnderWay)>,
    scheduled: u64,
    random: TestRandom,
    /// Requests of CREATE_CHILD_SA and IKE_FOLLOWUP_KE, each once, with sender and message ID.
    rekeys: Vec<(usize, ExchangeType, u32)>,
    /// A hash of the message that each IV was used for, by sender, SPIs and IV.
    ivs: HashMap<(usize, [u8; 24]), u64>,
    blind: bool,
}

/// How datagrams fare, and how long commits take. Times are in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Network {
    pub(super) delay: Range<u64>,
    pub(super) commit: Range<u64>,
    /// Of a hundred datagrams.
    pub(super) lost: u64,
    pub(super) doubled: u64,
    /// The next ones from each end that get lost whatever the odds.
    pub(super) doomed: [usize; 2],
}

impl Default for Network {
    fn default() -> Self {
        Self {
            delay: 10..11,
            commit: 5..6,
            lost: 0,
            doubled: 0,
            doomed: [0, 0],
        }
    }
}

/// One end, and what all of its kernels hold.
pub(super) struct End {
    pub(super) edge: TestFleet,
    pub(super) installed: Installed,
    tunnel: Tunnel,
    limits: Limits,
    commits_seen: usize,
}

enum UnderWay {
    Datagram(Transmit),
    Commit(CommitId),
    /// The first packet on the child SA with this inbound SPI.
    Packet(u32),
}

impl Pair {
    /// How old its SAs are.
    pub(super) const AGE: Duration = Duration::from_secs(40);

    /// Both have made an IKE SA with one child SA.
    pub(super) fn new(seed: u64, limits: [Limits; 2]) -> Self {
        Self::of(Customer::new(1), seed, limits)
    }

    /// And an additional key exchange for it, with which both rekey.
    pub(super) fn hybrid(seed: u64, limits: [Limits; 2]) -> Self {
        let customer = Customer {
            kem: Some(Kem::MlKem768),
            ..Customer::new(1)
        };
        Self::of(customer, seed, limits)
    }

    fn of(customer: Customer, seed: u64, limits: [Limits; 2]) -> Self {
        let clock = Arc::new(AtomicU64::new(UNIX_TIME.as_secs()));
        let edge = |slot: u16, limits| {
            let host = TestHost::new(seed + u64::from(slot)).with_clock(Arc::clone(&clock));
            TestFleet::with_host(slot, host, limits)
        };
        let (mut fleet, mut router) = (edge(5, limits[0]), edge(6, limits[1]));
        fleet.responder.handle_tunnel(fleet.now, customer.tunnel());
        let mut initiator = Initiator::new(customer.clone(), seed);
        fleet.connect(&mut initiator);
        let mirrored = Tunnel {
            local_ts: customer.local_ts.clone(),
            remote_ts: customer.remote_ts.clone(),
            ..customer.tunnel()
        };
        router.now = fleet.now;
        router.responder.handle_tunnel(router.now, mirrored.clone());
        let snapshot = initiator.handover(&mirrored.name).expect("a child SA");
        router.responder.handle_restore(router.now, &snapshot).unwrap();

        let mut installed = [Installed::default(), Installed::default()];
        changes(&fleet).for_each(|change| installed[FLEET].apply(change));
        let spis = initiator.spis().unwrap();
        let ike_sa = IkeSa {
            spis: swapped(spis),
            snapshot,
            ..last_ike(&fleet).clone()
        };
        let child = ChildSa {
            ike: swapped(spis),
            ..initiator.child().unwrap().clone()
        };
        installed[ROUTER].apply(&Change::PutIke(ike_sa));
        installed[ROUTER].apply(&Change::PutChild(Box::new(child)));
        let now = fleet.now;
        let [of_fleet, of_router] = installed;
        let end = |mut edge: TestFleet, installed, tunnel, limits| {
            edge.prompt = false;
            End {
                commits_seen: edge.commits.len(),
                edge,
                installed,
                tunnel,
                limits,
            }
        };
        let mut pair = Self {
            ends: [
                end(fleet, of_fleet, customer.tunnel(), limits[0]),
                end(router, of_router, mirrored, limits[1]),
            ],
            network: Network::default(),
            now,
            begun: now,
            clock: Arc::clone(&clock),
            under_way: BTreeMap::new(),
            scheduled: 0,
            random: TestRandom::new(seed),
            rekeys: Vec::new(),
            ivs: HashMap::new(),
            blind: false,
        };
        // Until a check has put the router in step: it was restored.
        pair.run(Self::AGE);
        pair
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(next) = self.next().filter(|next| *next <= end) {
            self.set_time(next.max(self.now));
            self.step();
            self.collect_all();
            self.check();
        }
        self.set_time(end);
    }

    fn set_time(&mut self, now: Instant) {
        self.now = now;
        self.ends.iter_mut().for_each(|end| end.edge.now = now);
        let unix_time = UNIX_TIME + (now - self.begun);
        self.clock.store(unix_time.as_secs(), Ordering::Relaxed);
    }

    /// The operator revokes the child SA that an end sends on: from now on there need not be one.
    pub(super) fn revoke(&mut self, end: usize) {
        self.blind = true;
        if let Some(child) = self.ends[end].installed.sender() {
            let spi = child.inbound_spi;
            self.ends[end].revoke(spi);
            self.collect_all();
        }
    }

    /// The operator revokes the IKE SA, whichever it is now.
    pub(super) fn revoke_all(&mut self, end: usize) {
        self.ends[end].revoke_all();
        self.collect_all();
    }

    /// The operator removes the tunnel, and no SA yet.
    pub(super) fn remove_tunnel(&mut self, end: usize) {
        let End { edge, tunnel, .. } = &mut self.ends[end];
        edge.responder.handle_tunnel_removed(self.now, &tunnel.name);
    }

    /// An end's process dies, and another goes on with what the fleet knows.
    pub(super) fn take_over(&mut self, end: usize, slot: u16) {
        self.under_way
            .retain(|_, (to, what)| *to != end || !matches!(what, UnderWay::Commit(_)));
        let dead = &mut self.ends[end];
        let tunnel = dead.tunnel.clone();
        let host = TestHost::new(slot.into()).with_clock(Arc::clone(&self.clock));
        dead.edge = TestFleet::with_host(slot, host, dead.limits);
        (dead.edge.now, dead.edge.prompt, dead.commits_seen) = (self.now, false, 0);
        dead.edge.responder.handle_tunnel(self.now, tunnel);
        for sa in dead.installed.ike_sas.values() {
            dead.edge
                .responder
                .handle_restore(self.now, &sa.snapshot)
                .unwrap();
        }
        self.collect_all();
    }

    fn next(&self) -> Option<Instant> {
        let timers = self
            .ends
            .iter()
            .filter_map(|end| end.edge.responder.poll_timeout());
        let arrivals = self.under_way.keys().map(|(at, _)| *at);
        timers.chain(arrivals.take(1)).min()
    }

    /// Does the one thing that is due.
    fn step(&mut self) {
        if self
            .under_way
            .first_key_value()
            .is_some_and(|(at, _)| at.0 <= self.now)
            && let Some((_, (to, what))) = self.under_way.pop_first()
        {
            let sent = match what {
                UnderWay::Datagram(datagram) => self.ends[to].edge.deliver(&datagram),
                UnderWay::Commit(id) => {
                    let sent = self.ends[to].finish(id);
                    self.send_packet(to);
                    sent
                }
                UnderWay::Packet(spi) => {
                    let edge = &mut self.ends[to].edge;
                    edge.responder.handle_child_used(self.now, spi);
                    edge.drain()
                }
            };
            return self.send(to, sent);
        }
        for from in [FLEET, ROUTER] {
            let edge = &mut self.ends[from].edge;
            if edge.responder.poll_timeout().is_some_and(|due| due <= self.now) {
                edge.responder.handle_timeout(self.now);
            }
        }
    }

    /// Takes what both ends want done.
    pub(super) fn collect_all(&mut self) {
        for from in [FLEET, ROUTER] {
            let sent = self.ends[from].edge.drain();
            self.send(from, sent);
            let end = &mut self.ends[from];
            let new = end.edge.commits[end.commits_seen..]
                .iter()
                .map(|commit| commit.id);
            let new: Vec<_> = new.collect();
            end.commits_seen += new.len();
            for id in new {
                let delay = self.pick(self.network.commit.clone());
                self.schedule(delay, from, UnderWay::Commit(id));
            }
        }
    }

    fn send(&mut self, from: usize, sent: Vec<Transmit>) {
        for datagram in sent {
            self.note_iv(from, &datagram.payload);
            self.note_rekey(from, &datagram.payload);
            if self.network.doomed[from] > 0 {
                self.network.doomed[from] -= 1;
                continue;
            }
            if self.pick(0..100) < self.network.lost {
                continue;
            }
            let copies = if self.pick(0..100) < self.network.doubled {
                2
            } else {
                1
            };
            for _ in 0..copies {
                let delay = self.pick(self.network.delay.clone());
                self.schedule(delay, 1 - from, UnderWay::Datagram(datagram.clone()));
            }
        }
    }

    /// The kernels of an end send on whatever they have now.
    fn send_packet(&mut self, from: usize) {
        if let Some(spi) = self.ends[from].installed.sender().map(|child| child.outbound_spi) {
            let delay = self.pick(self.network.delay.clone());
            self.schedule(delay, 1 - from, UnderWay::Packet(spi));
        }
    }

    /// No nonce twice: an IV stands for one message under one key.
    fn note_iv(&mut self, from: usize, message: &[u8]) {
        // The IV follows the payload header, and a fragment's numbers.
        let iv = match Header::decode(message).unwrap().next_payload {
            PayloadType::SKF => 36..44,
            _ => 32..40,
        };
        let mut name = [0; 24];
        name[..16].copy_from_slice(&message[..16]);
        name[16..].copy_from_slice(&message[iv]);
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(message);
        let known = self.ivs.insert((from, name), hash);
        assert!(known.is_none_or(|known| known == hash), "an IV came twice");
    }

    fn note_rekey(&mut self, from: usize, message: &[u8]) {
        let header = Header::decode(message).unwrap();
        let request = (from, header.exchange, header.message_id);
        let is_rekey = !header.flags.response && header.exchange != ExchangeType::Informational;
        if is_rekey && self.rekeys.last() != Some(&request) {
            self.rekeys.push(request);
        }
    }

    /// The requests for new SAs, and for more keys of them, that an end has sent.
    pub(super) fn rekeys(&self, end: usize) -> Vec<ExchangeType> {
        let sent = self.rekeys.iter().filter(|(from, ..)| *from == end);
        sent.map(|(_, exchange, _)| *exchange).collect()
    }

    fn schedule(&mut self, delay: u64, to: usize, what: UnderWay) {
        self.scheduled += 1;
        let at = self.now + Duration::from_millis(delay);
        self.under_way.insert((at, self.scheduled), (to, what));
    }

    fn pick(&mut self, range: Range<u64>) -> u64 {
        range.start + self.random.next_u64() % (range.end - range.start).max(1)
    }

    /// What one end sends on, all kernels of the other have, with the same keys; and there is always something to send on.
    fn check(&self) {
        if self.blind || self.ends.iter().any(|end| end.installed.ike_sas.is_empty()) {
            return;
        }
        for from in [FLEET, ROUTER] {
            let (end, other) = (&self.ends[from].installed, &self.ends[1 - from].installed);
            let Some(ours) = end.sender() else {
                panic!("end {from} has nothing to send on: {:?}", self.story());
            };
            let Some((theirs, _)) = other.children.get(&ours.outbound_spi) else {
                panic!(
                    "end {from} sends on {:08x}, which the other has not: {:#?}",
                    ours.outbound_spi,
                    self.story()
                );
            };
            assert_eq!(ours.outbound_key, theirs.inbound_key);
            assert_eq!(ours.inbound_key, theirs.outbound_key);
        }
    }

    /// Both have the same IKE SA and the same child SA, one of each, or both have none.
    #[track_caller]
    pub(super) fn assert_agreed(&self) {
        let [fleet, router] = self.ends.each_ref().map(|end| &end.installed);
        let spis = |it: &Installed| it.ike_sas.values().map(|sa| sa.spis).collect::<Vec<_>>();
        let mirrored: Vec<_> = spis(router).into_iter().map(swapped).collect();
        assert_eq!(spis(fleet), mirrored, "{:#?}", self.story());
        assert!(fleet.ike_sas.len() <= 1, "{:#?}", self.story());
        let pairs = |it: &Installed| {
            let children = it.children.values();
            children
                .map(|(sa, _)| (sa.inbound_spi, sa.outbound_spi))
                .collect::<Vec<_>>()
        };
        let mirrored: Vec<_> = pairs(router).into_iter().map(|(a, b)| (b, a)).collect();
        assert_eq!(pairs(fleet), mirrored, "{:#?}", self.story());
        assert!(fleet.children.len() <= 1, "{:#?}", self.story());
        for end in &self.ends {
            let known = end.edge.responder.child_spis.len();
            assert_eq!(
                known,
                end.installed.children.len(),
                "SPIs of nobody: {:#?}",
                self.story()
            );
        }
    }

    /// The inbound SPI of the child SA that an end sends on.
    pub(super) fn sender(&self, end: usize) -> u32 {
        self.ends[end].installed.sender().expect("a child SA").inbound_spi
    }

    /// The IKE SA's name at the fleet.
    pub(super) fn ike_spis(&self) -> IkeSpis {
        let mut ike_sas = self.ends[FLEET].installed.ike_sas.values();
        ike_sas.next().expect("an IKE SA").spis
    }

    /// Some kernel of an end may soon send no more on its child SA.
    pub(super) fn near_limit(&mut self, end: usize) {
        if let Some(child) = self.ends[end].installed.sender() {
            let spi = child.inbound_spi;
            self.ends[end]
                .edge
                .responder
                .handle_child_near_limit(self.now, spi);
            self.collect_all();
        }
    }

    /// True while a request of an end's own for a new SA has no answer.
    pub(super) fn is_asking(&self, end: usize) -> bool {
        let mut ike_sas = self.ends[end].edge.responder.established.values();
        ike_sas.any(|sa| sa.state.has_exchange())
    }

    /// SAs that are made from now on are not rekeyed for their age.
    pub(super) fn stop_aging(&mut self) {
        for end in &mut self.ends {
            let limits = &mut end.edge.responder.config.limits;
            (limits.child_lifetime, limits.ike_lifetime) = (None, None);
        }
    }

    /// What happened at both ends.
    pub(super) fn story(&self) -> [Vec<&What>; 2] {
        self.ends.each_ref().map(|end| happened(&end.edge))
    }

    /// How often something happened at an end.
    pub(super) fn count(&self, end: usize, is_it: impl Fn(&What) -> bool) -> usize {
        let events = self.ends[end].edge.events.iter();
        events.filter(|event| is_it(&event.what)).count()
    }
}

impl End {
    fn revoke(&mut self, inbound_spi: u32) {
        self.installed.children.remove(&inbound_spi);
        self.edge
            .responder
            .handle_child_removed(self.edge.now, inbound_spi);
    }

    fn revoke_all(&mut self) {
        self.installed.children.clear();
        for sa in std::mem::take(&mut self.installed.ike_sas).into_values() {
            self.edge.responder.handle_ike_removed(self.edge.now, sa.spis);
        }
    }

    /// Every edge has carried the commit out: only then the answer comes.
    fn finish(&mut self, id: CommitId) -> Vec<Transmit> {
        let mut commits = self.edge.commits.iter().rev();
        let commit = commits.find(|commit| commit.id == id);
        let commit = commit.expect("a commit that was asked for");
        if !self.installed.admits(commit) {
            return self.edge.finish(id, CommitOutcome::Refused);
        }
        commit
            .changes
            .iter()
            .for_each(|change| self.installed.apply(change));
        self.edge.finish(id, CommitOutcome::Done)
    }
}

fn swapped(spis: IkeSpis) -> IkeSpis {
    IkeSpis {
        initiator: spis.responder,
        responder: spis.initiator,
    }
}
