//! CREATE_CHILD_SA: an SA in the place of the one there is, which is deleted then (RFC 7296 section 1.3).

use super::{Initiator, Status, Violation, first_error};
use crate::crypto::{ChildKeys, DhKeyPair, Fresh, IkeKeys};
use crate::negotiation::create_child_sa::CreateChild;
use crate::negotiation::proposals::{ike_offer, key_exchange};
use crate::testkit::session::Session;
use crate::wire::{Delete, ExchangeType, KeyExchange, Notify, NotifyType, Payload, Proposal, Protocol};
use crate::{ChildSa, DhGroup, IkeSpis, Transmit};

/// A request that is not answered yet.
pub(super) struct Asked {
    subject: Subject,
    nonce: [u8; 32],
    key_pair: Option<DhKeyPair>,
}

/// What shall be made, with our SPI of it.
enum Subject {
    Child([u8; 4]),
    Ike([u8; 8]),
}

impl Initiator {
    /// Asks for a child SA in the place of the one there is, with a key exchange of `group` or without. The old one is
    /// deleted upon the response. `None` without a child SA.
    pub fn rekey_child(&mut self, group: Option<DhGroup>) -> Option<Transmit> {
        let old = self.child.as_ref()?.inbound_spi.to_be_bytes();
        let spi = (self.random.next_u64() as u32 | 1 << 31).to_be_bytes();
        let mut proposals = self.customer.esp_proposals(&spi);
        for proposal in &mut proposals {
            proposal.transforms.extend(group.map(key_exchange));
        }
        let selectors = [
            Payload::TsI(self.customer.local_ts.clone()),
            Payload::TsR(self.customer.remote_ts.clone()),
        ];
        let rekeyed = Notify::about_child(NotifyType::REKEY_SA, &old);
        let mut payloads = vec![Payload::Notify(rekeyed)];
        payloads.extend(selectors);
        self.ask(Subject::Child(spi), group, proposals, payloads)
    }

    /// Asks for an IKE SA in the place of the one there is, which is deleted upon the response. `None` before there is one.
    pub fn rekey_ike(&mut self) -> Option<Transmit> {
        let spi = (self.random.next_u64() | 1).to_be_bytes();
        let suite = self.suite()?;
        self.ask(
            Subject::Ike(spi),
            Some(suite.dh),
            ike_offer(suite, &[], &spi),
            Vec::new(),
        )
    }

    fn ask(
        &mut self,
        subject: Subject,
        group: Option<DhGroup>,
        proposals: Vec<Proposal<'_>>,
        more: Vec<Payload<'_>>,
    ) -> Option<Transmit> {
        let mut nonce = [0; 32];
        self.random.fill(&mut nonce);
        let key_pair = group.map(|group| {
            let pair = DhKeyPair::generate(group, &mut |buffer| self.random.fill(buffer));
            (group, pair)
        });
        let mut payloads = vec![Payload::Sa(proposals), Payload::Nonce(&nonce)];
        payloads.extend(more);
        payloads.extend(key_pair.as_ref().map(|(group, pair)| {
            Payload::KeyExchange(KeyExchange {
                group: group.id(),
                public: pair.public(),
            })
        }));
        let sent = self.protected_request(ExchangeType::CreateChildSa, &payloads);
        self.asked = Some(Asked {
            subject,
            nonce,
            key_pair: key_pair.map(|(_, pair)| pair),
        });
        sent
    }

    pub(super) fn handle_rekeyed(&mut self, payloads: &[Payload<'_>]) -> Result<Option<Transmit>, Violation> {
        // Others than these two methods may have asked, and look at the answer themselves.
        let Some(asked) = self.asked.take() else {
            return Ok(None);
        };
        if let Some(error) = first_error(payloads) {
            self.status = Status::Refused(error.kind.0);
            return Ok(None);
        }
        let answer = CreateChild::read(payloads).map_err(|_| Violation("a response without SA or nonce"))?;
        let shared = asked.key_pair.map(|pair| {
            let ke = answer.ke.ok_or(Violation("no KE"))?;
            pair.agree(ke.public).map_err(|_| Violation("a bad public value"))
        });
        let shared = shared.transpose()?;
        let fresh = Fresh {
            shared: shared.as_ref(),
            ni: &asked.nonce,
            nr: answer.nonce,
            additional: None,
        };
        match asked.subject {
            Subject::Child(spi) => self.replace_child(spi, &answer, &fresh),
            Subject::Ike(spi) => self.replace_ike(spi, &answer, &fresh),
        }
    }

    fn replace_child(
        &mut self,
        spi: [u8; 4],
        answer: &CreateChild<'_>,
        fresh: &Fresh<'_>,
    ) -> Result<Option<Transmit>, Violation> {
        let session = self.session.as_ref().ok_or(Violation("no session"))?;
        let old = self.child.take().ok_or(Violation("no child SA"))?;
        let secret = (self.init.suite.prf, &session.keys.sk_d);
        let keys = ChildKeys::derive(old.suite, secret, fresh);
        let outbound_spi = spi_of(answer)?;
        let delete = Delete::Child {
            protocol: Protocol::Esp,
            spis: vec![old.inbound_spi],
        };
        self.child = Some(ChildSa {
            inbound_spi: u32::from_be_bytes(spi),
            outbound_spi: u32::from_be_bytes(outbound_spi),
            inbound_key: keys.from_responder,
            outbound_key: keys.from_initiator,
            ..old
        });
        Ok(self.protected_request(ExchangeType::Informational, &[Payload::Delete(delete)]))
    }

    fn replace_ike(
        &mut self,
        spi: [u8; 8],
        answer: &CreateChild<'_>,
        fresh: &Fresh<'_>,
    ) -> Result<Option<Transmit>, Violation> {
        let session = self.session.as_ref().ok_or(Violation("no session"))?;
        let suite = self.init.suite;
        let spis = IkeSpis {
            initiator: u64::from_be_bytes(spi),
            responder: u64::from_be_bytes(spi_of(answer)?),
        };
        fresh.shared.ok_or(Violation("no key exchange"))?;
        let secret = (suite.prf, &session.keys.sk_d);
        let keys = IkeKeys::rekey(secret, suite, fresh, spis);
        let next = Session::new(spis, suite.cipher, keys);
        let sent = self.protected_request(ExchangeType::Informational, &[Payload::Delete(Delete::Ike)]);
        self.next_session = Some(Box::new(next));
        Ok(sent)
    }

    /// The old IKE SA is deleted: from now on the new one speaks, whose message IDs begin with 0.
    pub(super) fn succeed(&mut self) {
        if let Some(next) = self.next_session.take() {
            if let Some(child) = &mut self.child {
                child.ike = next.spis;
            }
            self.session = Some(*next);
        }
    }
}

/// The responder's, of the one proposal that it has taken.
fn spi_of<const N: usize>(answer: &CreateChild<'_>) -> Result<[u8; N], Violation> {
    let proposal = answer.proposals.first();
    let spi = proposal.and_then(|proposal| proposal.spi.try_into().ok());
    spi.ok_or(Violation("an SPI of the wrong length"))
}
