//! Events of SAs and policies. By a socket of our own: the messages hold keys, which rtnetlink would not wipe.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_packet_core::{NlasIterator, parse_u32};
use netlink_packet_xfrm::constants::{
    IPPROTO_ESP, XFRM_MSG_DELPOLICY, XFRM_MSG_DELSA, XFRM_MSG_EXPIRE, XFRM_MSG_FLUSHPOLICY, XFRM_MSG_FLUSHSA,
    XFRM_MSG_MAPPING, XFRMA_IF_ID, XFRMA_SA, XFRMNLGRP_EXPIRE, XFRMNLGRP_MAPPING, XFRMNLGRP_POLICY,
    XFRMNLGRP_SA,
};
use netlink_packet_xfrm::{
    UserExpire, UserMapping, UserSaInfo, XFRM_USER_POLICY_ID_LEN, XFRM_USER_SA_ID_LEN,
};
use netlink_sys::protocols::NETLINK_XFRM;
use rustix::io::Errno;
use zeroize::{Zeroize, Zeroizing};

use super::filter;
use crate::TunnelId;
use crate::netlink::{Message, messages, receive};
use crate::objects::address::ip;
use crate::objects::sa::SaId;

/// No event of the kernel's is longer.
const RECEIVE_BYTES: usize = 32 * 1024;

/// What the agent wants to hear of.
const AGENT_TYPES: &[u16] = &[
    XFRM_MSG_EXPIRE,
    XFRM_MSG_MAPPING,
    XFRM_MSG_DELSA,
    XFRM_MSG_FLUSHSA,
    XFRM_MSG_DELPOLICY,
    XFRM_MSG_FLUSHPOLICY,
];

/// What became of an SA or policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The kernel removed an SA of ours, whose lifetime was over or whose packet limit was reached.
    Expired(AboutSa),
    /// An SA of ours has carried as many packets as its soft limit allows.
    Warned(AboutSa),
    /// An authenticated packet in UDP came from another address or port than an inbound SA of ours has.
    Moved(Moved),
    /// Somebody deleted an SA of ours: this process or another.
    Deleted(AboutSa),
    /// Somebody deleted all SAs.
    Flushed,
    /// Somebody deleted a policy of the tunnel.
    PolicyDeleted(TunnelId),
    /// Somebody deleted all policies.
    PoliciesFlushed,
    /// Events came faster than they were read; which ones, nobody knows.
    Lost,
}

/// The SA of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AboutSa {
    /// Whose it was.
    pub tunnel: TunnelId,
    /// Inbound or outbound.
    pub spi: u32,
    /// It had carried all the packets it may.
    pub exhausted: bool,
    pub(crate) id: SaId,
}

/// Where a peer behind a NAT sends from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Whose it is.
    pub tunnel: TunnelId,
    /// Address and UDP port.
    pub peer: SocketAddr,
    pub(crate) id: SaId,
}

/// A subscription to the SA and policy events of the network namespace it was opened in. A socket apart from the agent's, so that
/// no event can be taken for an answer.
pub struct Events {
    socket: netlink_sys::Socket,
    /// Events about SAs carry their keys.
    buffer: Zeroizing<Vec<u8>>,
    pending: VecDeque<Event>,
}

impl Events {
    /// Subscribes to deletions and expiries. The caller's own changes show up as well: reconcile only for an SPI that is
    /// still wanted.
    pub fn open() -> io::Result<Self> {
        Self::subscribe(&[XFRMNLGRP_EXPIRE, XFRMNLGRP_SA, XFRMNLGRP_POLICY])
    }

    /// What the agent needs: also moves, but nothing that requests from the port `own` did.
    pub(crate) fn for_agent(own: u32) -> io::Result<Self> {
        let groups = [
            XFRMNLGRP_EXPIRE,
            XFRMNLGRP_MAPPING,
            XFRMNLGRP_SA,
            XFRMNLGRP_POLICY,
        ];
        let events = Self::subscribe(&[])?;
        filter::pass_types(&events.socket, own, AGENT_TYPES)?;
        events.join(&groups)?;
        events.socket.set_non_blocking(true)?;
        Ok(events)
    }

    fn subscribe(groups: &[u32]) -> io::Result<Self> {
        let mut socket = netlink_sys::Socket::new(NETLINK_XFRM)?;
        socket.bind(&netlink_sys::SocketAddr::new(0, 0))?;
        let events = Self {
            socket,
            buffer: Zeroizing::new(vec![0; RECEIVE_BYTES]),
            pending: VecDeque::new(),
        };
        events.join(groups)?;
        Ok(events)
    }

    fn join(&self, groups: &[u32]) -> io::Result<()> {
        groups
            .iter()
            .try_for_each(|group| self.socket.add_membership(*group))
    }

    /// Waits for the next event.
    #[expect(clippy::should_implement_trait, reason = "an iterator's next cannot fail")]
    pub fn next(&mut self) -> io::Result<Event> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Ok(event);
            }
            self.receive()?;
        }
    }

    /// Reads one datagram of events.
    fn receive(&mut self) -> io::Result<()> {
        match receive(&self.socket, &mut self.buffer) {
            Ok(datagram) => {
                let events = messages(datagram)
                    .map_while(Result::ok)
                    .filter_map(|message| parse(&message));
                self.pending.extend(events);
                let used = datagram.len();
                self.buffer.iter_mut().take(used).for_each(Zeroize::zeroize);
                Ok(())
            }
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NOBUFS) => {
                self.pending.push_back(Event::Lost);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// `None` for what is not about an SA or policy of ours.
pub(crate) fn parse(message: &Message) -> Option<Event> {
    match message.header.message_type {
        XFRM_MSG_EXPIRE => {
            let expire = UserExpire::parse(message.payload).ok()?;
            let sa = about(&expire.state)?;
            Some(match expire.hard {
                0 => Event::Warned(sa),
                _ => Event::Expired(sa),
            })
        }
        XFRM_MSG_MAPPING => moved(&UserMapping::parse(message.payload).ok()?).map(Event::Moved),
        // `struct xfrm_usersa_id`, then the SA itself as an attribute.
        XFRM_MSG_DELSA => {
            let attributes = NlasIterator::new(message.payload.get(XFRM_USER_SA_ID_LEN..)?);
            let sa = attributes
                .map_while(Result::ok)
                .find(|attribute| attribute.kind() == XFRMA_SA)?;
            about(&UserSaInfo::parse(sa.value()).ok()?).map(Event::Deleted)
        }
        // `struct xfrm_userpolicy_id`, then the policy itself and what belongs to it.
        XFRM_MSG_DELPOLICY => {
            let attributes = NlasIterator::new(message.payload.get(XFRM_USER_POLICY_ID_LEN..)?);
            let if_id = attributes
                .map_while(Result::ok)
                .find(|attribute| attribute.kind() == XFRMA_IF_ID)?;
            TunnelId::from_if_id(parse_u32(if_id.value()).ok()?).map(Event::PolicyDeleted)
        }
        XFRM_MSG_FLUSHSA => Some(Event::Flushed),
        XFRM_MSG_FLUSHPOLICY => Some(Event::PoliciesFlushed),
        _ => None,
    }
}

fn moved(mapping: &UserMapping) -> Option<Moved> {
    if mapping.id.proto != IPPROTO_ESP {
        return None;
    }
    let family = mapping.id.family;
    Some(Moved {
        tunnel: TunnelId::from_if_id(mapping.reqid)?,
        peer: SocketAddr::new(ip(&mapping.new_saddr, family)?, mapping.new_sport),
        id: SaId {
            destination: ip(&mapping.id.daddr, family)?,
            spi: mapping.id.spi,
        },
    })
}

fn about(info: &UserSaInfo) -> Option<AboutSa> {
    if info.id.proto != IPPROTO_ESP {
        return None;
    }
    Some(AboutSa {
        tunnel: TunnelId::from_if_id(info.reqid)?,
        spi: info.id.spi,
        exhausted: info.lifetime_cur.packets >= info.lifetime_cfg.hard_packet_limit,
        id: SaId {
            destination: ip(&info.id.daddr, info.family)?,
            spi: info.id.spi,
        },
    })
}
