//! What is refused, and what the peer is told about it.

use super::*;
use crate::wire::{
    self, Auth, ExchangeType, Flags, Head, KeyExchange, Notify, PayloadType, Transform, TransformType,
};
use crate::{
    AuthRefusal, Cipher, Credentials, DhGroup, Dropped, EspSuite, Identity, IkeSuite, Integrity, Path, Prf,
    Secret,
};

/// An IKE_SA_INIT request of the test's own making.
fn init_with(change: impl FnOnce(&mut Vec<Payload<'_>>)) -> Transmit {
    init_of(Customer::new(1), change)
}

/// The same of any customer's.
pub(in crate::responder::tests) fn init_of(
    customer: Customer,
    change: impl FnOnce(&mut Vec<Payload<'_>>),
) -> Transmit {
    let initiator = Initiator::new(customer, 1).start();
    let header = Header::decode(&initiator.payload).unwrap();
    let mut payloads = Message::decode_body(header, &initiator.payload).unwrap().payloads;
    change(&mut payloads);
    let head = Head {
        spis: header.spis,
        exchange: header.exchange,
        flags: header.flags,
        message_id: header.message_id,
    };
    Transmit {
        path: initiator.path,
        payload: wire::encode(&head, &payloads),
    }
}

#[test]
fn no_common_proposal_is_told() {
    let mut fleet = fleet_for(&Customer::new(1));
    let sent = init_with(|payloads| {
        for payload in payloads {
            if let Payload::Sa(proposals) = payload {
                proposals
                    .iter_mut()
                    .for_each(|proposal| proposal.transforms.truncate(2));
            }
        }
    });
    let (header, kind, data) = unprotected_error(&fleet.deliver(&sent));
    assert_eq!((kind, data), (NotifyType::NO_PROPOSAL_CHOSEN, vec![]));
    assert_eq!(header.spis.responder, 0);
    assert_eq!(
        header.flags,
        Flags {
            initiator: false,
            response: true
        }
    );
    assert_eq!(
        happened(&fleet)[0].to_string(),
        "IKE_SA_INIT refused: no acceptable proposal: proposal 1 has key exchange none at all, ours: curve25519 (31), \
         ecp256 (19), ecp384 (20), modp3072 (15), modp4096 (16), modp2048 (14)"
    );
}

/// What the operator is told of a peer that offers nothing but these transforms of a type.
fn refusal_text(kind: TransformType, ids: &[u16]) -> String {
    let mut fleet = fleet_for(&Customer::new(1));
    // Integrity counts for ciphers that have none of their own.
    let cbc = IkeSuite {
        cipher: Cipher::Aes256Cbc(Integrity::HmacSha256),
        prf: Prf::HmacSha256,
        dh: DhGroup::Curve25519,
    };
    let mut customer = Customer::new(1);
    if kind == TransformType::Integrity {
        customer.ike = vec![cbc];
    }
    let sent = init_of(customer, |payloads| {
        for payload in payloads {
            if let Payload::Sa(proposals) = payload {
                for proposal in proposals {
                    proposal.transforms.retain(|transform| transform.kind != kind);
                    let offered = ids.iter().map(|id| Transform::new(kind, *id));
                    proposal.transforms.extend(offered);
                }
            }
        }
    });
    let (_, told, _) = unprotected_error(&fleet.deliver(&sent));
    assert_eq!(told, NotifyType::NO_PROPOSAL_CHOSEN);
    fleet.last_event().unwrap().to_string()
}

#[test]
fn weak_algorithms_are_refused_by_name() {
    for (kind, ids, weak) in [
        (
            TransformType::KeyExchange,
            &[2][..],
            "modp1024 (group 2): refused as too weak, RFC 8247 section 2.4",
        ),
        (
            TransformType::KeyExchange,
            &[5, 1, 2],
            "modp1536 (group 5): refused as too weak, RFC 8247 section 2.4",
        ),
        (
            TransformType::Encryption,
            &[2, 3],
            "3des (encryption 3): refused as too weak, RFC 8247 section 2.1",
        ),
        (
            TransformType::Prf,
            &[1, 2],
            "prfsha1 (PRF 2): refused as too weak, RFC 8247 section 2.2",
        ),
        (
            TransformType::Integrity,
            &[2],
            "sha1 (integrity 2): refused as too weak, RFC 8247 section 2.3",
        ),
    ] {
        assert_eq!(
            refusal_text(kind, ids),
            format!("IKE_SA_INIT refused: the peer offers nothing better than {weak}")
        );
    }
    // Where something else is offered too, weakness is not the reason: 21 is P-521.
    assert_eq!(
        refusal_text(TransformType::KeyExchange, &[2, 21]),
        "IKE_SA_INIT refused: no acceptable proposal: proposal 1 has key exchange modp1024 (2), ecp521 (21), ours: \
         curve25519 (31), ecp256 (19), ecp384 (20), modp3072 (15), modp4096 (16), modp2048 (14)"
    );
}

#[test]
fn a_wrong_group_is_told_the_right_one() {
    let mut fleet = fleet_for(&Customer::new(1));
    let sent = init_with(|payloads| {
        for payload in payloads {
            if let Payload::KeyExchange(ke) = payload {
                *ke = KeyExchange {
                    group: 14,
                    public: &[1; 256],
                };
            }
        }
    });
    let (_, kind, data) = unprotected_error(&fleet.deliver(&sent));
    assert_eq!((kind, data), (NotifyType::INVALID_KE_PAYLOAD, vec![0, 31]));
}

/// "If an endpoint receives a message with a higher major version number, it MUST drop the message and SHOULD send"
/// INVALID_MAJOR_VERSION (RFC 7296 section 2.5).
#[test]
fn a_later_major_version_is_told_ours() {
    let mut fleet = fleet_for(&Customer::new(1));
    let mut sent = Initiator::new(Customer::new(1), 1).start();
    sent.payload[17] = 0x30;
    sent.payload[18] = 77;
    sent.payload[23] = 9;
    let (header, kind, data) = unprotected_error(&fleet.deliver(&sent));
    assert_eq!((kind, data), (NotifyType::INVALID_MAJOR_VERSION, vec![2]));
    assert_eq!((header.exchange, header.message_id), (ExchangeType::Other(77), 9));
    // The same marked as a response, and an earlier version: silence.
    sent.payload[19] |= 0x20;
    assert_eq!(fleet.deliver(&sent), []);
    sent.payload[17] = 0x10;
    assert_eq!(fleet.deliver(&sent), []);
}

#[test]
fn an_unknown_critical_payload_is_told() {
    let mut fleet = fleet_for(&Customer::new(1));
    let with_unknown = |critical: u8| {
        let mut sent = init_with(|payloads| {
            payloads.insert(
                0,
                Payload::Unknown {
                    kind: PayloadType(200),
                    body: &[],
                },
            )
        });
        sent.payload[29] = critical;
        sent
    };
    let (_, kind, data) = unprotected_error(&fleet.deliver(&with_unknown(0x80)));
    assert_eq!(
        (kind, data),
        (NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD, vec![200])
    );
    // Not critical: passed over.
    let answer = &fleet.deliver(&with_unknown(0))[0].payload;
    assert_ne!(Header::decode(answer).unwrap().spis.responder, 0);
}

/// INVALID_SYNTAX is for authentic messages only (RFC 7296 section 3.10.1).
#[test]
fn a_malformed_first_message_is_dropped_in_silence() {
    let mut fleet = fleet_for(&Customer::new(1));
    let without =
        |kind: fn(&Payload<'_>) -> bool| init_with(|payloads| payloads.retain(|payload| !kind(payload)));
    let low_order_point = init_with(|payloads| {
        for payload in payloads {
            if let Payload::KeyExchange(ke) = payload {
                ke.public = &[0; 32];
            }
        }
    });
    let mut long = Initiator::new(Customer::new(1), 1).start();
    long.payload.push(0);
    let mut later_id = Initiator::new(Customer::new(1), 1).start();
    later_id.payload[23] = 1;
    for sent in [
        without(|payload| matches!(payload, Payload::Sa(_))),
        without(|payload| matches!(payload, Payload::KeyExchange(_))),
        without(|payload| matches!(payload, Payload::Nonce(_))),
        low_order_point,
        init_with(|payloads| payloads.push(Payload::VendorId(&[0; 5000]))),
        long,
        later_id,
    ] {
        assert_eq!(fleet.deliver(&sent), []);
        assert!(
            matches!(fleet.last_event(), Some(What::Dropped(_))),
            "{:?}",
            fleet.last_event()
        );
    }
}

#[test]
fn unprotected_errors_are_few() {
    let mut fleet = fleet_for(&Customer::new(1));
    let mut sent = Initiator::new(Customer::new(1), 1).start();
    sent.payload[17] = 0x30;
    let answers = (0..1000).filter(|_| !fleet.deliver(&sent).is_empty()).count();
    assert!((1..500).contains(&answers), "{answers} answers in a moment");
    assert_eq!(fleet.last_event(), Some(&What::Dropped(Dropped::TooManyErrors)));
    fleet.wait(std::time::Duration::from_secs(1));
    assert_eq!(fleet.deliver(&sent).len(), 1);
}

/// What a customer is told whom the edge does not know as it should, and what the operator is told.
fn auth_refusal(
    customer: Customer,
    change: impl FnOnce(&mut Vec<Payload<'_>>),
) -> (Transmit, Status, AuthRefusal) {
    let mut fleet = fleet_for(&Customer::new(1));
    let mut initiator = Initiator::new(customer, 1);
    fleet.begin(&mut initiator).unwrap();
    let auth = initiator.auth_with(change).unwrap();
    let [answer] = &fleet.deliver(&auth)[..] else {
        panic!("not one answer: {:?}", fleet.events);
    };
    initiator.handle_datagram(&answer.payload);
    assert!(fleet.commits.is_empty(), "something reached the fleet");
    match fleet.events.pop().map(|event| event.what) {
        Some(What::AuthRefused(refusal)) => (answer.clone(), initiator.status(), refusal),
        what => panic!("{what:?} where IKE_AUTH should be refused"),
    }
}

#[test]
fn a_wrong_key_and_an_unknown_identity_look_the_same() {
    let wrong_key = Customer {
        psk: Secret::new(b"wrong".to_vec()),
        ..Customer::new(1)
    };
    let stranger = Customer {
        id: Identity::Fqdn("cpe9.example".into()),
        ..Customer::new(1)
    };
    let (answer, status, refusal) = auth_refusal(wrong_key, |_| {});
    let (other_answer, other_status, other_refusal) = auth_refusal(stranger.clone(), |_| {});
    assert_eq!(status, Status::Refused(NotifyType::AUTHENTICATION_FAILED.0));
    assert_eq!(other_status, status);
    assert_eq!(refusal, AuthRefusal::WrongKey(Customer::new(1).id));
    assert_eq!(other_refusal, AuthRefusal::UnknownIdentity(Some(stranger.id)));
    // Same keys, same IV, same plaintext: the same octets.
    assert_eq!(answer, other_answer);
}

#[test]
fn other_failures_of_ike_auth() {
    let failed = Status::Refused(NotifyType::AUTHENTICATION_FAILED.0);
    let malformed = Status::Refused(NotifyType::INVALID_SYNTAX.0);
    let customer = Customer::new(1);

    let without_auth =
        |payloads: &mut Vec<Payload<'_>>| payloads.retain(|it| !matches!(it, Payload::Auth(_)));
    let (_, status, refusal) = auth_refusal(customer.clone(), without_auth);
    assert_eq!((status, refusal), (failed, AuthRefusal::Eap));

    let rsa = |payloads: &mut Vec<Payload<'_>>| {
        for payload in payloads {
            if let Payload::Auth(auth) = payload {
                *auth = Auth {
                    method: 1,
                    data: &[1; 256],
                };
            }
        }
    };
    let (_, status, refusal) = auth_refusal(customer.clone(), rsa);
    assert_eq!((status, refusal), (failed, AuthRefusal::OtherMethod(1)));

    let nobody = |payloads: &mut Vec<Payload<'_>>| {
        payloads.retain(|it| !matches!(it, Payload::IdI(_)));
    };
    let (_, status, refusal) = auth_refusal(customer.clone(), nobody);
    assert_eq!(status, malformed);
    assert!(matches!(refusal, AuthRefusal::Malformed(_)));

    // Without child SA (RFC 6023), which is not announced.
    let childless = |payloads: &mut Vec<Payload<'_>>| payloads.retain(|it| !matches!(it, Payload::Sa(_)));
    let (_, status, _) = auth_refusal(customer.clone(), childless);
    assert_eq!(status, malformed);
}

/// An identity that is ours in another tunnel selects that one, which is not this peer's.
#[test]
fn a_peer_that_asks_for_another_tunnel_is_refused() {
    let theirs = Identity::Fqdn("other.example".into());
    let customer = Customer {
        peer_id: Some(theirs.clone()),
        ..Customer::new(1)
    };
    let mut fleet = fleet_for(&Customer::new(1));
    let mut other = Customer::new(2).tunnel();
    other.local_id = Some(theirs.clone());
    let name = other.name.clone();
    fleet.responder.handle_tunnel(fleet.now, other);
    let mut initiator = Initiator::new(customer.clone(), 1);
    fleet.connect(&mut initiator);
    let failed = NotifyType::AUTHENTICATION_FAILED.0;
    assert_eq!(initiator.status(), Status::Refused(failed));
    let refusal = AuthRefusal::OtherTunnel(theirs);
    assert_eq!(fleet.last_event(), Some(&What::AuthRefused(refusal)));

    // It is nobody's once that tunnel is gone.
    fleet.responder.handle_tunnel_removed(fleet.now, &name);
    let mut initiator = Initiator::new(customer, 2);
    fleet.connect(&mut initiator);
    assert_eq!(initiator.status(), Status::Up);
}

#[test]
fn a_removed_tunnel_lets_nobody_in() {
    let (mut fleet, _) = connected(Customer::new(1));
    fleet
        .responder
        .handle_tunnel_removed(fleet.now, "tunnel of cpe1.example");
    let mut again = Initiator::new(Customer::new(1), 2);
    fleet.connect(&mut again);
    assert_eq!(
        again.status(),
        Status::Refused(NotifyType::AUTHENTICATION_FAILED.0)
    );
}

#[test]
fn a_changed_tunnel_counts_from_the_next_handshake_on() {
    let (mut fleet, mut first) = connected(Customer::new(1));
    let mut tunnel = Customer::new(1).tunnel();
    tunnel.esp = vec![EspSuite::Encrypted(Cipher::Aes128Gcm16)];
    tunnel.credentials = Credentials::Psk(Secret::new(b"new".to_vec()));
    fleet.responder.handle_tunnel(fleet.now, tunnel);
    let mut second = Initiator::new(
        Customer {
            psk: Secret::new(b"new".to_vec()),
            ..Customer::new(1)
        },
        2,
    );
    fleet.connect(&mut second);
    assert_eq!(
        second.child().unwrap().suite,
        EspSuite::Encrypted(Cipher::Aes128Gcm16)
    );
    let probe = first.probe().unwrap();
    assert_eq!(
        fleet.deliver(&probe).len(),
        1,
        "the IKE SA of before has suffered"
    );
}

/// An edge that does not know an SPI stays silent, since another may know it (RFC 7296 section 2.21.4 allows that).
#[test]
fn messages_for_unknown_ike_sas_are_not_answered() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let probe = initiator.probe().unwrap();
    for octet in [0, 8] {
        let mut sent = probe.clone();
        sent.payload[octet] ^= 1;
        assert_eq!(fleet.deliver(&sent), []);
        assert_eq!(fleet.last_event(), Some(&What::Dropped(Dropped::UnknownSpi)));
    }
    // From somebody who claims to have been the responder, with the SPIs in the places of both.
    let mut sent = probe;
    sent.payload[19] &= !0x08;
    assert_eq!(fleet.deliver(&sent), []);
    assert_eq!(fleet.last_event(), Some(&What::Dropped(Dropped::UnknownSpi)));
    sent.payload[..16].rotate_left(8);
    assert_eq!(fleet.deliver(&sent), []);
    assert_eq!(fleet.last_event(), Some(&What::Dropped(Dropped::UnknownSpi)));
}

/// What is not protected by an IKE SA's keys moves nothing in it.
#[test]
fn unprotected_messages_within_an_ike_sa_are_dropped() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    let head = Head {
        spis: initiator.spis().unwrap(),
        exchange: ExchangeType::Informational,
        flags: Flags {
            initiator: true,
            response: false,
        },
        message_id: 2,
    };
    for payloads in [
        vec![],
        vec![Payload::Delete(crate::wire::Delete::Ike)],
        vec![Payload::Notify(Notify::new(
            NotifyType::AUTHENTICATION_FAILED,
            &[],
        ))],
    ] {
        let sent = Transmit {
            path: initiator.path(),
            payload: wire::encode(&head, &payloads),
        };
        assert_eq!(fleet.deliver(&sent), []);
        assert_eq!(fleet.last_event(), Some(&What::Dropped(Dropped::NotAuthentic)));
    }
    let probe = initiator.probe().unwrap();
    assert_eq!(fleet.deliver(&probe).len(), 1);
}

#[test]
fn what_is_not_ike_is_dropped() {
    let mut fleet = fleet_for(&Customer::new(1));
    let Path { local, peer } = Customer::new(1).path;
    let nat_t = Path {
        local: (local.ip(), 4500).into(),
        peer: (peer.ip(), 4500).into(),
    };
    for payload in [vec![0xff; 2], vec![1; 200], vec![0; 3], vec![]] {
        assert_eq!(fleet.deliver(&Transmit { path: nat_t, payload }), []);
        assert_eq!(fleet.last_event(), Some(&What::Dropped(Dropped::NotIke)));
    }
    for payload in [vec![0xff], vec![0; 200], vec![]] {
        assert_eq!(
            fleet.deliver(&Transmit {
                path: Customer::new(1).path,
                payload
            }),
            []
        );
        assert!(matches!(
            fleet.last_event(),
            Some(What::Dropped(Dropped::Malformed(_)))
        ));
    }
}
