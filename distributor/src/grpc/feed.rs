//! What one edge has still to get, read off the shared states.
//!
//! There is no queue and no log: a feed remembers how far it is and walks the newest state from there, so that the live
//! stream, a resume and a slow subscriber's catching up are the same walk. Records are sent in the encoding they are
//! stored in. See docs/decisions/0002-fanout.md.

use std::sync::Arc;

use proto::v1::{self, sync_response::Message};
use proto::{Resume, limits};
use tokio::sync::watch;

use crate::log::state::{Place, State};

/// What one edge has still to get.
#[derive(Debug)]
pub(crate) struct Feed {
    states: watch::Receiver<Arc<State>>,
    position: Position,
}

#[derive(Debug)]
enum Position {
    /// The edge has everything up to this revision.
    Complete(u64),
    /// The edge is to be told that a snapshot begins.
    Snapshot,
    /// On the way through a state, behind a place.
    Within(Arc<State>, Option<Place>),
}

impl Feed {
    /// Goes on from where the edge is, when what came after is still known, with at least one Delta, so that the edge
    /// knows that it is complete; else begins with a snapshot.
    pub(crate) fn new(mut states: watch::Receiver<Arc<State>>, resume: Option<Resume>) -> Self {
        let state = Arc::clone(&states.borrow_and_update());
        let position = match resume {
            Some(resume) if state.can_resume(resume.store, resume.revision) => {
                Position::Within(state, Some(Place::end_of(resume.revision)))
            }
            _ => Position::Snapshot,
        };
        Self { states, position }
    }

    /// The next message, as soon as there is one; `None` when there will be no more. Nothing is lost when the future
    /// is dropped before it is ready. The edge has joined, so that there is a revision to complete.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            match &self.position {
                Position::Snapshot => {
                    let state = Arc::clone(&self.states.borrow_and_update());
                    self.position = Position::Within(state, None);
                    return Some(Message::SnapshotBegin(v1::SnapshotBegin {}));
                }
                Position::Within(state, place) => {
                    let (delta, position) = chunk(state, *place);
                    self.position = position;
                    return Some(Message::Delta(delta));
                }
                Position::Complete(revision) => {
                    let revision = *revision;
                    let state = self.states.wait_for(|state| state.head() > revision).await.ok()?;
                    self.position = if state.can_resume(state.counters().store, revision) {
                        Position::Within(Arc::clone(&state), Some(Place::end_of(revision)))
                    } else {
                        Position::Snapshot
                    };
                }
            }
        }
    }
}

/// The records behind `place`, up to a Delta's size, and where that leads.
fn chunk(state: &Arc<State>, mut place: Option<Place>) -> (v1::Delta, Position) {
    let mut records = Vec::new();
    let mut octets = 0;
    for (next, encoded) in state.after(place) {
        if octets >= limits::DELTA {
            return (
                v1::Delta { records, revision: 0 },
                Position::Within(Arc::clone(state), place),
            );
        }
        octets += encoded.len();
        place = Some(next);
        records.push(encoded.clone());
    }
    (
        v1::Delta {
            records,
            revision: state.head(),
        },
        Position::Complete(state.head()),
    )
}
