//! xfrm interfaces: `struct ifinfomsg` and its attributes (linux/if_link.h).

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the packet crates' enums grow with the kernel: what is unknown is passed over"
)]

use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, Parseable};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoXfrm, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};

use super::{Link, LinkId};
use crate::TunnelId;
use crate::netlink::Request;

/// Creates the interface where the socket is. Its index is its `if_id`, so that requests behind this one in the batch
/// can name it. One that is to be moved gets a name of ours first, as the final one may be taken here.
pub(crate) fn create(id: &LinkId, link: &Link) -> Request {
    let mut message = message(id.tunnel);
    message.attributes.push(LinkAttribute::Mtu(link.mtu));
    let name = if id.netns.is_some() {
        format!("anyswan-{:04x}", id.tunnel.0)
    } else {
        raise(&mut message);
        link.name.clone()
    };
    message.attributes.push(LinkAttribute::IfName(name));
    message.attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Xfrm),
        LinkInfo::Data(InfoData::Xfrm(vec![InfoXfrm::IfId(id.tunnel.if_id())])),
    ]));
    Request::new(NLM_F_CREATE | NLM_F_EXCL, &RouteNetlinkMessage::NewLink(message))
}

/// Moves the interface to another network namespace, where it has the same index. It arrives down.
pub(crate) fn relocate(id: &LinkId, link: &Link, netns: BorrowedFd) -> Request {
    let mut message = message(id.tunnel);
    message.attributes.push(LinkAttribute::NetNsFd(netns.as_raw_fd()));
    message
        .attributes
        .push(LinkAttribute::NewIfIndex(id.tunnel.if_id().cast_signed()));
    message.attributes.push(LinkAttribute::IfName(link.name.clone()));
    Request::new(0, &RouteNetlinkMessage::SetLink(message))
}

/// Sets MTU and state.
pub(crate) fn set(id: &LinkId, link: &Link) -> Request {
    let mut message = message(id.tunnel);
    message.attributes.push(LinkAttribute::Mtu(link.mtu));
    raise(&mut message);
    Request::new(0, &RouteNetlinkMessage::SetLink(message))
}

pub(crate) fn remove(tunnel: TunnelId) -> Request {
    Request::new(0, &RouteNetlinkMessage::DelLink(message(tunnel)))
}

/// All xfrm interfaces.
pub(crate) fn dump() -> Request {
    let mut message = LinkMessage::default();
    message
        .attributes
        .push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Xfrm)]));
    Request::new(0, &RouteNetlinkMessage::GetLink(message))
}

/// An xfrm interface as found, of this edge or another on the same machine.
pub(crate) struct Found {
    pub(crate) tunnel: TunnelId,
    pub(crate) link: Link,
    /// The namespace it was created in and its SAs are in, by the number it has in the one it is in; `None` when that is
    /// the same.
    pub(crate) home: Option<i32>,
}

/// Reads RTM_NEWLINK. `None` for an interface without our mark, or not understood and therefore not ours.
pub(crate) fn parse(payload: &[u8]) -> Option<Found> {
    let message = LinkMessage::parse(payload).ok()?;
    let link = settings(&message);
    let mut tunnel = None;
    let mut home = None;
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::LinkNetNsId(number) => home = Some(number),
            LinkAttribute::LinkInfo(infos) => tunnel = tunnel_of(&infos),
            _ => {}
        }
    }
    tunnel
        .filter(|tunnel| message.header.index == tunnel.if_id())
        .map(|tunnel| Found { tunnel, link, home })
}

/// What of an interface may be set.
pub(crate) fn settings(message: &LinkMessage) -> Link {
    let mut link = Link {
        name: String::new(),
        mtu: 0,
        up: message.header.flags.contains(LinkFlags::Up),
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => link.mtu = *mtu,
            _ => {}
        }
    }
    link
}

fn tunnel_of(infos: &[LinkInfo]) -> Option<TunnelId> {
    infos.iter().find_map(|info| match info {
        LinkInfo::Data(InfoData::Xfrm(data)) => data.iter().find_map(|item| match item {
            InfoXfrm::IfId(if_id) => TunnelId::from_if_id(*if_id),
            _ => None,
        }),
        _ => None,
    })
}

fn message(tunnel: TunnelId) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = tunnel.if_id();
    message
}

fn raise(message: &mut LinkMessage) {
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
}
