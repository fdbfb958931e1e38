//! What must hold whatever a peer does that knows the keys of its IKE SA. The property tests and the fuzz target share it.

use std::time::Duration;

use crate::testkit::{Customer, Initiator, Status, TestFleet};
use crate::wire::{ExchangeType, Fragment, Header};
use crate::{CommitOutcome, Kem, Transmit};

/// Plays `script` at an edge: octets that each stand for something to do, with others behind them that tell how. One
/// customer does as it says; the other, which is connected before, must not feel it.
pub(crate) fn exercise(script: &[u8]) {
    let mut play = Play::new();
    play.carry_out(script);
    play.assert_that_nobody_else_is_harmed();
}

struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// 0 behind the end.
    fn octet(&mut self) -> u8 {
        self.next().unwrap_or_default()
    }

    /// As many as the next octet says, if there are.
    fn octets(&mut self) -> &'a [u8] {
        let length = usize::from(self.octet()).min(self.0.len());
        let (octets, rest) = self.0.split_at(length);
        self.0 = rest;
        octets
    }
}

struct Play {
    fleet: TestFleet,
    victim: Initiator,
    attacker: Initiator,
    /// What the attacker sent last.
    last: Transmit,
    /// What it was last asked for: an SA, or more keys for one.
    asked: Option<Transmit>,
    /// Commits that were answered.
    finished: usize,
}

impl Play {
    /// The attacker has its keys, of two key exchanges, and has not authenticated.
    fn new() -> Self {
        let mut fleet = TestFleet::new(5);
        let attacker = Customer {
            kem: Some(Kem::MlKem1024),
            takes_fragments: false,
            ..Customer::new(2)
        };
        let customers = [Customer::new(1), attacker];
        for customer in &customers {
            fleet.responder.handle_tunnel(fleet.now, customer.tunnel());
        }
        let [mut victim, mut attacker] =
            [1, 2].map(|number| Initiator::new(customers[number as usize - 1].clone(), number));
        fleet.connect(&mut victim);
        assert_eq!(victim.status(), Status::Up);
        let init = attacker.start();
        let mut next = Some(init.clone());
        for _ in 0..2 {
            let answers = next.map(|next| fleet.deliver(&next)).unwrap_or_default();
            next = answers
                .first()
                .and_then(|answer| attacker.handle_datagram(&answer.payload));
        }
        let finished = fleet.commits.len();
        Self {
            fleet,
            victim,
            attacker,
            last: init,
            asked: None,
            finished,
        }
    }

    fn carry_out(&mut self, script: &[u8]) {
        let mut script = Script(script);
        while let Some(act) = script.next() {
            self.act(act, &mut script);
        }
    }

    fn act(&mut self, act: u8, script: &mut Script<'_>) {
        match act % 12 {
            0 => {
                let payload = script.octets().to_vec();
                let path = self.attacker.path();
                self.send(Some(Transmit { path, payload }));
            }
            1 => {
                let request = self.request(script);
                self.send(request);
            }
            2 => {
                if let Some(request) = self.request(script) {
                    let longest = 64 + usize::from(script.octet());
                    let fragments = self.attacker.cut(&request, longest);
                    fragments
                        .into_iter()
                        .for_each(|fragment| self.send(Some(fragment)));
                }
            }
            3 => {
                let exchange = ExchangeType::from(script.octet());
                let fragment = Fragment {
                    number: script.octet().into(),
                    total: script.octet().into(),
                };
                let first = script.octet();
                let sent = self
                    .attacker
                    .raw_fragment(exchange, fragment, first, script.octets());
                self.send(sent);
            }
            4 => {
                let mut damaged = self.last.clone();
                let place = usize::from(script.octet()) % damaged.payload.len().max(1);
                if let Some(octet) = damaged.payload.get_mut(place) {
                    *octet ^= script.octet();
                }
                self.send(Some(damaged));
            }
            5 => self.send(Some(self.last.clone())),
            6 => self.do_as_one_ought(),
            7 => self.wait(Duration::from_secs(u64::from(script.octet() % 32))),
            8 => self.decide(script),
            9 => self.hear_of_child(script),
            10 => self.answer_anything(script),
            _ => self.grant(script),
        }
    }

    fn request(&mut self, script: &mut Script<'_>) -> Option<Transmit> {
        let exchange = ExchangeType::from(script.octet());
        let first = script.octet();
        self.attacker.raw_request(exchange, first, script.octets())
    }

    fn send(&mut self, sent: Option<Transmit>) {
        if let Some(sent) = sent {
            let answers = self.fleet.deliver(&sent);
            self.last = sent;
            self.receive(answers);
        }
    }

    /// Each side gets what is for it. The victim answers.
    fn receive(&mut self, sent: Vec<Transmit>) {
        for sent in sent {
            if sent.path.peer == self.victim.path().local {
                let answer = self.victim.handle_datagram(&sent.payload);
                for answer in answer.iter().flat_map(|answer| self.fleet.deliver(answer)) {
                    self.victim.handle_datagram(&answer.payload);
                }
            } else if asks_for_keys(&sent) {
                self.asked = Some(sent);
            } else if let Some(answer) = self.attacker.handle_datagram(&sent.payload) {
                self.last = answer;
            }
        }
    }

    fn answer_anything(&mut self, script: &mut Script<'_>) {
        let (first, chain) = (script.octet(), script.octets());
        let asked = self.asked.as_ref();
        let answer = asked.and_then(|asked| self.attacker.raw_answer(asked, first, chain));
        self.send(answer);
    }

    fn grant(&mut self, script: &mut Script<'_>) {
        let proposal = script.octet().into();
        let asked = self.asked.as_ref();
        let answer = asked.and_then(|asked| self.attacker.echo(asked, proposal));
        self.send(answer);
    }

    fn do_as_one_ought(&mut self) {
        let request = match self.attacker.status() {
            Status::Connecting => self.attacker.auth_with(|_| {}),
            _ => self.attacker.probe(),
        };
        self.send(request);
    }

    fn wait(&mut self, duration: Duration) {
        let sent = self.fleet.wait(duration);
        self.receive(sent.into_iter().map(|(_, sent)| sent).collect());
    }

    /// The fleet answers one commit, or leaves the next ones unanswered.
    fn decide(&mut self, script: &mut Script<'_>) {
        let octet = script.octet();
        if self.fleet.prompt {
            self.fleet.prompt = !octet.is_multiple_of(4);
            self.finished = self.fleet.commits.len();
            return;
        }
        let outcome = match octet % 2 {
            0 => CommitOutcome::Done,
            _ => CommitOutcome::Refused,
        };
        if let Some(commit) = self.fleet.commits.get(self.finished) {
            let id = commit.id;
            self.finished += 1;
            let sent = self.fleet.finish(id, outcome);
            self.receive(sent);
        }
    }

    /// A kernel or the fleet tells something of the attacker's child SA.
    fn hear_of_child(&mut self, script: &mut Script<'_>) {
        let Some(child) = self.attacker.child() else {
            return;
        };
        let (spi, now) = (child.outbound_spi, self.fleet.now);
        let responder = &mut self.fleet.responder;
        match script.octet() % 5 {
            0 => responder.handle_child_used(now, spi),
            1 => responder.handle_child_near_limit(now, spi),
            2 => responder.handle_child_moved(now, spi, ([192, 0, 2, script.octet()], 4500).into()),
            3 => responder.handle_child_removed(now, spi),
            _ => responder.handle_ike_removed(now, child.ike),
        }
        let sent = self.fleet.drain();
        self.receive(sent);
    }

    fn assert_that_nobody_else_is_harmed(&mut self) {
        let probe = self.victim.probe().expect("it is connected");
        let answers = self.fleet.deliver(&probe);
        assert_eq!(answers.len(), 1, "the other customer has suffered");
        assert_eq!(self.victim.status(), Status::Up);
    }
}

fn asks_for_keys(sent: &Transmit) -> bool {
    Header::decode(&sent.payload).is_ok_and(|header| {
        let exchanges = [ExchangeType::CreateChildSa, ExchangeType::IkeFollowupKe];
        !header.flags.response && exchanges.contains(&header.exchange)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Play, exercise};
    use crate::{Side, What};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_script_harms_another_customer(script in proptest::collection::vec(any::<u8>(), 0..300)) {
            exercise(&script);
        }

        /// Most scripts do not get as far by chance.
        #[test]
        fn no_script_does_so_behind_ike_auth(script in proptest::collection::vec(any::<u8>(), 0..300)) {
            exercise(&[&[6], &script[..]].concat());
        }
    }

    /// `ike/fuzz/corpus/exchange` holds them, so that fuzzing begins with them. To bring it up to date:
    /// `ANYSWAN_WRITE_CORPUS=1 cargo test -p ike corpus`.
    const SCRIPTS: [(&str, &[u8]); 7] = [
        ("connect-and-probe", &[6, 6, 7, 31, 6]),
        // INFORMATIONAL with a DELETE of the IKE SA, in fragments of 64 octets and a few.
        (
            "delete-in-fragments",
            &[6, 2, 37, 42, 8, 0, 0, 0, 8, 1, 0, 0, 0, 4],
        ),
        // Fragments with numbers that do not belong together.
        (
            "mixed-fragments",
            &[3, 35, 1, 2, 35, 2, 1, 1, 3, 35, 2, 3, 0, 1, 9, 3, 35, 0, 0, 0, 0],
        ),
        ("held-commit", &[8, 0, 6, 7, 5, 5, 8, 1, 6, 5]),
        ("rekey-and-move", &[6, 9, 1, 7, 3, 9, 2, 7, 6, 4, 30, 1, 9, 3]),
        // Our rekey is granted with an additional key exchange, which is too; then another one is refused.
        (
            "rekey-granted",
            &[
                6, 9, 1, 11, 0, 11, 0, 7, 31, 9, 1, 10, 41, 8, 0, 0, 0, 8, 0, 0, 0, 14,
            ],
        ),
        // And one granted twice, of which the second proposal has no such exchange.
        ("rekey-granted-twice", &[6, 9, 1, 11, 1, 11, 0, 5, 7, 31]),
    ];

    /// So that fuzzing begins behind both of our exchanges.
    #[test]
    fn the_scripts_reach_the_end_of_our_rekey() {
        let granted = SCRIPTS.iter().find(|(name, _)| *name == "rekey-granted");
        let mut play = Play::new();
        play.carry_out(granted.unwrap().1);
        let is_ours = |what: &What| matches!(what, What::ChildAdded { by: Side::Us, .. });
        let events = &play.fleet.events;
        assert!(events.iter().any(|event| is_ours(&event.what)), "{events:?}");
    }

    #[test]
    fn the_fuzzing_corpus_holds_the_scripts() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/exchange");
        for (name, script) in SCRIPTS {
            exercise(script);
            let file = folder.join(name).with_extension("script");
            if std::env::var_os("ANYSWAN_WRITE_CORPUS").is_some() {
                std::fs::write(&file, script).unwrap();
            }
            assert_eq!(std::fs::read(&file).unwrap(), script, "{}", file.display());
        }
    }
}
