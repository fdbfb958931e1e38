//! Which events of the kernel concern what is wanted.

use std::collections::BTreeMap;

use netlink_packet_core::NetlinkHeader;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{LinkFlags, LinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::*;
use crate::events::{Event, NetworkEvent, Table, parse};
use crate::intent::Intent;
use crate::netlink::Message;
use crate::objects::sa::SaId;
use crate::{Change, Wanted};

fn read(message_type: u16, payload: &[u8]) -> Option<Event> {
    let mut header = NetlinkHeader::default();
    header.message_type = message_type;
    parse(&Message { header, payload })
}

fn intent() -> Intent {
    let mut intent = Intent::default();
    intent.replace(Wanted {
        tunnels: BTreeMap::from([(TUNNEL, tunnel())]),
        children: BTreeMap::from([(child().inbound_spi, child())]),
    });
    intent
}

/// `struct xfrm_userpolicy_id` is 64 bytes; XFRMA_IF_ID is 31 (linux/xfrm.h).
#[test]
fn a_deleted_policy_is_read() {
    let with_if_id = |if_id: u32| {
        let mut payload = vec![0; 64];
        payload.extend(8_u16.to_ne_bytes());
        payload.extend(31_u16.to_ne_bytes());
        payload.extend(if_id.to_ne_bytes());
        read(0x14, &payload)
    };
    assert_eq!(with_if_id(TUNNEL.if_id()), Some(Event::PolicyDeleted(TUNNEL)));
    assert_eq!(with_if_id(9), None, "of another program");
    assert_eq!(read(0x14, &[0; 64]), None, "without an interface");
}

#[test]
fn flushes_are_read() {
    assert_eq!(read(0x1c, &[50]), Some(Event::Flushed));
    assert_eq!(read(0x1d, &[]), Some(Event::PoliciesFlushed));
}

#[test]
fn an_sa_is_wanted_as_long_as_its_child() {
    let mut intent = intent();
    let [inbound, outbound] = [SaId::inbound(&child()), SaId::outbound(&child())];
    let other = SaId {
        spi: 0x900,
        ..outbound
    };
    for (seconds, wanted) in [(0, true), (594, true), (595, false), (600, false)] {
        for id in [inbound, outbound] {
            assert_eq!(intent.wants_sa(id, at(NOW + seconds)), wanted, "{id} {seconds}");
        }
    }
    assert!(!intent.wants_sa(other, at(NOW)));
    assert!(intent.has_children(TUNNEL));
    intent.change(Change::RemoveChild(child().inbound_spi));
    assert!(!intent.wants_sa(inbound, at(NOW)) && !intent.wants_sa(outbound, at(NOW)));
    assert!(!intent.has_children(TUNNEL));
}

#[test]
fn what_others_do_to_wanted_interfaces_and_routes_counts() {
    let changed = |name: &str, mtu, up| NetworkEvent::LinkChanged {
        tunnel: TUNNEL,
        name: name.into(),
        mtu,
        up,
    };
    let unwanted = TunnelId(8);
    for (event, counts) in [
        (changed("ipsec0", 1500, true), false),
        (changed("ipsec0", 1500, false), true),
        (changed("ipsec0", 1400, true), true),
        (changed("other", 1500, true), true),
        (NetworkEvent::LinkRemoved(TUNNEL), true),
        (NetworkEvent::LinkRemoved(unwanted), false),
        (NetworkEvent::AddressRemoved(TUNNEL), true),
        (NetworkEvent::AddressRemoved(unwanted), false),
        (NetworkEvent::RouteRemoved(TUNNEL, prefix("10.2.0.0/16")), true),
        (NetworkEvent::RouteRemoved(TUNNEL, prefix("10.3.0.0/16")), false),
        (NetworkEvent::RouteRemoved(unwanted, prefix("10.2.0.0/16")), false),
        (NetworkEvent::Lost, true),
    ] {
        assert_eq!(intent().is_touched_by(&event), counts, "{event:?}");
        assert!(!Intent::default().is_touched_by(&event), "{event:?}");
    }
}

fn link(family: AddressFamily, flags: LinkFlags) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = 3;
    message.header.interface_family = family;
    message.header.flags = flags;
    message
}

fn address_message(text: &str, flags: AddressHeaderFlags) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = 3;
    message.header.flags = flags;
    message.attributes = vec![
        AddressAttribute::Address(address("192.0.2.99")),
        AddressAttribute::Local(address(text)),
    ];
    message
}

#[test]
fn an_address_counts_while_its_interface_is_up_and_nobody_else_may_have_it() {
    use RouteNetlinkMessage::{DelAddress, DelLink, NewAddress, NewLink};
    let (v4, v6) = ("203.0.113.1", "2001:db8::1");
    let up = || link(AddressFamily::Unspec, LinkFlags::Up);
    let (none, tentative) = (AddressHeaderFlags::empty(), AddressHeaderFlags::Tentative);
    let optimistic = tentative | AddressHeaderFlags::Optimistic;
    let failed = optimistic | AddressHeaderFlags::Dadfailed;
    let mut table = Table::default();
    for (message, present) in [
        (NewAddress(address_message(v4, none)), [].as_slice()),
        (NewLink(up()), &[v4]),
        // The interface has left a bridge.
        (DelLink(link(AddressFamily::Bridge, LinkFlags::Up)), &[v4]),
        (NewAddress(address_message(v6, tentative)), &[v4]),
        (NewAddress(address_message(v6, none)), &[v4, v6]),
        (NewAddress(address_message(v6, failed)), &[v4]),
        (NewAddress(address_message(v6, optimistic)), &[v4, v6]),
        (DelAddress(address_message(v4, none)), &[v6]),
        (NewLink(link(AddressFamily::Unspec, LinkFlags::empty())), &[]),
        (NewLink(up()), &[v6]),
        (DelLink(up()), &[]),
    ] {
        let text = format!("{message:?}");
        table.note(message);
        assert_eq!(
            table.present(),
            present.iter().map(|text| address(text)).collect(),
            "{text}"
        );
    }
}
