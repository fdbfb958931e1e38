//! What is written is read back as it was.

use netlink_packet_core::{NetlinkHeader, parse_u32};

use super::*;
use crate::events::{self, Event};
use crate::netlink::Message;
use crate::objects::link::codec as link;
use crate::objects::link::{Link, LinkId};
use crate::objects::policy::Direction;
use crate::objects::policy::codec as policy;
use crate::objects::route::codec as route;
use crate::objects::sa::codec as sa;
use crate::objects::sa::{Sa, SaId};
use crate::{Subject, UdpEncap};

#[test]
fn an_sa_comes_back() {
    let tunnel = Tunnel {
        rekey_bytes: Some(1 << 40),
        ..tunnel()
    };
    for encap in [
        None,
        Some(UdpEncap {
            local_port: 4500,
            peer_port: 1025,
        }),
    ] {
        for (local, peer) in [("192.0.2.1", "198.51.100.1"), ("2001:db8::1", "2001:db8::2")] {
            let child = Child {
                encap,
                local: address(local),
                peer: address(peer),
                ..child()
            };
            for (id, wanted) in objects(&tunnel, &[child]).sas {
                let request = sa::add(id, &wanted, NOW);
                let (read_id, read) = sa::parse(&request.payload).unwrap();
                assert_eq!((read_id, read.tunnel, read.source), (id, TUNNEL, wanted.source));
                assert!(read.cipher == wanted.cipher);
                let limits = |sa: &Sa| (sa.packet_limit, sa.soft_packet_limit, sa.soft_byte_limit);
                assert_eq!((read.encap, limits(&read)), (wanted.encap, limits(&wanted)));
                // The request has no time of adding, so its lifetime is all there is.
                assert_eq!(read.expires, Some(600));
                assert_eq!(read.owner, Subject::Tunnel(TUNNEL));
            }
        }
    }
}

/// Octet by octet after `struct xfrm_user_mapping` (linux/xfrm.h).
#[test]
fn a_move_of_the_peer_is_read() {
    let mut payload = vec![0; 64];
    payload[..4].copy_from_slice(&[192, 0, 2, 1]);
    payload[16..20].copy_from_slice(&0x0040_0001_u32.to_be_bytes());
    payload[20..22].copy_from_slice(&2_u16.to_ne_bytes());
    payload[22] = 50;
    payload[24..28].copy_from_slice(&TUNNEL.if_id().to_ne_bytes());
    payload[28..32].copy_from_slice(&[198, 51, 100, 1]);
    payload[44..48].copy_from_slice(&[198, 51, 100, 2]);
    payload[60..62].copy_from_slice(&1024_u16.to_be_bytes());
    payload[62..64].copy_from_slice(&2048_u16.to_be_bytes());
    let read = |payload: &[u8]| {
        let mut header = NetlinkHeader::default();
        header.message_type = 0x26;
        events::parse(&Message { header, payload })
    };
    let Some(Event::Moved(moved)) = read(&payload) else {
        panic!("no move");
    };
    assert_eq!((moved.tunnel, moved.id.spi), (TUNNEL, 0x0040_0001));
    assert_eq!(moved.id.destination, address("192.0.2.1"));
    assert_eq!(moved.peer, "198.51.100.2:2048".parse().unwrap());
    // Of another program.
    payload[24..28].fill(0);
    assert_eq!(read(&payload), None);
}

/// Keys that differ from each other in every octet, and ICVs of every length.
#[test]
fn ciphers_come_back() {
    let aead = |name: &str, key_len: u8| Cipher::Aead {
        algorithm: Algorithm::new(name, &(0..key_len).collect::<Vec<_>>()),
        icv_bits: 128,
    };
    let separate = |encryption: &str, key_len: u8, integrity: &str, icv_bits: u32| Cipher::EncryptThenMac {
        encryption: Algorithm::new(encryption, &(0..key_len).collect::<Vec<_>>()),
        integrity: Algorithm::new(integrity, &vec![0xab; icv_bits as usize / 4]),
        icv_bits,
    };
    for cipher in [
        aead("rfc4106(gcm(aes))", 36),
        aead("rfc7539esp(chacha20,poly1305)", 36),
        separate("cbc(aes)", 16, "hmac(sha256)", 128),
        separate("cbc(aes)", 32, "hmac(sha384)", 192),
        separate("ecb(cipher_null)", 0, "hmac(sha512)", 256),
    ] {
        let child = Child {
            inbound: cipher.clone(),
            ..child()
        };
        let id = SaId::inbound(&child);
        let wanted = objects(&tunnel(), &[child]).sas.remove(&id).unwrap();
        let (_, read) = sa::parse(&sa::add(id, &wanted, NOW).payload).unwrap();
        assert!(read.cipher == Some(cipher.clone()), "{cipher}");
    }
}

#[test]
fn an_update_counts_from_when_the_sa_was_added() {
    let id = SaId::outbound(&child());
    let mut wanted = objects(&tunnel(), &[child()]).sas.remove(&id).unwrap();
    wanted.added = NOW - 400;
    assert_eq!(
        sa::parse(&sa::update(id, &wanted).payload).unwrap().1.expires,
        Some(1000)
    );
}

#[test]
fn an_sa_without_our_mark_is_not_ours() {
    let id = SaId::outbound(&child());
    let wanted = objects(&tunnel(), &[child()]).sas.remove(&id).unwrap();
    let ours = sa::add(id, &wanted, NOW).payload;
    let if_id = TUNNEL.if_id().to_ne_bytes();
    let places: Vec<_> = (0..ours.len() - 4)
        .filter(|place| ours[*place..*place + 4] == if_id)
        .collect();
    assert_eq!(places.len(), 2, "reqid and if_id");
    for place in places {
        let mut foreign = ours.to_vec();
        foreign[place] ^= 1;
        assert!(sa::parse(&foreign).is_none());
    }
}

#[test]
fn policies_come_back_in_all_directions() {
    let selectors = vec![
        selector("10.1.0.0/16", "10.2.0.0/16"),
        selector("0.0.0.0/1", "0.0.0.0/0"),
        selector("fd00:1::/32", "::/0"),
        Selector {
            protocol: 17,
            local_ports: PortMask::one(53),
            remote_ports: PortMask::new(0x1400, 0xfc00),
            ..child().selectors[0]
        },
    ];
    let policies = objects(&tunnel(), &[Child { selectors, ..child() }]).policies;
    assert_eq!(policies.len(), 12);
    for (id, wanted) in policies {
        let (read_id, read) = policy::parse(&policy::put(id, &wanted).payload).unwrap();
        assert_eq!(read_id, id);
        assert_eq!((read.priority, read.template), (wanted.priority, wanted.template));
        assert!(read.template.is_some());
    }
}

#[test]
fn in_a_policy_source_is_who_sends() {
    let (id, wanted) = objects(&tunnel(), &[child()]).policies.pop_last().unwrap();
    assert_eq!(id.direction, Direction::Out);
    let selector = &policy::put(id, &wanted).payload[..56];
    assert_eq!(
        (&selector[..4], &selector[16..20]),
        ([10, 2, 0, 0].as_slice(), [10, 1, 0, 0].as_slice())
    );
}

#[test]
fn an_interface_comes_back() {
    let id = LinkId {
        tunnel: TUNNEL,
        netns: None,
    };
    let wanted = Link {
        name: "ipsec0".into(),
        mtu: 1400,
        up: true,
    };
    let request = link::create(&id, &wanted);
    let found = link::parse(&request.payload).unwrap();
    assert_eq!((found.tunnel, found.link, found.home), (TUNNEL, wanted, None));
    // Its index tells the batch's later requests which one is meant.
    assert_eq!(parse_u32(&request.payload[4..8]).unwrap(), TUNNEL.if_id());
}

#[test]
fn an_interface_that_moves_on_has_a_name_of_ours_meanwhile() {
    let id = LinkId {
        tunnel: TUNNEL,
        netns: Some("blue".into()),
    };
    let found = link::parse(
        &link::create(
            &id,
            &Link {
                name: "eth0".into(),
                mtu: 1400,
                up: true,
            },
        )
        .payload,
    )
    .unwrap();
    assert_eq!((found.link.name.as_str(), found.link.up), ("anyswan-0007", false));
}

#[test]
fn routes_come_back() {
    for text in ["10.2.0.0/16", "0.0.0.0/0", "fd00:2::/32", "::/0"] {
        let read = route::parse(&route::add(TUNNEL, prefix(text)).payload);
        assert_eq!(read, Some((TUNNEL, prefix(text))));
    }
}
