//! Which message ID the peer expects in our next request (RFC 7296 section 2.2). A new owner has to find out: requests that
//! change nothing for the fleet were sent without a commit.

use serde::{Deserialize, Serialize};

use crate::message::channel::Exhausted;

/// Requests that are answered without a commit, at most.
pub(super) const UNRECORDED: u32 = 16;

/// More than these the owner before cannot have sent since its last commit, a search of its own included.
const SENT_BEFORE: u32 = 2 * UNRECORDED;

/// Searches without an answer before the one that ends the IKE SA.
const MAX_FAILED: u8 = 3;

/// Message ID of our next request: the durable half of [`Liveness`](super::Liveness).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NextMessageId(u32);

impl NextMessageId {
    #[cfg(test)]
    pub(crate) fn new(id: u32) -> Self {
        Self(id)
    }

    pub(crate) fn get(self) -> u32 {
        self.0
    }

    /// The peer has answered the request with this message ID. They do not wrap (RFC 7296 section 2.2).
    pub(in crate::ike_sa) fn handle_answer(&mut self, id: u32) -> Result<(), Exhausted> {
        self.0 = id.checked_add(1).ok_or(Exhausted)?;
        Ok(())
    }
}

/// Whether the peer expects the message ID that we think is the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Synchronization {
    Synchronized,
    Searching {
        /// A peer that answers this one expects the next. It is the last that we have sent anything with, and no process before this
        /// one has: answers to those before may be recorded ones that an attacker replays.
        last: u32,
        /// Searches that were not answered.
        failed: u8,
    },
}

impl Synchronization {
    /// After a takeover, by the message ID that was not answered at the last commit.
    pub(super) fn lost(recorded: NextMessageId) -> Self {
        Self::Searching {
            last: recorded.get().saturating_add(SENT_BEFORE),
            failed: 0,
        }
    }

    /// The peer has answered the request with this message ID.
    pub(super) fn handle_answer(&mut self, id: u32) {
        match self {
            Self::Synchronized => {}
            Self::Searching { last, failed } if id < *last => *failed = 0,
            Self::Searching { .. } => *self = Self::Synchronized,
        }
    }

    /// A request was sent with message IDs up to this one.
    pub(super) fn handle_search(&mut self, to: u32) {
        if let Self::Searching { last, .. } = self {
            *last = to.max(*last);
        }
    }

    /// A request was sent as often as it may be. True when that proves that the peer is dead: in a search it may have received
    /// nothing but what it could not await.
    pub(super) fn handle_silence(&mut self) -> bool {
        match self {
            Self::Searching { failed, .. } if *failed < MAX_FAILED => {
                *failed += 1;
                false
            }
            Self::Searching { .. } | Self::Synchronized => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_answers_prove_nothing() {
        let mut state = Synchronization::lost(NextMessageId(5));
        for id in [5, 36, 6] {
            state.handle_answer(id);
            assert_eq!(state, Synchronization::lost(NextMessageId(5)));
        }
        state.handle_search(38);
        state.handle_answer(37);
        assert_ne!(state, Synchronization::Synchronized);
        state.handle_answer(38);
        assert_eq!(state, Synchronization::Synchronized);
    }

    #[test]
    fn a_search_is_repeated_a_few_times() {
        let mut state = Synchronization::lost(NextMessageId(0));
        assert_eq!([(); 3].map(|()| state.handle_silence()), [false; 3]);
        state.handle_answer(1);
        assert_eq!(
            [(); 4].map(|()| state.handle_silence()),
            [false, false, false, true]
        );
        assert!(Synchronization::Synchronized.handle_silence());
    }
}
