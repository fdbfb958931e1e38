//! IKE_AUTH.

use super::{Initiator, Status, Violation, first_error};
use crate::certificate::PeerChain;
use crate::crypto::{Algorithm, ChildKeys, Fresh, IkeKeys, PaddedPsk, PublicKey, Sha2, SignedOctets};
use crate::fleet::qcd;
use crate::handshake::ike_auth::{sign, verify};
use crate::message::udp::NAT_T_PORT;
use crate::negotiation::additional_ke::MESSAGE_ID;
use crate::negotiation::proposals::esp_transforms;
use crate::testkit::UNIX_TIME;
use crate::wire::{Auth, Certificate, ExchangeType, IdPayload, Notify, NotifyType, Payload, Proposal};
use crate::{ChildSa, EspSuite, Ppk, Transmit};

impl Initiator {
    /// IKE_AUTH with whatever `change` makes of its payloads; `None` before IKE_SA_INIT is answered.
    pub(crate) fn auth_with(&mut self, change: impl FnOnce(&mut Vec<Payload<'_>>)) -> Option<Transmit> {
        let id_of_auth = match self.init.int_auth.is_empty() {
            true => MESSAGE_ID,
            false => MESSAGE_ID + 1,
        };
        let id = IdPayload::from(&self.customer.id);
        let plain = &self.session.as_ref()?.keys;
        let mixed = self.mixed_keys();
        let (method, proof) = self.proof(mixed.as_ref().unwrap_or(plain), &id)?;
        let (_, proof_without_ppk) = self.proof(plain, &id)?;
        let chain = self
            .customer
            .certificates
            .iter()
            .flat_map(|certificates| certificates.chain());
        let mut payloads = vec![Payload::IdI(id.clone())];
        payloads.extend(chain.map(|data| {
            Payload::Certificate(Certificate {
                encoding: Certificate::X509,
                data,
            })
        }));
        payloads.extend([
            Payload::Auth(Auth { method, data: &proof }),
            Payload::Sa(self.customer.esp_proposals(&self.init.child_spi)),
            Payload::TsI(self.customer.local_ts.clone()),
            Payload::TsR(self.customer.remote_ts.clone()),
        ]);
        if let Some(peer_id) = &self.customer.peer_id {
            payloads.push(Payload::IdR(IdPayload::from(peer_id)));
        }
        if self.customer.initial_contact {
            payloads.push(Payload::Notify(Notify::new(NotifyType::INITIAL_CONTACT, &[])));
        }
        let ppk = self.customer.ppk.as_ref().filter(|_| self.init.uses_ppk);
        let ppk_id = ppk.map(Ppk::identity);
        if let (Some(ppk), Some(ppk_id)) = (ppk, &ppk_id) {
            payloads.push(Payload::Notify(Notify::new(NotifyType::PPK_IDENTITY, ppk_id)));
            let without = Notify::new(NotifyType::NO_PPK_AUTH, &proof_without_ppk);
            payloads.extend((!ppk.required).then_some(Payload::Notify(without)));
        }
        change(&mut payloads);
        let session = self.session.as_mut()?;
        let octets = session.early_request(id_of_auth, ExchangeType::IkeAuth, &payloads);
        Some(self.request(octets))
    }

    /// The keys of the IKE SA with the PPK mixed in, once both sides have said that they use one.
    fn mixed_keys(&self) -> Option<IkeKeys> {
        let ppk = self.customer.ppk.as_ref().filter(|_| self.init.uses_ppk)?;
        let keys = &self.session.as_ref()?.keys;
        Some(keys.mixed_with(self.init.suite.prf, &ppk.key))
    }

    /// Method and data of AUTH.
    fn proof(&self, keys: &IkeKeys, id: &IdPayload<'_>) -> Option<(u8, Vec<u8>)> {
        let signed = SignedOctets {
            message: &self.init.request,
            nonce: &self.init.nr,
            sk_p: &keys.sk_pi,
            id: id.body(),
            int_auth: &self.init.int_auth,
        };
        let prf = self.init.suite.prf;
        let Some(certificates) = &self.customer.certificates else {
            let psk = PaddedPsk::new(&self.customer.psk).key(prf);
            return Some((Auth::SHARED_KEY, signed.psk_auth(prf, &psk).as_ref().to_vec()));
        };
        let padding = match self.customer.prefers_pkcs1 {
            true => Algorithm::RsaPkcs1(Sha2::Sha256),
            false => Algorithm::RsaPss(Sha2::Sha256),
        };
        let hashes = self.init.hashes.as_ref();
        sign(certificates.signer(), hashes, padding, &signed.concat(prf)).ok()
    }

    pub(super) fn handle_auth(&mut self, payloads: &[Payload<'_>]) -> Result<(), Violation> {
        if NotifyType::PPK_IDENTITY.is_in(payloads) {
            let mixed = self.mixed_keys().ok_or(Violation("a PPK that was not named"))?;
            self.session.as_mut().ok_or(Violation("no session"))?.keys = mixed;
        }
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
            int_auth: &self.init.int_auth,
        };
        self.check_proof(id_r, payloads, *auth, &signed)?;
        self.token = qcd::given(payloads);
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
        let fresh = Fresh {
            shared: None,
            ni: &self.init.ni,
            nr: &self.init.nr,
            additional: None,
        };
        let keys = ChildKeys::derive(suite, secret, &fresh);
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

    fn check_proof(
        &self,
        id_r: &IdPayload<'_>,
        payloads: &[Payload<'_>],
        auth: Auth<'_>,
        signed: &SignedOctets<'_>,
    ) -> Result<(), Violation> {
        let prf = self.init.suite.prf;
        let Some(certificates) = &self.customer.certificates else {
            let psk = PaddedPsk::new(&self.customer.psk).key(prf);
            return match signed.is_psk_auth(prf, &psk, auth.data) {
                true => Ok(()),
                false => Err(Violation("the responder has another pre-shared key")),
            };
        };
        let sent = payloads.iter().filter_map(|payload| match payload {
            Payload::Certificate(certificate) => Some(*certificate),
            _ => None,
        });
        let id_r = id_r.identity().ok_or(Violation("an identity of unknown kind"))?;
        let spki = PeerChain::read(&sent.collect::<Vec<_>>())
            .and_then(|chain| chain.key_of(&id_r, self.path.peer.ip(), certificates, UNIX_TIME))
            .map_err(|_| Violation("the responder's certificates are not good enough"))?;
        let key = PublicKey::read(&spki).ok_or(Violation("a key of unknown kind"))?;
        match verify(auth, &key, &signed.concat(prf)) {
            Ok(_) => Ok(()),
            Err(_) => Err(Violation("the responder's signature is wrong")),
        }
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
