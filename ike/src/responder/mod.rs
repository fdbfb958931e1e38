//! The responder: everything it knows, and what its caller may tell it and ask it.

#![cfg_attr(
    not(test),
    deny(
        clippy::wildcard_enum_match_arm,
        reason = "who adds a state or an event is to be asked everywhere what follows from it"
    )
)]

mod error_rate_limit;
mod fair_queue;
mod handshake;
mod shared;
#[cfg(test)]
mod tests;
mod timers;
mod unknown;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Instant;

use crate::fleet::child_spis::ChildSpis;
use crate::fleet::qcd::Tokens;
use crate::fleet::spi::SpiMask;
use crate::handshake::cookie::Cookies;
use crate::handshake::half_open::HalfOpens;
use crate::handshake::ike_auth::Decoy;
use crate::ike_sa::context::Context;
use crate::ike_sa::state::State;
use crate::ike_sa::{Established, Fate};
use crate::message::channel::Role;
use crate::message::inbound::Arrived;
use crate::message::outbox::Outbox;
use crate::message::udp;
use crate::wire::{Header, Message, WireError};
use crate::{
    Commit, CommitId, CommitOutcome, Config, Dropped, Event, Gateway, Host, IkeSpis, Path, RestoreError,
    Secret, Transmit, Tunnel, What,
};
pub use fair_queue::{Class, FAIR_QUEUE_OCTETS, FairQueue};
pub use handshake::MAX_INIT_DATAGRAM;
pub use shared::Shared;
use timers::Timers;

/// Octets of the key that stands in for that of an unknown peer.
const DECOY_LEN: usize = 32;

/// An IKEv2 responder without sockets, clock, threads or randomness of its own.
///
/// After each `handle_*` call, drain [`Self::poll_transmit`], [`Self::poll_commit`] and [`Self::poll_event`], and
/// call [`Self::handle_timeout`] at [`Self::poll_timeout`]. Time never goes back from one call to the next.
///
/// Memory: half-open IKE SAs are bounded by [`crate::Limits::half_open_max`]. There are as many established ones as
/// authenticated customers keep alive, at about 1.5 KiB each, and a note for each commit that is not answered yet.
pub struct Responder {
    config: Config,
    spi_mask: SpiMask,
    cookies: Cookies,
    /// `None` without QUICK CRASH DETECTION (RFC 6290).
    tokens: Option<Tokens>,
    host: Box<dyn Host + Send>,
    shared: Shared,
    /// Where each tunnel's customers are to go, as far as the IKE SAs here have been told.
    redirects: HashMap<String, Gateway>,
    /// Checked in place of the key of a peer that is not known, so that both take the same time.
    decoy: Decoy,
    half_open: HalfOpens,
    established: HashMap<u64, Box<Established>>,
    /// Child SAs of half-open IKE SAs included.
    child_spis: ChildSpis,
    /// Responder SPIs of the IKE SAs that rekeys under way are about to make: the peer may have them already.
    promised: HashSet<u64>,
    timers: Timers,
    awaited: HashMap<CommitId, Awaited>,
    /// Above every IV counter that an IKE SA used which no longer runs here: should it be restored in this same
    /// process, it goes on from here.
    used_ivs: u32,
    out: Outbox,
}

/// Whose reply waits for a commit.
enum Awaited {
    /// IKE_AUTH: the IKE SA is half-open until then.
    Establishment(IkeSpis),
    /// Whatever waits, on the established IKE SA with this responder SPI.
    Established(u64),
}

impl Responder {
    /// `host` is asked for randomness at once, and whenever SPIs, nonces and key pairs are made.
    pub fn new(config: Config, host: Box<dyn Host + Send>) -> Self {
        Self::sharing(Shared::default(), config, host)
    }

    /// One of several responders of an edge, with the same `config`, each on a thread of its own. [`crate::Router`] tells what
    /// is for which of them; everything about one IKE SA has to go to one.
    pub fn sharing(shared: Shared, config: Config, mut host: Box<dyn Host + Send>) -> Self {
        let mut decoy = vec![0; DECOY_LEN];
        host.fill_random(&mut decoy);
        Self {
            spi_mask: SpiMask::new(&config.spi_key),
            cookies: Cookies::new(&config.spi_key),
            tokens: config.quick_crash_detection.then(|| Tokens::new(&config.spi_key)),
            config,
            host,
            redirects: HashMap::new(),
            decoy: Decoy::new(decoy),
            half_open: HalfOpens::new(shared.half_open()),
            child_spis: ChildSpis::new(shared.issued_spis()),
            shared,
            established: HashMap::new(),
            promised: HashSet::new(),
            timers: Timers::default(),
            awaited: HashMap::new(),
            used_ivs: 0,
            out: Outbox::default(),
        }
    }

    /// What it has in common with the other responders of its edge.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// A tunnel is new or has changed. SAs that are established stay as they are, but for a redirect that they are told of: the
    /// fleet revokes what must go.
    pub fn handle_tunnel(&mut self, now: Instant, tunnel: Tunnel) {
        let name = tunnel.name.clone();
        self.shared.put_tunnel(tunnel);
        self.handle_tunnel_changed(now, &name);
    }

    /// A tunnel of [`Shared`] is new, or has changed, or is gone.
    pub fn handle_tunnel_changed(&mut self, now: Instant, name: &str) {
        let tunnels = self.shared.tunnels();
        let Some(tunnel) = tunnels.get(name) else {
            self.redirects.remove(name);
            return;
        };
        let before = match &tunnel.redirect {
            Some(to) => self.redirects.insert(name.to_owned(), to.clone()),
            None => self.redirects.remove(name),
        };
        if before != tunnel.redirect {
            self.wake_all_of(name, now);
        }
    }

    /// Lets the established IKE SAs of a tunnel see to what has changed about it.
    fn wake_all_of(&mut self, tunnel: &str, now: Instant) {
        #[expect(clippy::disallowed_methods, reason = "the order is made below")]
        let of_tunnel = self
            .established
            .iter()
            .filter(|(_, sa)| sa.state.tunnel() == tunnel);
        let mut spis: Vec<u64> = of_tunnel.map(|(spi, _)| *spi).collect();
        spis.sort_unstable();
        for spi in spis {
            self.with_established(now, spi, |_, _| Fate::Stays);
        }
    }

    /// A tunnel is gone: nobody can authenticate for it any more. Its SAs are ended by [`Self::handle_ike_removed`].
    pub fn handle_tunnel_removed(&mut self, now: Instant, name: &str) {
        self.shared.remove_tunnel(name);
        self.handle_tunnel_changed(now, name);
    }

    /// A UDP payload arrived along `path`; on port 4500 with its non-ESP marker.
    pub fn handle_datagram(&mut self, now: Instant, path: Path, datagram: &[u8]) {
        let Some(octets) = udp::unwrap(path.local.port(), datagram) else {
            // "The receiver SHOULD ignore a received NAT-keepalive packet" (RFC 3948 section 2.3).
            if datagram == udp::KEEP_ALIVE {
                return;
            }
            return self.out.report(path, None, None, Dropped::NotIke);
        };
        match Header::decode(octets) {
            Ok(header) if header.flags.initiator && header.spis.responder == 0 => {
                self.handle_init(now, path, header, octets)
            }
            Ok(header) => self.handle_protected(now, path, header, octets),
            Err(WireError::MajorVersion(header)) => self.refuse_version(now, path, &header),
            Err(error) => self.out.report(path, None, None, Dropped::from(error)),
        }
    }

    /// A message for an IKE SA that exists already.
    fn handle_protected(&mut self, now: Instant, path: Path, header: Header, octets: &[u8]) {
        let role = Role::of_receiver(header.flags);
        let spis = role.swap(header.spis);
        let spi = spis.responder;
        let half_open = self.half_open.get(spi).map(|it| (it.spis, Role::Responder));
        let established = self.established.get(&spi).map(|sa| &sa.state.channel);
        let known = half_open.or(established.map(|channel| (channel.spis, channel.role)));
        if known != Some((spis, role)) {
            return self.handle_unknown(now, path, header, octets, spis);
        }
        let message = match Message::decode_body(header, octets) {
            Ok(message) => message,
            // Nothing outside SK is authentic, so nothing there is worth an answer.
            Err(error) => {
                return self.out.report(path, Some(spis), None, Dropped::from(error));
            }
        };
        let arrived = Arrived {
            now,
            path,
            message: &message,
            octets,
        };
        match self.half_open.get(spi) {
            Some(_) => self.handle_half_open(arrived),
            None => self.with_established(now, spi, |sa, cx| sa.handle_message(arrived, cx)),
        }
    }

    /// The end of a commit that [`Self::poll_commit`] gave out; the reply that waited for it leaves.
    ///
    /// Each commit ought to be answered once. One that is not keeps its exchange waiting: IKE_AUTH until the
    /// half-open lifetime ends, after which a late [`CommitOutcome::Done`] is undone by another commit.
    pub fn handle_commit(&mut self, now: Instant, id: CommitId, outcome: CommitOutcome) {
        match self.awaited.remove(&id) {
            Some(Awaited::Establishment(spis)) => self.finish_auth(now, spis, id, outcome),
            Some(Awaited::Established(spi)) => self.finish_commit(now, spi, id, outcome),
            None => {}
        }
    }

    fn finish_commit(&mut self, now: Instant, spi: u64, id: CommitId, outcome: CommitOutcome) {
        let mut deferred = Vec::new();
        self.with_established(now, spi, |sa, cx| {
            if sa.awaited_commit() == Some(id) {
                let fate = sa.handle_commit(outcome, cx);
                deferred = sa.take_deferred();
                return fate;
            }
            Fate::Stays
        });
        for (path, octets) in deferred {
            if let Ok(header) = Header::decode(&octets) {
                self.handle_protected(now, path, header, &octets);
            }
        }
    }

    /// The fleet dropped an IKE SA with all its children: revoked, or superseded by INITIAL_CONTACT on another.
    /// The peer is told by a DELETE, as far as it listens. Nothing happens if it is not known here, or has ended
    /// already.
    pub fn handle_ike_removed(&mut self, now: Instant, spis: IkeSpis) {
        match self.half_open.get(spis.responder) {
            Some(half_open) if half_open.spis == spis => self.fail_committing(spis),
            _ => self.with_established(now, spis.responder, |sa, cx| {
                if sa.state.spis() == spis {
                    sa.handle_removed(cx);
                }
                Fate::Stays
            }),
        }
    }

    /// The fleet dropped the child SA with this inbound SPI. The peer is told by a DELETE.
    pub fn handle_child_removed(&mut self, now: Instant, inbound_spi: u32) {
        let Some(spi) = self.child_spis.ike_of(inbound_spi) else {
            return;
        };
        match self.half_open.committing(spi) {
            // The reply that brings it to life still waits, and will be followed by the DELETE.
            Some(committing) => committing.accepted.established.forget_child(inbound_spi),
            None => self.with_child(now, inbound_spi, |sa, _| sa.forget_child(inbound_spi)),
        }
        self.child_spis.release(inbound_spi);
    }

    /// The kernel of some edge has received the first packet on a child SA in standby: the peer uses it.
    pub fn handle_child_used(&mut self, now: Instant, inbound_spi: u32) {
        self.with_child(now, inbound_spi, |sa, cx| sa.handle_child_used(inbound_spi, cx));
    }

    /// The kernel of some edge nears the limit of what may be sent on a child SA: it is rekeyed now.
    pub fn handle_child_near_limit(&mut self, now: Instant, inbound_spi: u32) {
        self.with_child(now, inbound_spi, |sa, cx| {
            sa.handle_child_near_limit(inbound_spi, cx)
        });
    }

    /// The kernel of some edge has received an authentic packet on a child SA from another address or port of the peer's,
    /// which is behind a NAT: it is asked there whether that is so (RFC 7296 section 2.23).
    pub fn handle_child_moved(&mut self, now: Instant, inbound_spi: u32, peer: SocketAddr) {
        self.with_child(now, inbound_spi, |sa, cx| sa.handle_child_moved(peer, cx));
    }

    /// Takes over an IKE SA from what the fleet keeps of it ([`crate::IkeSa::snapshot`]). A retransmission of its
    /// last committed request gets the same answer as before.
    pub fn handle_restore(&mut self, now: Instant, snapshot: &Secret) -> Result<(), RestoreError> {
        let mut state = State::from_snapshot(snapshot)?;
        let spis = state.spis();
        let spi = spis.responder;
        if self.established.contains_key(&spi) || self.half_open.get(spi).is_some() {
            return Err(RestoreError::Running(spis));
        }
        state.refresh_ivs(self.config.incarnation, self.used_ivs);
        // The peers of a whole edge are not to be asked all at once.
        let silent = self.config.limits.dpd_interval.mul_f64(spi as u8 as f64 / 256.0);
        let sa = Established::restored(state, now, silent);
        sa.report(What::Restored, &mut self.out);
        self.establish(now, sa);
        Ok(())
    }

    /// Does what is due by now.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(spi) = self.timers.pop_due(now) {
            match self.half_open.get(spi) {
                Some(half_open) if half_open.ends <= now => self.expire_half_open(spi),
                Some(half_open) => self.timers.arm(spi, Some(half_open.ends)),
                None => self.with_established(now, spi, |sa, cx| sa.handle_timeout(cx)),
            }
        }
    }

    /// A datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.transmits.pop_front()
    }

    /// A commit to make, and to answer by [`Self::handle_commit`].
    pub fn poll_commit(&mut self) -> Option<Commit> {
        self.out.commits.pop_front()
    }

    /// When to call [`Self::handle_timeout`] next. It may be earlier than anything is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Something that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.out.events.pop_front()
    }

    /// Puts an IKE SA among the established.
    fn establish(&mut self, now: Instant, sa: Established) {
        let spi = sa.state.spis().responder;
        for child in sa.state.inbound_spis() {
            self.child_spis.assign(child, spi);
        }
        self.established.insert(spi, Box::new(sa));
        self.with_established(now, spi, |_, _| Fate::Stays);
    }

    /// Lets the IKE SA of a child SA handle something about it.
    fn with_child(
        &mut self,
        now: Instant,
        inbound_spi: u32,
        handle: impl FnOnce(&mut Established, &mut Context<'_>),
    ) {
        if let Some(spi) = self.child_spis.ike_of(inbound_spi) {
            self.with_established(now, spi, |sa, cx| {
                handle(sa, cx);
                Fate::Stays
            });
        }
    }

    /// Lets an established IKE SA handle something, and sees to what follows from it.
    fn with_established(
        &mut self,
        now: Instant,
        spi: u64,
        handle: impl FnOnce(&mut Established, &mut Context<'_>) -> Fate,
    ) {
        // While it is away from the others, it can be lent what belongs to all.
        let Some(mut sa) = self.established.remove(&spi) else {
            return;
        };
        for promised in sa.promised_spis() {
            self.promised.remove(&promised);
        }
        let tunnels = self.shared.tunnels();
        let is_ike_spi_taken = |spi| self.half_open.get(spi).is_some() || self.established.contains_key(&spi);
        let mut cx = Context {
            now,
            config: &self.config,
            tunnels: &tunnels,
            out: &mut self.out,
            host: self.host.as_mut(),
            spi_mask: &self.spi_mask,
            tokens: self.tokens.as_ref(),
            is_ike_spi_taken: &is_ike_spi_taken,
            child_spis: &mut self.child_spis,
        };
        let mut fate = handle(&mut sa, &mut cx);
        if fate == Fate::Stays {
            fate = sa.proceed(&mut cx);
        }
        let replacements = sa.take_replacements();
        match fate {
            Fate::Gone => {
                self.timers.disarm(spi);
                self.retire(&sa);
            }
            Fate::Stays => {
                if let Some(commit) = sa.awaited_commit() {
                    self.awaited.insert(commit, Awaited::Established(spi));
                }
                self.promised.extend(sa.promised_spis());
                self.timers.arm(spi, sa.deadline(&self.config.limits));
                self.established.insert(spi, sa);
            }
        }
        for replacement in replacements {
            self.establish(now, replacement);
        }
    }

    /// Forgets what belongs to an IKE SA that no longer runs here.
    fn retire(&mut self, sa: &Established) {
        self.used_ivs = self.used_ivs.max(sa.state.channel.ivs.unused());
        for spi in sa.state.inbound_spis() {
            self.child_spis.release(spi);
        }
    }
}
