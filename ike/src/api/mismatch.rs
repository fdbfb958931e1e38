//! Where a peer's proposals and ours part.

use std::fmt;

/// The peer's proposal that comes nearest to what is accepted here, and the first transform type at which it does not fit, with
/// what either side has of that type. Empty when the peer proposes nothing that could be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mismatch(String);

impl Mismatch {
    /// In the words of the operator's log.
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.is_empty() {
            true => Ok(()),
            false => write!(f, ": {}", self.0),
        }
    }
}
