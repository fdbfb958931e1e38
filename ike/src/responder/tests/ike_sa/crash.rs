//! QUICK CRASH DETECTION (RFC 6290): who shows a token, when, and what a peer's does.

use std::collections::HashSet;

use super::*;
use crate::fleet::qcd::{self, Token, Tokens};
use crate::ike_sa::state::State;
use crate::responder::tests::create_child_sa::rekey_ike::{aging, of_one_age};
use crate::responder::tests::pair::{FLEET, Pair, ROUTER};
use crate::responder::tests::takeover::restore::taken_over;
use crate::testkit::TestHost;
use crate::wire::{ExchangeType, Flags};
use crate::{Dropped, Ending, IkeSpis, Limits};

/// What the peer gives.
static TOKEN: [u8; 16] = [0x5a; 16];

/// What the edge in slot 5 is after the whole fleet has lost its IKE SAs.
fn after_a_crash(slot: u16) -> TestFleet {
    TestFleet::with_host(slot, TestHost::new(9).after_a_crash(), Limits::default())
}

fn token_of(spis: IkeSpis) -> Token {
    Tokens::new(&TestFleet::spi_key()).of(spis)
}

/// The notification of any octets.
fn token_payload(token: &[u8]) -> Payload<'_> {
    Payload::Notify(Notify::about_ike(NotifyType::QUICK_CRASH_DETECTION, token))
}

fn invalid_spi() -> Payload<'static> {
    Payload::Notify(Notify::new(NotifyType::INVALID_IKE_SPI, &[]))
}

#[track_caller]
fn assert_silent(fleet: &mut TestFleet, sent: &Transmit) {
    assert_eq!(fleet.deliver(sent), []);
    assert_eq!(fleet.last_event(), Some(&What::Dropped(Dropped::UnknownSpi)));
}

/// A customer that has given its token in IKE_AUTH, and a request of ours to it.
fn with_token(token: &'static [u8]) -> (TestFleet, Initiator, Transmit) {
    let customer = Customer::new(1);
    let mut fleet = fleet_for(&customer);
    let mut initiator = Initiator::new(customer, 1);
    fleet.begin(&mut initiator);
    let auth = initiator.auth_with(|payloads| payloads.push(token_payload(token)));
    fleet.converse(&mut initiator, auth);
    assert_eq!(initiator.status(), Status::Up);
    let probe = fleet.wait(Duration::from_secs(30)).remove(0).1;
    (fleet, initiator, probe)
}

/// Sections 4.2 and 4.5.
#[test]
fn the_token_of_ike_auth_is_shown_once_the_fleet_has_lost_the_ike_sa() {
    let customer = Customer::new(1);
    let mut fleet = fleet_for(&customer);
    let mut initiator = Initiator::new(customer, 1);
    let auth = fleet.begin(&mut initiator).unwrap();
    let reply = fleet.deliver(&auth).remove(0);
    let token = token_of(initiator.spis().unwrap());
    let answer = read(&initiator, &reply);
    let behind_auth = answer.behind(|payload| matches!(payload, Payload::Auth(_)));
    assert_eq!(behind_auth, Some(qcd::notification(&token)));
    initiator.handle_datagram(&reply.payload);

    let probe = initiator.probe().unwrap();
    let answer = after_a_crash(5).deliver(&probe).remove(0);
    let asked = Header::decode(&probe.payload).unwrap();
    let header = Header::decode(&answer.payload).unwrap();
    assert_eq!(
        (header.spis, header.exchange, header.message_id),
        (asked.spis, asked.exchange, asked.message_id)
    );
    assert_eq!(
        header.flags,
        Flags {
            initiator: false,
            response: true
        }
    );
    let message = Message::decode_body(header, &answer.payload).unwrap();
    assert_eq!(message.payloads, [invalid_spi(), qcd::notification(&token)]);
    assert!(
        answer.payload.len() <= probe.payload.len() + 3,
        "no amplification"
    );
    initiator.handle_datagram(&answer.payload);
    assert_eq!(initiator.status(), Status::Closed);
}

/// Section 9.2: "A token maker MUST NOT send a valid QCD token in an unprotected message for an existing IKE SA".
#[test]
fn while_the_fleet_may_know_it_nobody_shows_the_token() {
    let (_, mut initiator) = connected(Customer::new(1));
    let probe = initiator.probe().unwrap();
    // The edge that issued the SPI, restarted and in doubt; and others, whatever they know.
    assert_silent(&mut TestFleet::new(5), &probe);
    assert_silent(&mut after_a_crash(6), &probe);
}

#[test]
fn an_ike_sa_that_is_in_the_making_is_not_lost() {
    let customer = Customer::new(1);
    let mut fleet = after_a_crash(5);
    fleet.responder.handle_tunnel(fleet.now, customer.tunnel());
    fleet.prompt = false;
    let auth = fleet.begin(&mut Initiator::new(customer, 1)).unwrap();
    // Half-open, and while its commit is under way; also to somebody who makes up the other SPI.
    for _ in 0..2 {
        let mut forged = auth.clone();
        forged.payload[18] = 37;
        assert_eq!(fleet.deliver(&forged), []);
        forged.payload[0] ^= 1;
        assert_silent(&mut fleet, &forged);
        fleet.deliver(&auth);
    }
    assert_eq!(fleet.commits.len(), 1);
}

/// The peer that has answered our rekey knows the new IKE SA before the fleet does.
#[test]
fn an_ike_sa_that_a_rekey_promises_is_not_lost() {
    let customer = Customer::new(1);
    let mut fleet = after_a_crash(5);
    fleet.responder.handle_tunnel(fleet.now, customer.tunnel());
    let mut initiator = Initiator::new(customer, 1);
    fleet.connect(&mut initiator);
    fleet.prompt = false;
    let public = crate::responder::tests::create_child_sa::rekey_ike::public_value();
    let wish = crate::responder::tests::create_child_sa::rekey_ike::wish(&[7; 8], 31, &public);
    let rekey = initiator.protected_request(ExchangeType::CreateChildSa, &wish);
    assert_eq!(fleet.deliver(&rekey.unwrap()), []);
    let [Change::PutIke(replacement), ..] = &fleet.commits.last().unwrap().changes[..] else {
        panic!("{:?}", fleet.commits.last());
    };
    let (spis, commit) = (replacement.spis, fleet.commits.last().unwrap().id);
    let mut on_replacement = initiator.probe().unwrap();
    on_replacement.payload[..8].copy_from_slice(&spis.initiator.to_be_bytes());
    on_replacement.payload[8..16].copy_from_slice(&spis.responder.to_be_bytes());
    assert_silent(&mut fleet, &on_replacement);

    let reply = fleet.finish(commit, crate::CommitOutcome::Done).remove(0);
    let token = token_of(spis);
    let given = qcd::notification(&token);
    assert!(read(&initiator, &reply).contains(&given), "section 4.3");
    assert!(fleet.responder.promised.is_empty(), "a note is left");
}

#[test]
fn only_protected_requests_are_answered_so() {
    let (_, mut initiator) = connected(Customer::new(1));
    let probe = initiator.probe().unwrap();
    let altered = |position: usize, octet: u8| {
        let mut altered = probe.clone();
        altered.payload[position] = octet;
        altered
    };
    let (response, ike_auth, without_sk) = (altered(19, 0x28), altered(18, 35), altered(16, 41));
    for sent in [response, ike_auth, without_sk] {
        assert_silent(&mut after_a_crash(5), &sent);
    }
}

/// Section 8.1.
#[test]
fn tokens_are_few() {
    let (_, mut initiator) = connected(Customer::new(1));
    let probe = initiator.probe().unwrap();
    let mut fleet = after_a_crash(5);
    let shown = (0..1000).filter(|_| !fleet.deliver(&probe).is_empty()).count();
    assert_eq!(shown, 200);
    assert_eq!(fleet.last_event(), Some(&What::Dropped(Dropped::TooManyErrors)));
}

/// Section 8.1: it "MUST allow the user to control whether the extension is enabled".
#[test]
fn switched_off_there_is_nothing_of_it() {
    let config = |fleet: TestFleet| {
        let mut config = fleet.responder.config.clone();
        config.quick_crash_detection = false;
        config
    };
    let mut fleet = TestFleet::with_config(config(TestFleet::new(5)), TestHost::new(9).after_a_crash());
    let customer = Customer::new(1);
    fleet.responder.handle_tunnel(fleet.now, customer.tunnel());
    let mut initiator = Initiator::new(customer, 1);
    fleet.begin(&mut initiator);
    let auth = initiator.auth_with(|payloads| payloads.push(token_payload(&TOKEN)));
    let reply = fleet.deliver(&auth.unwrap()).remove(0);
    let answer = read(&initiator, &reply);
    assert!(!NotifyType::QUICK_CRASH_DETECTION.is_in(&answer.payloads()));
    initiator.handle_datagram(&reply.payload);

    let probe = fleet.wait(Duration::from_secs(30)).remove(0).1;
    let lost = initiator.disown(&probe, &[invalid_spi(), token_payload(&TOKEN)]);
    fleet.deliver(&lost.unwrap());
    assert_eq!(fleet.commits.len(), 1, "the peer's token is believed");
    let mut crashed = TestFleet::with_config(config(TestFleet::new(5)), TestHost::new(9).after_a_crash());
    assert_silent(&mut crashed, &initiator.probe().unwrap());
}

/// An end's IKE SA that no other has replaced.
fn newest(pair: &Pair, end: usize) -> &State {
    let established = &pair.ends[end].edge.responder.established;
    let mut sas = established.values().filter(|sa| !sa.state.is_replaced());
    &sas.next().unwrap().state
}

/// Section 4.3: "If the initiator is also a token maker, it SHOULD initiate an INFORMATIONAL exchange immediately".
#[test]
fn who_rekeys_gives_its_token_afterwards() {
    let mut pair = Pair::new(1, [aging(60), patient()]);
    let was_rekeyed = |what: &What| matches!(what, What::IkeRekeyed { .. });
    while pair.count(ROUTER, was_rekeyed) == 0 {
        pair.run(Duration::from_secs(1));
    }
    pair.run(Duration::from_secs(5));
    let spis = newest(&pair, FLEET).spis();
    let token = token_of(spis);
    let given = qcd::given(&[qcd::notification(&token)]);
    assert!(given.is_some());
    assert_eq!(newest(&pair, ROUTER).peer_token(), given.as_ref());
}

/// The edge that issued the SPI may be back, with none of its IKE SAs, before another or itself has finished its rekey: it would
/// take the SPI for one of a lost IKE SA, and show the token.
#[test]
fn a_token_that_may_have_been_shown_is_not_given() {
    for slot in [5, 9] {
        let mut pair = Pair::new(1, [aging(60), patient()]);
        while !pair.is_asking(FLEET) {
            pair.run(Duration::from_millis(1));
        }
        pair.run(Duration::from_millis(8));
        pair.take_over(FLEET, slot);
        pair.stop_aging();
        pair.run(Duration::from_secs(60));
        pair.assert_agreed();
        let was_rekeyed = |what: &What| matches!(what, What::IkeRekeyed { .. });
        assert_eq!(pair.count(FLEET, was_rekeyed), 1);
        assert_eq!(newest(&pair, ROUTER).peer_token(), None, "by slot {slot}");
    }
}

/// Both rekey the IKE SA at once: should another edge take over before it is known which of both new ones survives, the edge that
/// issued the SPI, back with none of its IKE SAs, would show the peer a token for one that lives.
#[test]
fn no_peer_has_a_token_of_an_ike_sa_that_is_in_no_record() {
    for seed in 1..9 {
        let mut pair = of_one_age(seed, [aging(100); 2]);
        pair.network.delay = 15_000..15_001;
        let mut recorded = HashSet::<u64>::new();
        let mut note = |pair: &mut Pair| {
            pair.run(Duration::from_millis(500));
            recorded.extend(pair.ends[FLEET].installed.ike_sas.keys());
            let of_router = pair.ends[ROUTER].edge.responder.established.values();
            let mut with_token = of_router.filter(|sa| sa.state.peer_token().is_some());
            assert!(with_token.all(|sa| recorded.contains(&sa.state.spis().initiator)));
        };
        while !pair.is_asking(FLEET) || !pair.is_asking(ROUTER) {
            note(&mut pair);
        }
        pair.stop_aging();
        (0..200).for_each(|_| note(&mut pair));
        pair.assert_agreed();
    }
}

/// Section 3: it "MUST silently delete the IKE SA", and "MUST accept such tokens from any IP address".
#[test]
fn a_peer_that_shows_its_token_has_lost_the_ike_sa() {
    let (mut fleet, initiator, probe) = with_token(&TOKEN);
    let mut lost = initiator
        .disown(&probe, &[invalid_spi(), token_payload(&TOKEN)])
        .unwrap();
    lost.path.local = "192.0.2.77:1234".parse().unwrap();
    let mut other = taken_over(&fleet, 6);
    for edge in [&mut fleet, &mut other] {
        assert_eq!(edge.deliver(&lost), []);
        let last = &edge.commits.last().unwrap().changes[..];
        assert!(matches!(last, [Change::RemoveIke(_)]), "{last:?}");
        assert_eq!(edge.last_event(), Some(&What::Ended(Ending::PeerCrashed)));
        assert_nothing_left(edge);
    }
}

#[test]
fn what_is_not_the_token_ends_nothing() {
    let (mut fleet, mut initiator, probe) = with_token(&TOKEN);
    let wrong = [0xa5; 16];
    for payloads in [
        &[invalid_spi()][..],
        &[token_payload(&TOKEN)],
        &[invalid_spi(), token_payload(&wrong)],
        &[invalid_spi(), token_payload(&TOKEN[..15])],
        // "Token takers are required to verify at least 4 QCD tokens": more are not looked at.
        &[
            invalid_spi(),
            token_payload(&wrong),
            token_payload(&wrong),
            token_payload(&wrong),
            token_payload(&wrong),
            token_payload(&TOKEN),
        ],
    ] {
        let sent = initiator.disown(&probe, payloads).unwrap();
        assert_eq!(fleet.deliver(&sent), [], "{payloads:?}");
        assert_eq!(fleet.commits.len(), 1, "{payloads:?}");
    }
    let answer = initiator.handle_datagram(&probe.payload).unwrap();
    fleet.deliver(&answer);
    assert_eq!(fleet.commits.len(), 1);

    // Too short to be one (section 5), and so never kept.
    let (mut fleet, initiator, probe) = with_token(&TOKEN[..15]);
    let short = [invalid_spi(), token_payload(&TOKEN[..15])];
    fleet.deliver(&initiator.disown(&probe, &short).unwrap());
    assert_eq!(fleet.commits.len(), 1);
}

/// Section 4.4: "A token taker MUST accept such gratuitous QCD_TOKEN notifications as long as they are carried in protected
/// exchanges". The fleet has it before the peer believes so.
#[test]
fn a_peer_may_give_another_token() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    fleet.prompt = false;
    let give = initiator.protected_request(ExchangeType::Informational, &[token_payload(&TOKEN)]);
    assert_eq!(fleet.deliver(&give.unwrap()), []);
    let commit = fleet.commits.last().unwrap().id;
    assert_eq!(fleet.finish(commit, crate::CommitOutcome::Done).len(), 1);
    let again = initiator.protected_request(ExchangeType::Informational, &[token_payload(&TOKEN)]);
    assert_eq!(fleet.deliver(&again.unwrap()).len(), 1, "there is nothing new");
    let mut other = taken_over(&fleet, 6);
    let probe = other.wait(Duration::from_secs(30)).remove(0).1;
    let lost = [invalid_spi(), token_payload(&TOKEN)];
    other.deliver(&initiator.disown(&probe, &lost).unwrap());
    assert_eq!(other.last_event(), Some(&What::Ended(Ending::PeerCrashed)));
}
