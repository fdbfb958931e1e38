//! Why a store cannot be read or written.

use std::error::Error;

use proto::Invalid;

/// A store that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("store {location}: {fault}")]
pub struct StoreError {
    location: String,
    fault: Fault,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The engine's own.
    #[error(transparent)]
    Engine(Box<dyn Error + Send + Sync>),
    #[error(
        "is damaged: {0}; move it away, start the distributor, and add the tunnels again; until it starts the edges go on \
         forwarding for the SA lease, and then they drop every SA, since the new store has none"
    )]
    Damaged(String),
    #[error("holds a record that breaks the schema: {0}")]
    Record(#[from] Invalid),
    #[error("has format {found}, and this program knows {known}")]
    Format { found: u64, known: u64 },
    #[error("holds no valid {0}")]
    Counter(&'static str),
    #[error("has lost revisions: it ends at {0}, and {1} was written")]
    Behind(u64, u64),
    #[error(
        "is another store than the one that was read at the start: restart the distributor if it is the right one"
    )]
    AnotherStore,
    #[error("refuses a commit on its own head, revision {0}")]
    SameHead(u64),
    #[error("is closed since a commit has failed")]
    Closed,
    #[error("the random number generator fails")]
    NoRandomness,
}

impl StoreError {
    pub(super) fn new(location: String, fault: Fault) -> Self {
        Self { location, fault }
    }

    /// True when the store will not become better by itself.
    pub fn is_lasting(&self) -> bool {
        match self.fault {
            Fault::Damaged(_) | Fault::Record(_) | Fault::Format { .. } | Fault::Counter(_) => true,
            Fault::Engine(_)
            | Fault::Behind(..)
            | Fault::AnotherStore
            | Fault::SameHead(_)
            | Fault::Closed
            | Fault::NoRandomness => false,
        }
    }
}
