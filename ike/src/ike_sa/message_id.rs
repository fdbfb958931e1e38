//! Which message ID of ours the peer awaits (RFC 7296 section 2.2). A new owner has to find out: requests that change nothing for
//! the fleet were sent without a commit.

/// Requests that are answered without a commit, at most.
pub(super) const UNRECORDED: u32 = 16;

/// More than these the owner before cannot have sent since its last commit, a search of its own included.
const SENT_BEFORE: u32 = 2 * UNRECORDED;

/// Searches in vain before the one that ends the IKE SA.
const MAX_VAIN: u8 = 3;

/// What is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It is the next one.
    Known,
    Sought {
        /// Who answers this one awaits the next. It is the last that we have sent anything with, and no process before this one has:
        /// answers to those before may be recorded ones that somebody plays again.
        last: u32,
        /// Searches that nothing came of.
        vain: u8,
    },
}

impl Step {
    /// After a takeover, by the message ID that was not answered at the last commit.
    pub(super) fn sought(recorded: u32) -> Self {
        Self::Sought {
            last: recorded.saturating_add(SENT_BEFORE),
            vain: 0,
        }
    }

    /// The peer has answered the request with this message ID.
    pub(super) fn handle_answer(&mut self, id: u32) {
        match self {
            Self::Known => {}
            Self::Sought { last, vain } if id < *last => *vain = 0,
            Self::Sought { .. } => *self = Self::Known,
        }
    }

    /// A request was sent with message IDs up to this one.
    pub(super) fn handle_search(&mut self, to: u32) {
        if let Self::Sought { last, .. } = self {
            *last = to.max(*last);
        }
    }

    /// A request was sent as often as it may be. True when that proves that the peer is dead: in a search it may have received
    /// nothing but what it could not await.
    pub(super) fn handle_silence(&mut self) -> bool {
        match self {
            Self::Sought { vain, .. } if *vain < MAX_VAIN => {
                *vain += 1;
                false
            }
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_answers_prove_nothing() {
        let mut step = Step::sought(5);
        for id in [5, 36, 6] {
            step.handle_answer(id);
            assert_eq!(step, Step::sought(5));
        }
        step.handle_search(38);
        step.handle_answer(37);
        assert_ne!(step, Step::Known);
        step.handle_answer(38);
        assert_eq!(step, Step::Known);
    }

    #[test]
    fn a_search_is_repeated_a_few_times() {
        let mut step = Step::sought(0);
        assert_eq!([(); 3].map(|()| step.handle_silence()), [false; 3]);
        step.handle_answer(1);
        assert_eq!(
            [(); 4].map(|()| step.handle_silence()),
            [false, false, false, true]
        );
        assert!(Step::Known.handle_silence());
    }
}
