//! A network that loses, repeats, reorders and damages, and a peer that knows the keys and means harm.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::Secret;
use crate::wire::ExchangeType;

/// What becomes of the oldest datagram under way.
#[derive(Clone, Debug)]
enum Fortune {
    Arrives,
    ArrivesTwice,
    IsLost,
    /// Behind all others.
    IsLate,
    /// One bit of it flips, at this place.
    IsDamaged(usize),
    /// Time passes, and the customer repeats its last request.
    MakesTheCustomerImpatient,
}

fn fortune() -> impl Strategy<Value = Fortune> {
    prop_oneof![
        5 => Just(Fortune::Arrives),
        2 => Just(Fortune::ArrivesTwice),
        2 => Just(Fortune::IsLost),
        2 => Just(Fortune::IsLate),
        2 => any::<usize>().prop_map(Fortune::IsDamaged),
        2 => Just(Fortune::MakesTheCustomerImpatient),
    ]
}

enum UnderWay {
    ToEdge(Transmit),
    ToCustomer(Vec<u8>),
}

/// One customer, one edge, and the datagrams between them.
struct Network {
    fleet: TestFleet,
    initiator: Initiator,
    /// The customer's messages travel in fragments of at most so many octets.
    fragment_len: Option<usize>,
    under_way: std::collections::VecDeque<UnderWay>,
}

impl Network {
    fn new(customer: Customer, fragment_len: Option<usize>) -> Self {
        let mut initiator = Initiator::new(customer.clone(), 1);
        let init = initiator.start();
        Self {
            fleet: fleet_for(&customer),
            initiator,
            fragment_len,
            under_way: [UnderWay::ToEdge(init)].into(),
        }
    }

    fn apply(&mut self, fortune: Fortune) {
        let Some(next) = self.under_way.pop_front() else {
            return self.repeat();
        };
        match fortune {
            Fortune::Arrives => self.arrive(next),
            Fortune::ArrivesTwice => {
                let copy = match &next {
                    UnderWay::ToEdge(sent) => UnderWay::ToEdge(sent.clone()),
                    UnderWay::ToCustomer(payload) => UnderWay::ToCustomer(payload.clone()),
                };
                self.arrive(copy);
                self.arrive(next);
            }
            Fortune::IsLost => {}
            Fortune::IsLate => self.under_way.push_back(next),
            Fortune::IsDamaged(place) => self.arrive(damaged(next, place)),
            Fortune::MakesTheCustomerImpatient => {
                self.under_way.push_front(next);
                self.repeat();
            }
        }
    }

    fn repeat(&mut self) {
        let sent = self.fleet.wait(Duration::from_secs(1));
        self.under_way.extend(
            sent.into_iter()
                .map(|(_, sent)| UnderWay::ToCustomer(sent.payload)),
        );
        let request = self.initiator.retransmit();
        self.send(request);
    }

    fn send(&mut self, sent: Transmit) {
        let sent = match self.fragment_len {
            Some(longest) => self.initiator.cut(&sent, longest),
            None => vec![sent],
        };
        self.under_way.extend(sent.into_iter().map(UnderWay::ToEdge));
    }

    fn arrive(&mut self, datagram: UnderWay) {
        match datagram {
            UnderWay::ToEdge(sent) => {
                let answers = self.fleet.deliver(&sent);
                self.under_way.extend(
                    answers
                        .into_iter()
                        .map(|answer| UnderWay::ToCustomer(answer.payload)),
                );
            }
            UnderWay::ToCustomer(payload) => {
                if let Some(answer) = self.initiator.handle_datagram(&payload) {
                    self.send(answer);
                }
            }
        }
    }

    /// No more misfortune, until nothing is left to say.
    fn calm_down(&mut self) {
        for _ in 0..20 {
            self.repeat();
            while let Some(next) = self.under_way.pop_front() {
                self.arrive(next);
            }
        }
    }
}

fn damaged(mut datagram: UnderWay, place: usize) -> UnderWay {
    let (UnderWay::ToEdge(Transmit { payload, .. }) | UnderWay::ToCustomer(payload)) = &mut datagram;
    let bits = payload.len() * 8;
    payload[place % bits / 8] ^= 1 << (place % 8);
    datagram
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Both sides end up with the same SAs, or the customer knows that it has none. A damaged IKE_SA_INIT may well
    /// end the attempt, since nothing protects it; then nobody believes in an SA.
    #[test]
    fn both_sides_agree_whatever_the_network_does(
        fortunes in prop::collection::vec(fortune(), 0..60),
        fragment_len in prop::option::of(100..300_usize),
    ) {
        let mut network = Network::new(Customer::new(1), fragment_len);
        for fortune in fortunes {
            network.apply(fortune);
        }
        network.calm_down();
        let Network { mut fleet, mut initiator, .. } = network;
        match initiator.status() {
            Status::Up => {
                let theirs = initiator.child().unwrap();
                let ours = changes(&fleet).find_map(|change| match change {
                    Change::PutChild(child) if child.inbound_spi == theirs.outbound_spi => Some(child),
                    _ => None,
                });
                prop_assert_eq!(&ours.unwrap().inbound_key, &theirs.outbound_key);
                prop_assert_eq!(&ours.unwrap().outbound_key, &theirs.inbound_key);
                let probe = initiator.probe().unwrap();
                prop_assert_eq!(fleet.deliver(&probe).len(), 1);
            }
            Status::Connecting | Status::Refused(_) | Status::Violated(_) => {
                // Whatever the edge may believe in, it finds out.
                fleet.wait(Duration::from_secs(600));
                assert_nothing_left(&fleet);
            }
            Status::Closed => prop_assert!(false, "nobody has closed it"),
        }
    }

    /// Whatever an authenticated peer sends, the edge goes on, and other customers do not feel it.
    #[test]
    fn a_peer_with_keys_harms_nobody_else(
        requests in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..80)), 0..20),
    ) {
        let (mut fleet, mut victim) = connected(Customer::new(1));
        let customer = Customer::new(2);
        fleet.responder.handle_tunnel(fleet.now, customer.tunnel());
        let mut attacker = Initiator::new(customer, 2);
        fleet.connect(&mut attacker);
        for (first, chain) in requests {
            let sent = attacker.raw_request(ExchangeType::Informational, first, &chain).unwrap();
            fleet.deliver(&sent);
        }
        let probe = victim.probe().unwrap();
        prop_assert_eq!(fleet.deliver(&probe).len(), 1);
    }

    #[test]
    fn no_snapshot_panics(octets in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut fleet = TestFleet::new(5);
        let octets = [&[1][..], &octets].concat();
        let _ = fleet.responder.handle_restore(fleet.now, &Secret::new(octets));
    }
}

/// What was restored from octets that nobody wrote must still be harmless.
#[test]
fn a_damaged_snapshot_does_not_panic() {
    let (fleet, mut initiator) = connected(Customer::new(1));
    let good = last_ike(&fleet).snapshot.expose().to_vec();
    let probe = initiator.probe().unwrap();
    for place in 1..good.len() {
        let mut octets = good.clone();
        octets[place] ^= 0x11;
        let mut other = TestFleet::new(6);
        let _ = other.responder.handle_restore(other.now, &Secret::new(octets));
        other.deliver(&probe);
        other.wait(Duration::from_secs(300));
    }
}

/// The octets of a secret, as `Debug` would write them in any of the usual ways.
fn shows(text: &str, secret: &Secret) -> bool {
    let octets = secret.expose();
    let hex: String = octets
        .iter()
        .take(4)
        .map(|octet| format!("{octet:02x}"))
        .collect();
    let list = octets
        .iter()
        .take(4)
        .map(u8::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    text.contains(&hex) || text.contains(&list) || text.contains(&format!("{:?}", &octets[..4]))
}

#[test]
fn no_debug_output_shows_a_key() {
    let customer = Customer::new(1);
    let (fleet, _) = connected(customer.clone());
    let (ike, child) = (last_ike(&fleet), child(&fleet));
    let config = crate::Config {
        slot: crate::Slot::new(1).unwrap(),
        incarnation: 1,
        spi_key: TestFleet::spi_key(),
        quick_crash_detection: true,
        ike: crate::IkePolicy::default(),
        limits: crate::Limits::default(),
    };
    let texts = [
        format!("{:?}", customer.tunnel()),
        format!("{config:?}"),
        format!("{:?}", fleet.commits),
        format!("{:?}", fleet.events),
        format!("{ike:?} {child:?}"),
        format!("{:#?} {:#?}", fleet.commits, customer),
    ];
    let secrets = [
        &customer.psk,
        &config.spi_key,
        &ike.snapshot,
        &child.inbound_key,
        &child.outbound_key,
    ];
    for text in &texts {
        for secret in secrets {
            assert!(!shows(text, secret), "a secret in {text}");
        }
        assert!(!text.contains("secret 1"), "a key in {text}");
    }
    // The check itself sees a secret where there is one.
    assert!(shows(&format!("{:?}", customer.psk.expose()), &customer.psk));
}
