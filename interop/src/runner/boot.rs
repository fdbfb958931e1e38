//! The first program of ours in a booted machine: takes orders from the host, several at once, and reports.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};

use super::scenarios;
use crate::report::{self, End, Job, Line, Order, Reporter, Said, place};

/// Does what the host orders until it orders no more.
///
/// # Errors
/// There is no job, or no port to the host.
pub fn boot() -> Result<()> {
    let job = fs::read_to_string(place::program(place::JOB)).context("no job on the programs' disk")?;
    let Job { at_once } = report::read(&job).context("no job in its file")?;
    let port = open_port()?;
    let host = Host {
        orders: Mutex::new(BufReader::new(port.try_clone()?)),
        reporter: Mutex::new(Reporter::new(port)),
    };
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| work(&host));
        }
    });
    Ok(())
}

/// The host at the other end of the port.
struct Host {
    orders: Mutex<BufReader<File>>,
    reporter: Mutex<Reporter>,
}

impl Host {
    fn send(&self, line: &Line) {
        locked(&self.reporter).send(line);
    }

    fn said(&self, task: &str, said: Said) {
        let task = task.to_owned();
        self.send(&Line::Said { task, said });
    }

    /// Whoever asks gets the next order there is. Without a host there are none.
    fn ask(&self) -> Order {
        let mut orders = locked(&self.orders);
        self.send(&Line::Free);
        let mut line = String::new();
        let _ = orders.read_line(&mut line);
        report::read(&line).unwrap_or(Order::Stop)
    }
}

/// A line is whole after every step, so a panic elsewhere does not spoil it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One task after the other.
fn work(host: &Host) {
    loop {
        let order = host.ask();
        let begun = Instant::now();
        let (task, done) = match &order {
            Order::Scenario(name) => {
                let done = scenarios::play(name, |said| host.said(name, said));
                (name, done.map(|failure| (i32::from(failure.is_some()), failure)))
            }
            Order::Program(words) => {
                let Some(name) = words.first() else { continue };
                let done = run(words, |text| host.said(name, Said::Output(text)));
                (name, done.map(|code| (code, None)))
            }
            Order::Stop => return,
        };
        let (exit_code, failure) = done.unwrap_or_else(|error| (-1, Some(format!("{error:?}"))));
        let end = End {
            exit_code,
            failure,
            seconds: begun.elapsed().as_secs_f64(),
        };
        let task = task.clone();
        host.send(&Line::End { task, end });
    }
}

/// The serial port that the host reads: the one that the kernel was told of, or the only virtio port.
fn open_port() -> Result<File> {
    let device = match std::env::var_os("report") {
        Some(told) => PathBuf::from(told),
        None => {
            let port = fs::read_dir("/sys/class/virtio-ports")?
                .next()
                .context("no virtio port")??;
            Path::new("/dev").join(port.file_name())
        }
    };
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(&device)
        .with_context(|| format!("cannot open {}", device.display()))
}

/// Runs a program; both of its outputs go through one pipe, so that their order stays. Returns its exit code.
fn run(words: &[String], mut on_line: impl FnMut(String)) -> Result<i32> {
    let [program, arguments @ ..] = words else {
        anyhow::bail!("an empty command")
    };
    let (reader, writer) = std::io::pipe()?;
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir("/tmp")
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
        on_line(String::from_utf8_lossy(&line).into_owned());
    }
    Ok(child.wait()?.code().unwrap_or(-1))
}
