//! Network namespaces with a name, as `ip netns` keeps them.

pub(crate) mod codec;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;

use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::netlink::{Refusal, Sockets};

/// Where iproute2 binds them.
const DIRECTORY: &str = "/run/netns";

/// A namespace that is open: it lives at least as long as this, so do not keep it for longer than a pass.
pub(crate) struct Netns {
    file: File,
    pub(crate) sockets: Sockets,
}

impl Netns {
    /// With sockets of these protocols. `home` is the edge's own namespace, which is none of the others.
    pub(crate) fn open(name: &str, home: &File, protocols: &BTreeSet<isize>) -> Result<Self, Refusal> {
        let netns = Self::open_any(name, protocols)?;
        let identity = |file: &File| file.metadata().map(|metadata| (metadata.dev(), metadata.ino()));
        if identity(&netns.file)? == identity(home)? {
            let text = "it is the edge's own namespace; name none for interfaces there".to_owned();
            return Err(Refusal {
                errno: Errno::INVAL,
                text: Some(text),
            });
        }
        Ok(netns)
    }

    fn open_any(name: &str, protocols: &BTreeSet<isize>) -> io::Result<Self> {
        // A name is one component of a path.
        if Path::new(name)
            .file_name()
            .is_none_or(|file_name| file_name != name)
        {
            return Err(Errno::INVAL.into());
        }
        let file = File::open(Path::new(DIRECTORY).join(name))?;
        // A thread belongs to a namespace and a socket to that of the thread that opened it: a thread of its own leaves
        // this one where it is.
        let sockets = thread::scope(|scope| {
            let opener = thread::Builder::new().spawn_scoped(scope, || {
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
                Sockets::open(protocols)
            })?;
            opener
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("the thread that opens a namespace panicked")))
        })?;
        Ok(Self { file, sockets })
    }

    /// To tell the kernel which one is meant.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// As messages name it; `None` for the edge's own.
pub(crate) fn describe(netns: Option<&str>) -> String {
    netns.map_or_else(
        || "the edge's namespace".into(),
        |name| format!("network namespace {name}"),
    )
}

/// The network namespace of the calling thread.
pub(crate) fn own() -> io::Result<File> {
    File::open("/proc/thread-self/ns/net")
}

/// The names of all there are; none when the directory is missing.
pub(crate) fn names() -> BTreeSet<String> {
    let entries = fs::read_dir(DIRECTORY).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}
