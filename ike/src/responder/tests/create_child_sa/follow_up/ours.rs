//! We begin.

use super::*;
use crate::responder::tests::create_child_sa::rekey_ike::aging;
use crate::responder::tests::pair::{FLEET, Pair, ROUTER};
use crate::wire::Delete;

/// A customer whose IKE SA came of an additional key exchange, or of none.
fn customer(kem: Option<Kem>) -> (TestFleet, Initiator) {
    let customer = Customer {
        kem,
        takes_fragments: false,
        ..Customer::new(1)
    };
    let mut fleet = TestFleet::with_host(5, TestHost::new(5), patient());
    fleet.responder.handle_tunnel(fleet.now, customer.tunnel());
    let mut initiator = Initiator::new(customer, 1);
    fleet.connect(&mut initiator);
    (fleet, initiator)
}

/// Our request to rekey its child SA.
fn request(fleet: &mut TestFleet, initiator: &Initiator) -> Transmit {
    let child = initiator.child().unwrap().outbound_spi;
    fleet.responder.handle_child_near_limit(fleet.now, child);
    match &fleet.drain()[..] {
        [request] => request.clone(),
        sent => panic!("{} datagrams: {:?}", sent.len(), fleet.events),
    }
}

/// How many additional key exchanges each proposal of a request leaves to choose from.
fn offered(initiator: &Initiator, request: &Transmit) -> Vec<usize> {
    let opened = initiator.open(&request.payload).unwrap();
    let payloads = opened.payloads().unwrap();
    let proposals = payloads.iter().find_map(|payload| match payload {
        Payload::Sa(proposals) => Some(proposals.clone()),
        _ => None,
    });
    let is_additional = |it: &&Transform| it.kind == TransformType::AdditionalKeyExchange1;
    let proposals = proposals.unwrap_or_default();
    proposals
        .iter()
        .map(|it| it.transforms.iter().filter(is_additional).count())
        .collect()
}

#[test]
fn a_child_sa_comes_of_both_exchanges() {
    let mut pair = Pair::hybrid(1, [patient(); 2]);
    let old = pair.sender(FLEET);
    pair.near_limit(FLEET);
    pair.run(10 * SECOND);
    pair.assert_agreed();
    assert_ne!(pair.sender(FLEET), old);
    let both = [ExchangeType::CreateChildSa, ExchangeType::IkeFollowupKe];
    assert_eq!(pair.rekeys(FLEET), both);
}

#[test]
fn an_ike_sa_comes_of_both_exchanges() {
    let mut pair = Pair::hybrid(1, [aging(60), patient()]);
    pair.run(25 * SECOND);
    pair.stop_aging();
    pair.run(10 * SECOND);
    pair.assert_agreed();
    assert_eq!([FLEET, ROUTER].map(|end| pair.count(end, was_rekeyed)), [1, 1]);
    let both = [ExchangeType::CreateChildSa, ExchangeType::IkeFollowupKe];
    assert_eq!(pair.rekeys(FLEET), both);
    // The next owner goes on the same way.
    pair.near_limit(FLEET);
    pair.run(10 * SECOND);
    pair.assert_agreed();
    assert_eq!(pair.rekeys(FLEET)[2..], both);
}

/// The peer takes the proposal that it wants.
#[test]
fn the_peer_decides_on_an_additional_key_exchange() {
    for (kems, exchanges) in [(vec![], 1), (vec![Kem::MlKem1024], 2)] {
        for limits in [patient(), aging(60)] {
            let mut pair = Pair::hybrid(1, [limits, patient()]);
            pair.ends[ROUTER].edge.responder.config.ike.kems = kems.clone();
            match limits.ike_lifetime {
                None => pair.near_limit(FLEET),
                Some(_) => pair.run(25 * SECOND),
            }
            pair.stop_aging();
            pair.run(10 * SECOND);
            pair.assert_agreed();
            assert_eq!(pair.rekeys(FLEET).len(), exchanges, "{:?}", pair.story());
        }
    }
}

/// A peer that knows no such transform might stumble over it; one that insists refuses what has none.
#[test]
fn who_has_shown_nothing_is_offered_more_after_a_refusal() {
    let (mut fleet, mut initiator) = customer(None);
    let first = request(&mut fleet, &initiator);
    assert_eq!(offered(&initiator, &first), [0, 0]);
    let refusal = [Payload::Notify(Notify::new(NotifyType::NO_PROPOSAL_CHOSEN, &[]))];
    let answer = initiator.blind_answer(&first, &refusal).unwrap();
    fleet.deliver(&answer);
    let mut again = None;
    for _ in 0..61 {
        for (_, sent) in fleet.wait(SECOND) {
            match Header::decode(&sent.payload).unwrap().exchange {
                ExchangeType::CreateChildSa => again = Some(sent),
                _ => drop(fleet.deliver(&initiator.blind_answer(&sent, &[]).unwrap())),
            }
        }
    }
    assert_eq!(offered(&initiator, &again.expect("another try")), [2, 0, 0]);
}

#[test]
fn who_rekeys_with_more_is_offered_more() {
    let mut rekeying = Rekeying::new();
    let begun = rekeying.go(false);
    let follow = rekeying.follow(&begun.link);
    rekeying.fleet.deliver(&follow);
    let spi = children(&rekeying.fleet)[1].inbound_spi;
    let fleet = &mut rekeying.fleet;
    fleet.responder.handle_child_used(fleet.now, spi);
    fleet.drain();
    fleet.responder.handle_child_near_limit(fleet.now, spi);
    let sent = fleet.drain();
    assert_eq!(offered(&rekeying.initiator, &sent[0]), [2, 0, 0]);
}

/// The owner dies at any moment of both exchanges, and the next one makes the same SA of what comes.
#[test]
fn the_next_owner_goes_on_with_ours() {
    for limits in [patient(), aging(60)] {
        for millis in (9..90).step_by(6) {
            let mut pair = Pair::hybrid(1, [limits, patient()]);
            match limits.ike_lifetime {
                None => pair.near_limit(FLEET),
                Some(_) => {
                    while !pair.is_asking(FLEET) {
                        pair.run(Duration::from_millis(1));
                    }
                }
            }
            pair.run(Duration::from_millis(millis));
            pair.take_over(FLEET, 9);
            pair.stop_aging();
            pair.run(30 * SECOND);
            pair.assert_agreed();
            let made = pair.count(ROUTER, was_added) + pair.count(ROUTER, was_rekeyed);
            assert_eq!(made, 1, "after {millis} ms: {:?}", pair.story());
        }
    }
}

/// "The responder MUST send back a new error type notification STATE_NOT_FOUND" (RFC 9370 section 2.2.4).
#[test]
fn who_comes_too_late_begins_anew() {
    let mut pair = Pair::hybrid(1, [patient(); 2]);
    pair.near_limit(FLEET);
    pair.run(Duration::from_millis(20));
    // The commit before IKE_FOLLOWUP_KE takes longer than the peer waits.
    pair.network.commit = 32_000..32_001;
    pair.run(50 * SECOND);
    let late = What::RekeyRefused(NotifyType::STATE_NOT_FOUND.0);
    assert_eq!(pair.count(FLEET, |what| *what == late), 1, "{:?}", pair.story());
    pair.network.commit = 5..6;
    pair.run(120 * SECOND);
    pair.assert_agreed();
    assert_eq!([FLEET, ROUTER].map(|end| pair.count(end, was_added)), [1, 1]);
}

/// Each refuses the other's, and comes again later.
#[test]
fn both_sides_begin_at_once() {
    let mut pair = Pair::hybrid(1, [patient(); 2]);
    let old = pair.sender(FLEET);
    pair.near_limit(FLEET);
    pair.near_limit(ROUTER);
    pair.run(120 * SECOND);
    pair.assert_agreed();
    assert_ne!(pair.sender(FLEET), old);
    let refused = What::RekeyRefused(NotifyType::TEMPORARY_FAILURE.0);
    assert_eq!(
        [FLEET, ROUTER].map(|end| pair.count(end, |what| *what == refused)),
        [1, 1]
    );
}

/// What the peer's answers hold in place of what they ought to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    NoLink,
    LongLink,
    NotOffered,
    TwoOfAType,
    NoSecondKe,
    BadCiphertext,
}

/// The answer to our CREATE_CHILD_SA.
fn granted(initiator: &mut Initiator, request: &Transmit, fault: Fault) -> Transmit {
    let opened = initiator.open(&request.payload).unwrap();
    let payloads = opened.payloads().unwrap();
    let long = [1; 1025];
    let mut answer = Vec::new();
    for payload in payloads {
        answer.push(match payload {
            Payload::Sa(mut proposals) => {
                let mut proposal = proposals.remove(0);
                proposal.spi = &[9; 4];
                let mut kept = Vec::new();
                for mut transform in proposal.transforms {
                    let is_known = kept.iter().any(|it: &Transform| it.kind == transform.kind);
                    if is_known && fault != Fault::TwoOfAType {
                        continue;
                    }
                    if fault == Fault::NotOffered && transform.kind == TransformType::AdditionalKeyExchange1 {
                        transform.id = 35;
                    }
                    kept.push(transform);
                }
                proposal.transforms = kept;
                Payload::Sa(vec![proposal])
            }
            // Notifications are the request's.
            Payload::Notify(_) => continue,
            payload => payload,
        });
    }
    let link = match fault {
        Fault::LongLink => &long[..],
        _ => b"a link",
    };
    if fault != Fault::NoLink {
        answer.push(Payload::Notify(Notify::new(
            NotifyType::ADDITIONAL_KEY_EXCHANGE,
            link,
        )));
    }
    initiator.blind_answer(request, &answer).unwrap()
}

/// What the peer grants beyond our offer costs that rekey, and nothing that works: both sides keep the IKE SA and the old child
/// SA, the peer is told to delete what it has made, and is asked again later.
#[test]
fn a_bad_answer_costs_that_rekey_only() {
    for fault in [
        Fault::NoLink,
        Fault::LongLink,
        Fault::NotOffered,
        Fault::TwoOfAType,
    ] {
        let (mut fleet, mut initiator) = customer(Some(KEM));
        let request = request(&mut fleet, &initiator);
        let answer = granted(&mut initiator, &request, fault);
        let sent = fleet.deliver(&answer);
        assert_deletes_a_child_sa(&initiator, &sent, fault);
        assert_goes_on(fleet, &mut initiator, fault);
    }
    for (fault, public) in [(Fault::NoSecondKe, None), (Fault::BadCiphertext, Some([1; 1087]))] {
        let (mut fleet, mut initiator) = customer(Some(KEM));
        let request = request(&mut fleet, &initiator);
        let answer = granted(&mut initiator, &request, Fault::None);
        let sent = fleet.deliver(&answer);
        let follow = initiator.open(&sent[0].payload).unwrap();
        let payloads = follow.payloads().unwrap();
        assert_eq!(
            NotifyType::ADDITIONAL_KEY_EXCHANGE.data_in(&payloads),
            Some(&b"a link"[..])
        );
        let ke = public.as_ref().map(|public| {
            let group = KEM.id();
            Payload::KeyExchange(KeyExchange { group, public })
        });
        let ke: Vec<_> = ke.into_iter().collect();
        let answer = initiator.blind_answer(&sent[0], &ke).unwrap();
        let sent = fleet.deliver(&answer);
        assert_deletes_a_child_sa(&initiator, &sent, fault);
        assert_goes_on(fleet, &mut initiator, fault);
    }
}

/// The one request is a DELETE of the child SA that the peer may have made.
#[track_caller]
fn assert_deletes_a_child_sa(initiator: &Initiator, sent: &[Transmit], fault: Fault) {
    let [sent] = sent else {
        panic!("{} requests after {fault:?}", sent.len());
    };
    let opened = initiator.open(&sent.payload).unwrap();
    assert!(
        matches!(
            opened.payloads().unwrap()[..],
            [Payload::Delete(Delete::Child { .. })]
        ),
        "{fault:?}"
    );
}

#[track_caller]
fn assert_goes_on(mut fleet: TestFleet, initiator: &mut Initiator, fault: Fault) {
    let unusable = |what: &&What| matches!(what, What::RekeyUnusable(_));
    let ended = |what: &&What| matches!(what, What::Ended(_));
    assert_eq!(
        happened(&fleet).into_iter().filter(unusable).count(),
        1,
        "{fault:?}"
    );
    assert_eq!(happened(&fleet).into_iter().find(ended), None, "{fault:?}");
    let removed = changes(&fleet).any(|it| matches!(it, Change::RemoveIke(_) | Change::RemoveChild(_)));
    assert!(!removed, "{fault:?} took something away");
    let probe = initiator.probe().unwrap();
    assert_eq!(
        fleet.deliver(&probe).len(),
        1,
        "the IKE SA does not work after {fault:?}"
    );
}

/// The request as the peer's answer: the last proposal, which has no key exchange or no additional one, with `more` in it.
fn echoed(initiator: &mut Initiator, request: &Transmit, more: Transform) -> Transmit {
    let opened = initiator.open(&request.payload).unwrap();
    let payloads = opened.payloads().unwrap();
    let mut answer = Vec::new();
    for payload in payloads {
        answer.push(match payload {
            Payload::Sa(proposals) => {
                let mut proposal = proposals.last().unwrap().clone();
                proposal.spi = &[9; 8][..proposal.spi.len()];
                proposal.transforms.push(more);
                Payload::Sa(vec![proposal])
            }
            Payload::Notify(_) => continue,
            payload => payload,
        });
    }
    initiator.blind_answer(request, &answer).unwrap()
}

/// Some answer with INTEG NONE beside an AEAD cipher, of which our offer says nothing: that is the same.
#[test]
fn none_for_integrity_is_taken_in_the_answer_to_our_rekey() {
    let (mut fleet, mut initiator) = customer(None);
    let old = initiator.child().unwrap().outbound_spi;
    let request = request(&mut fleet, &initiator);
    let none = Transform::new(TransformType::Integrity, 0);
    let answer = echoed(&mut initiator, &request, none);
    fleet.deliver(&answer);
    let last = fleet.last_event();
    assert!(
        matches!(last, Some(What::ChildAdded { replaces: Some(replaced), .. }) if *replaced == old),
        "{last:?}"
    );
}

/// An answer with something that was not offered costs a rekey of the IKE SA as well as one of a child SA, and neither costs the
/// IKE SA.
#[test]
fn an_odd_answer_to_a_rekey_of_either_kind_is_survived() {
    let hmac = Transform::new(TransformType::Integrity, 12);
    let unusable = |what: &&What| matches!(what, What::RekeyUnusable(_));

    let (mut fleet, mut initiator) = customer(None);
    let request = request(&mut fleet, &initiator);
    let answer = echoed(&mut initiator, &request, hmac);
    let sent = fleet.deliver(&answer);
    assert_deletes_a_child_sa(&initiator, &sent, Fault::NotOffered);
    assert_goes_on(fleet, &mut initiator, Fault::NotOffered);

    let customer = Customer {
        takes_fragments: false,
        ..Customer::new(1)
    };
    let limits = Limits {
        ike_lifetime: Some(60 * SECOND),
        ..patient()
    };
    let mut fleet = TestFleet::with_host(5, TestHost::new(5), limits);
    fleet.responder.handle_tunnel(fleet.now, customer.tunnel());
    let mut initiator = Initiator::new(customer, 1);
    fleet.connect(&mut initiator);
    let deadline = fleet.now + 120 * SECOND;
    let request = loop {
        assert!(fleet.now < deadline, "no rekey of the IKE SA");
        let Some((_, request)) = fleet.wait(SECOND).pop() else {
            continue;
        };
        if !offered(&initiator, &request).is_empty() {
            break request;
        }
        let alive = initiator.blind_answer(&request, &[]).unwrap();
        fleet.deliver(&alive);
    };
    let answer = echoed(&mut initiator, &request, hmac);
    fleet.deliver(&answer);
    assert_eq!(happened(&fleet).into_iter().filter(unusable).count(), 1);
    assert_goes_on(fleet, &mut initiator, Fault::NotOffered);
}
