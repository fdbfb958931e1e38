//! The numbers by which a network namespace knows others: `struct rtgenmsg` and its attributes (linux/net_namespace.h).

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the packet crates' enums grow with the kernel: what is unknown is passed over"
)]

use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::Parseable;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};

use crate::netlink::Request;

/// Asks for the number of a namespace.
pub(crate) fn number_of(netns: BorrowedFd) -> Request {
    let mut message = NsidMessage::default();
    message
        .attributes
        .push(NsidAttribute::Fd(netns.as_raw_fd().cast_unsigned()));
    Request::new(0, &RouteNetlinkMessage::GetNsId(message))
}

/// Reads RTM_NEWNSID. `None` when the namespace has no number yet.
pub(crate) fn parse(payload: &[u8]) -> Option<i32> {
    let message = NsidMessage::parse(payload).ok()?;
    message.attributes.iter().find_map(|attribute| match attribute {
        NsidAttribute::Id(number) => Some(*number).filter(|number| *number >= 0),
        _ => None,
    })
}
