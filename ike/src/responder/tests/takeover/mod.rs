//! Commits, and an IKE SA in the hands of another edge.

mod commits;
pub(super) mod restore;

use super::*;
