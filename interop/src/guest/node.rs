//! One host of the lab: a network namespace with a name, as `ip netns add` makes it.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Where `ip netns` keeps its namespaces (ip-netns(8)).
const NAMESPACES: &str = "/run/netns";

/// A host of the lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    name: String,
}

impl Node {
    /// The host whose namespace is called `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that runs on this host. The program has the process ID that the command is started with.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.namespace().display())).arg("--").arg(program.as_ref());
        command
    }

    /// Does `work` on this host, on a thread of its own, and waits for it. A socket opened there belongs to the host
    /// for good, whoever uses it later.
    ///
    /// # Errors
    /// There is no such namespace, we may not enter it, or the work fails.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        thread::scope(|scope| {
            let done = scope.spawn(|| {
                self.enter()?;
                work()
            });
            done.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
        .with_context(|| format!("on {}", self.name))
    }

    /// Moves the calling thread, which does not come back.
    fn enter(&self) -> Result<()> {
        let file = self.namespace();
        let namespace = File::open(&file).with_context(|| format!("no namespace {}", file.display()))?;
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .context("cannot enter the namespace")
    }

    fn namespace(&self) -> PathBuf {
        Path::new(NAMESPACES).join(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_not_there_is_named() {
        let error = Node::new("nowhere").inside(|| Ok(())).unwrap_err();
        assert_eq!(format!("{error:#}").split(": ").next(), Some("on nowhere"));
    }
}
