//! From IKE_SA_INIT to an established IKE SA.

use std::time::Instant;

use ike_types::Source;

use super::{Awaited, Responder};
use crate::handshake::cookie::Claim;
use crate::handshake::half_open::{Committing, HalfOpen, RequestKey, Stage, Verdict};
use crate::handshake::ike_auth::{self, Accepted, Attempt, Judged};
use crate::handshake::ike_intermediate::IntermediateError;
use crate::handshake::ike_sa_init::{self, InitFailure, InitPayloads, Initiated};
use crate::message::channel::Exhausted;
use crate::message::inbound::Arrived;
use crate::message::window::Answered;
use crate::negotiation::additional_ke::{Additional, MESSAGE_ID};
use crate::wire::{ExchangeType, Header, Message, NotifyType};
use crate::{
    AuthRefusal, Change, CommitId, CommitOutcome, Dropped, IkeSpis, InitRefusal, Kem, NoChild, Path, What,
};

/// Octets of the longest IKE_SA_INIT request taken: it is kept until IKE_AUTH. RFC 7296 section 2 asks for 3,000.
const MAX_INIT_LEN: usize = 4096;

/// Octets of the longest UDP payload that can begin an IKE SA, a non-ESP marker included. Longer ones need not be queued.
pub const MAX_INIT_DATAGRAM: usize = MAX_INIT_LEN + 4;

impl Responder {
    pub(super) fn handle_init(&mut self, now: Instant, path: Path, header: Header, octets: &[u8]) {
        let is_request = header.exchange == ExchangeType::IkeSaInit && !header.flags.response;
        if !is_request || header.message_id != 0 {
            return self
                .out
                .report(path, Some(header.spis), None, Dropped::Unexpected);
        }
        if octets.len() > MAX_INIT_LEN {
            return self.out.report(path, Some(header.spis), None, Dropped::TooLong);
        }
        let key = RequestKey::new(path, octets);
        if let Some(half_open) = self.half_open.begun_by(&key) {
            // A retransmission: the same answer while IKE_AUTH is awaited, none after it (RFC 7296 section 2.1).
            if let Stage::Initiated(initiated) = &half_open.stage {
                self.out.send(path, initiated.response());
            }
            return;
        }
        match self.admit(now, path, key, header, octets) {
            Ok(()) => {}
            Err(InitFailure::Refused(refusal)) => self.refuse_init(now, path, &header, refusal),
            Err(InitFailure::Dropped(dropped)) => self.out.report(path, Some(header.spis), None, dropped),
            Err(InitFailure::Unproven(cookie)) => {
                // No longer than any request that has SA, KE and nonce: nothing to amplify.
                let answer = ike_sa_init::notification(&header, NotifyType::COOKIE, &cookie);
                self.out.send(path, &answer);
                self.out.report(path, Some(header.spis), None, What::CookieAsked);
            }
        }
    }

    /// Answers a request, if there is room for one more half-open IKE SA (docs/decisions/0008).
    fn admit(
        &mut self,
        now: Instant,
        path: Path,
        key: RequestKey,
        header: Header,
        octets: &[u8],
    ) -> Result<(), InitFailure> {
        let message = Message::decode_body(header, octets)?;
        let request = InitPayloads::read(&message.payloads)?;
        let claim = Claim {
            peer: path.peer.ip(),
            spi: header.spis.initiator,
            nonce: request.nonce,
        };
        let time = self.host.unix_time();
        let is_proven = request
            .cookie
            .is_some_and(|cookie| self.cookies.is_good(&claim, time, cookie));
        let proven = is_proven.then(|| Source::of(path.peer.ip()));
        match self.half_open.verdict(proven, &self.config.limits) {
            Verdict::Welcome => {}
            Verdict::Unproven => return Err(InitFailure::Unproven(self.cookies.make(&claim, time))),
            Verdict::Full(dropped) => return Err(dropped.into()),
        }
        let spi = self.issue_ike_spi(path, header.spis.initiator);
        let tunnels = self.shared.tunnels();
        let arrived = Arrived {
            now,
            path,
            message: &message,
            octets,
        };
        let (preference, host) = (&self.config.ike, self.host.as_mut());
        match Initiated::respond(preference, host, arrived, &request, spi, &tunnels) {
            Ok(initiated) => self.open_half(now, path, key, initiated, proven),
            Err(InitFailure::Refused(refusal)) if is_proven || self.shared.take_error(now) => {
                self.send_refusal(path, &header, refusal);
            }
            // With so many errors under way, whoever needs one has to show that it gets there.
            Err(InitFailure::Refused(_)) => {
                return Err(InitFailure::Unproven(self.cookies.make(&claim, time)));
            }
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    /// Of the shard that the request has come here by.
    fn issue_ike_spi(&mut self, path: Path, initiator: u64) -> u64 {
        let shard = self.spi_mask.shard_of_new(path.peer.ip(), initiator);
        let place = (self.config.slot, shard);
        let (half_open, established) = (&self.half_open, &self.established);
        self.spi_mask.issue_free(place, self.host.as_mut(), |spi| {
            half_open.get(spi).is_some() || established.contains_key(&spi)
        })
    }

    fn open_half(
        &mut self,
        now: Instant,
        path: Path,
        request: RequestKey,
        initiated: Initiated,
        proven: Option<Source>,
    ) {
        let spis = initiated.spis;
        let ends = now + self.config.limits.half_open_lifetime;
        self.out.send(path, initiated.response());
        let stage = Stage::Initiated(Box::new(initiated));
        self.half_open.insert(HalfOpen {
            spis,
            path,
            ends,
            request,
            proven,
            stage,
        });
        self.timers.arm(spis.responder, Some(ends));
    }

    fn refuse_init(&mut self, now: Instant, path: Path, header: &Header, refusal: InitRefusal) {
        match self.shared.take_error(now) {
            true => self.send_refusal(path, header, refusal),
            false => self
                .out
                .report(path, Some(header.spis), None, Dropped::TooManyErrors),
        }
    }

    fn send_refusal(&mut self, path: Path, header: &Header, refusal: InitRefusal) {
        let (kind, data) = refusal.notification();
        self.out
            .send(path, &ike_sa_init::notification(header, kind, &data));
        self.out.report(path, Some(header.spis), None, refusal);
    }

    /// Requests of a later major version are told ours (RFC 7296 section 2.5); responses never get a response.
    pub(super) fn refuse_version(&mut self, now: Instant, path: Path, header: &Header) {
        match header.flags.response {
            true => self
                .out
                .report(path, Some(header.spis), None, Dropped::Unexpected),
            false => self.refuse_init(now, path, header, InitRefusal::MajorVersion(header.version >> 4)),
        }
    }

    /// A message for an IKE SA that is not established yet.
    pub(super) fn handle_half_open(&mut self, arrived: Arrived<'_>) {
        let header = arrived.message.header;
        let stage = self.half_open.get(header.spis.responder).map(|it| &it.stage);
        match (header.exchange, stage) {
            (_, Some(_)) if header.flags.response => self.drop_unexpected(arrived),
            (ExchangeType::IkeIntermediate, Some(Stage::Initiated(initiated))) => {
                match &initiated.additional {
                    Additional::Awaited(kem) if header.message_id == MESSAGE_ID => {
                        self.open_intermediate(*kem, arrived);
                    }
                    Additional::Done(done) if header.message_id == MESSAGE_ID => {
                        if let Some(reply) = done.answered.reply_to(arrived.octets) {
                            self.out.send(arrived.path, reply);
                        }
                    }
                    Additional::None | Additional::Awaited(_) | Additional::Done(_) => {
                        self.drop_unexpected(arrived);
                    }
                }
            }
            (ExchangeType::IkeAuth, Some(Stage::Initiated(initiated)))
                if initiated.additional.auth_message_id() == Some(header.message_id) =>
            {
                self.open_auth(arrived);
            }
            (ExchangeType::IkeAuth | ExchangeType::IkeIntermediate, Some(Stage::Refused(answered))) => {
                if let Some(reply) = answered.reply_to(arrived.octets) {
                    self.out.send(arrived.path, reply);
                }
            }
            // The reply to the retransmission leaves when that to the original may.
            (ExchangeType::IkeAuth, Some(Stage::Committing(_))) => {}
            _ => self.drop_unexpected(arrived),
        }
    }

    fn drop_unexpected(&mut self, arrived: Arrived<'_>) {
        let spis = arrived.message.header.spis;
        self.out
            .report(arrived.path, Some(spis), None, Dropped::Unexpected);
    }

    /// The additional key exchange is tried once, like IKE_AUTH: an authentic message that fails is the peer's.
    fn open_intermediate(&mut self, kem: Kem, arrived: Arrived<'_>) {
        let spis = arrived.message.header.spis;
        let Some(initiated) = self.half_open.initiated(spis.responder) else {
            return;
        };
        let mut channel = initiated.channel(self.config.incarnation);
        let opened = match channel.open(&mut initiated.assembly, arrived) {
            Ok(Some(opened)) => opened,
            Ok(None) => return,
            Err(dropped) => return self.out.report(arrived.path, Some(spis), None, dropped),
        };
        let error = match initiated.exchange_more(kem, arrived, &opened, &mut channel) {
            Ok(answered) => return self.out.send(arrived.path, answered.reply()),
            Err(IntermediateError::Wire(error)) => AuthRefusal::from(error),
            // Not with the first IVs of the keys.
            Err(IntermediateError::Exhausted) => return,
        };
        let Ok(reply) =
            ike_auth::seal_refusal(&mut channel, (ExchangeType::IkeIntermediate, MESSAGE_ID), &error)
        else {
            return;
        };
        self.out.send(arrived.path, &reply);
        let answered = Answered::new(opened.whole(arrived).octets, reply);
        self.half_open.set_stage(spis.responder, Stage::Refused(answered));
        self.out
            .report(arrived.path, Some(spis), None, What::IntermediateRefused(error));
    }

    /// Once the message proves authentic, the half-open IKE SA leaves its first stage: IKE_AUTH is tried once.
    fn open_auth(&mut self, arrived: Arrived<'_>) {
        let spis = arrived.message.header.spis;
        let Some(initiated) = self.half_open.initiated(spis.responder) else {
            return;
        };
        let channel = initiated.channel(self.config.incarnation);
        let opened = match channel.open(&mut initiated.assembly, arrived) {
            Ok(Some(opened)) => opened,
            Ok(None) => return,
            Err(dropped) => return self.out.report(arrived.path, Some(spis), None, dropped),
        };
        let unix_time = self.host.unix_time();
        let tunnels = self.shared.tunnels();
        let mut issued = None;
        let issue = || {
            let host = self.host.as_mut();
            issued = self.child_spis.issue(self.config.slot, host, spis.responder);
            issued
        };
        let attempt = Attempt {
            arrived: opened.whole(arrived),
            initiated,
            tunnels: &tunnels,
            decoy: &self.decoy,
            unix_time,
            token: self.tokens.as_ref().map(|tokens| tokens.of(spis)),
        };
        match attempt.judge(channel, &opened, issue) {
            Ok(Judged::Accepted(accepted, changes)) => self.await_fleet(spis, accepted, changes),
            Ok(Judged::Refused(refusal, answered)) => {
                self.out.send(arrived.path, answered.reply());
                self.half_open.set_stage(spis.responder, Stage::Refused(answered));
                self.out.report(arrived.path, Some(spis), None, refusal);
            }
            // Not with the first IV of the keys.
            Err(Exhausted) => {
                if let Some(spi) = issued {
                    self.child_spis.release(spi);
                }
            }
        }
    }

    fn await_fleet(&mut self, spis: IkeSpis, accepted: Box<Accepted>, changes: Vec<Change>) {
        let commit = self.out.commit(spis, changes);
        self.awaited.insert(commit, Awaited::Establishment(spis));
        self.half_open
            .set_stage(spis.responder, Stage::Committing(Committing { commit, accepted }));
    }

    /// The fleet has decided on an IKE SA in the making.
    pub(super) fn finish_auth(
        &mut self,
        now: Instant,
        spis: IkeSpis,
        commit: CommitId,
        outcome: CommitOutcome,
    ) {
        let is_awaited = self
            .half_open
            .committing(spis.responder)
            .is_some_and(|it| it.commit == commit);
        match outcome {
            CommitOutcome::Done if is_awaited => self.complete_auth(now, spis),
            CommitOutcome::Refused if is_awaited => self.fail_committing(spis),
            // The peer has had no reply and has gone away: so must what the fleet has just installed.
            CommitOutcome::Done => {
                self.out.commit(spis, vec![Change::RemoveIke(spis)]);
            }
            CommitOutcome::Refused => {}
        }
    }

    fn complete_auth(&mut self, now: Instant, spis: IkeSpis) {
        let Some(Stage::Committing(Committing { accepted, .. })) = self
            .half_open
            .remove(spis.responder)
            .map(|half_open| half_open.stage)
        else {
            return;
        };
        let Accepted {
            mut established,
            child,
            redirected_from,
            misses_ppk,
        } = *accepted;
        if let Err(NoChild::Redirected(to)) = &child {
            let ends = now + self.config.limits.redirect_patience;
            established.note_redirected(to.clone(), ends);
        }
        self.out.send(
            established.state.address().path(),
            established.state.window.last_reply(),
        );
        let remote_id = established.state.remote_id().clone();
        established.report(What::Established { remote_id, child }, &mut self.out);
        if let Some(from) = redirected_from {
            established.report(What::RedirectedFrom(from), &mut self.out);
        }
        if misses_ppk {
            established.report(What::WithoutPpk, &mut self.out);
        }
        self.establish(now, established);
    }

    /// The fleet refuses the IKE SA, or has revoked it already: the held reply gives way to an error.
    pub(super) fn fail_committing(&mut self, spis: IkeSpis) {
        let Some(half_open) = self.half_open.remove(spis.responder) else {
            return;
        };
        let stage = match half_open.stage {
            Stage::Committing(Committing { commit, accepted }) => {
                self.awaited.remove(&commit);
                let mut sa = accepted.established;
                let auth = (ExchangeType::IkeAuth, sa.state.window.last_id());
                let Ok(error) = ike_auth::seal_refusal(&mut sa.state.channel, auth, &AuthRefusal::Fleet)
                else {
                    return;
                };
                self.out.send(sa.state.address().path(), &error);
                sa.report(AuthRefusal::Fleet, &mut self.out);
                self.retire(&sa);
                Stage::Refused(sa.state.window.answered_instead(error))
            }
            other @ (Stage::Initiated(_) | Stage::Refused(_)) => other,
        };
        self.half_open.insert(HalfOpen { stage, ..half_open });
    }

    pub(super) fn expire_half_open(&mut self, spi: u64) {
        match self.half_open.remove(spi) {
            Some(HalfOpen {
                stage: Stage::Committing(Committing { accepted, .. }),
                ..
            }) => {
                accepted.established.report(What::Expired, &mut self.out);
                self.retire(&accepted.established);
            }
            Some(HalfOpen {
                stage: Stage::Initiated(_),
                spis,
                path,
                ..
            }) => {
                self.out.report(path, Some(spis), None, What::Expired);
            }
            Some(HalfOpen {
                stage: Stage::Refused(_),
                ..
            })
            | None => {}
        }
    }
}
