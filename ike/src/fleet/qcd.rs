//! QUICK CRASH DETECTION (RFC 6290): a token, given to the peer of an IKE SA, that whoever has lost the IKE SA can show
//! in the clear, so that the other side need not wait for minutes until it believes that.

use std::fmt;

use ring::hmac;

use crate::wire::{Notify, NotifyType, Payload};
use crate::{IkeSpis, Secret};

/// Octets of ours, the fewest allowed (section 5), so that an answer that shows one is hardly longer than a request.
pub(crate) const TOKEN_LEN: usize = 16;

/// Octets of a peer's (section 5).
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=128;

/// Tokens that are looked at in one message (section 5.1).
const MOST: usize = 4;

/// One of ours: until it is shown, as secret as a key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token([u8; TOKEN_LEN]);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

/// Makes ours, each time again: "a stateless method" (section 5.1), by which every edge of the fleet makes the same.
pub(crate) struct Tokens(hmac::Key);

impl Tokens {
    pub(crate) fn new(spi_key: &Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, spi_key.expose()))
    }

    pub(crate) fn of(&self, spis: IkeSpis) -> Token {
        let mut hash = hmac::Context::with_key(&self.0);
        // The label parts these inputs from those of the other uses of the key.
        hash.update(b"crash token");
        hash.update(&spis.initiator.to_be_bytes());
        hash.update(&spis.responder.to_be_bytes());
        let mut token = [0; TOKEN_LEN];
        token.copy_from_slice(&hash.sign().as_ref()[..TOKEN_LEN]);
        Token(token)
    }
}

/// The notification that gives or shows a token (section 4.1).
pub(crate) fn notification(token: &Token) -> Payload<'_> {
    Payload::Notify(Notify::about_ike(NotifyType::QUICK_CRASH_DETECTION, &token.0))
}

/// The token that the peer gives, in a protected message.
pub(crate) fn given(payloads: &[Payload<'_>]) -> Option<Secret> {
    tokens(payloads).next().map(|token| Secret::new(token.to_vec()))
}

/// True when an unprotected message shows this one (section 4.5). Guesses are as hopeless as those of a key, so their number
/// has no limit.
pub(crate) fn is_shown(token: &Secret, payloads: &[Payload<'_>]) -> bool {
    NotifyType::INVALID_IKE_SPI.is_in(payloads)
        && tokens(payloads)
            .take(MOST)
            .any(|shown| Secret::new(shown.to_vec()) == *token)
}

fn tokens<'p>(payloads: &'p [Payload<'_>]) -> impl Iterator<Item = &'p [u8]> {
    NotifyType::QUICK_CRASH_DETECTION
        .all_data_in(payloads)
        .filter(|data| LENGTHS.contains(&data.len()))
}
