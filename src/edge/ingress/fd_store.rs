//! Sockets that outlive this process, in the file descriptor store of the service manager: sd_notify(3) puts them there
//! (FDSTORE=1), sd_listen_fds(3) gives them back at the next start.

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};

use sd_notify::NotifyState;
use tracing::warn;

/// A descriptor that a previous process left.
pub(crate) struct Stored {
    pub(crate) name: String,
    pub(crate) fd: OwnedFd,
}

/// Everything in the store. To be called once in the life of a process.
#[allow(unsafe_code)]
pub(crate) fn take() -> Vec<Stored> {
    match sd_notify::listen_fds_with_names() {
        // SAFETY: the service manager made these descriptors for this process, and nothing else here takes them.
        Ok(fds) => fds
            .map(|(fd, name)| Stored {
                name,
                fd: unsafe { OwnedFd::from_raw_fd(fd) },
            })
            .collect(),
        Err(error) => {
            warn!(%error, "cannot read which sockets the service manager has kept");
            Vec::new()
        }
    }
}

/// Leaves a copy of `fd` with the service manager. Nothing happens without one.
pub(crate) fn put(name: &str, fd: BorrowedFd<'_>) -> io::Result<()> {
    sd_notify::notify_with_fds(&[NotifyState::FdStore, NotifyState::FdName(name)], &[fd])
}

/// Drops the service manager's copy.
pub(crate) fn remove(name: &str) {
    notify(&[NotifyState::FdStoreRemove, NotifyState::FdName(name)]);
}

/// Tells the service manager what becomes of this process. Nothing happens without one.
pub(crate) fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!(%error, "cannot reach the service manager");
    }
}
