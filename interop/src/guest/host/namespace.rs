//! A host of the lab: a network namespace and a mount namespace, held open by a thread that lives in both.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::thread::UnshareFlags;

type Task = Box<dyn FnOnce() + Send>;

/// A host. Processes and threads started from it live in its namespaces; `/run` is its own, so that named network
/// namespaces and control sockets of two hosts do not meet. All of it is gone when the last of them ends.
#[derive(Clone)]
pub struct Namespace {
    name: String,
    tasks: Sender<Task>,
    net: PathBuf,
}

impl Namespace {
    /// A new host without any link but its loopback, which is up.
    ///
    /// # Errors
    /// We are not root.
    pub fn new(name: &str) -> Result<Self> {
        let (tasks, queue) = mpsc::channel();
        let (ready, made) = mpsc::channel();
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || live(&ready, &queue))?;
        let net = made
            .recv()?
            .with_context(|| format!("cannot make namespace {name}"))?;
        let namespace = Self {
            name: name.to_owned(),
            tasks,
            net,
        };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Does `work` there and waits for it. A thread that `work` starts stays there.
    ///
    /// # Errors
    /// `work` panicked.
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let (sender, result) = mpsc::channel();
        let task = Box::new(move || {
            let _ = sender.send(work());
        });
        self.tasks
            .send(task)
            .map_err(|_| anyhow!("namespace {} has ended", self.name))?;
        result
            .recv()
            .map_err(|_| anyhow!("work in namespace {} panicked", self.name))
    }

    /// Starts a program there.
    ///
    /// # Errors
    /// There is no such program.
    pub fn spawn(&self, mut command: Command) -> Result<Child> {
        let shown = format!("{command:?} in {}", self.name);
        self.run(move || command.spawn())?
            .with_context(|| format!("cannot start {shown}"))
    }

    /// Has ip(8) do each line of `script`, without the word `ip`. Lines may be indented.
    ///
    /// # Errors
    /// A line is refused; the error carries what ip said.
    pub fn ip(&self, script: &str) -> Result<()> {
        self.feed(Command::new("ip").args(["-batch", "-"]), script)
    }

    /// As [`Namespace::ip`], for lines that do not show by themselves that they are about IPv6.
    ///
    /// # Errors
    /// As [`Namespace::ip`].
    pub fn ip6(&self, script: &str) -> Result<()> {
        self.feed(Command::new("ip").args(["-6", "-batch", "-"]), script)
    }

    /// Has nft(8) do `script`, all of it or nothing.
    ///
    /// # Errors
    /// As [`Namespace::ip`].
    pub fn nft(&self, script: &str) -> Result<()> {
        self.feed(Command::new("nft").args(["-f", "-"]), script)
    }

    /// Sets a value below `/proc/sys/net`.
    ///
    /// # Errors
    /// There is no such value.
    pub fn sysctl(&self, name: &str, value: &str) -> Result<()> {
        let file = PathBuf::from("/proc/sys/net").join(name);
        let (path, value) = (file.clone(), value.to_owned());
        self.run(move || fs::write(path, value))?
            .with_context(|| format!("cannot set {}", file.display()))
    }

    /// Puts an empty directory over `directory`, seen only here.
    ///
    /// # Errors
    /// There is no such directory.
    pub fn cover(&self, directory: &'static str) -> Result<()> {
        self.run(move || cover(directory))?
            .with_context(|| format!("cannot cover {directory}"))
    }

    /// A veth pair: `ours` here and `theirs` in `other`, both up.
    ///
    /// # Errors
    /// A name is taken.
    pub fn link(&self, ours: &str, other: &Self, theirs: &str) -> Result<()> {
        self.ip(&format!(
            "link add name {ours} type veth peer name {theirs} netns {}
             link set dev {ours} up",
            other.net.display()
        ))?;
        other.ip(&format!("link set dev {theirs} up"))
    }

    fn feed(&self, command: &mut Command, script: &str) -> Result<()> {
        let mut prepared = Command::new(command.get_program());
        prepared.args(command.get_args());
        prepared
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = self.spawn(prepared)?;
        let mut input = child.stdin.take().context("no input")?;
        let lines: Vec<&str> = script
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let text = lines.join("\n") + "\n";
        input.write_all(text.as_bytes())?;
        drop(input);
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{}: {command:?} refused:\n{said}while doing\n{text}", self.name);
        }
        Ok(())
    }
}

/// The thread that is the host: everything done there is done by it or by what it starts.
fn live(ready: &Sender<std::io::Result<PathBuf>>, queue: &Receiver<Task>) {
    let _ = ready.send(enter());
    while let Ok(task) = queue.recv() {
        task();
    }
}

/// Moves this thread into namespaces of its own and returns the path that names its network namespace.
fn enter() -> std::io::Result<PathBuf> {
    unshare(UnshareFlags::NEWNET | UnshareFlags::NEWNS)?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    cover("/run")?;
    mount("sysfs", "/sys", "sysfs", MountFlags::empty(), None)?;
    let (process, thread) = (rustix::process::getpid(), rustix::thread::gettid());
    Ok(PathBuf::from(format!("/proc/{process}/task/{thread}/ns/net")))
}

fn cover(directory: &str) -> rustix::io::Result<()> {
    mount("tmpfs", directory, "tmpfs", MountFlags::empty(), c"mode=755")
}

#[allow(unsafe_code)]
fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: the one danger of this call is a descriptor table of the thread's own (CLONE_FILES), which is not asked for.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}
