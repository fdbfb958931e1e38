//! Running a program to its end, and knowing which one it was and what it wrote.

use std::cell::Cell;
use std::fs::File;
use std::io::{Read, Seek};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::fs::MemfdFlags;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::processor_time;

/// Runs `command` and returns its output when it succeeds.
///
/// # Errors
/// The program cannot be started, or it fails; the error then carries all it wrote.
pub fn run(command: &mut Command) -> Result<Output> {
    let (mut written, mut said) = (memory_file()?, memory_file()?);
    let mut child = command
        .stdout(written.try_clone()?)
        .stderr(said.try_clone()?)
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let (status, _) = wait(&mut child)?;
    let output = Output {
        status,
        stdout: content(&mut written)?,
        stderr: content(&mut said)?,
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let wrote = String::from_utf8_lossy(&output.stdout);
        bail!("{command:?}: {}\n{wrote}{said}", output.status);
    }
    Ok(output)
}

/// Runs `command` and returns what it wrote to standard output.
///
/// # Errors
/// As [`run`].
pub fn read(command: &mut Command) -> Result<String> {
    Ok(String::from_utf8_lossy(&run(command)?.stdout).into_owned())
}

/// How a program ended, and all it wrote.
#[derive(Debug)]
pub struct Attempt {
    /// It ended by itself, with exit code 0.
    pub ended_well: bool,
    /// Both of its outputs in one, in order; at its end, what became of it if it did not end by itself.
    pub output: String,
    /// The processor time that it took, with all that it waited for.
    pub processor: Duration,
}

/// Runs `command` to its end, or to its end and that of all it started when it takes longer than `limit`. It is given no input.
///
/// # Errors
/// It cannot be started.
pub fn attempt(limit: Duration, command: &mut Command) -> Result<Attempt> {
    // A file and not a pipe: whoever the program leaves behind may hold it open without keeping us waiting.
    let mut file = memory_file()?;
    let begun = Instant::now();
    let mut child = bounded(limit, command)
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file.try_clone()?)
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let (status, processor) = wait(&mut child)?;
    let mut output = String::from_utf8_lossy(&content(&mut file)?).into_owned();
    if begun.elapsed() >= limit {
        output += &format!("\nstopped after {} s\n", limit.as_secs());
    } else if status.code().is_none() {
        output += &format!("\nended by {status}\n");
    }
    Ok(Attempt {
        ended_well: status.success(),
        output,
        processor,
    })
}

/// A file for what programs write, which nobody has to read meanwhile.
///
/// # Errors
/// The kernel has no memory for it.
pub fn memory_file() -> Result<File> {
    Ok(File::from(rustix::fs::memfd_create(
        "output",
        MemfdFlags::CLOEXEC,
    )?))
}

/// All that is in such a file.
///
/// # Errors
/// It cannot be read.
pub fn content(file: &mut File) -> Result<Vec<u8>> {
    let mut content = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut content)?;
    Ok(content)
}

thread_local! {
    static SPENT: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// The processor time of all programs that this thread has waited for.
pub fn spent() -> Duration {
    SPENT.get()
}

/// Waits for a program to end, and tells the processor time that it took.
///
/// # Errors
/// It has been waited for already.
pub fn wait(child: &mut Child) -> Result<(ExitStatus, Duration)> {
    let id = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // Once it has been waited for in earnest, its account is closed.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(id.context("no process")?), options) {}
    let processor = processor_time::of(child.id());
    SPENT.set(SPENT.get() + processor);
    Ok((child.wait()?, processor))
}

/// `command` in a process group that is killed when its time is up, and told to end when we do.
fn bounded(limit: Duration, command: &Command) -> Command {
    let mut bounded = Command::new("setpriv");
    bounded.args(["--pdeathsig", "TERM", "timeout", "--signal", "KILL"]);
    bounded.arg(limit.as_secs().to_string());
    bounded.arg(command.get_program()).args(command.get_args());
    if let Some(dir) = command.get_current_dir() {
        bounded.current_dir(dir);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bounded.env(name, value),
            None => bounded.env_remove(name),
        };
    }
    bounded
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_outputs_come_in_order() {
        let attempt = attempt(LIMIT, &mut shell("echo a; echo b >&2; echo c; exit 3")).unwrap();
        assert!(!attempt.ended_well);
        assert_eq!(attempt.output, "a\nb\nc\n");
    }

    #[test]
    fn directory_and_environment_are_kept() {
        let mut command = shell("pwd; echo $COLOUR");
        let attempt = attempt(LIMIT, command.current_dir("/").env("COLOUR", "red")).unwrap();
        assert!(attempt.ended_well);
        assert_eq!(attempt.output, "/\nred\n");
    }

    #[test]
    fn who_takes_too_long_is_stopped_with_all_it_started() {
        let attempt = attempt(Duration::from_secs(1), &mut shell("sleep 1000 & echo $!; wait")).unwrap();
        assert!(!attempt.ended_well);
        let (inner, end) = attempt.output.split_once('\n').unwrap();
        assert_eq!(end, "\nstopped after 1 s\n");
        while is_running(inner) {
            std::thread::yield_now();
        }
    }

    /// The dead have no command line, even where nobody has collected them yet.
    fn is_running(id: &str) -> bool {
        std::fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|words| !words.is_empty())
    }

    #[test]
    fn work_takes_processor_time() {
        let before = spent();
        let mut script = "n=0; while [ $n -lt 200000 ]; do n=$((n+1)); done".to_owned();
        let mut took = Duration::ZERO;
        // However fast the machine.
        while took.is_zero() {
            took = attempt(LIMIT, &mut shell(&script)).unwrap().processor;
            script = format!("{script}; {script}");
        }
        assert!(spent() - before >= took);
    }

    #[test]
    fn who_is_left_behind_keeps_nobody_waiting() {
        let attempt = attempt(LIMIT, &mut shell("sleep 3 & echo $!")).unwrap();
        assert!(attempt.ended_well);
        assert!(is_running(attempt.output.trim()));
    }

    #[test]
    fn a_crash_is_told() {
        let attempt = attempt(LIMIT, &mut shell("kill -SEGV $$")).unwrap();
        assert!(!attempt.ended_well);
    }
}
