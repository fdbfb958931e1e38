//! IDi and IDr (RFC 7296 section 3.5).

use std::borrow::Cow;

use crate::Identity;

/// The exact body of an identification payload, which AUTH covers (RFC 7296 section 2.15): type, 3 reserved octets, data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IdPayload<'a>(Cow<'a, [u8]>);

impl IdPayload<'_> {
    /// The octets AUTH covers.
    pub(crate) fn body(&self) -> &[u8] {
        &self.0
    }

    /// `None` for a type that is not known here, or text that is not UTF-8: such a peer is nobody's.
    pub(crate) fn identity(&self) -> Option<Identity> {
        todo!()
    }
}

impl From<&Identity> for IdPayload<'static> {
    fn from(_identity: &Identity) -> Self {
        todo!()
    }
}
