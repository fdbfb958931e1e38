//! The responder against the testkit's customers, on virtual time.

mod create_child_sa;
mod fragments;
mod hostile;
mod ike_sa;
mod initial_exchanges;
mod installed;
mod pair;
mod pki;
mod shards;
mod takeover;

use std::time::Duration;

use crate::testkit::{Customer, Initiator, Opened, Status, TestFleet};
use crate::wire::{Header, Message, Notify, NotifyType, Payload};
use crate::{Change, ChildSa, Event, IkeSa, Limits, TrafficSelector, Transmit, What};

const SECOND: Duration = Duration::from_secs(1);

/// For an edge that does not rekey by itself.
fn patient() -> Limits {
    Limits {
        child_lifetime: None,
        ike_lifetime: None,
        ..Limits::default()
    }
}

fn was_added(what: &What) -> bool {
    matches!(what, What::ChildAdded { .. })
}

fn was_rekeyed(what: &What) -> bool {
    matches!(what, What::IkeRekeyed { .. })
}

/// All protocols and ports of these addresses, first and last.
fn range(first: [u8; 4], last: [u8; 4]) -> TrafficSelector {
    let any = (TrafficSelector::ANY_PROTOCOL, TrafficSelector::ANY_PORT);
    TrafficSelector::new(any.0, any.1, first.into(), last.into()).unwrap()
}

/// An edge that knows the customer's tunnel.
fn fleet_for(customer: &Customer) -> TestFleet {
    let mut fleet = TestFleet::new(5);
    fleet.responder.handle_tunnel(fleet.now, customer.tunnel());
    fleet
}

/// A customer connected to an edge.
fn connected(customer: Customer) -> (TestFleet, Initiator) {
    let mut fleet = fleet_for(&customer);
    let mut initiator = Initiator::new(customer, 1);
    fleet.connect(&mut initiator);
    assert_eq!(initiator.status(), Status::Up, "{:?}", fleet.events);
    (fleet, initiator)
}

/// A connected customer that speaks MOBIKE, and what IKE_AUTH was answered.
fn mobile(customer: Customer) -> (TestFleet, Initiator, Answer) {
    let mut fleet = fleet_for(&customer);
    let mut initiator = Initiator::new(customer, 1);
    fleet.begin(&mut initiator);
    let supported = Payload::Notify(Notify::new(NotifyType::MOBIKE_SUPPORTED, &[]));
    let auth = initiator.auth_with(|payloads| payloads.push(supported));
    let answer = fleet.deliver(&auth.unwrap()).remove(0);
    let answered = read(&initiator, &answer);
    initiator.handle_datagram(&answer.payload);
    assert_eq!(initiator.status(), Status::Up, "{:?}", fleet.events);
    (fleet, initiator, answered)
}

/// A customer that has sent IKE_AUTH, which the distributor has not answered, and the datagram.
fn committing(customer: Customer) -> (TestFleet, Initiator, Transmit) {
    let mut fleet = fleet_for(&customer);
    fleet.prompt = false;
    let mut initiator = Initiator::new(customer, 1);
    let init = initiator.start();
    let [response] = &fleet.deliver(&init)[..] else {
        panic!("no answer to IKE_SA_INIT: {:?}", fleet.events);
    };
    let auth = initiator.handle_datagram(&response.payload).expect("IKE_AUTH");
    assert_eq!(fleet.deliver(&auth), [], "an answer before the commit");
    assert_eq!(fleet.commits.len(), 1);
    (fleet, initiator, auth)
}

/// All changes committed so far, oldest first.
fn changes(fleet: &TestFleet) -> impl Iterator<Item = &Change> {
    fleet.commits.iter().flat_map(|commit| &commit.changes)
}

/// The latest state of an IKE SA that was put into the fleet.
fn last_ike(fleet: &TestFleet) -> &IkeSa {
    let puts = changes(fleet).filter_map(|change| match change {
        Change::PutIke(ike) => Some(ike),
        _ => None,
    });
    puts.last().expect("an IKE SA was put")
}

/// The one child SA that was put into the fleet.
fn child(fleet: &TestFleet) -> &ChildSa {
    let children = changes(fleet).filter_map(|change| match change {
        Change::PutChild(child) => Some(child),
        _ => None,
    });
    match children.collect::<Vec<_>>()[..] {
        [child] => child,
        ref children => panic!("{} child SAs", children.len()),
    }
}

/// What happened so far, oldest first.
fn happened(fleet: &TestFleet) -> Vec<&What> {
    fleet.events.iter().map(|event: &Event| &event.what).collect()
}

/// No table holds anything of an IKE SA that is gone.
fn assert_nothing_left(fleet: &TestFleet) {
    let responder = &fleet.responder;
    assert_eq!(responder.poll_timeout(), None, "a timer is left");
    assert_eq!(
        (responder.half_open.len(), responder.established.len()),
        (0, 0),
        "an IKE SA is left"
    );
    assert_eq!(responder.child_spis.len(), 0, "a child SA is left");
    assert_eq!(responder.awaited.len(), 0, "a commit is still awaited");
}

/// The answer's payloads, as the customer reads them.
fn answer_to(fleet: &mut TestFleet, initiator: &Initiator, sent: &Transmit) -> Answer {
    match &fleet.deliver(sent)[..] {
        [answer] => read(initiator, answer),
        answers => panic!("{} answers: {:?}", answers.len(), fleet.events),
    }
}

/// Lets time pass while the customer answers what it is asked.
fn attend(fleet: &mut TestFleet, initiator: &mut Initiator, duration: Duration) {
    let end = fleet.now + duration;
    while fleet.now < end {
        for (_, request) in fleet.wait(Duration::from_secs(1)) {
            let answer = initiator.handle_datagram(&request.payload);
            fleet.converse(initiator, answer);
        }
    }
}

fn notification(kind: NotifyType, data: &[u8]) -> Payload<'_> {
    Payload::Notify(Notify::new(kind, data))
}

/// What a protected answer holds.
fn read(initiator: &Initiator, answer: &Transmit) -> Answer {
    Answer(initiator.read(&answer.payload).expect("an authentic answer"))
}

/// A protected answer, to be compared with the payloads that it ought to have.
struct Answer(Opened);

impl Answer {
    fn payloads(&self) -> Vec<Payload<'_>> {
        self.0.payloads().expect("well-formed payloads")
    }

    fn len(&self) -> usize {
        self.payloads().len()
    }

    fn contains(&self, payload: &Payload<'_>) -> bool {
        self.payloads().contains(payload)
    }

    fn last(&self) -> Option<Payload<'_>> {
        self.payloads().pop()
    }

    /// The payload behind the first that `is_it`.
    fn behind(&self, is_it: impl Fn(&Payload<'_>) -> bool) -> Option<Payload<'_>> {
        self.payloads().into_iter().skip_while(|it| !is_it(it)).nth(1)
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.payloads().fmt(f)
    }
}

impl<const N: usize> PartialEq<[Payload<'_>; N]> for Answer {
    fn eq(&self, other: &[Payload<'_>; N]) -> bool {
        self.payloads() == other
    }
}

/// The header and the notification of an unprotected error.
fn unprotected_error(sent: &[Transmit]) -> (Header, NotifyType, Vec<u8>) {
    let [sent] = sent else {
        panic!("{} datagrams where one error was expected", sent.len());
    };
    let header = Header::decode(&sent.payload).unwrap();
    let message = Message::decode_body(header, &sent.payload).unwrap();
    match &message.payloads[..] {
        [Payload::Notify(notify)] => (header, notify.kind, notify.data.to_vec()),
        payloads => panic!("{payloads:?} where one notification was expected"),
    }
}
