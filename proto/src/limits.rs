//! How large a message may be. Each bound is far above what a real fleet needs and far below what would hurt.

pub use ike_types::limits::*;

/// Traffic selectors of a tunnel, on either side.
pub const TUNNEL_SELECTORS: usize = 64;

/// Addresses that a tunnel gives its customer.
pub const ADDRESSES: usize = 8;

/// The fewest octets after which a tunnel can have its child SAs rekeyed: a second's worth of a slow line.
pub const REKEY_BYTES_LEAST: u64 = 1 << 20;

/// Pairs of a tunnel's traffic selectors of either side: each becomes three policies in every kernel.
pub const PAIRS: usize = 256;

/// ESP suites of a tunnel: more than there are.
pub const SUITES: usize = 16;

/// Traffic selectors of a child SA, on either side: their number is one octet in IKE (RFC 7296 section 3.13).
pub const SELECTORS: usize = 255;

/// Octets of a record's header: two full lists of selectors fit.
pub const HEADER: usize = 32 * 1024;

/// Octets of a record's sealed secret: an IKE SA's snapshot with the reply it has cached, or the certificates and CRLs of
/// a tunnel.
pub const SECRET: usize = 64 * 1024;

/// Changes in one commit: twenty child SAs that are all being rekeyed, and three IKE SAs, one and what both sides have made in its
/// place.
pub const CHANGES: usize = 43;

/// Failures in one report; the rest is only counted.
pub const FAILURES: usize = 256;

/// Octets of a failure's reason.
pub const REASON: usize = 512;

/// Octets of one gRPC message in any direction. A full commit fits ([`CHANGES`] times [`HEADER`] and [`SECRET`]).
pub const MESSAGE: usize = 5 * 1024 * 1024;

/// Octets of records that are put into one Delta before it is sent; the largest record may come on top.
pub const DELTA: usize = 256 * 1024;

const _: () = assert!(
    CHANGES * (HEADER + SECRET + 64) < MESSAGE,
    "a full commit fits one message"
);
