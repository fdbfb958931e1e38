//! How long names may be. Each bound is a protocol's or the kernel's own, or far above what is real.

/// Octets of a name of a tunnel or an edge: a DNS label's length, so that an edge's host name always fits.
pub const NAME: usize = 63;

/// Octets of an interface name: the kernel's IFNAMSIZ without its closing zero.
pub const INTERFACE_NAME: usize = 15;

/// Octets of a namespace's name: it is a file name under `/run/netns`.
pub const NETNS_NAME: usize = 255;

/// Octets of an identity: of a DNS name or a mail address, and of an opaque key ID.
pub const IDENTITY: usize = 255;

/// Octets of a domain name, and of each of its labels (RFC 1035 section 2.3.4).
pub const DNS_NAME: usize = 253;
/// See [`DNS_NAME`].
pub const DNS_LABEL: usize = 63;

/// Octets of a distinguished name in DER.
pub const DISTINGUISHED_NAME: usize = 1024;
