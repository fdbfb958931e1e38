//! IKE_SA_INIT and IKE_AUTH that lead to an IKE SA, with child SA or without.

use super::*;
use crate::testkit::Esn;
use crate::wire::{Notify, Proposal, Protocol, Transform, TransformType};
use crate::{
    ChildRefusal, Cipher, DhGroup, EspSuite, Identity, IkePolicy, IkeSuite, InitRefusal, Integrity, NoChild,
    Prf, Slot,
};

const USUAL: IkeSuite = IkeSuite {
    cipher: Cipher::Aes256Gcm16,
    prf: Prf::HmacSha256,
    dh: DhGroup::Curve25519,
};

/// Connects a customer that proposes this and nothing else, to a tunnel that allows it.
fn agree_on(ike: IkeSuite, esp: EspSuite) {
    let (fleet, initiator) = connected(Customer {
        ike: vec![ike],
        esp: vec![esp],
        ..Customer::new(1)
    });
    let (theirs, ours) = (initiator.child().unwrap(), child(&fleet));
    assert_eq!(initiator.suite(), Some(ike));
    assert_eq!((ours.suite, theirs.suite), (esp, esp));
    assert_eq!(ours.inbound_key, theirs.outbound_key);
    assert_eq!(ours.outbound_key, theirs.inbound_key);
    assert_ne!(ours.inbound_key, ours.outbound_key);
    assert_eq!(ours.inbound_key.expose().len(), esp.key_len());
    assert_eq!(
        (ours.inbound_spi, ours.outbound_spi),
        (theirs.outbound_spi, theirs.inbound_spi)
    );
}

#[test]
fn every_algorithm_leads_to_the_same_keys_on_both_sides() {
    let IkePolicy {
        dh, ciphers, prfs, ..
    } = IkePolicy::default();
    for dh in dh {
        agree_on(IkeSuite { dh, ..USUAL }, EspSuite::Encrypted(USUAL.cipher));
    }
    for prf in prfs {
        for cipher in &ciphers {
            let suite = IkeSuite {
                cipher: *cipher,
                prf,
                ..USUAL
            };
            agree_on(suite, EspSuite::Encrypted(*cipher));
        }
    }
    for integrity in Integrity::ALL {
        agree_on(USUAL, EspSuite::Null(integrity));
    }
}

#[test]
fn an_open_child_sa_is_made_only_where_the_tunnel_names_it() {
    let null = EspSuite::Null(Integrity::HmacSha256);
    let customer = Customer {
        esp: vec![null],
        ..Customer::new(1)
    };
    let mut fleet = TestFleet::new(5);
    let tunnel = Customer::new(1).tunnel();
    fleet.responder.handle_tunnel(fleet.now, tunnel);
    let mut initiator = Initiator::new(customer, 1);
    fleet.connect(&mut initiator);
    assert_eq!(initiator.child_refusal(), Some(NotifyType::NO_PROPOSAL_CHOSEN.0));
    assert_eq!(
        fleet.last_event().unwrap().to_string(),
        "established by cpe1.example, without child SA: the peer offers nothing better than null (encryption 11): \
         refused as too weak, RFC 8221 section 5"
    );
}

#[test]
fn the_fleet_learns_what_it_needs() {
    let customer = Customer::new(1);
    let (fleet, initiator) = connected(customer.clone());
    let (ike, child) = (last_ike(&fleet), child(&fleet));
    assert_eq!(Some(ike.spis), initiator.spis());
    assert_eq!(ike.tunnel, "tunnel of cpe1.example");
    assert_eq!(ike.remote_id, customer.id);
    assert_eq!(
        (ike.path.local, ike.path.peer),
        (customer.path.peer, customer.path.local)
    );
    assert!(!ike.initial_contact);
    assert_eq!(
        (child.ike, &child.tunnel, child.path),
        (ike.spis, &ike.tunnel, ike.path)
    );
    assert!(!child.udp_encap);
    assert_eq!(
        (&child.local_ts, &child.remote_ts),
        (&customer.remote_ts, &customer.local_ts)
    );
    assert_eq!(Slot::of_esp_spi(child.inbound_spi), Slot::new(5));
    assert_eq!(fleet.commits.len(), 1);
    assert_eq!(
        happened(&fleet),
        [&What::Established {
            remote_id: customer.id,
            child: Ok(child.inbound_spi)
        }]
    );
}

#[test]
fn a_wrong_guess_of_the_group_is_put_right() {
    let suite = |dh| IkeSuite { dh, ..USUAL };
    let ike = vec![suite(DhGroup::P256), suite(DhGroup::Curve25519)];
    let (fleet, initiator) = connected(Customer {
        ike,
        ..Customer::new(1)
    });
    assert_eq!(initiator.suite().unwrap().dh, DhGroup::Curve25519);
    let refusal = InitRefusal::WrongGroup {
        got: 19,
        wanted: DhGroup::Curve25519,
    };
    assert!(happened(&fleet).contains(&&What::InitRefused(refusal)));
}

#[test]
fn suites_are_chosen_by_our_order() {
    let customer = Customer::new(1);
    let mut fleet = fleet_for(&customer);
    let mut initiator = Initiator::new(
        Customer {
            ike: customer.ike.iter().rev().copied().collect(),
            esp: customer.esp.iter().rev().copied().collect(),
            ..customer.clone()
        },
        1,
    );
    fleet.connect(&mut initiator);
    assert_eq!(initiator.suite(), Some(USUAL));
    assert_eq!(child(&fleet).suite, customer.esp[0]);
}

#[test]
fn extended_sequence_numbers_are_never_chosen() {
    let (_, initiator) = connected(Customer {
        esn: Esn::Either,
        ..Customer::new(1)
    });
    assert!(initiator.child().is_some());

    let (fleet, initiator) = connected(Customer {
        esn: Esn::Only,
        ..Customer::new(1)
    });
    assert_eq!(initiator.child_refusal(), Some(NotifyType::NO_PROPOSAL_CHOSEN.0));
    assert!(matches!(
        fleet.last_event(),
        Some(What::Established {
            child: Err(NoChild::Refused(ChildRefusal::EsnOnly)),
            ..
        })
    ));
}

/// "Failure does not automatically cause the IKE SA to be deleted" (RFC 7296 section 2.21.2).
#[test]
fn a_refused_child_sa_leaves_the_ike_sa() {
    let elsewhere = range([172, 16, 0, 0], [172, 16, 0, 255]);
    let customer = Customer::new(1);
    for (misfit, kind, refusal) in [
        (
            Customer {
                esp: vec![EspSuite::Encrypted(Cipher::Aes128Gcm16)],
                ..customer.clone()
            },
            NotifyType::NO_PROPOSAL_CHOSEN,
            "no acceptable proposal: proposal 1 has encryption aes-gcm-16 (20, 128 bits), ours: aes-gcm-16 (20, 256 bits)",
        ),
        (
            Customer {
                local_ts: vec![elsewhere],
                ..customer.clone()
            },
            NotifyType::TS_UNACCEPTABLE,
            "no traffic selector in common",
        ),
    ] {
        let mut fleet = TestFleet::new(5);
        let mut tunnel = customer.tunnel();
        tunnel.esp = vec![EspSuite::Encrypted(Cipher::Aes256Gcm16)];
        fleet.responder.handle_tunnel(fleet.now, tunnel);
        let mut initiator = Initiator::new(misfit, 1);
        fleet.connect(&mut initiator);

        assert_eq!(initiator.status(), Status::Up);
        assert_eq!(initiator.child_refusal(), Some(kind.0));
        assert!(matches!(fleet.commits[0].changes[..], [Change::PutIke(_)]));
        assert_eq!(
            fleet.last_event().unwrap().to_string(),
            format!("established by cpe1.example, without child SA: {refusal}")
        );
        let probe = initiator.probe().unwrap();
        assert_eq!(fleet.deliver(&probe).len(), 1, "the IKE SA does not work");
    }
}

#[test]
fn selectors_are_narrowed_to_what_the_tunnel_allows() {
    let customer = Customer::new(1);
    let everything = range([0; 4], [255; 4]);
    let mut fleet = fleet_for(&customer);
    let wide = Customer {
        local_ts: vec![everything],
        remote_ts: vec![everything],
        ..customer.clone()
    };
    let mut initiator = Initiator::new(wide, 1);
    fleet.connect(&mut initiator);
    let (theirs, ours) = (initiator.child().unwrap(), child(&fleet));
    assert_eq!(
        (&theirs.local_ts, &theirs.remote_ts),
        (&customer.local_ts, &customer.remote_ts)
    );
    assert_eq!(
        (&ours.remote_ts, &ours.local_ts),
        (&customer.local_ts, &customer.remote_ts)
    );
}

#[test]
fn peers_are_known_by_identities_of_every_kind() {
    for id in [
        Identity::Fqdn("cpe.example".into()),
        Identity::Rfc822("router@cpe.example".into()),
        Identity::KeyId(vec![0, 159, 146, 150]),
        Identity::Address([198, 51, 100, 7].into()),
        Identity::Address("2001:db8::7".parse().unwrap()),
    ] {
        let (fleet, _) = connected(Customer {
            id: id.clone(),
            ..Customer::new(1)
        });
        assert_eq!(last_ike(&fleet).remote_id, id);
    }
    // Without regard to case, where a name has none.
    let mut fleet = fleet_for(&Customer::new(1));
    let shouting = Customer {
        id: Identity::Fqdn("CPE1.EXAMPLE".into()),
        ..Customer::new(1)
    };
    let mut initiator = Initiator::new(shouting, 1);
    fleet.connect(&mut initiator);
    assert_eq!(initiator.status(), Status::Up);
}

/// "the responder might use some other IDr to finish the exchange" (RFC 7296 section 1.2): ours, whatever the peer asks for.
#[test]
fn we_are_who_the_tunnel_says_or_the_address_that_was_reached() {
    let anycast = Identity::Address([203, 0, 113, 1].into());
    let named = Identity::Fqdn("edge.example".into());
    let other = Identity::Fqdn("other.example".into());
    let asked_for = [None, Some(&anycast), Some(&named), Some(&other)];
    for (local_id, expected) in [(None, &anycast), (Some(&named), &named)] {
        for asked_for in asked_for {
            let customer = Customer {
                peer_id: asked_for.cloned(),
                ..Customer::new(1)
            };
            let mut fleet = TestFleet::new(5);
            let mut tunnel = customer.tunnel();
            tunnel.local_id = local_id.cloned();
            fleet.responder.handle_tunnel(fleet.now, tunnel);
            let mut initiator = Initiator::new(customer, 1);
            fleet.begin(&mut initiator).unwrap();
            let auth = initiator.auth_with(|_| {}).unwrap();
            let reply = fleet.deliver(&auth).remove(0);
            let opened = initiator.open(&reply.payload).unwrap();
            let answered = opened.payloads().unwrap().into_iter().find_map(|it| match it {
                Payload::IdR(id) => id.identity(),
                _ => None,
            });
            assert_eq!(answered.as_ref(), Some(expected), "asked for as {asked_for:?}");
            initiator.handle_datagram(&reply.payload);
            assert_eq!(initiator.status(), Status::Up, "asked for as {asked_for:?}");
        }
    }
}

#[test]
fn initial_contact_goes_with_the_commit() {
    let (fleet, _) = connected(Customer {
        initial_contact: true,
        ..Customer::new(1)
    });
    assert!(last_ike(&fleet).initial_contact);
}

#[test]
fn esp_spis_that_the_fleet_knows_are_passed_over() {
    let spi_of = |taken: &[u32]| {
        let customer = Customer::new(1);
        let host = crate::testkit::TestHost::new(1);
        host.taken().lock().unwrap().extend(taken);
        let mut fleet = TestFleet::with_host(5, host, crate::Limits::default());
        fleet.responder.handle_tunnel(fleet.now, customer.tunnel());
        fleet.connect(&mut Initiator::new(customer, 1));
        child(&fleet).inbound_spi
    };
    let first = spi_of(&[]);
    assert_eq!(spi_of(&[]), first);
    assert_ne!(spi_of(&[first]), first);
}

/// What a peer may add without our having to do anything about it.
#[test]
fn wishes_that_are_not_fulfilled_are_passed_over() {
    const SPI: [u8; 4] = [0xc0, 0xff, 0xee, 0x00];
    let customer = Customer::new(1);
    let mut fleet = fleet_for(&customer);
    let mut initiator = Initiator::new(customer, 1);
    fleet.begin(&mut initiator).unwrap();

    let transform = |kind, id, key_bits| Transform {
        kind,
        id,
        key_bits,
        unknown_attribute: false,
    };
    let gcm = transform(TransformType::Encryption, 20, Some(256));
    let no_esn = transform(TransformType::ExtendedSequenceNumbers, 0, None);
    let esp = |number, transforms| Proposal {
        number,
        protocol: Protocol::Esp,
        spi: &SPI,
        transforms,
    };
    let proposals = vec![
        // AH, an unknown transform type, one without a type that is mandatory, and another key length.
        Proposal {
            protocol: Protocol::Ah,
            ..esp(1, vec![gcm, no_esn])
        },
        esp(2, vec![gcm, no_esn, transform(TransformType::Other(99), 1, None)]),
        esp(3, vec![no_esn]),
        esp(
            4,
            vec![transform(TransformType::Encryption, 20, Some(192)), no_esn],
        ),
        // With extended sequence numbers only.
        esp(
            5,
            vec![gcm, transform(TransformType::ExtendedSequenceNumbers, 1, None)],
        ),
        esp(
            6,
            vec![
                transform(TransformType::Encryption, 12, Some(256)),
                transform(TransformType::Encryption, 20, None),
                gcm,
                no_esn,
                transform(TransformType::Integrity, 12, None),
                transform(TransformType::Integrity, 0, None),
                transform(TransformType::KeyExchange, 0, None),
            ],
        ),
    ];
    let request = initiator.auth_with(|payloads| {
        let sa = payloads
            .iter()
            .position(|payload| matches!(payload, Payload::Sa(_)))
            .unwrap();
        payloads[sa] = Payload::Sa(proposals);
        // USE_TRANSPORT_MODE, a status nobody knows, CFG_REQUEST, a vendor ID.
        for kind in [16391, 40000] {
            payloads.insert(0, Payload::Notify(Notify::new(NotifyType(kind), &[])));
        }
        payloads.push(Payload::Configuration(&[1, 0, 0, 0, 0, 1, 0, 0]));
        payloads.push(Payload::VendorId(b"vendor"));
    });
    let reply = fleet.deliver(&request.unwrap()).remove(0);
    initiator.handle_datagram(&reply.payload);
    assert_eq!(initiator.status(), Status::Up, "{:?}", fleet.events);
    assert_eq!(child(&fleet).outbound_spi, u32::from_be_bytes(SPI));

    // One transform of each type that was proposed, and nothing that was not understood.
    let spi = child(&fleet).inbound_spi.to_be_bytes();
    let none = |kind| transform(kind, 0, None);
    let transforms = vec![
        gcm,
        no_esn,
        none(TransformType::Integrity),
        none(TransformType::KeyExchange),
    ];
    let answer = Payload::Sa(vec![Proposal {
        number: 6,
        protocol: Protocol::Esp,
        spi: &spi,
        transforms,
    }]);
    let payloads = read(&initiator, &reply);
    assert_eq!(
        payloads.len(),
        6,
        "{payloads:?} where IDr, AUTH, a token, SA, TSi and TSr were expected"
    );
    let is_sa = |payload: &&Payload<'_>| matches!(payload, Payload::Sa(_));
    assert_eq!(payloads.payloads().iter().find(is_sa), Some(&answer));
}
