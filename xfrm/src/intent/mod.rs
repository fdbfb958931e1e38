//! The wanted set, with the indexes that make a small change cheap. Pure: no kernel, no clock.

pub(crate) mod desired;
pub(crate) mod outbound;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use self::desired::Desired;
use self::outbound::OutboundHolders;
use crate::events::{Moved, NetworkEvent};
use crate::objects::link::DEFAULT_MTU;
use crate::objects::sa::SaId;
use crate::{Change, Notice, Subject, TunnelId, Wanted};

/// The kernel ends an SA some seconds before or after the end of its child: what lives no longer than this stays away.
const WORTH_RESTORING: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(crate) struct Intent {
    wanted: Wanted,
    /// The children of each tunnel, by inbound SPI.
    children_of: BTreeMap<TunnelId, BTreeSet<u32>>,
    holders: OutboundHolders,
    /// Children, by inbound SPI, whose outbound SA the kernel removed since it had sent all the packets it may. A
    /// restarted process does not know them; the SA it then makes has a random part of the nonce of its own, like that
    /// of one more edge.
    exhausted: BTreeSet<u32>,
}

impl Intent {
    pub(crate) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    pub(crate) fn all(&self) -> BTreeSet<TunnelId> {
        self.wanted.tunnels.keys().copied().collect()
    }

    /// The named namespaces that tunnels are in.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = String> {
        self.wanted
            .tunnels
            .values()
            .filter_map(|tunnel| tunnel.netns.clone())
    }

    /// The objects that these tunnels ask for at present.
    pub(crate) fn desired(&self, tunnels: &BTreeSet<TunnelId>, now: SystemTime) -> Desired {
        let mut desired = Desired::default();
        for id in tunnels {
            if let Some(tunnel) = self.wanted.tunnels.get(id) {
                desired.add_tunnel(*id, tunnel);
                let spis = self.children_of.get(id).into_iter().flatten();
                let children = spis.filter_map(|spi| self.wanted.children.get(spi));
                desired.add_children(tunnel, children, &self.holders, &self.exhausted, now);
            }
        }
        desired
    }

    pub(crate) fn replace(&mut self, wanted: Wanted) {
        *self = Self {
            exhausted: std::mem::take(&mut self.exhausted),
            ..Self::default()
        };
        self.wanted.tunnels = wanted.tunnels;
        for child in wanted.children.into_values() {
            self.change(Change::PutChild(child));
        }
        self.exhausted
            .retain(|spi| self.wanted.children.contains_key(spi));
    }

    pub(crate) fn change(&mut self, change: Change) {
        match change {
            Change::PutTunnel(id, tunnel) => {
                self.wanted.tunnels.insert(id, tunnel);
            }
            Change::RemoveTunnel(id) => {
                self.wanted.tunnels.remove(&id);
                for spi in self.children_of.get(&id).cloned().unwrap_or_default() {
                    self.change(Change::RemoveChild(spi));
                }
            }
            Change::PutChild(child) => {
                self.remove_child(child.inbound_spi);
                self.holders.add(&child);
                self.children_of
                    .entry(child.tunnel)
                    .or_default()
                    .insert(child.inbound_spi);
                self.wanted.children.insert(child.inbound_spi, child);
            }
            Change::RemoveChild(spi) => {
                self.remove_child(spi);
                self.exhausted.remove(&spi);
            }
        }
    }

    fn remove_child(&mut self, spi: u32) {
        let Some(child) = self.wanted.children.remove(&spi) else {
            return;
        };
        self.holders.remove(&child);
        if let Some(spis) = self.children_of.get_mut(&child.tunnel) {
            spis.remove(&spi);
            if spis.is_empty() {
                self.children_of.remove(&child.tunnel);
            }
        }
    }

    /// The tunnels whose objects a change may touch.
    pub(crate) fn tunnels_of(&self, change: &Change) -> Vec<TunnelId> {
        let tunnel_of = |spi| self.wanted.children.get(spi).map(|child| child.tunnel);
        match change {
            Change::PutTunnel(id, _) | Change::RemoveTunnel(id) => vec![*id],
            Change::PutChild(child) => tunnel_of(&child.inbound_spi)
                .into_iter()
                .chain([child.tunnel])
                .collect(),
            Change::RemoveChild(spi) => tunnel_of(spi).into_iter().collect(),
        }
    }

    /// What it means that an SA has reached its soft limit.
    pub(crate) fn notice(&self, id: SaId) -> Option<Notice> {
        let inbound = self.wanted.children.get(&id.spi);
        match inbound.filter(|child| SaId::inbound(child) == id) {
            Some(child) => child.report_use.then_some(Notice::Used(id.spi)),
            None => self.holders.holder(id).map(Notice::NearLimit),
        }
    }

    /// What it means that the peer of an inbound SA sends from elsewhere.
    pub(crate) fn notice_of_move(&self, moved: Moved) -> Option<Notice> {
        let child = self.wanted.children.get(&moved.id.spi)?;
        let is_its = SaId::inbound(child) == moved.id && child.tunnel == moved.tunnel;
        is_its.then_some(Notice::Moved(child.inbound_spi, moved.peer))
    }

    /// The kernel removed the SA since it had carried all the packets it may.
    pub(crate) fn note_exhausted(&mut self, id: SaId) {
        self.exhausted.extend(self.holders.holder(id));
    }

    /// True for an SA of a child that lives on, for so long that it is worth bringing back.
    pub(crate) fn wants_sa(&self, id: SaId, now: SystemTime) -> bool {
        let inbound = self.wanted.children.get(&id.spi);
        let child = inbound
            .filter(|child| SaId::inbound(child) == id)
            .or_else(|| self.wanted.children.get(&self.holders.holder(id)?));
        child.is_some_and(|child| child.expires > now + WORTH_RESTORING)
    }

    pub(crate) fn has_children(&self, id: TunnelId) -> bool {
        self.children_of.contains_key(&id)
    }

    /// True if what has happened may have taken something wanted away, or changed it.
    pub(crate) fn is_touched_by(&self, event: &NetworkEvent) -> bool {
        match event {
            NetworkEvent::LinkChanged {
                tunnel,
                name,
                mtu,
                up,
            } => self.wanted.tunnels.get(tunnel).is_some_and(|tunnel| {
                let wanted_mtu = tunnel.mtu.unwrap_or(DEFAULT_MTU);
                !up || *mtu != wanted_mtu || *name != tunnel.interface
            }),
            NetworkEvent::LinkRemoved(tunnel) | NetworkEvent::AddressRemoved(tunnel) => {
                self.wanted.tunnels.contains_key(tunnel)
            }
            NetworkEvent::RouteRemoved(tunnel, prefix) => self
                .wanted
                .tunnels
                .get(tunnel)
                .is_some_and(|tunnel| tunnel.routes.iter().any(|route| route.trunc() == *prefix)),
            NetworkEvent::Lost => !self.wanted.tunnels.is_empty(),
        }
    }

    pub(crate) fn has(&self, subject: Subject) -> bool {
        match subject {
            Subject::Tunnel(id) => self.wanted.tunnels.contains_key(&id),
            Subject::Child(spi) => self.wanted.children.contains_key(&spi),
            Subject::Kernel => true,
        }
    }

    /// True for the subjects that these tunnels have, and for the kernel.
    pub(crate) fn is_of(&self, subject: Subject, tunnels: &BTreeSet<TunnelId>) -> bool {
        match subject {
            Subject::Tunnel(id) => tunnels.contains(&id),
            Subject::Child(spi) => self
                .wanted
                .children
                .get(&spi)
                .is_some_and(|child| tunnels.contains(&child.tunnel)),
            Subject::Kernel => true,
        }
    }
}
