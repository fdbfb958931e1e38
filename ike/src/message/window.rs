//! The peer's requests: which is next, and the answer to the last (RFC 7296 sections 2.1 to 2.3, window size 1).

use serde::{Deserialize, Serialize, Serializer};

use crate::wire::{self, ExchangeType};

/// Octets at the end of a protected message that authenticate the whole of it, whatever the cipher.
const ICV_LEN: usize = 16;

/// What a request is to us.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival<'a> {
    /// To be opened and answered.
    New,
    /// Bit for bit the last one (RFC 7296 section 2.1): to be answered with the same octets.
    Repeated(&'a [u8]),
    /// Outside the window: dropped, and not worth opening.
    Outside,
}

/// One direction of message IDs; by default that of a new IKE SA without IKE_AUTH (RFC 7296 section 1.3.2).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Window {
    /// Wider than a message ID, since those may not wrap (RFC 7296 section 2.2): after the very last one nothing more
    /// is accepted.
    next: u64,
    answered: Answered,
    /// Restored from a snapshot, which does not count the requests that were answered without a commit: any higher
    /// message ID may be the next. For good: one of those requests, sent again by somebody who has recorded it, would
    /// else shut out the peer, which is further on.
    #[serde(skip, default = "after_restore")]
    may_skip: bool,
    /// No request has come since the restore.
    #[serde(skip, default = "after_restore")]
    in_doubt: bool,
}

fn after_restore() -> bool {
    true
}

/// A request that was answered, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answered {
    /// Its last octets stand for the whole: two messages that differ would have to collide in their ICV.
    icv: [u8; ICV_LEN],
    #[serde(serialize_with = "as_bytes")]
    reply: Box<[u8]>,
}

/// At once and not octet by octet, which postcard encodes the same.
fn as_bytes<S: Serializer>(octets: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(octets)
}

impl Answered {
    /// Both without non-ESP marker.
    pub(crate) fn new(request: &[u8], reply: Vec<u8>) -> Self {
        Self {
            icv: icv_of(request),
            reply: reply.into(),
        }
    }

    pub(crate) fn reply(&self) -> &[u8] {
        &self.reply
    }

    /// The same octets as before, if `request` is the same.
    pub(crate) fn reply_to(&self, request: &[u8]) -> Option<&[u8]> {
        (self.icv == icv_of(request)).then_some(&self.reply)
    }
}

fn icv_of(message: &[u8]) -> [u8; ICV_LEN] {
    message.last_chunk().copied().unwrap_or_default()
}

impl Window {
    /// After IKE_AUTH, whose message ID is `id`, was answered.
    pub(crate) fn after_auth(id: u32, answered: Answered) -> Self {
        Self {
            next: u64::from(id) + 1,
            answered,
            may_skip: false,
            in_doubt: false,
        }
    }

    /// What a request with `id` is. It is not authenticated yet.
    pub(crate) fn classify(&self, id: u32, request: &[u8]) -> Arrival<'_> {
        let number = u64::from(id);
        if number == self.next || (self.may_skip && number > self.next) {
            return Arrival::New;
        }
        match self.answered.reply_to(request) {
            Some(reply) if self.is_last(id) => Arrival::Repeated(reply),
            _ => Arrival::Outside,
        }
    }

    /// True for the message ID of the last request.
    pub(crate) fn is_last(&self, id: u32) -> bool {
        u64::from(id) + 1 == self.next
    }

    /// True while an authentic request is likely to be an old one that the previous owner has answered.
    pub(crate) fn is_in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// The message ID expected next.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Moves the window past the authentic request with `id`.
    pub(crate) fn advance(&mut self, id: u32, answered: Answered) {
        self.next = u64::from(id) + 1;
        self.answered = answered;
        self.in_doubt = false;
    }

    /// True while IKE_AUTH is the last request.
    pub(crate) fn follows_auth(&self) -> bool {
        wire::exchange_of(&self.answered.reply) == Some(ExchangeType::IkeAuth)
    }

    /// The reply to the last request.
    pub(crate) fn last_reply(&self) -> &[u8] {
        &self.answered.reply
    }

    /// Message ID of the last request.
    pub(crate) fn last_id(&self) -> u32 {
        // Message IDs have 32 bits, and next is one more.
        self.next.saturating_sub(1) as u32
    }

    /// The last request gets another reply, before the first has left.
    pub(crate) fn answer_instead(&mut self, reply: Vec<u8>) {
        self.answered.reply = reply.into();
    }

    /// The last request with another reply.
    pub(crate) fn answered_instead(self, reply: Vec<u8>) -> Answered {
        Answered {
            reply: reply.into(),
            ..self.answered
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(request: &[u8], reply: &[u8]) -> Answered {
        Answered::new(request, reply.to_vec())
    }

    #[test]
    fn only_the_next_request_and_the_very_same_last_one_count() {
        let mut window = Window::after_auth(1, answered(&[1; 40], b"auth"));
        assert_eq!(window.classify(1, &[1; 40]), Arrival::Repeated(b"auth"));
        assert_eq!(window.classify(1, &[9; 40]), Arrival::Outside);
        assert_eq!(window.classify(0, &[1; 40]), Arrival::Outside);
        assert_eq!(window.classify(3, &[3; 40]), Arrival::Outside);
        assert_eq!(window.classify(2, &[2; 40]), Arrival::New);
        window.advance(2, answered(&[2; 40], b"two"));
        assert_eq!(window.classify(2, &[2; 40]), Arrival::Repeated(b"two"));
        assert_eq!(window.classify(1, &[1; 40]), Arrival::Outside);
    }

    #[test]
    fn a_restored_window_skips_and_never_goes_back() {
        let window = Window::after_auth(1, answered(&[1; 40], b"auth"));
        let octets = postcard::to_stdvec(&window).unwrap();
        let mut restored: Window = postcard::from_bytes(&octets).unwrap();
        assert_eq!(restored.classify(1, &[1; 40]), Arrival::Repeated(b"auth"));
        assert_eq!(restored.classify(7, &[7; 40]), Arrival::New);
        restored.advance(7, answered(&[7; 40], b"seven"));
        assert_eq!(restored.classify(6, &[6; 40]), Arrival::Outside);
        assert_eq!(restored.classify(7, &[9; 40]), Arrival::Outside);
        assert_eq!(restored.classify(9, &[9; 40]), Arrival::New);
    }

    #[test]
    fn message_ids_do_not_wrap() {
        let mut window = Window::after_auth(1, answered(&[1; 40], b"auth"));
        window.may_skip = true;
        window.advance(u32::MAX, answered(&[5; 40], b"last"));
        assert_eq!(window.classify(0, &[6; 40]), Arrival::Outside);
        assert_eq!(window.classify(u32::MAX, &[6; 40]), Arrival::Outside);
        assert_eq!(window.classify(u32::MAX, &[5; 40]), Arrival::Repeated(b"last"));
    }
}
