//! What the peer grants of our CREATE_CHILD_SA, as its response says.

use super::followup::{Granted, GrantedSa};
use super::pending::{Asked, Subject};
use crate::fleet::qcd;
use crate::negotiation::child_sa::ChildTerms;
use crate::negotiation::create_child_sa::CreateChild;
use crate::negotiation::proposals::{NONE, esp_offer, ike_offer, taken};
use crate::negotiation::selectors::{Selectors, narrow};
use crate::negotiation::suites::{esp_spi, ike_spi};
use crate::wire::{NotifyType, Payload, Proposal, TransformType, WireError};
use crate::{IkeSpis, Kem, Secret};

const NOT_OFFERED: WireError = WireError::Syntax("an answer to another offer");

/// Octets of a link that we carry: those who make them want to find a state again, and our request has to have room for it.
const MAX_LINK_LEN: usize = 1024;

/// The additional key exchange that the peer has chosen.
pub(super) struct More<'a> {
    pub(super) kem: Kem,
    /// Data of ADDITIONAL_KEY_EXCHANGE, to be brought back.
    pub(super) link: &'a [u8],
}

/// The SA that the response grants to who has `asked`, at once or behind an additional key exchange.
pub(super) fn read_grant<'a>(
    subject: &Subject,
    asked: &Asked,
    payloads: &'a [Payload<'a>],
) -> Result<(Granted, Option<More<'a>>), WireError> {
    let response = CreateChild::read(payloads)?;
    let (sa, answer) = match subject {
        Subject::Child {
            replaces,
            with,
            suite,
            selectors,
        } => {
            let spi = with.to_be_bytes();
            // With another group it would have been INVALID_KE_PAYLOAD.
            let offer = esp_offer(*suite, &[asked.group], &asked.kems, &spi);
            let answer = taken(&offer, response.proposals).ok_or(NOT_OFFERED)?;
            let terms = ChildTerms {
                suite: *suite,
                outbound_spi: esp_spi(answer).ok_or(NOT_OFFERED)?,
                selectors: answered_selectors(payloads, selectors)?,
            };
            let sa = GrantedSa::Child {
                terms,
                inbound_spi: *with,
                replaces: Some(*replaces),
            };
            (sa, answer)
        }
        Subject::Ike { with, suite } => {
            let spi = with.to_be_bytes();
            let offer = ike_offer(*suite, &asked.kems, &spi);
            let answer = taken(&offer, response.proposals).ok_or(NOT_OFFERED)?;
            let spis = IkeSpis {
                initiator: ike_spi(answer).ok_or(NOT_OFFERED)?,
                responder: *with,
            };
            let sa = GrantedSa::Ike {
                suite: *suite,
                spis,
                peer_token: qcd::given(payloads),
            };
            (sa, answer)
        }
    };
    let (ni, shared) = conclude(asked, answer, &response)?;
    let granted = Granted {
        sa,
        shared,
        ni,
        nr: response.nonce.to_vec(),
    };
    Ok((granted, more(asked, answer, payloads)?))
}

/// Our nonce, and the result of the key exchange if the peer has chosen one.
fn conclude(
    asked: &Asked,
    answer: &Proposal<'_>,
    response: &CreateChild<'_>,
) -> Result<(Vec<u8>, Option<Secret>), WireError> {
    let (ni, key_pair) = asked.material();
    if chosen(answer, TransformType::KeyExchange).is_none() {
        return Ok((ni.to_vec(), None));
    }
    let ke = response.ke.filter(|ke| ke.group == asked.group.id());
    let ke = ke.ok_or(WireError::Syntax("no KE payload for the group"))?;
    let shared = key_pair.agree(ke.public);
    let shared = shared.map_err(|_| WireError::Syntax("bad public value"))?;
    Ok((ni.to_vec(), Some(shared)))
}

/// "The responder MUST include this notification in a CREATE_CHILD_SA or IKE_FOLLOWUP_KE response message in case the next
/// IKE_FOLLOWUP_KE exchange is expected" (RFC 9370 section 2.2.4).
fn more<'a>(
    asked: &Asked,
    answer: &Proposal<'_>,
    payloads: &[Payload<'a>],
) -> Result<Option<More<'a>>, WireError> {
    let Some(id) = chosen(answer, TransformType::AdditionalKeyExchange1) else {
        return Ok(None);
    };
    let kem = asked.kems.iter().copied().find(|kem| kem.id() == id);
    let link = NotifyType::ADDITIONAL_KEY_EXCHANGE.data_in(payloads);
    let link = link.filter(|link| link.len() <= MAX_LINK_LEN);
    Ok(Some(More {
        kem: kem.ok_or(NOT_OFFERED)?,
        link: link.ok_or(WireError::Syntax("no link to IKE_FOLLOWUP_KE"))?,
    }))
}

/// ID of the transform of this type, unless it is NONE.
fn chosen(answer: &Proposal<'_>, kind: TransformType) -> Option<u16> {
    let transform = answer.transforms.iter().find(|transform| transform.kind == kind);
    transform.map(|transform| transform.id).filter(|id| *id != NONE)
}

/// The peer may narrow what we offer (RFC 7296 section 2.9), and not widen it. TSi is our side here.
fn answered_selectors(payloads: &[Payload<'_>], offered: &Selectors) -> Result<Selectors, WireError> {
    let mut answered = Selectors {
        local: Vec::new(),
        remote: Vec::new(),
    };
    for payload in payloads {
        if let Payload::TsI(selectors) = payload {
            answered.local.clone_from(selectors);
        }
        if let Payload::TsR(selectors) = payload {
            answered.remote.clone_from(selectors);
        }
    }
    narrow(&answered, offered)
        .filter(|common| *common == answered)
        .ok_or(WireError::Syntax("traffic selectors beyond the offer"))
}
