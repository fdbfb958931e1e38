//! A holder of file descriptors, which speaks the service manager's side of sd_notify(3): it learns when a daemon is
//! ready, and keeps the sockets that the daemon wants back when it is started again.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg, sockopt::set_socket_passcred,
};

use crate::guest::host::record::Record;

/// The most descriptors in one message (SCM_MAX_FD in the kernel; unix(7)).
const DESCRIPTORS: usize = 253;

/// systemd's own limit on a notification.
const MESSAGE: usize = 4096;

/// What a descriptor is called when its owner gives it no name (sd_listen_fds(3)).
const UNNAMED: &str = "stored";

/// A descriptor in the store.
#[derive(Debug)]
pub struct Kept {
    /// FDNAME.
    pub name: String,
    /// Our copy of it.
    pub fd: OwnedFd,
}

/// The store, and the socket by which it is spoken to.
pub struct Holder {
    path: PathBuf,
    socket: Arc<UnixDatagram>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    kept: Mutex<Vec<Kept>>,
    /// The process IDs of those that have said that they are ready.
    ready: Record<i32>,
}

impl Holder {
    /// Listens at `path`, which belongs into NOTIFY_SOCKET.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn listen(path: &Path) -> Result<Self> {
        let socket =
            UnixDatagram::bind(path).with_context(|| format!("cannot listen at {}", path.display()))?;
        // The kernel then tells who sent a message: a dead daemon's last words must not pass for the next one's.
        set_socket_passcred(&socket, true)?;
        let socket = Arc::new(socket);
        let shared = Arc::<Shared>::default();
        let (listener, store) = (socket.clone(), shared.clone());
        let thread = thread::spawn(move || {
            while let Some(message) = receive(&listener) {
                store.apply(message);
            }
        });
        Ok(Self {
            path: path.to_owned(),
            socket,
            shared,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until the process with this ID says READY=1.
    ///
    /// # Errors
    /// It does not within `limit`.
    pub fn wait_ready(&self, pid: u32, limit: Duration) -> Result<()> {
        let pid = i32::try_from(pid)?;
        self.shared
            .ready
            .wait(limit, |ready| ready.contains(&pid).then_some(()))
    }

    /// The names of what is kept, in the order in which it came.
    pub fn names(&self) -> Vec<String> {
        self.shared.kept().iter().map(|kept| kept.name.clone()).collect()
    }

    /// Copies of all that is kept, in the same order.
    ///
    /// # Errors
    /// There are no descriptors left for the copies.
    pub fn copies(&self) -> Result<Vec<Kept>> {
        let kept = self.shared.kept();
        kept.iter()
            .map(|Kept { name, fd }| {
                Ok(Kept {
                    name: name.clone(),
                    fd: fd.try_clone()?,
                })
            })
            .collect()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // Wakes the listener, which takes it for the end.
        let _ = self.socket.shutdown(Shutdown::Read);
        let _ = self.thread.take().map(JoinHandle::join);
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Shared {
    fn apply(&self, message: Message) {
        let Message {
            sender,
            notification,
            fds,
        } = message;
        let name = notification.name.unwrap_or_else(|| UNNAMED.to_owned());
        if notification.remove {
            self.kept().retain(|kept| kept.name != name);
        } else if notification.store {
            self.kept().extend(fds.into_iter().map(|fd| Kept {
                name: name.clone(),
                fd,
            }));
        }
        // Last, so that whoever waited for it finds the store as the message left it.
        if notification.ready {
            self.ready.push(sender);
        }
    }

    /// The store is whole after every step, so a panic elsewhere does not spoil it.
    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A notification with what came beside it.
struct Message {
    sender: i32,
    notification: Notification,
    fds: Vec<OwnedFd>,
}

/// The next message, `None` when the socket was shut down.
fn receive(socket: &UnixDatagram) -> Option<Message> {
    let mut text = [0; MESSAGE];
    let mut space = [MaybeUninit::uninit();
        rustix::cmsg_space!(ScmRights(DESCRIPTORS)) + rustix::cmsg_space!(ScmCredentials(1))];
    loop {
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = recvmsg(socket, &mut [IoSliceMut::new(&mut text)], &mut ancillary, flags).ok()?;
        let mut sender = None;
        let mut fds = Vec::new();
        for part in ancillary.drain() {
            match part {
                RecvAncillaryMessage::ScmRights(rights) => fds.extend(rights),
                RecvAncillaryMessage::ScmCredentials(who) => sender = Some(who.pid.as_raw_nonzero().get()),
                _ => {}
            }
        }
        // Every message has a sender, since the socket asks for it; the end of the socket has none.
        let sender = sender?;
        if received.flags.contains(ReturnFlags::TRUNC) {
            continue;
        }
        let text = String::from_utf8_lossy(&text[..received.bytes]);
        return Some(Message {
            sender,
            notification: Notification::parse(&text),
            fds,
        });
    }
}

/// The assignments of one datagram that matter here (sd_notify(3)).
#[derive(Debug, Default, PartialEq)]
struct Notification {
    /// READY=1.
    ready: bool,
    /// FDSTORE=1.
    store: bool,
    /// FDSTOREREMOVE=1.
    remove: bool,
    /// FDNAME.
    name: Option<String>,
}

impl Notification {
    fn parse(text: &str) -> Self {
        let mut notification = Self::default();
        for line in text.lines() {
            match line.split_once('=') {
                Some(("READY", "1")) => notification.ready = true,
                Some(("FDSTORE", "1")) => notification.store = true,
                Some(("FDSTOREREMOVE", "1")) => notification.remove = true,
                Some(("FDNAME", name)) => notification.name = Some(name.to_owned()),
                _ => {}
            }
        }
        notification
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::IoSlice;
    use std::os::fd::{AsFd, BorrowedFd};

    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn a_notification_is_read_line_by_line() {
        let wanted = Notification {
            store: true,
            name: Some("ike".into()),
            ..Notification::default()
        };
        assert_eq!(Notification::parse("FDSTORE=1\nFDNAME=ike"), wanted);
        let wanted = Notification {
            ready: true,
            ..Notification::default()
        };
        assert_eq!(Notification::parse("STATUS=a=b\nREADY=1\nnonsense\n"), wanted);
        assert_eq!(Notification::parse("READY=0"), Notification::default());
    }

    /// Speaks as a daemon would.
    pub(in super::super) fn tell(path: &Path, text: &str, fd: Option<BorrowedFd<'_>>) {
        let client = UnixDatagram::unbound().unwrap();
        client.connect(path).unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let fds = Vec::from_iter(fd);
        if !fds.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(&fds));
        }
        sendmsg(
            &client,
            &[IoSlice::new(text.as_bytes())],
            &mut ancillary,
            SendFlags::empty(),
        )
        .unwrap();
    }

    /// As [`tell`], and waits until the holder has done it.
    pub(in super::super) fn tell_and_wait(holder: &Holder, text: &str, fd: Option<BorrowedFd<'_>>) {
        let before = holder.shared.ready.all().len();
        tell(holder.path(), &format!("{text}\nREADY=1"), fd);
        holder
            .shared
            .ready
            .wait(LIMIT, |ready| (ready.len() > before).then_some(()))
            .unwrap();
    }

    fn holder(test: &str) -> Holder {
        Holder::listen(&std::env::temp_dir().join(format!("{test}-{}.notify", std::process::id()))).unwrap()
    }

    #[test]
    fn a_stored_socket_outlives_its_owner_until_it_is_removed() {
        let holder = holder("outlives");
        let (mine, theirs) = UnixDatagram::pair().unwrap();
        tell_and_wait(&holder, "FDSTORE=1\nFDNAME=ike-500", Some(theirs.as_fd()));
        tell_and_wait(&holder, "FDSTORE=1", Some(theirs.as_fd()));
        drop(theirs);
        assert_eq!(holder.names(), ["ike-500", UNNAMED]);

        mine.send(b"still there").unwrap();
        let Kept { fd, .. } = holder.copies().unwrap().swap_remove(0);
        let mut buffer = [0; 32];
        let length = UnixDatagram::from(fd).recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], b"still there");

        tell_and_wait(&holder, "FDSTOREREMOVE=1\nFDNAME=ike-500", None);
        assert_eq!(holder.names(), [UNNAMED]);
        let path = holder.path().to_owned();
        drop(holder);
        assert!(
            mine.send(b"gone").is_err(),
            "the holder keeps nothing beyond its own life"
        );
        assert!(!path.exists());
    }

    #[test]
    fn ready_is_who_the_kernel_says() {
        let holder = holder("ready");
        tell(holder.path(), "READY=1\nMAINPID=1", None);
        holder.wait_ready(std::process::id(), LIMIT).unwrap();
        assert!(holder.wait_ready(1, Duration::ZERO).is_err());
    }
}
