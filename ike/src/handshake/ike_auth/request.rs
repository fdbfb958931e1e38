//! What an IKE_AUTH request asks for and proves (RFC 7296 section 1.2).

use super::ppk::PpkRequest;
use crate::Secret;
use crate::fleet::qcd;
use crate::negotiation::child_sa::ChildRequest;
use crate::negotiation::configuration::AddressRequest;
use crate::wire::{Auth, Certificate, IdPayload, NotifyType, Payload, WireError};

/// The peer's claim and its proof.
pub(super) struct AuthRequest<'a> {
    pub(super) id_i: &'a IdPayload<'a>,
    pub(super) id_r: Option<&'a IdPayload<'a>>,
    pub(super) auth: Option<Auth<'a>>,
    /// In the order they were sent.
    pub(super) certificates: Vec<Certificate<'a>>,
    pub(super) initial_contact: bool,
    /// MOBIKE_SUPPORTED (RFC 4555 section 3.1).
    pub(super) mobike: bool,
    /// By a configuration payload.
    pub(super) addresses: AddressRequest,
    /// QUICK_CRASH_DETECTION (RFC 6290 section 4.2).
    pub(super) token: Option<Secret>,
    pub(super) ppk: PpkRequest<'a>,
    /// `None`: the IKE SA shall have no child SA yet (RFC 6023 section 3).
    pub(super) child: Option<ChildRequest<'a>>,
}

impl<'a> AuthRequest<'a> {
    pub(super) fn read(payloads: &'a [Payload<'a>]) -> Result<Self, WireError> {
        let mut certificates = Vec::new();
        let (mut id_i, mut id_r, mut auth, mut initial_contact) = (None, None, None, false);
        let mut addresses = AddressRequest::default();
        for payload in payloads {
            match payload {
                Payload::IdI(id) => id_i = Some(id),
                Payload::IdR(id) => id_r = Some(id),
                Payload::Certificate(certificate) => certificates.push(*certificate),
                Payload::Auth(proof) => auth = Some(*proof),
                Payload::Configuration(body) => addresses = AddressRequest::read(body)?,
                Payload::Notify(notify) => initial_contact |= notify.kind == NotifyType::INITIAL_CONTACT,
                _ => {}
            }
        }
        let id_i = id_i.ok_or(WireError::Syntax("no IDi payload"))?;
        Ok(Self {
            id_i,
            id_r,
            auth,
            certificates,
            initial_contact,
            mobike: NotifyType::MOBIKE_SUPPORTED.is_in(payloads),
            addresses,
            token: qcd::given(payloads),
            ppk: PpkRequest::read(payloads),
            child: ChildRequest::read_if_any(payloads)?,
        })
    }
}
