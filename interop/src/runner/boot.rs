//! The first program of ours in a booted machine: takes the job and reports.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::scenarios;
use crate::report::{Job, Line, Reporter, place};

/// Does the job on the programs' disk and reports it to the host.
///
/// # Errors
/// There is no job, or no port to report to.
pub fn boot() -> Result<()> {
    let mut reporter = Reporter::new(open_port()?);
    let job = fs::read(place::program(place::JOB)).context("no job on the programs' disk")?;
    let code = match serde_json::from_slice(&job)? {
        Job::Run(words) => run(&mut reporter, &words)?,
        Job::Scenarios(names) => scenarios::run_all(&mut reporter, &names)?,
    };
    reporter.send(&Line::Exit(code));
    Ok(())
}

/// The serial port that the host reads, the only one of its kind.
fn open_port() -> Result<File> {
    let port = fs::read_dir("/sys/class/virtio-ports")?
        .next()
        .context("no virtio port")??;
    let device = std::path::Path::new("/dev").join(port.file_name());
    OpenOptions::new()
        .write(true)
        .open(&device)
        .with_context(|| format!("cannot open {}", device.display()))
}

/// Runs a program; both of its outputs go through one pipe, so that their order stays.
fn run(reporter: &mut Reporter, words: &[String]) -> Result<i32> {
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
        reporter.send(&Line::Output(String::from_utf8_lossy(&line).into_owned()));
    }
    Ok(child.wait()?.code().unwrap_or(-1))
}
