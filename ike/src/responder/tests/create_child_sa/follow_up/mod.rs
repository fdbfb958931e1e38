//! Additional key exchanges in rekeys: CREATE_CHILD_SA, and IKE_FOLLOWUP_KE behind it (RFC 9370 section 2.2.4).

mod interleavings;
mod ours;
mod peers;

use super::*;
use crate::crypto::{ChildKeys, DhKeyPair, Fresh, IkeKeys};
use crate::ike_sa::state::State;
use crate::responder::tests::create_child_sa::create_child::{children, esp};
use crate::responder::tests::takeover::restore::taken_over;
use crate::testkit::{TestHost, TestRandom};
use crate::wire::{ExchangeType, KeyExchange, Transform, TransformType};
use crate::{ChildRefusal, CommitOutcome, DhGroup, Ending, IkeSpis, Kem, Limits, Secret, Slot};

const NI: [u8; 32] = [5; 32];
const NEW_IKE_SPI: [u8; 8] = [7; 8];
const KEM: Kem = Kem::MlKem768;

/// A customer that rekeys with X25519 and ML-KEM-768, and what it knows.
struct Rekeying {
    fleet: TestFleet,
    initiator: Initiator,
    dh: Option<DhKeyPair>,
    /// Of the additional key exchange.
    public: Vec<u8>,
    private: Secret,
}

/// What the answer to CREATE_CHILD_SA brings.
struct Begun {
    link: Vec<u8>,
    shared: Secret,
    nr: Vec<u8>,
    spi: Vec<u8>,
}

impl Rekeying {
    fn new() -> Self {
        Self::with(Limits::default())
    }

    fn with(limits: Limits) -> Self {
        // So that answers come in one piece.
        let customer = Customer {
            takes_fragments: false,
            ..Customer::new(1)
        };
        let mut fleet = TestFleet::with_host(5, TestHost::new(5).after_a_crash(), limits);
        fleet.responder.handle_tunnel(fleet.now, customer.tunnel());
        let mut initiator = Initiator::new(customer, 1);
        fleet.connect(&mut initiator);
        let keys = KEM.key_pair().unwrap();
        Self {
            fleet,
            initiator,
            dh: None,
            public: keys.public,
            private: keys.private,
        }
    }

    /// CREATE_CHILD_SA for a new IKE SA, or a new child SA in the place of the first.
    fn begin(&mut self, ike: bool) -> Transmit {
        let mut random = TestRandom::new(3);
        let dh = DhKeyPair::generate(DhGroup::Curve25519, &mut |buffer| random.fill(buffer));
        let public = dh.public().to_vec();
        let replaced = self.initiator.child().unwrap().inbound_spi.to_be_bytes();
        let mut payloads = match ike {
            true => rekey_ike::wish(&NEW_IKE_SPI, 31, &public),
            false => {
                let mut payloads = create_child::wish(vec![esp(1, &[31])]);
                payloads.push(Payload::KeyExchange(KeyExchange {
                    group: 31,
                    public: &public,
                }));
                payloads.push(Payload::Notify(Notify::about_child(
                    NotifyType::REKEY_SA,
                    &replaced,
                )));
                payloads
            }
        };
        for payload in &mut payloads {
            if let Payload::Sa(proposals) = payload {
                let additional = Transform::new(TransformType::AdditionalKeyExchange1, KEM.id());
                proposals[0].transforms.push(additional);
            }
        }
        let sent = self
            .initiator
            .protected_request(ExchangeType::CreateChildSa, &payloads)
            .unwrap();
        self.dh = Some(dh);
        sent
    }

    /// Reads the answer to it.
    fn begun(&mut self, answer: &Transmit) -> Begun {
        let opened = self.initiator.open(&answer.payload).unwrap();
        let payloads = opened.payloads().unwrap();
        let (mut nr, mut spi, mut shared) = (Vec::new(), Vec::new(), None);
        for payload in &payloads {
            match payload {
                Payload::Nonce(nonce) => nr = nonce.to_vec(),
                Payload::Sa(proposals) => spi = proposals[0].spi.to_vec(),
                Payload::KeyExchange(ke) => {
                    shared = self.dh.take().map(|dh| dh.agree(ke.public).unwrap());
                }
                _ => {}
            }
        }
        let link = NotifyType::ADDITIONAL_KEY_EXCHANGE.data_in(&payloads);
        Begun {
            link: link.expect("a link").to_vec(),
            shared: shared.expect("a KE payload"),
            nr,
            spi,
        }
    }

    /// Both at once, with a prompt distributor.
    fn go(&mut self, ike: bool) -> Begun {
        let sent = self.begin(ike);
        match &self.fleet.deliver(&sent)[..] {
            [answer] => self.begun(answer),
            answers => panic!("{} answers: {:?}", answers.len(), self.fleet.events),
        }
    }

    fn follow(&mut self, link: &[u8]) -> Transmit {
        let public = self.public.clone();
        self.follow_with(link, &public)
    }

    fn follow_with(&mut self, link: &[u8], public: &[u8]) -> Transmit {
        let payloads = [
            Payload::KeyExchange(KeyExchange {
                group: KEM.id(),
                public,
            }),
            Payload::Notify(Notify::new(NotifyType::ADDITIONAL_KEY_EXCHANGE, link)),
        ];
        self.initiator
            .protected_request(ExchangeType::IkeFollowupKe, &payloads)
            .unwrap()
    }

    /// The result of the additional key exchange.
    fn additional(&self, answer: &Transmit) -> Secret {
        let opened = self.initiator.open(&answer.payload).unwrap();
        match &opened.payloads().unwrap()[..] {
            [Payload::KeyExchange(ke)] => KEM.decapsulate(&self.private, ke.public).unwrap(),
            payloads => panic!("{payloads:?}"),
        }
    }

    /// The request is answered by nothing but this notification.
    #[track_caller]
    fn assert_answered(&mut self, sent: &Transmit, kind: NotifyType) {
        let answer = answer_to(&mut self.fleet, &self.initiator, sent);
        assert_eq!(answer, [notification(kind, &[])]);
    }

    #[track_caller]
    fn assert_lives(&mut self) {
        let probe = self.initiator.probe().unwrap();
        assert_eq!(self.fleet.deliver(&probe).len(), 1, "{:?}", self.fleet.events);
    }

    /// Inbound SPIs that belong to somebody.
    fn spis_in_use(&self) -> usize {
        self.fleet.responder.child_spis.len()
    }
}

fn fresh<'a>(begun: &'a Begun, additional: &'a Secret) -> Fresh<'a> {
    Fresh {
        shared: Some(&begun.shared),
        ni: &NI,
        nr: &begun.nr,
        additional: Some(additional),
    }
}
