//! Programs of the lab: short ones that are waited for, and daemons that stay.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::guest::host::namespace::Namespace;
use crate::guest::host::record::Record;

/// Runs a program in `namespace` to its end, killed after `limit`, and returns its output however it ended.
///
/// # Errors
/// It cannot be started.
pub fn run(namespace: &Namespace, limit: Duration, command: &Command) -> Result<Output> {
    let mut bounded = Command::new("timeout");
    bounded
        .args(["--signal", "KILL"])
        .arg(limit.as_secs().max(1).to_string());
    bounded.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        bounded.env(name, value.unwrap_or_default());
    }
    bounded
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(namespace.spawn(bounded)?.wait_with_output()?)
}

/// As [`run`], and the program must succeed. Returns what it wrote to its standard output.
///
/// # Errors
/// It fails; the error carries all it wrote.
pub fn check(namespace: &Namespace, limit: Duration, command: &Command) -> Result<String> {
    let output = run(namespace, limit, command)?;
    let wrote = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{}: {command:?}: {}\n{wrote}{said}",
            namespace.name(),
            output.status
        );
    }
    Ok(wrote)
}

/// A program that stays until it is killed; dropped, it is killed. What it writes goes to `NAME.log` in the working directory
/// and can be waited for.
pub struct Daemon {
    name: String,
    child: Child,
    lines: Arc<Record<String>>,
}

impl Daemon {
    /// Starts it in `namespace`, with both outputs in one log that is continued.
    ///
    /// # Errors
    /// There is no such program.
    pub fn start(namespace: &Namespace, name: &str, mut command: Command) -> Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        command
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let child = namespace.spawn(command)?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(format!("{name}.log"))?;
        let lines = Arc::new(Record::default());
        let record = lines.clone();
        thread::spawn(move || keep(reader, log, &record));
        Ok(Self {
            name: name.to_owned(),
            child,
            lines,
        })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has written a line with `part` in it.
    ///
    /// # Errors
    /// It does not within `limit`.
    pub fn wait_for_line(&self, part: &str, limit: Duration) -> Result<()> {
        self.lines
            .wait(limit, |lines| {
                lines.iter().any(|line| line.contains(part)).then_some(())
            })
            .with_context(|| format!("{} did not write {part:?}", self.name))
    }

    /// SIGKILL: it does not get to say good-bye.
    ///
    /// # Errors
    /// It had ended already.
    pub fn kill(mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} had ended before it was killed: {status}", self.name);
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and waits for its end.
    ///
    /// # Errors
    /// It has been reaped already, or there is no such signal.
    pub fn terminate(mut self) -> Result<ExitStatus> {
        let id = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(id.context("no process")?, rustix::process::Signal::TERM)?;
        Ok(self.child.wait()?)
    }

    /// True while it has not ended.
    ///
    /// # Errors
    /// Its state cannot be asked for.
    pub fn is_alive(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keep(output: impl Read, mut log: File, lines: &Record<String>) {
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        let _ = writeln!(log, "{line}");
        lines.push(line);
    }
}
