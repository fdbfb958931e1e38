//! The Linux kernel's IPsec stack as desired state.
//!
//! The caller says what is [`Wanted`]; an [`Agent`] makes the kernel equal to it. A change is applied at once and in
//! batches ([`Agent::apply`]); a slow loop compares all of it with the kernel and corrects what differs
//! ([`Agent::reconcile`]). After a crash the first `reconcile` adopts what is there, so that forwarding never stops.
//! Only what carries our mark, the high half of `if_id` and `reqid`, is ever touched.

#![warn(
    clippy::wildcard_enum_match_arm,
    reason = "a new variant is to be thought of wherever the old ones are told apart"
)]
#![cfg_attr(
    not(test),
    warn(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_possible_wrap,
        reason = "netlink bytes are hostile until parsed: no panic, and no number that is cut"
    )
)]

mod agent;
mod cipher;
mod events;
mod failure;
mod intent;
mod netlink;
mod netns;
mod objects;
#[cfg(test)]
mod tests;
mod wanted;

pub use agent::{Agent, Error, Report};
pub use cipher::{Algorithm, Cipher};
pub use events::{AboutSa, Addresses, Event, Events, Moved, NetworkEvent, NetworkWatcher, Notice};
pub use failure::{Failure, Subject};
pub use wanted::*;
