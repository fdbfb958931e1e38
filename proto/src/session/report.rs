//! What an edge reports of its kernel.

use crate::fields::{list, required};
use crate::{Invalid, Key, limits, v1};

/// How far an edge has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Everything up to this revision was done, as far as the kernel let it.
    pub revision: u64,
    /// What the kernel refuses at present: the first [`limits::FAILURES`] of them.
    pub failures: Vec<Failure>,
    /// How many there are in all.
    pub failures_total: u32,
}

/// Something the kernel refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The record that cannot be installed.
    pub key: Key,
    /// As the kernel gave it.
    pub errno: i32,
    /// In words, with the remedy: at most [`limits::REASON`] octets of one line.
    pub reason: String,
}

impl TryFrom<v1::Applied> for Applied {
    type Error = Invalid;

    fn try_from(wire: v1::Applied) -> Result<Self, Invalid> {
        Ok(Self {
            revision: wire.revision,
            failures: list("failures", wire.failures, limits::FAILURES, Failure::try_from)?,
            failures_total: wire.failures_total,
        })
    }
}

impl From<&Applied> for v1::Applied {
    fn from(applied: &Applied) -> Self {
        Self {
            revision: applied.revision,
            failures: applied.failures.iter().map(v1::Failure::from).collect(),
            failures_total: applied.failures_total,
        }
    }
}

impl TryFrom<v1::Failure> for Failure {
    type Error = Invalid;

    fn try_from(wire: v1::Failure) -> Result<Self, Invalid> {
        if wire.reason.len() > limits::REASON || wire.reason.contains(char::is_control) {
            return Err(Invalid::new(
                "reason",
                wire.reason,
                "is not one line of at most 512 octets",
            ));
        }
        let key = required("key", wire.key)?
            .try_into()
            .map_err(|e: Invalid| e.within("key"))?;
        Ok(Self {
            key,
            errno: wire.errno,
            reason: wire.reason,
        })
    }
}

impl From<&Failure> for v1::Failure {
    fn from(failure: &Failure) -> Self {
        Self {
            key: Some((&failure.key).into()),
            errno: failure.errno,
            reason: failure.reason.clone(),
        }
    }
}
