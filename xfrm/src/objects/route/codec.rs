//! Routes into tunnels: `struct rtmsg` and its attributes (linux/rtnetlink.h).

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the packet crates' enums grow with the kernel: what is unknown is passed over"
)]

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, Parseable};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use crate::TunnelId;
use crate::netlink::Request;

/// Marks our routes beside others into the same interface. Nobody else's in iproute2's rt_protos.
pub(crate) const PROTOCOL: RouteProtocol = RouteProtocol::Other(0x57);

/// Fails if the main table has a route of that prefix already.
pub(crate) fn add(tunnel: TunnelId, prefix: IpNet) -> Request {
    Request::new(
        NLM_F_CREATE | NLM_F_EXCL,
        &RouteNetlinkMessage::NewRoute(message(tunnel, prefix)),
    )
}

pub(crate) fn remove(tunnel: TunnelId, prefix: IpNet) -> Request {
    Request::new(0, &RouteNetlinkMessage::DelRoute(message(tunnel, prefix)))
}

/// All of ours in one family's main table. The kernel does the choosing: an edge may hold a million routes.
pub(crate) fn dump(family: AddressFamily) -> Request {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = PROTOCOL;
    Request::new(0, &RouteNetlinkMessage::GetRoute(message))
}

/// Reads RTM_NEWROUTE. `None` for a route that is not ours, or not understood and therefore not ours.
pub(crate) fn parse(payload: &[u8]) -> Option<(TunnelId, IpNet)> {
    read(RouteMessage::parse(payload).ok()?)
}

/// The same of RTM_DELROUTE, and of a message that is parsed already.
pub(crate) fn read(message: RouteMessage) -> Option<(TunnelId, IpNet)> {
    if message.header.protocol != PROTOCOL || message.header.table != RouteHeader::RT_TABLE_MAIN {
        return None;
    }
    let mut tunnel = None;
    let mut destination = match message.header.address_family {
        AddressFamily::Inet => IpAddr::from([0; 4]),
        AddressFamily::Inet6 => IpAddr::from([0; 16]),
        _ => return None,
    };
    for attribute in message.attributes {
        match attribute {
            RouteAttribute::Oif(index) => tunnel = TunnelId::from_if_id(index),
            RouteAttribute::Destination(RouteAddress::Inet(address)) => destination = address.into(),
            RouteAttribute::Destination(RouteAddress::Inet6(address)) => destination = address.into(),
            _ => {}
        }
    }
    Some((
        tunnel?,
        IpNet::new(destination, message.header.destination_prefix_length).ok()?,
    ))
}

fn message(tunnel: TunnelId, prefix: IpNet) -> RouteMessage {
    let mut message = RouteMessage::default();
    let (family, address) = match prefix.addr() {
        IpAddr::V4(address) => (AddressFamily::Inet, RouteAddress::Inet(address)),
        IpAddr::V6(address) => (AddressFamily::Inet6, RouteAddress::Inet6(address)),
    };
    message.header.address_family = family;
    message.header.destination_prefix_length = prefix.prefix_len();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = PROTOCOL;
    message.header.scope = RouteScope::Link;
    message.header.kind = RouteType::Unicast;
    message.attributes = vec![
        RouteAttribute::Destination(address),
        RouteAttribute::Oif(tunnel.if_id()),
    ];
    message
}
