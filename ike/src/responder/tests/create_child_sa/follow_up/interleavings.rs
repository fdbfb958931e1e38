//! Whatever happens to a rekey between its exchanges.

use proptest::prelude::*;

use super::*;
use crate::Commit;

/// What happens to a rekey on its way.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A datagram of the peer's comes once more, or for the first time: CREATE_CHILD_SA or IKE_FOLLOWUP_KE.
    First,
    Follow,
    /// The latter with another octet in it.
    Spoilt(usize),
    /// The edge dies, and another goes on with what the fleet knows.
    TakeOver,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::First),
        3 => Just(Step::Follow),
        2 => (28..500_usize).prop_map(Step::Spoilt),
        2 => Just(Step::TakeOver),
        1 => (0..6_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Duplicates, reorderings, damage and takeovers: whatever answers come are the same each time, one SA is made at most,
    /// with the keys that the peer has, and the IKE SA lives on.
    #[test]
    fn both_sides_agree_whatever_happens_between_the_exchanges(
        ike: bool,
        steps in prop::collection::vec(step(), 1..16),
    ) {
        let mut rekeying = Rekeying::new();
        let first = rekeying.begin(ike);
        let (mut begun, mut follow): (Option<Begun>, Option<Transmit>) = (None, None);
        let mut answered: Option<Transmit> = None;
        let (mut made, mut slot) = (Vec::new(), 5);
        // In the end the peer gets through.
        for step in steps.into_iter().chain([Step::First, Step::Follow]) {
            let fleet = &mut rekeying.fleet;
            let answers = match (step, &follow) {
                (Step::First, _) => fleet.deliver(&first),
                (Step::Follow, Some(follow)) => fleet.deliver(follow),
                (Step::Spoilt(at), Some(follow)) => {
                    let mut spoilt = follow.clone();
                    spoilt.payload[at] ^= 1;
                    fleet.deliver(&spoilt)
                }
                (Step::TakeOver, _) => {
                    slot += 1;
                    let mut other = taken_over(fleet, slot);
                    let tunnel = Customer::new(1).tunnel();
                    other.responder.handle_tunnel(other.now, tunnel);
                    made.extend(children(fleet).into_iter().cloned());
                    other.commits.push(kept(fleet));
                    *fleet = other;
                    Vec::new()
                }
                (Step::Wait(seconds), _) => {
                    fleet.wait(Duration::from_secs(seconds));
                    Vec::new()
                }
                (Step::Follow | Step::Spoilt(_), None) => Vec::new(),
            };
            for answer in answers {
                let header = Header::decode(&answer.payload).unwrap();
                match (header.exchange, &begun) {
                    (ExchangeType::CreateChildSa, None) => {
                        let read = rekeying.begun(&answer);
                        follow = Some(rekeying.follow(&read.link));
                        begun = Some(read);
                    }
                    (ExchangeType::IkeFollowupKe, Some(_)) => {
                        prop_assert_eq!(answered.get_or_insert(answer.clone()), &answer);
                    }
                    _ => {}
                }
            }
        }
        made.extend(children(&rekeying.fleet).into_iter().cloned());
        let (begun, answer) = (begun.expect("an answer"), answered.expect("another"));
        let told = rekeying.initiator.open(&answer.payload).unwrap();
        let is_done = !NotifyType::STATE_NOT_FOUND.is_in(&told.payloads().unwrap());
        prop_assert_eq!(made.len(), 1 + usize::from(is_done && !ike));
        if let (true, [_, child]) = (is_done, &made[..]) {
            let additional = rekeying.additional(&answer);
            let secret = rekeying.initiator.prf_and_sk_d().unwrap();
            let keys = ChildKeys::derive(child.suite, secret, &fresh(&begun, &additional));
            prop_assert_eq!(&child.inbound_key, &keys.from_initiator);
        }
        rekeying.assert_lives();
    }
}

/// What the fleet keeps of the IKE SA.
fn kept(fleet: &TestFleet) -> Commit {
    let last = fleet.commits.last().unwrap();
    Commit {
        id: last.id,
        ike: last.ike,
        changes: vec![Change::PutIke(last_ike(fleet).clone())],
    }
}
