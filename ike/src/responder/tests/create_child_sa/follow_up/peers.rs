//! The peer begins: CREATE_CHILD_SA, and IKE_FOLLOWUP_KE behind it.

use super::*;

#[test]
fn a_child_sa_comes_of_both_exchanges() {
    let mut rekeying = Rekeying::new();
    let begun = rekeying.go(false);
    assert_eq!(
        children(&rekeying.fleet).len(),
        1,
        "made before the exchange is complete"
    );

    rekeying.fleet.prompt = false;
    let sent = rekeying.follow(&begun.link);
    assert_eq!(
        rekeying.fleet.deliver(&sent),
        [],
        "an answer before the fleet knows"
    );
    let commit = rekeying.fleet.commits.last().unwrap().id;
    let answers = rekeying.fleet.finish(commit, CommitOutcome::Done);
    assert_eq!(
        rekeying.fleet.deliver(&sent),
        answers,
        "another answer to the same"
    );

    let additional = rekeying.additional(&answers[0]);
    let secret = rekeying.initiator.prf_and_sk_d().unwrap();
    let child = children(&rekeying.fleet)[1];
    let keys = ChildKeys::derive(child.suite, secret, &fresh(&begun, &additional));
    assert_eq!(
        (&child.inbound_key, &child.outbound_key),
        (&keys.from_initiator, &keys.from_responder)
    );
    assert_eq!(child.inbound_spi.to_be_bytes(), begun.spi[..]);
    assert!(child.standby, "it sends before the peer is ready");
}

/// The peer has its SPIs and its token already (RFC 6290 section 9.2).
#[test]
fn an_ike_sa_that_waits_for_the_second_exchange_is_not_lost() {
    let mut rekeying = Rekeying::new();
    let begun = rekeying.go(true);
    let mut early = rekeying.initiator.probe().unwrap();
    early.payload[..8].copy_from_slice(&NEW_IKE_SPI);
    early.payload[8..16].copy_from_slice(&begun.spi);
    assert_eq!(rekeying.fleet.deliver(&early), []);
    rekeying.fleet.wait(Duration::from_secs(31));
    assert_eq!(
        rekeying.fleet.deliver(&early).len(),
        1,
        "it will not be made any more"
    );
}

#[test]
fn who_begins_again_and_again_does_not_keep_us_from_rekeying() {
    let mut rekeying = Rekeying::new();
    let child = rekeying.initiator.child().unwrap().outbound_spi;
    rekeying.go(false);
    let now = rekeying.fleet.now;
    rekeying.fleet.responder.handle_child_near_limit(now, child);
    assert_eq!(rekeying.fleet.drain(), []);
    let mut sent = Vec::new();
    for _ in 0..4 {
        let again = rekeying.begin(false);
        rekeying.fleet.deliver(&again);
        sent.extend(rekeying.fleet.wait(Duration::from_secs(10)));
    }
    let is_rekey = |sent: &Transmit| {
        let header = Header::decode(&sent.payload).unwrap();
        header.exchange == ExchangeType::CreateChildSa && !header.flags.response
    };
    assert!(sent.iter().any(|(_, sent)| is_rekey(sent)));
}

#[test]
fn an_ike_sa_comes_of_both_exchanges() {
    let mut rekeying = Rekeying::new();
    let begun = rekeying.go(true);
    let sent = rekeying.follow(&begun.link);
    let answers = rekeying.fleet.deliver(&sent);
    let additional = rekeying.additional(&answers[0]);

    let spis = IkeSpis {
        initiator: u64::from_be_bytes(NEW_IKE_SPI),
        responder: u64::from_be_bytes(begun.spi[..].try_into().unwrap()),
    };
    let put = changes(&rekeying.fleet).find_map(|change| match change {
        Change::PutIke(ike) if ike.spis == spis => Some(ike),
        _ => None,
    });
    let replacement = State::from_snapshot(&put.expect("the new IKE SA").snapshot).unwrap();
    let secret = rekeying.initiator.prf_and_sk_d().unwrap();
    let keys = IkeKeys::rekey(secret, replacement.suite(), &fresh(&begun, &additional), spis);
    assert_eq!(*replacement.sk_d(), keys.sk_d);
    assert!(matches!(
        happened(&rekeying.fleet).last(),
        Some(What::IkeRekeyed { replacement, .. }) if *replacement == spis
    ));
}

/// "The responder MUST send back a new error type notification STATE_NOT_FOUND": the IKE SA stays.
#[test]
fn what_follows_nothing_is_told_so() {
    for ike in [true, false] {
        let mut rekeying = Rekeying::new();
        let early = rekeying.follow(b"a link of nobody");
        rekeying.assert_answered(&early, NotifyType::STATE_NOT_FOUND);
        let refusal = What::ChildRefused(ChildRefusal::NothingToFollow);
        assert_eq!(rekeying.fleet.last_event(), Some(&refusal));

        let begun = rekeying.go(ike);
        let wrong = rekeying.follow(b"a link of nobody");
        rekeying.assert_answered(&wrong, NotifyType::STATE_NOT_FOUND);
        let unlinked = rekeying.follow(b"");
        rekeying.assert_answered(&unlinked, NotifyType::STATE_NOT_FOUND);
        let right = rekeying.follow(&begun.link);
        assert_eq!(rekeying.fleet.deliver(&right).len(), 1);
        let again = rekeying.follow(&begun.link);
        rekeying.assert_answered(&again, NotifyType::STATE_NOT_FOUND);
        rekeying.assert_lives();
    }
}

/// The state between both exchanges is the fleet's before the first answer leaves.
#[test]
fn the_next_owner_goes_on() {
    for ike in [true, false] {
        let mut rekeying = Rekeying::new();
        let first = rekeying.begin(ike);
        let answers = rekeying.fleet.deliver(&first);
        let begun = rekeying.begun(&answers[0]);
        let mut other = taken_over(&rekeying.fleet, 6);
        let tunnel = Customer::new(1).tunnel();
        other.responder.handle_tunnel(other.now, tunnel);
        assert_eq!(other.deliver(&first), answers, "another answer to the same");

        let sent = rekeying.follow(&begun.link);
        let answers = other.deliver(&sent);
        let additional = rekeying.additional(&answers[0]);
        if !ike {
            let secret = rekeying.initiator.prf_and_sk_d().unwrap();
            let child = children(&other)[0];
            let keys = ChildKeys::derive(child.suite, secret, &fresh(&begun, &additional));
            assert_eq!(child.inbound_key, keys.from_initiator);
            assert_eq!(Slot::of_esp_spi(child.inbound_spi), Slot::new(5));
        }
        // And the one after it repeats what it has answered.
        assert_eq!(taken_over(&other, 7).deliver(&sent), answers);
    }
}

#[test]
fn a_peer_that_does_not_go_on_is_not_waited_for_long() {
    let mut rekeying = Rekeying::new();
    let before = rekeying.spis_in_use();
    let begun = rekeying.go(false);
    assert_eq!(rekeying.spis_in_use(), before + 1);
    let (mut fleet, mut initiator) = (rekeying.fleet, rekeying.initiator);
    attend(&mut fleet, &mut initiator, Duration::from_secs(31));
    (rekeying.fleet, rekeying.initiator) = (fleet, initiator);
    assert_eq!(rekeying.spis_in_use(), before);
    let late = rekeying.follow(&begun.link);
    rekeying.assert_answered(&late, NotifyType::STATE_NOT_FOUND);
    rekeying.assert_lives();
}

/// However often a peer begins, one exchange is kept.
#[test]
fn who_begins_anew_gives_up_what_was_before() {
    let mut rekeying = Rekeying::new();
    let before = rekeying.spis_in_use();
    let first = rekeying.go(false);
    (0..5).for_each(|_| drop(rekeying.go(false)));
    let last = rekeying.go(false);
    assert_eq!(rekeying.spis_in_use(), before + 1);
    let sent = rekeying.follow(&first.link);
    rekeying.assert_answered(&sent, NotifyType::STATE_NOT_FOUND);
    let sent = rekeying.follow(&last.link);
    assert_eq!(rekeying.fleet.deliver(&sent).len(), 1);
    assert_eq!(children(&rekeying.fleet).len(), 2);
}

/// What it was to take the place of is gone meanwhile.
#[test]
fn a_child_sa_that_is_deleted_in_between_has_no_replacement() {
    let mut rekeying = Rekeying::new();
    let begun = rekeying.go(false);
    let delete = rekeying.initiator.delete_child().unwrap();
    assert_eq!(rekeying.fleet.deliver(&delete).len(), 1);
    let sent = rekeying.follow(&begun.link);
    rekeying.assert_answered(&sent, NotifyType::CHILD_SA_NOT_FOUND);
    assert_eq!(rekeying.spis_in_use(), 0);
}

#[test]
fn bad_public_values_end_the_ike_sa() {
    for public in [&[1; 1183][..], &[0xff; 1184]] {
        let mut rekeying = Rekeying::new();
        let begun = rekeying.go(false);
        let sent = rekeying.follow_with(&begun.link, public);
        rekeying.assert_answered(&sent, NotifyType::INVALID_SYNTAX);
        assert!(matches!(
            rekeying.fleet.last_event(),
            Some(What::Ended(Ending::Malformed(_)))
        ));
        rekeying.fleet.wait(Duration::from_secs(120));
        assert_nothing_left(&rekeying.fleet);
    }
}

/// What the fleet refuses is refused to the peer, in the exchange that waits.
#[test]
fn the_fleets_refusal_answers_the_last_exchange() {
    let mut rekeying = Rekeying::new();
    let before = rekeying.spis_in_use();
    let begun = rekeying.go(false);
    rekeying.fleet.prompt = false;
    let sent = rekeying.follow(&begun.link);
    assert_eq!(rekeying.fleet.deliver(&sent), []);
    let commit = rekeying.fleet.commits.last().unwrap().id;
    let answers = rekeying.fleet.finish(commit, CommitOutcome::Refused);
    let header = Header::decode(&answers[0].payload).unwrap();
    assert_eq!(header.exchange, ExchangeType::IkeFollowupKe);
    let refusal = notification(NotifyType::TEMPORARY_FAILURE, &[]);
    assert_eq!(read(&rekeying.initiator, &answers[0]), [refusal]);
    assert_eq!(rekeying.spis_in_use(), before);
}

/// While ours of the same SA is under way, the peer is asked for patience; and ours waits for the peer's.
#[test]
fn rekeys_of_both_sides_do_not_cross() {
    for ike in [true, false] {
        let aging = Some(Duration::from_secs(20));
        let limits = Limits {
            child_lifetime: aging.filter(|_| !ike),
            ike_lifetime: aging.filter(|_| ike),
            ..Limits::default()
        };
        let mut rekeying = Rekeying::with(limits);
        let ours = rekeying.fleet.wait(Duration::from_secs(20));
        assert_eq!(ours.len(), 1, "{:?}", rekeying.fleet.events);
        let sent = rekeying.begin(ike);
        rekeying.assert_answered(&sent, NotifyType::TEMPORARY_FAILURE);

        let mut rekeying = Rekeying::with(limits);
        let (mut fleet, mut initiator) = (rekeying.fleet, rekeying.initiator);
        attend(&mut fleet, &mut initiator, Duration::from_secs(17));
        (rekeying.fleet, rekeying.initiator) = (fleet, initiator);
        rekeying.go(ike);
        let asked = |sent: &(Duration, Transmit)| {
            Header::decode(&sent.1.payload).unwrap().exchange == ExchangeType::CreateChildSa
        };
        let during = rekeying.fleet.wait(Duration::from_secs(29));
        assert!(!during.iter().any(asked), "ours did not wait");
        let after = rekeying.fleet.wait(Duration::from_secs(2));
        assert!(
            after.iter().any(asked),
            "ours never came: {:?}",
            rekeying.fleet.events
        );
    }
}
