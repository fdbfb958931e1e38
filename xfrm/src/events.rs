//! Tells when SAs go, so that the caller can reconcile before the slow loop's next turn.

use std::io;

/// An SA of ours that the kernel dropped, or is about to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What became of it.
    pub kind: EventKind,
    /// Of the SA: inbound or outbound.
    pub spi: u32,
    /// Whose it is.
    pub tunnel: crate::TunnelId,
}

/// What became of an SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A limit of time, bytes or packets was reached and the kernel removed the SA.
    Expired,
    /// Somebody deleted the SA: this process, or a stranger.
    Deleted,
    /// Events came faster than they were read and some are lost.
    Lost,
}

/// A subscription to the SA events of the network namespace it was opened in.
pub struct Events {}

impl Events {
    /// Subscribes.
    pub fn open() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Waits for the next event.
    pub fn next(&mut self) -> io::Result<Event> {
        unimplemented!()
    }
}
