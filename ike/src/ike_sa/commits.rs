//! Commits of an IKE SA that lives on: one at a time, so that the fleet never keeps an older state than it was given.

use super::message_id::UNRECORDED;
use super::{Deferred, Established, Fate, LINGER, Phase};
use crate::ike_sa::child_sas;
use crate::ike_sa::context::Context;
use crate::ike_sa::create_child_sa::pending::Rival;
use crate::ike_sa::request_queue::{Old, Request};
use crate::message::channel::{Exhausted, Kind};
use crate::message::inbound::Arrived;
use crate::wire::{self, ExchangeType, Notify, Payload};
use crate::{Change, ChildRefusal, CommitId, CommitOutcome, Ending, Path};

/// A request and a response: more are not under way at once (RFC 7296 section 2.3).
const DEFERRED: usize = 2;

/// A commit under way.
#[derive(Debug)]
pub(super) struct Committing {
    id: CommitId,
    then: Then,
    made: Made,
    /// Message ID of our next request, as the commit has it.
    next_request: u32,
}

/// What waits for the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Nothing,
    /// The reply to the peer's last request; the `last` one that there will be.
    Reply {
        to: Path,
        last: bool,
    },
    /// The request of our exchange.
    Ask,
}

/// What there will be if the fleet takes the commit.
#[derive(Debug)]
pub(super) enum Made {
    Nothing,
    /// Nothing either, since the peer has refused what we asked for: the exchange is to be forgotten.
    Refused,
    /// The peer has made an SA beside ours for the same purpose, whose fate is not known yet.
    Rival,
    /// By its inbound SPI.
    Child(u32),
    /// IKE SAs; the first has the child SAs.
    Heirs(Vec<Established>),
}

impl Established {
    /// Commits `changes`. Nothing else may be under way.
    pub(super) fn commit(&mut self, changes: Vec<Change>, then: Then, made: Made, cx: &mut Context<'_>) {
        let id = cx.out.commit(self.state.spis(), changes);
        let next_request = self.state.next_request;
        self.committing = Some(Box::new(Committing {
            id,
            then,
            made,
            next_request,
        }));
    }

    /// The state as it is now, for a commit.
    pub(super) fn put(&self) -> Change {
        Change::PutIke(self.state.record(false))
    }

    /// The commit under way.
    pub(crate) fn awaited_commit(&self) -> Option<CommitId> {
        self.committing.as_ref().map(|committing| committing.id)
    }

    pub(super) fn holds_reply(&self) -> bool {
        self.then().is_some_and(|then| matches!(then, Then::Reply { .. }))
    }

    pub(super) fn holds_last_reply(&self) -> bool {
        self.then()
            .is_some_and(|then| matches!(then, Then::Reply { last: true, .. }))
    }

    /// Whether a request of ours may leave. Not while our last one is still to leave, nor before the fleet has what
    /// came of it: the peer answers a retransmission of its predecessor only until then. Nor once the peer has ended it, nor
    /// so many requests after the last commit that a new owner would not find the peer.
    pub(super) fn may_ask(&self) -> bool {
        match self.committing.as_deref() {
            _ if self.phase == Phase::Up && self.unrecorded() >= UNRECORDED => false,
            None => true,
            Some(Committing { then: Then::Ask, .. }) => false,
            Some(Committing {
                then: Then::Nothing,
                made,
                ..
            }) => matches!(made, Made::Nothing | Made::Rival),
            Some(Committing {
                then: Then::Reply { last, .. },
                ..
            }) => !last,
        }
    }

    /// Requests of ours that were answered since the last commit.
    pub(super) fn unrecorded(&self) -> u32 {
        self.state.next_request.saturating_sub(self.recorded)
    }

    fn then(&self) -> Option<Then> {
        self.committing.as_ref().map(|committing| committing.then)
    }

    /// IKE SAs that the commit under way will bring to life.
    pub(super) fn pending_heirs(&self) -> impl Iterator<Item = &Established> {
        match self.committing.as_deref().map(|committing| &committing.made) {
            Some(Made::Heirs(heirs)) => heirs.iter(),
            _ => [].iter(),
        }
    }

    /// Keeps an authentic datagram until the commit under way has ended. The peer may send it again meanwhile.
    pub(super) fn defer(&mut self, arrived: Arrived<'_>) -> Fate {
        let is_kept = self
            .deferred
            .iter()
            .any(|(_, octets)| **octets == *arrived.octets);
        if !is_kept && self.deferred.len() < DEFERRED {
            self.deferred.push((arrived.path, arrived.octets.into()));
        }
        Fate::Stays
    }

    /// The datagrams that may be handled now.
    pub(crate) fn take_deferred(&mut self) -> Vec<Deferred> {
        match self.committing {
            Some(_) => Vec::new(),
            None => std::mem::take(&mut self.deferred),
        }
    }

    /// The fleet has decided on the commit under way. A reply that only confirms that something is gone leaves either
    /// way: the peer has dropped it already, whatever the fleet says.
    pub(crate) fn handle_commit(&mut self, outcome: CommitOutcome, cx: &mut Context<'_>) -> Fate {
        let Some(committing) = self.committing.take() else {
            return Fate::Stays;
        };
        match self.conclude(*committing, outcome, cx) {
            Ok(()) => Fate::Stays,
            Err(Exhausted) => self.end(Ending::Exhausted, cx),
        }
    }

    fn conclude(
        &mut self,
        Committing {
            then,
            made,
            next_request,
            ..
        }: Committing,
        outcome: CommitOutcome,
        cx: &mut Context<'_>,
    ) -> Result<(), Exhausted> {
        self.recorded = next_request;
        match outcome {
            CommitOutcome::Done => {
                if let Made::Heirs(mut heirs) = made {
                    self.bequeath(&mut heirs);
                    self.heirs.extend(heirs);
                }
            }
            CommitOutcome::Refused => self.unmake(made, then, cx)?,
        }
        match then {
            Then::Nothing => {}
            Then::Reply { to, last } => self.release(to, last, cx),
            Then::Ask if outcome == CommitOutcome::Done && self.phase == Phase::Up => self.ask(cx),
            Then::Ask => self.withdraw(cx),
        }
        Ok(())
    }

    pub(super) fn release(&mut self, reply_to: Path, last: bool, cx: &mut Context<'_>) {
        cx.out.send(reply_to, self.state.window.last_reply());
        if last {
            self.phase = Phase::Left {
                until: cx.now + LINGER,
            };
        }
    }

    /// The fleet refuses what an exchange has made. If the peer has begun it, it gets an error in place of the reply; if
    /// we have, the peer has made its half already, and is told to delete it.
    fn unmake(&mut self, made: Made, then: Then, cx: &mut Context<'_>) -> Result<(), Exhausted> {
        let is_ours = !matches!(then, Then::Reply { .. });
        match made {
            Made::Nothing | Made::Refused => return Ok(()),
            Made::Rival => self.forget_rival(|_| true),
            Made::Child(spi) => {
                let child = self.state.children.remove(spi);
                cx.release_esp_spi(spi);
                self.forget_rival(|rival| rival.child() == Some(spi));
                if is_ours {
                    self.requests.push(Request::DeleteChild(spi));
                }
                if is_ours
                    && let Some(child_sas::Phase::Standby { replaces, .. }) = child.map(|child| child.phase)
                {
                    self.postpone(Old::Child(replaces), cx);
                }
            }
            Made::Heirs(mut heirs) => {
                self.state.replaced = None;
                if is_ours {
                    heirs
                        .iter_mut()
                        .for_each(|heir| heir.leave(Ending::Removed, cx.out));
                    self.heirs.extend(heirs);
                    self.postpone(Old::Ike, cx);
                }
            }
        }
        if is_ours {
            return Ok(());
        }
        let (kind, data) = ChildRefusal::Fleet.notification();
        let payload = Payload::Notify(Notify::new(kind, &data));
        let window = &self.state.window;
        let (id, exchange) = (window.last_id(), wire::exchange_of(window.last_reply()));
        let exchange = exchange.unwrap_or(ExchangeType::CreateChildSa);
        let error = self
            .state
            .channel
            .seal(Kind::Response, exchange, id, &[payload])?;
        self.state.window.answer_instead(error);
        self.report(ChildRefusal::Fleet, cx.out);
        Ok(())
    }

    /// The fleet does not take what the peer has made beside ours.
    fn forget_rival(&mut self, is_it: impl Fn(&Rival) -> bool) {
        if let Some(exchange) = &mut self.state.exchange {
            exchange.rival.take_if(|rival| is_it(rival));
        }
    }
}
