//! Cookies of IKE_SA_INIT (RFC 7296 section 2.6): a peer that brings one back receives what is sent to its address.
//!
//! Nothing is kept of a cookie that was given out, and the anycast network may bring it back to another edge. So every
//! edge makes the same ones, from the fleet's key and the number of the present minute or so, the *epoch*: with another
//! number in its input the keyed hash is as good as another one with a new secret.

use std::net::IpAddr;
use std::time::Duration;

use ring::hmac;
use subtle::ConstantTimeEq;

use crate::Secret;

/// How long one epoch's cookies are made. They are good until the end of the next.
const EPOCH: Duration = Duration::from_secs(64);

/// Octets of the hash that a cookie shows.
const TAG_LEN: usize = 16;

/// The low octet of the epoch's number, which is the version of the secret, and the hash. RFC 7296 allows 64 octets.
pub(crate) type Cookie = [u8; 1 + TAG_LEN];

/// What a cookie is made for.
pub(crate) struct Claim<'a> {
    /// Without the port, which a forger chooses freely and a NAT may change.
    pub(crate) peer: IpAddr,
    /// The initiator's.
    pub(crate) spi: u64,
    /// The initiator's. KE is not covered, so that the cookie outlives another guess of the group (section 2.6.1).
    pub(crate) nonce: &'a [u8],
}

/// Makes them and knows them again. `unix_time` is that of [`crate::Host::unix_time`].
pub(crate) struct Cookies(hmac::Key);

impl Cookies {
    pub(crate) fn new(spi_key: &Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, spi_key.expose()))
    }

    pub(crate) fn make(&self, claim: &Claim<'_>, unix_time: Duration) -> Cookie {
        self.of_epoch(claim, epoch(unix_time))
    }

    /// True for a cookie of this epoch or the one before; also of the next, by an edge whose clock is ahead of ours.
    pub(crate) fn is_good(&self, claim: &Claim<'_>, unix_time: Duration, cookie: &[u8]) -> bool {
        let now = epoch(unix_time);
        let epochs = [now, now.wrapping_sub(1), now.wrapping_add(1)];
        let version = cookie.first();
        let made_in = epochs
            .into_iter()
            .find(|&epoch| version == Some(&version_of(epoch)));
        made_in.is_some_and(|epoch| self.of_epoch(claim, epoch).ct_eq(cookie).into())
    }

    fn of_epoch(&self, claim: &Claim<'_>, epoch: u64) -> Cookie {
        let mut hash = hmac::Context::with_key(&self.0);
        // The label parts these inputs from those of the other uses of the key.
        hash.update(b"cookie");
        hash.update(&epoch.to_be_bytes());
        hash.update(&claim.spi.to_be_bytes());
        match claim.peer {
            IpAddr::V4(peer) => hash.update(&peer.to_ipv6_mapped().octets()),
            IpAddr::V6(peer) => hash.update(&peer.octets()),
        }
        hash.update(claim.nonce);
        let mut cookie = [version_of(epoch); 1 + TAG_LEN];
        cookie[1..].copy_from_slice(&hash.sign().as_ref()[..TAG_LEN]);
        cookie
    }
}

fn epoch(unix_time: Duration) -> u64 {
    unix_time.as_secs() / EPOCH.as_secs()
}

fn version_of(epoch: u64) -> u8 {
    epoch as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIM: Claim<'_> = Claim {
        peer: IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
        spi: 1,
        nonce: &[3; 16],
    };

    fn cookies(octet: u8) -> Cookies {
        Cookies::new(&Secret::new(vec![octet; 32]))
    }

    #[test]
    fn a_cookie_is_good_for_its_epoch_and_the_next_at_every_edge() {
        let made_at = 1_000 * EPOCH;
        let cookie = cookies(1).make(&CLAIM, made_at);
        let other_edge = cookies(1);
        let second = Duration::from_secs(1);
        for (time, is_good) in [
            (made_at, true),
            (made_at + 2 * EPOCH - second, true),
            (made_at + 2 * EPOCH, false),
            // The low octet of the number is the same again.
            (made_at + 256 * EPOCH, false),
            // A clock that is behind that of the edge which made it.
            (made_at - second, true),
            (made_at - EPOCH - second, false),
        ] {
            assert_eq!(other_edge.is_good(&CLAIM, time, &cookie), is_good, "{time:?}");
        }
        assert!(!cookies(2).is_good(&CLAIM, made_at, &cookie), "another fleet");
    }

    #[test]
    fn a_cookie_is_good_for_one_claim() {
        let now = 1_000 * EPOCH;
        let cookie = cookies(1).make(&CLAIM, now);
        let is_good = |claim: Claim<'_>| cookies(1).is_good(&claim, now, &cookie);
        assert!(is_good(CLAIM));
        let peer = "192.0.2.2".parse().unwrap();
        assert!(!is_good(Claim { peer, ..CLAIM }));
        assert!(!is_good(Claim { spi: 2, ..CLAIM }));
        assert!(!is_good(Claim {
            nonce: &[3; 17],
            ..CLAIM
        }));
    }

    #[test]
    fn what_only_resembles_a_cookie_is_none() {
        let now = 1_000 * EPOCH;
        let cookie = cookies(1).make(&CLAIM, now);
        let is_good = |octets: &[u8]| cookies(1).is_good(&CLAIM, now, octets);
        for length in 0..cookie.len() {
            assert!(!is_good(&cookie[..length]), "{length} octets");
        }
        assert!(!is_good(&[&cookie[..], &[0]].concat()));
        for place in 0..cookie.len() {
            let mut damaged = cookie;
            damaged[place] ^= 1;
            assert!(!is_good(&damaged), "octet {place}");
        }
    }
}
