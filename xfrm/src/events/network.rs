//! What other programs, or the kernel itself, do to tunnels' interfaces and routes.

use std::io;

use ipnet::IpNet;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::LinkMessage;
use rtnetlink::MulticastGroup;
use rustix::io::Errno;

use super::filter;
use super::subscription::{Heard, Subscription};
use crate::TunnelId;
use crate::objects::{link, route};

const GROUPS: &[MulticastGroup] = &[
    MulticastGroup::Link,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
];

// Types of messages (linux/rtnetlink.h).
const NEW_LINK: u16 = 16;
const DELETE_LINK: u16 = 17;
const DELETE_ADDRESS: u16 = 21;
const DELETE_ROUTE: u16 = 25;

/// Something happened to a tunnel's interface or routes, which the agent has not done itself. For
/// [`Agent::observe`](crate::Agent::observe).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetworkEvent {
    /// The interface is like this now.
    LinkChanged {
        /// Whose it is.
        tunnel: TunnelId,
        /// Of the interface.
        name: String,
        /// In bytes.
        mtu: u32,
        /// Set up by an administrator.
        up: bool,
    },
    /// The interface is gone, or has moved to another namespace.
    LinkRemoved(TunnelId),
    /// A route into the interface is gone.
    RouteRemoved(TunnelId, IpNet),
    /// The interface has lost an address. With the last one of IPv4, its routes go as well and the kernel does not say so.
    AddressRemoved(TunnelId),
    /// Events came faster than they were read: anything may have changed.
    Lost,
}

/// A subscription to [`NetworkEvent`]s, of the network namespace it was opened in and of those that tunnels'
/// interfaces were moved to.
pub struct NetworkWatcher {
    subscription: Subscription,
}

impl NetworkWatcher {
    /// Does not tell of what requests from the port `own` do. Within a tokio runtime that does input and output.
    pub(crate) fn open(own: u32) -> io::Result<Self> {
        let subscription = Subscription::open(GROUPS, move |socket| prepare(socket, own))?;
        Ok(Self { subscription })
    }

    /// Waits for the next event. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> NetworkEvent {
        loop {
            match self.subscription.next().await {
                Heard::Lost => return NetworkEvent::Lost,
                Heard::Message(message) => {
                    if let Some(event) = parse(message) {
                        return event;
                    }
                }
            }
        }
    }
}

fn prepare(socket: &netlink_sys::Socket, own: u32) -> io::Result<()> {
    let interfaces = [NEW_LINK, DELETE_LINK, DELETE_ADDRESS];
    filter::pass_ours(
        socket,
        own,
        &interfaces,
        &[DELETE_ROUTE],
        route::codec::PROTOCOL.into(),
    )?;
    match socket.set_listen_all_namespaces(true) {
        // Without CAP_NET_BROADCAST, what happens in the tunnels' namespaces waits for the slow loop.
        Err(error) if Errno::from_io_error(&error) == Some(Errno::PERM) => Ok(()),
        set => set,
    }
}

/// `None` for what is not about a tunnel of ours.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the packet crates' enums grow with the kernel: what is unknown is passed over"
)]
pub(crate) fn parse(message: RouteNetlinkMessage) -> Option<NetworkEvent> {
    match message {
        RouteNetlinkMessage::NewLink(message) => {
            let tunnel = tunnel_of(&message)?;
            let link::Link { name, mtu, up } = link::codec::settings(&message);
            Some(NetworkEvent::LinkChanged {
                tunnel,
                name,
                mtu,
                up,
            })
        }
        RouteNetlinkMessage::DelLink(message) => tunnel_of(&message).map(NetworkEvent::LinkRemoved),
        RouteNetlinkMessage::DelAddress(message) => {
            TunnelId::from_if_id(message.header.index).map(NetworkEvent::AddressRemoved)
        }
        RouteNetlinkMessage::DelRoute(message) => {
            let (tunnel, prefix) = route::codec::read(message)?;
            Some(NetworkEvent::RouteRemoved(tunnel, prefix))
        }
        _ => None,
    }
}

/// The index is enough: nobody else's interface has it by chance.
fn tunnel_of(message: &LinkMessage) -> Option<TunnelId> {
    TunnelId::from_if_id(message.header.index)
}
