//! A program of the product, run as a service manager would: given back its stored sockets, waited for until it is ready,
//! killed, started again.

use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use command_fds::{CommandFdExt, FdMapping};

use crate::guest::host::holder::{Holder, Kept};
use crate::guest::host::namespace::Namespace;
use crate::guest::host::process::Daemon;

/// The first descriptor that is handed over (SD_LISTEN_FDS_START, sd_listen_fds(3)).
const FIRST_FD: i32 = 3;

/// A program finds its own process ID in LISTEN_PID, which nobody knows before it is there: the shell that becomes the
/// program does.
const START: &str = r#"export LISTEN_PID=$$; exec "$@""#;

/// A service. Its sockets are kept between its starts and closed when this is dropped.
pub struct Service {
    namespace: Namespace,
    name: String,
    command: Command,
    holder: Holder,
    daemon: Option<Daemon>,
}

impl Service {
    /// Prepares a service, which does not run yet. In the working directory come to lie `NAME.log` and `NAME.notify`.
    ///
    /// # Errors
    /// The socket for notifications cannot be made.
    pub fn new(namespace: &Namespace, name: &str, command: Command) -> Result<Self> {
        let holder = Holder::listen(&std::env::current_dir()?.join(format!("{name}.notify")))?;
        Ok(Self {
            namespace: namespace.clone(),
            name: name.to_owned(),
            command,
            holder,
            daemon: None,
        })
    }

    /// Starts it with every socket that it left with us.
    ///
    /// # Errors
    /// It has not been ended since its last start, or there is no such program.
    pub fn start(&mut self) -> Result<()> {
        if self.daemon.is_some() {
            bail!("{} was started already", self.name);
        }
        let command = hand_over(&self.command, &self.holder)?;
        self.daemon = Some(Daemon::start(&self.namespace, &self.name, command)?);
        Ok(())
    }

    /// Waits until it says READY=1.
    ///
    /// # Errors
    /// It does not within `limit`; the error says whether it lives.
    pub fn wait_ready(&mut self, limit: Duration) -> Result<()> {
        let daemon = self
            .daemon
            .as_mut()
            .with_context(|| format!("{} was not started", self.name))?;
        let waited = self.holder.wait_ready(daemon.id(), limit);
        let state = if daemon.is_alive()? {
            "still runs"
        } else {
            "has ended"
        };
        waited.with_context(|| format!("{} is not ready and {state}", self.name))
    }

    /// Ends it without warning. Its sockets stay with us.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill(&mut self) -> Result<()> {
        self.take()?.kill()
    }

    /// Asks it to end and waits until it has.
    ///
    /// # Errors
    /// It was not started.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        self.take()?.terminate()
    }

    /// Ends it without warning, starts it again and waits until it is ready.
    ///
    /// # Errors
    /// As [`Service::kill`], [`Service::start`] and [`Service::wait_ready`].
    pub fn restart(&mut self, limit: Duration) -> Result<()> {
        self.kill()?;
        self.start()?;
        self.wait_ready(limit)
    }

    /// The process of its last start.
    ///
    /// # Errors
    /// It was not started, or has been ended.
    pub fn daemon(&mut self) -> Result<&mut Daemon> {
        self.daemon
            .as_mut()
            .with_context(|| format!("{} does not run", self.name))
    }

    /// The names of the sockets that it has left with us.
    pub fn stored(&self) -> Vec<String> {
        self.holder.names()
    }

    fn take(&mut self) -> Result<Daemon> {
        self.daemon
            .take()
            .with_context(|| format!("{} does not run", self.name))
    }
}

/// `command` with what a service manager adds for one start (sd_listen_fds(3), sd_notify(3)). Of an empty store nothing is
/// said.
fn hand_over(command: &Command, holder: &Holder) -> Result<Command> {
    let (names, fds): (Vec<_>, Vec<_>) = holder
        .copies()?
        .into_iter()
        .map(|Kept { name, fd }| (name, fd))
        .unzip();
    let mut whole = Command::new("/bin/sh");
    whole
        .args(["-c", START, "start"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => whole.env(name, value),
            None => whole.env_remove(name),
        };
    }
    whole.env("NOTIFY_SOCKET", holder.path());
    if fds.is_empty() {
        return Ok(whole);
    }
    whole.env("LISTEN_FDS", fds.len().to_string());
    whole.env("LISTEN_FDNAMES", names.join(":"));
    let places = (FIRST_FD..).zip(fds);
    let mappings = places.map(|(child_fd, parent_fd)| FdMapping { parent_fd, child_fd });
    whole.fd_mappings(mappings.collect())?;
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsFd;

    use super::*;
    use crate::guest::host::holder::tests::tell_and_wait;

    #[test]
    fn the_first_start_finds_no_store() {
        let path = std::env::temp_dir().join(format!("first-start-{}.notify", std::process::id()));
        let holder = Holder::listen(&path).unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", r#"echo "$NOTIFY_SOCKET ${LISTEN_FDS-unset}""#]);
        let output = hand_over(&command, &holder).unwrap().output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            format!("{} unset\n", path.display())
        );
    }

    #[test]
    fn a_start_hands_over_what_was_stored() {
        let path = std::env::temp_dir().join(format!("hands-over-{}.notify", std::process::id()));
        let holder = Holder::listen(&path).unwrap();
        let (mut reader, writer) = std::io::pipe().unwrap();
        tell_and_wait(&holder, "FDSTORE=1\nFDNAME=first", Some(reader.as_fd()));
        tell_and_wait(&holder, "FDSTORE=1\nFDNAME=second", Some(writer.as_fd()));
        drop(writer);

        let script =
            r#"test "$LISTEN_PID" = $$ && echo "$LISTEN_FDS $LISTEN_FDNAMES $WORD" && echo through >&4"#;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).env("WORD", "told");
        // Twice: the store keeps what it hands over.
        for _ in 0..2 {
            let output = hand_over(&command, &holder).unwrap().output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), "2 first:second told\n");
            let mut through = [0; 8];
            reader.read_exact(&mut through).unwrap();
            assert_eq!(&through, b"through\n");
        }
    }
}
