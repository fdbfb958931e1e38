//! Whatever the network does to the datagrams, and whenever processes die: both sides agree in the end, or both are
//! without the SA; and at each step what one side sends on, the other receives (see `pair`).

use proptest::prelude::*;

use super::*;
use crate::Limits;
use crate::responder::tests::pair::{FLEET, Network, Pair, ROUTER};

/// Rekeys so often that they meet.
fn restless(child: u32, ike: u32) -> Limits {
    Limits {
        child_lifetime: Some(child * SECOND),
        ike_lifetime: Some(ike * SECOND),
        ..Limits::default()
    }
}

/// What happens to a pair beside time.
#[derive(Clone, Copy, Debug)]
enum Step {
    NearLimit(usize),
    TakeOver(usize),
    Lose(usize, usize),
    Revoke(usize),
    RevokeAll(usize),
}

fn step() -> impl Strategy<Value = (Step, u64)> {
    let end = FLEET..=ROUTER;
    let what = prop_oneof![
        4 => end.clone().prop_map(Step::NearLimit),
        1 => end.clone().prop_map(Step::TakeOver),
        2 => (end.clone(), 1..4_usize).prop_map(|(end, count)| Step::Lose(end, count)),
    ];
    // Milliseconds until the next; mostly so few that the one before is not over.
    let pause = prop_oneof![3 => 0..60_u64, 1 => 0..20_000_u64];
    (what, pause)
}

/// The operator takes away what is being rekeyed.
fn revocation() -> impl Strategy<Value = (Step, u64)> {
    let end = FLEET..=ROUTER;
    let what = prop_oneof![end.clone().prop_map(Step::Revoke), end.prop_map(Step::RevokeAll)];
    (what, 0..60_u64)
}

fn network() -> impl Strategy<Value = Network> {
    (1..400_u64, 1..200_u64, 0..25_u64, 0..25_u64).prop_map(|(delay, commit, lost, doubled)| Network {
        delay: 1..delay + 1,
        commit: 1..commit + 1,
        lost,
        doubled,
        doomed: [0, 0],
    })
}

/// The network works again, and nothing new begins: after the longest that either side waits for anything, all is settled.
fn settle(pair: &mut Pair) {
    pair.network = Network::default();
    pair.stop_aging();
    pair.run(900 * SECOND);
    pair.assert_agreed();
    // Neither side is stuck.
    for end in [FLEET, ROUTER] {
        if !pair.ends[end].installed.children.is_empty() {
            let old = pair.sender(end);
            pair.near_limit(end);
            pair.run(120 * SECOND);
            pair.assert_agreed();
            assert_ne!(pair.sender(end), old, "{end} cannot rekey: {:?}", pair.story());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn both_sides_agree_in_the_end(
        seed: u64,
        hybrid: bool,
        network in network(),
        lifetimes in prop::array::uniform2((20..200_u32, 30..300_u32)),
        steps in prop::collection::vec(step(), 1..25),
        revocations in prop::collection::vec(revocation(), 0..2),
    ) {
        let limits = lifetimes.map(|(child, ike)| restless(child, ike));
        let new = if hybrid { Pair::hybrid } else { Pair::new };
        let mut pair = new(seed, limits);
        pair.network = network;
        let mut slot = 10;
        for (step, pause) in steps.into_iter().chain(revocations) {
            match step {
                Step::NearLimit(end) => pair.near_limit(end),
                Step::TakeOver(end) => {
                    slot += 1;
                    pair.take_over(end, slot);
                }
                Step::Lose(end, count) => pair.network.doomed[end] = count,
                Step::Revoke(end) => pair.revoke(end),
                Step::RevokeAll(end) => pair.revoke_all(end),
            }
            pair.run(Duration::from_millis(pause));
        }
        settle(&mut pair);
    }
}

/// Thousands of rekeys and checks, with losses, duplicates and reorderings, and now and then another process.
fn live_a_day(new: fn(u64, [Limits; 2]) -> Pair) {
    let mut pair = new(1, [restless(60, 900), restless(70, 1000)]);
    pair.network = Network {
        delay: 5..800,
        commit: 1..300,
        lost: 5,
        doubled: 5,
        doomed: [0, 0],
    };
    for hour in 0..24 {
        pair.run(3600 * SECOND);
        pair.take_over(hour % 2, 20 + hour as u16);
    }
    settle(&mut pair);
    let fleet = &pair.ends[FLEET].installed;
    assert_eq!(fleet.ike_sas.len(), 1, "the IKE SA is lost");
    let made = (fleet.children_made, fleet.ike_sas_made);
    assert!(
        made.0 > 1300 && made.1 > 90,
        "only {made:?} child SAs and IKE SAs"
    );
}

#[test]
fn a_day_of_life() {
    live_a_day(Pair::new);
}

#[test]
fn a_day_of_life_with_additional_key_exchanges() {
    live_a_day(Pair::hybrid);
}
