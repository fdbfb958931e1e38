//! IKE_AUTH.

use super::{Initiator, Status, Violation, first_error};
use crate::crypto::{ChildKeys, SignedOctets};
use crate::offer::esp_transforms;
use crate::udp::NAT_T_PORT;
use crate::wire::{Auth, ExchangeType, IdPayload, Notify, NotifyType, Payload, Proposal};
use crate::{ChildSa, EspSuite, Transmit};

impl Initiator {
    /// IKE_AUTH with whatever `change` makes of its payloads; `None` before IKE_SA_INIT is answered.
    pub(crate) fn auth_with(&mut self, change: impl FnOnce(&mut Vec<Payload<'_>>)) -> Option<Transmit> {
        let session = self.session.as_mut()?;
        let id = IdPayload::from(&self.customer.id);
        let signed = SignedOctets {
            message: &self.init.request,
            nonce: &self.init.nr,
            sk_p: &session.keys.sk_pi,
            id: id.body(),
        };
        let proof = signed.psk_auth(self.init.suite.prf, &self.customer.psk);
        let mut payloads = vec![
            Payload::IdI(id),
            Payload::Auth(Auth {
                method: Auth::SHARED_KEY,
                data: &proof,
            }),
            Payload::Sa(self.customer.esp_proposals(&self.init.child_spi)),
            Payload::TsI(self.customer.local_ts.clone()),
            Payload::TsR(self.customer.remote_ts.clone()),
        ];
        if let Some(peer_id) = &self.customer.peer_id {
            payloads.push(Payload::IdR(IdPayload::from(peer_id)));
        }
        if self.customer.initial_contact {
            payloads.push(Payload::Notify(Notify::new(NotifyType::INITIAL_CONTACT, &[])));
        }
        change(&mut payloads);
        let octets = session.first_request(ExchangeType::IkeAuth, &payloads);
        Some(self.request(octets))
    }

    pub(super) fn handle_auth(&mut self, payloads: &[Payload<'_>]) -> Result<(), Violation> {
        let session = self.session.as_ref().ok_or(Violation("no session"))?;
        let (mut id_r, mut auth, mut answer) = (None, None, None);
        let (mut ts_i, mut ts_r) = (Vec::new(), Vec::new());
        for payload in payloads {
            match payload {
                Payload::IdR(id) => id_r = Some(id),
                Payload::Auth(proof) => auth = Some(proof),
                Payload::Sa(proposals) => answer = proposals.first(),
                Payload::TsI(selectors) => ts_i.clone_from(selectors),
                Payload::TsR(selectors) => ts_r.clone_from(selectors),
                _ => {}
            }
        }
        let error = first_error(payloads).map(|notify| notify.kind.0);
        let (Some(id_r), Some(auth)) = (id_r, auth) else {
            self.status = error.map_or(Status::Violated("neither AUTH nor error"), Status::Refused);
            return Ok(());
        };
        let signed = SignedOctets {
            message: &self.init.response,
            nonce: &self.init.ni,
            sk_p: &session.keys.sk_pr,
            id: id_r.body(),
        };
        if !signed.is_psk_auth(self.init.suite.prf, &self.customer.psk, auth.data) {
            return Err(Violation("the responder has another pre-shared key"));
        }
        let Some(answer) = answer else {
            self.child_refusal = error;
            self.status = Status::Up;
            return Ok(());
        };
        let suite = self
            .chosen_esp_suite(answer)
            .ok_or(Violation("a child suite that was not proposed"))?;
        let outbound_spi = answer.spi.try_into().map(u32::from_be_bytes);
        let secret = (self.init.suite.prf, &session.keys.sk_d);
        let keys = ChildKeys::derive(suite, secret, None, &self.init.ni, &self.init.nr);
        self.child = Some(ChildSa {
            ike: session.spis,
            tunnel: String::new(),
            inbound_spi: u32::from_be_bytes(self.init.child_spi),
            outbound_spi: outbound_spi.map_err(|_| Violation("an ESP SPI has 4 octets"))?,
            path: self.path,
            udp_encap: self.path.local.port() == NAT_T_PORT,
            suite,
            inbound_key: keys.from_responder,
            outbound_key: keys.from_initiator,
            local_ts: ts_i,
            remote_ts: ts_r,
            standby: false,
        });
        self.status = Status::Up;
        Ok(())
    }

    fn chosen_esp_suite(&self, answer: &Proposal<'_>) -> Option<EspSuite> {
        let mut suites = self.customer.esp.iter().copied();
        suites.find(|suite| {
            let wanted = esp_transforms(*suite);
            wanted
                .iter()
                .all(|transform| answer.transforms.contains(transform))
        })
    }
}
