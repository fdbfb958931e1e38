//! How often a customer can have the whole fleet change something.

use super::*;
use crate::wire::ExchangeType;
use crate::{Dropped, IkeSpis};

const SECOND: Duration = Duration::from_secs(1);
/// Changes that are made at once.
const BURST: usize = 100;

/// The `number`th request of a customer that gives another token each time.
fn another_token(initiator: &mut Initiator, number: u16) -> Transmit {
    let token = number.to_be_bytes().repeat(8);
    let token = Payload::Notify(Notify::about_ike(NotifyType::QUICK_CRASH_DETECTION, &token));
    let sent = initiator.protected_request(ExchangeType::Informational, &[token]);
    sent.unwrap()
}

/// The `number`th request of a customer that is elsewhere each time.
fn another_address(initiator: &mut Initiator, number: u16) -> Transmit {
    let update = Payload::Notify(Notify::new(NotifyType::UPDATE_SA_ADDRESSES, &[]));
    let sent = initiator.protected_request(ExchangeType::Informational, &[update]);
    let mut sent = sent.unwrap();
    sent.path.local.set_port(1000 + number);
    sent
}

/// Each request is repeated until it is answered, as RFC 7296 section 2.1 has it.
#[test]
fn the_fleet_does_not_hear_of_whatever_a_customer_thinks_of() {
    for ask in [another_token, another_address] {
        let (mut fleet, mut initiator, _) = mobile(Customer::new(1));
        let (begun, before) = (fleet.now, fleet.commits.len());
        let mut asked = 0;
        while fleet.now < begun + 60 * SECOND {
            let sent = ask(&mut initiator, asked);
            while fleet.deliver(&sent).is_empty() {
                assert_eq!(fleet.last_event(), Some(&What::Dropped(Dropped::TooManyChanges)));
                fleet.wait(SECOND / 10);
            }
            asked += 1;
        }
        let made = fleet.commits.len() - before;
        assert!((BURST..=BURST + 62).contains(&made), "{made} commits");
        assert_eq!(usize::from(asked), made);
        // Nothing but what the fleet would hear of has to wait.
        let probe = initiator.probe().unwrap();
        assert_eq!(fleet.deliver(&probe).len(), 1);
    }
}

/// One on a train, say, that changes its address every few seconds for an hour.
#[test]
fn who_roams_is_followed_at_once() {
    let (mut fleet, mut initiator, _) = mobile(Customer::new(1));
    for number in 0..1000 {
        let update = another_address(&mut initiator, number);
        let sent = fleet.deliver(&update);
        assert_eq!(sent[0].path.peer, update.path.local);
        for check in &sent[1..] {
            let mut answer = initiator.handle_datagram(&check.payload).unwrap();
            answer.path.local = update.path.local;
            fleet.deliver(&answer);
        }
        fleet.wait(3 * SECOND);
    }
}

#[test]
fn the_rekeyed_ike_sa_is_no_new_start() {
    let (mut fleet, mut initiator) = connected(Customer::new(1));
    for _ in 0..BURST + 20 {
        let rekey = initiator.rekey_ike();
        fleet.converse(&mut initiator, rekey);
    }
    let mut made: Vec<IkeSpis> = changes(&fleet)
        .filter_map(|change| match change {
            Change::PutIke(ike) => Some(ike.spis),
            _ => None,
        })
        .collect();
    made.sort_by_key(|spis| spis.responder);
    made.dedup();
    assert_eq!(made.len(), 1 + BURST);
}
