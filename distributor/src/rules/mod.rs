//! Who may change what, and what time changes.

pub(crate) mod clash;
pub(crate) mod edge;
pub(crate) mod membership;
pub(crate) mod operator;
pub(crate) mod refusal;
