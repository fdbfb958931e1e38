//! Which addresses this host has: an edge without its anycast address gets no packet, whatever else is in order.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::TryStreamExt;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{LinkFlags, LinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::MulticastGroup;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::subscription::{Heard, Subscription};

const GROUPS: &[MulticastGroup] = &[
    MulticastGroup::Link,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
];

/// A table that could not be read is read again after this time.
const RETRY: Duration = Duration::from_secs(1);

/// The addresses of the network namespace it was opened in, kept up to date by the kernel's events.
pub struct Addresses {
    present: watch::Receiver<BTreeSet<IpAddr>>,
    task: AbortHandle,
}

impl Addresses {
    /// Reads them, and watches them from then on. Within a tokio runtime that does input and output.
    pub async fn watch() -> io::Result<Self> {
        // First, so that no change falls between.
        let subscription = Subscription::open(GROUPS, |_| Ok(()))?;
        let table = Table::read().await?;
        let (sender, present) = watch::channel(table.present());
        let task = tokio::spawn(keep(subscription, table, sender)).abort_handle();
        Ok(Self { present, task })
    }

    /// True while an interface that is up has the address, and no duplicate of it is known or being looked for.
    pub fn has(&self, address: IpAddr) -> bool {
        self.present.borrow().contains(&address)
    }

    /// All of them, and word of each change.
    pub fn subscribe(&self) -> watch::Receiver<BTreeSet<IpAddr>> {
        self.present.clone()
    }
}

impl Drop for Addresses {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn keep(mut subscription: Subscription, mut table: Table, sender: watch::Sender<BTreeSet<IpAddr>>) {
    loop {
        match subscription.next().await {
            Heard::Message(message) => table.note(message),
            Heard::Lost => table = Table::read_at_last().await,
        }
        let present = table.present();
        sender.send_if_modified(|old| {
            let is_other = *old != present;
            *old = present;
            is_other
        });
    }
}

/// Addresses and interfaces as far as they are of use.
#[derive(Default)]
pub(crate) struct Table {
    usable: BTreeSet<(u32, IpAddr)>,
    up: BTreeSet<u32>,
}

impl Table {
    async fn read() -> io::Result<Self> {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        let connection = tokio::spawn(connection);
        let table = Self::read_by(&handle).await;
        connection.abort();
        table.map_err(io::Error::other)
    }

    async fn read_by(handle: &rtnetlink::Handle) -> Result<Self, rtnetlink::Error> {
        let mut table = Self::default();
        let mut links = handle.link().get().execute();
        while let Some(link) = links.try_next().await? {
            table.note_link(&link);
        }
        let mut addresses = handle.address().get().execute();
        while let Some(address) = addresses.try_next().await? {
            table.note_address(&address);
        }
        Ok(table)
    }

    async fn read_at_last() -> Self {
        loop {
            match Self::read().await {
                Ok(table) => return table,
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the packet crates' enums grow with the kernel: what is unknown is passed over"
    )]
    pub(crate) fn note(&mut self, message: RouteNetlinkMessage) {
        match message {
            RouteNetlinkMessage::NewLink(link) => self.note_link(&link),
            // Of another family it says that the interface has left a bridge, say.
            RouteNetlinkMessage::DelLink(link) if link.header.interface_family == AddressFamily::Unspec => {
                self.up.remove(&link.header.index);
            }
            RouteNetlinkMessage::NewAddress(address) => self.note_address(&address),
            RouteNetlinkMessage::DelAddress(address) => {
                if let Some(ip) = ip(&address) {
                    self.usable.remove(&(address.header.index, ip));
                }
            }
            _ => {}
        }
    }

    fn note_link(&mut self, link: &LinkMessage) {
        if link.header.flags.contains(LinkFlags::Up) {
            self.up.insert(link.header.index);
        } else {
            self.up.remove(&link.header.index);
        }
    }

    fn note_address(&mut self, address: &AddressMessage) {
        let Some(ip) = ip(address) else { return };
        let flags = address.header.flags;
        // RFC 4862 section 5.4 and RFC 4429 section 3.3.
        let is_in_doubt = flags.contains(AddressHeaderFlags::Dadfailed)
            || flags.contains(AddressHeaderFlags::Tentative)
                && !flags.contains(AddressHeaderFlags::Optimistic);
        let entry = (address.header.index, ip);
        if is_in_doubt {
            self.usable.remove(&entry);
        } else {
            self.usable.insert(entry);
        }
    }

    pub(crate) fn present(&self) -> BTreeSet<IpAddr> {
        let usable = self.usable.iter();
        usable
            .filter(|(index, _)| self.up.contains(index))
            .map(|(_, ip)| *ip)
            .collect()
    }
}

/// The host's own; IFA_ADDRESS is that of the other end on a point-to-point link (linux/if_addr.h).
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the packet crates' enums grow with the kernel: what is unknown is passed over"
)]
fn ip(message: &AddressMessage) -> Option<IpAddr> {
    let mut address = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(local) => return Some(*local),
            AddressAttribute::Address(other) => address = Some(*other),
            _ => {}
        }
    }
    address
}
