//! An additional key exchange in IKE_INTERMEDIATE (RFC 9242, RFC 9370).

use super::*;
use crate::testkit::TestHost;
use crate::wire::{ExchangeType, KeyExchange, TransformType};
use crate::{AuthRefusal, Config, DhGroup, Dropped, IkePolicy, IkeSuite, Kem, Limits, Slot};

fn hybrid(kem: Kem) -> Customer {
    Customer {
        kem: Some(kem),
        ..Customer::new(1)
    }
}

/// A customer whose IKE_SA_INIT is answered, and the IKE_INTERMEDIATE that it sends next.
fn initiated(kem: Kem) -> (TestFleet, Initiator, Transmit) {
    let customer = hybrid(kem);
    let mut fleet = fleet_for(&customer);
    let mut initiator = Initiator::new(customer, 1);
    let sent = fleet.begin(&mut initiator).unwrap();
    assert_eq!(exchange(&sent), (ExchangeType::IkeIntermediate, 1));
    (fleet, initiator, sent)
}

fn exchange(sent: &Transmit) -> (ExchangeType, u32) {
    let header = Header::decode(&sent.payload).unwrap();
    (header.exchange, header.message_id)
}

#[test]
fn keys_come_of_both_exchanges() {
    for kem in [Kem::MlKem768, Kem::MlKem1024] {
        for dh in [DhGroup::Curve25519, DhGroup::P256, DhGroup::P384] {
            for takes_fragments in [true, false] {
                let usual = Customer::new(1).ike[0];
                let (mut fleet, mut initiator) = connected(Customer {
                    ike: vec![IkeSuite { dh, ..usual }],
                    takes_fragments,
                    ..hybrid(kem)
                });
                assert_eq!(initiator.child().unwrap().inbound_key, child(&fleet).outbound_key);
                // Message IDs go on behind that of IKE_AUTH, which is 2.
                let probe = initiator.probe().unwrap();
                assert_eq!(exchange(&probe), (ExchangeType::Informational, 3));
                assert_eq!(fleet.deliver(&probe).len(), 1, "{kem} {dh}: {:?}", fleet.events);
            }
        }
    }
}

/// The additional secret is in the keys: with all else equal they are others.
#[test]
fn the_additional_secret_changes_the_keys() {
    let (without, _) = connected(Customer::new(1));
    let (with, _) = connected(hybrid(Kem::MlKem768));
    assert_ne!(child(&with).inbound_key, child(&without).inbound_key);
}

#[test]
fn none_is_done_where_the_policy_has_none() {
    let config = Config {
        slot: Slot::new(5).unwrap(),
        incarnation: 5,
        spi_key: TestFleet::spi_key(),
        quick_crash_detection: true,
        ike: IkePolicy {
            kems: vec![],
            ..IkePolicy::default()
        },
        limits: Limits::default(),
    };
    let mut fleet = TestFleet::with_config(config, TestHost::new(5));
    let customer = hybrid(Kem::MlKem768);
    fleet.responder.handle_tunnel(fleet.now, customer.tunnel());
    let mut initiator = Initiator::new(customer, 1);
    fleet.connect(&mut initiator);
    assert_eq!(initiator.status(), Status::Up);
    assert_eq!(exchange(&initiator.probe().unwrap()).1, 2);
}

/// What was agreed on cannot be left out: IKE_AUTH in its place is not even opened.
#[test]
fn an_agreed_exchange_cannot_be_skipped() {
    let (mut fleet, mut initiator, _) = initiated(Kem::MlKem768);
    let auth = initiator.auth_with(|_| {}).unwrap();
    assert_eq!(exchange(&auth), (ExchangeType::IkeAuth, 1));
    assert_eq!(fleet.deliver(&auth), []);
    assert_eq!(fleet.last_event(), Some(&What::Dropped(Dropped::Unexpected)));
    let sent = initiator.intermediate_with(Kem::MlKem768, |_| {}).unwrap();
    fleet.converse(&mut initiator, Some(sent));
    assert_eq!(initiator.status(), Status::Up);
}

#[test]
fn a_repeated_request_gets_the_same_octets() {
    let (mut fleet, mut initiator, sent) = initiated(Kem::MlKem768);
    let replies = fleet.deliver(&sent);
    assert_eq!(fleet.deliver(&sent), replies);
    // Under another message ID it is no request of this exchange.
    let mut later = sent.clone();
    later.payload[23] = 2;
    assert_eq!(fleet.deliver(&later), []);
    let auth = replies
        .iter()
        .find_map(|reply| initiator.handle_datagram(&reply.payload));
    fleet.converse(&mut initiator, auth);
    assert_eq!(initiator.status(), Status::Up);
}

/// AUTH covers the exchange (RFC 9242 section 3.3.2): who changes it on the way is found out.
#[test]
fn auth_covers_the_exchange() {
    let (mut fleet, mut initiator, sent) = initiated(Kem::MlKem768);
    let replies = fleet.deliver(&sent);
    let auth = replies
        .iter()
        .find_map(|reply| initiator.handle_datagram(&reply.payload));
    assert_eq!(exchange(&auth.unwrap()), (ExchangeType::IkeAuth, 2));
    initiator.spoil_int_auth();
    let auth = initiator.auth_with(|_| {});
    fleet.converse(&mut initiator, auth);
    assert_eq!(
        initiator.status(),
        Status::Refused(NotifyType::AUTHENTICATION_FAILED.0)
    );
}

#[test]
fn bad_public_values_end_it() {
    for (group, public) in [(36, &[1; 1183][..]), (36, &[0xff; 1184]), (37, &[1; 1568])] {
        let (mut fleet, mut initiator, _) = initiated(Kem::MlKem768);
        let bad = initiator.intermediate_with(Kem::MlKem768, |payloads| {
            *payloads = vec![Payload::KeyExchange(KeyExchange { group, public })];
        });
        fleet.converse(&mut initiator, bad);
        assert_eq!(initiator.status(), Status::Refused(NotifyType::INVALID_SYNTAX.0));
        let refused = fleet.last_event();
        assert!(
            matches!(
                refused,
                Some(What::IntermediateRefused(AuthRefusal::Malformed(_)))
            ),
            "{refused:?}"
        );
        // It is tried once, and answered the same when it comes again.
        assert_eq!(fleet.deliver(&initiator.retransmit()).len(), 1);
        let again = initiator.intermediate_with(Kem::MlKem768, |_| {}).unwrap();
        assert_eq!(fleet.deliver(&again), []);
        fleet.wait(Limits::default().half_open_lifetime);
        assert_nothing_left(&fleet);
    }
}

/// A peer that cannot carry it is not asked for it, whatever it proposes (RFC 9370 section 2.2.1).
#[test]
fn without_ike_intermediate_there_is_none() {
    let supported = NotifyType::INTERMEDIATE_EXCHANGE_SUPPORTED;
    let customer = hybrid(Kem::MlKem768);
    let sent = refusals::init_of(customer.clone(), |payloads| {
        payloads.retain(|payload| !supported.is_in(std::slice::from_ref(payload)));
    });
    let mut fleet = fleet_for(&customer);
    let response = fleet.deliver(&sent).remove(0);
    let message = Message::decode(&response.payload).unwrap();
    let [Payload::Sa(proposals), ..] = &message.payloads[..] else {
        panic!("{:?} where SA was expected", message.payloads);
    };
    let kinds: Vec<_> = proposals[0].transforms.iter().map(|it| it.kind).collect();
    assert!(kinds.contains(&TransformType::KeyExchange), "{kinds:?}");
    assert!(
        !kinds.contains(&TransformType::AdditionalKeyExchange1),
        "{kinds:?}"
    );
    assert!(!supported.is_in(&message.payloads));
}
