//! Bytes that no kernel would send: refused, with no panic.

use netlink_packet_core::NetlinkDeserializable;
use netlink_packet_route::RouteNetlinkMessage;
use proptest::prelude::*;

use super::*;
use crate::events;
use crate::netlink::{Message, messages};
use crate::netns::codec as netns;
use crate::objects::link::codec as link;
use crate::objects::link::{Link, LinkId};
use crate::objects::policy::codec as policy;
use crate::objects::route::codec as route;
use crate::objects::sa::codec as sa;

fn parse_all(payload: &[u8]) {
    let _ = sa::parse(payload);
    let _ = policy::parse(payload);
    let _ = link::parse(payload);
    let _ = route::parse(payload);
    let _ = netns::parse(payload);
    for message_type in [0x11, 0x14, 0x18, 0x1c, 0x1d, 0x26] {
        let mut header = netlink_packet_core::NetlinkHeader::default();
        header.message_type = message_type;
        let _ = events::parse(&Message { header, payload });
    }
    // As rtnetlink reads them: interfaces, addresses and routes that come and go.
    for message_type in [16, 17, 20, 21, 24, 25] {
        let mut header = netlink_packet_core::NetlinkHeader::default();
        header.message_type = message_type;
        if let Ok(message) = RouteNetlinkMessage::deserialize(&header, payload) {
            let _ = events::parse_network(message.clone());
            events::Table::default().note(message);
        }
    }
}

/// One well-formed message of each kind.
fn well_formed() -> Vec<Vec<u8>> {
    let child = Child {
        encap: Some(crate::UdpEncap {
            local_port: 1,
            peer_port: 2,
        }),
        ..child()
    };
    let state = objects(&tunnel(), &[child]);
    let (sa_id, sa) = state.sas.first_key_value().unwrap();
    let (policy_id, policy) = state.policies.first_key_value().unwrap();
    let link = Link {
        name: "ipsec0".into(),
        mtu: 1400,
        up: true,
    };
    [
        sa::add(*sa_id, sa, 0),
        policy::put(*policy_id, policy),
        link::create(
            &LinkId {
                tunnel: TUNNEL,
                netns: None,
            },
            &link,
        ),
        route::add(TUNNEL, prefix("10.2.0.0/16")),
    ]
    .map(|request| request.payload.to_vec())
    .to_vec()
}

#[test]
fn every_beginning_of_a_message() {
    for message in well_formed() {
        for length in 0..message.len() {
            parse_all(&message[..length]);
        }
    }
}

proptest! {
    #[test]
    fn any_octets(payload in proptest::collection::vec(any::<u8>(), 0..600)) {
        parse_all(&payload);
    }

    #[test]
    fn any_change_of_a_message(which in 0..4_usize, place in any::<prop::sample::Index>(), octets in any::<[u8; 4]>()) {
        let mut payload = well_formed().swap_remove(which);
        let place = place.index(payload.len() - octets.len());
        payload[place..place + octets.len()].copy_from_slice(&octets);
        parse_all(&payload);
    }

    #[test]
    fn any_datagram(datagram in proptest::collection::vec(any::<u8>(), 0..200)) {
        // Ends, and no message reaches beyond the datagram.
        let octets: usize = messages(&datagram).map_while(Result::ok).map(|message| message.payload.len()).sum();
        prop_assert!(octets <= datagram.len());
    }
}
