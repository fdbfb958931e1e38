//! What README and the demo show.

pub(crate) mod by_hand;
pub(crate) mod readme;
pub(crate) mod story;
