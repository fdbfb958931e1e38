//! What is refused because it is too weak.

use std::fmt;

/// The best of the weak algorithms that a peer offers for one purpose, where it offers nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weak {
    name: &'static str,
    /// What the transform ID counts, and the ID.
    number: (&'static str, u16),
    /// Who says so.
    rule: &'static str,
}

impl fmt::Display for Weak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, id) = self.number;
        let Self { name, rule, .. } = self;
        write!(f, "{name} ({kind} {id}): refused as too weak, {rule}")
    }
}

impl Weak {
    pub(crate) fn new(name: &'static str, number: (&'static str, u16), rule: &'static str) -> Self {
        Self { name, number, rule }
    }
}
