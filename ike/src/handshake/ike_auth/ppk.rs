//! A post-quantum pre-shared key in IKE_AUTH (RFC 8784 section 3).

use std::borrow::Cow;

use crate::crypto::IkeKeys;
use crate::handshake::ike_sa_init::Initiated;
use crate::wire::{Auth, NotifyType, Payload};
use crate::{AuthRefusal, Ppk, Secret};

/// PPK_ID type of identifiers and keys that both sides have in their configuration (RFC 8784 section 5.1).
const PPK_ID_FIXED: u8 = 2;

impl Ppk {
    /// Data of PPK_IDENTITY.
    pub(crate) fn identity(&self) -> Vec<u8> {
        [&[PPK_ID_FIXED], self.id.as_bytes()].concat()
    }
}

/// What a request says of PPKs.
#[derive(Clone, Copy)]
pub(super) struct PpkRequest<'a> {
    /// PPK_IDENTITY: which one the peer uses.
    identity: Option<&'a [u8]>,
    /// NO_PPK_AUTH: what AUTH would hold without it. The peer can do without.
    no_ppk_auth: Option<&'a [u8]>,
}

impl<'a> PpkRequest<'a> {
    pub(super) fn read(payloads: &[Payload<'a>]) -> Self {
        Self {
            identity: NotifyType::PPK_IDENTITY.data_in(payloads),
            no_ppk_auth: NotifyType::NO_PPK_AUTH.data_in(payloads),
        }
    }

    /// Which PPK is used, if any: table 1 of RFC 8784. `ours` is the tunnel's, and `is_announced` says whether both sides
    /// have said USE_PPK.
    pub(super) fn decide<'t>(
        &self,
        is_announced: bool,
        ours: Option<&'t Ppk>,
    ) -> Result<Option<&'t Ppk>, AuthRefusal> {
        let is_required = ours.is_some_and(|ppk| ppk.required);
        if !is_announced {
            return match is_required {
                true => Err(AuthRefusal::PpkRequired),
                false => Ok(None),
            };
        }
        let identity = self.identity.ok_or(AuthRefusal::NoPpkIdentity)?;
        match ours.filter(|ppk| ppk.identity() == identity) {
            Some(ppk) => Ok(Some(ppk)),
            None if is_required || self.no_ppk_auth.is_none() => Err(AuthRefusal::UnknownPpk),
            None => Ok(None),
        }
    }
}

/// What the proofs of both sides are made with.
pub(super) struct ProofTerms<'a> {
    pub(super) keys: Cow<'a, IkeKeys>,
    /// The peer's proof.
    pub(super) auth: Auth<'a>,
    pub(super) uses_ppk: bool,
}

impl<'a> ProofTerms<'a> {
    /// `ppk` is what was decided on. Where it is none the `decoy` is mixed in all the same, so that the time that this
    /// takes tells nothing of whom we know.
    pub(super) fn new(
        initiated: &'a Initiated,
        request: PpkRequest<'a>,
        auth: Auth<'a>,
        ppk: Option<&Ppk>,
        decoy: &Secret,
    ) -> Self {
        let unmixed = |auth| Self {
            keys: Cow::Borrowed(&initiated.keys),
            auth,
            uses_ppk: false,
        };
        if !initiated.uses_ppk {
            return unmixed(auth);
        }
        let key = ppk.map_or(decoy, |ppk| &ppk.key);
        let mixed = initiated.keys.mixed_with(initiated.suite.prf, key);
        match (ppk, request.no_ppk_auth) {
            // "The authentication method is still indicated in the AUTH payload."
            (None, Some(data)) => unmixed(Auth { data, ..auth }),
            (ppk, _) => Self {
                keys: Cow::Owned(mixed),
                auth,
                uses_ppk: ppk.is_some(),
            },
        }
    }
}
