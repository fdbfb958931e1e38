//! What the responder wants done, until its caller polls.

use std::collections::VecDeque;

use crate::message::udp;
use crate::wire;
use crate::{Change, Commit, CommitId, Event, IkeSpis, Path, Transmit, What};

/// Each `handle_*` call for an IKE SA adds a handful of entries, some dozens in a search for the peer, and its caller drains them
/// before the next.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) transmits: VecDeque<Transmit>,
    pub(crate) commits: VecDeque<Commit>,
    pub(crate) events: VecDeque<Event>,
    last_commit: u64,
}

impl Outbox {
    /// `messages` is an IKE message without non-ESP marker, or its fragments one behind the other.
    pub(crate) fn send(&mut self, path: Path, messages: &[u8]) {
        for message in wire::split(messages) {
            let payload = udp::wrap(path.local.port(), message);
            self.transmits.push_back(Transmit { path, payload });
        }
    }

    pub(crate) fn commit(&mut self, ike: IkeSpis, changes: Vec<Change>) -> CommitId {
        self.last_commit += 1;
        let id = CommitId(self.last_commit);
        self.commits.push_back(Commit { id, ike, changes });
        id
    }

    pub(crate) fn report(
        &mut self,
        path: Path,
        ike: Option<IkeSpis>,
        tunnel: Option<&str>,
        what: impl Into<What>,
    ) {
        let tunnel = tunnel.map(str::to_owned);
        let what = what.into();
        self.events.push_back(Event {
            path,
            ike,
            tunnel,
            what,
        });
    }
}
