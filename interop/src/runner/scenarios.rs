//! Scenarios, each in a process of its own.
//!
//! The process is the first of a process namespace, so that its end is the end of all it started; the namespaces of the lab's
//! hosts then have nobody in them and go too. Whatever a scenario leaves behind, the next one starts on clean ground.

use std::fs;
use std::io::{BufRead, BufReader, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::report::{self, Reporter, Said, place};
use crate::scenarios;

/// Lines of each log that are shown with a failure.
const TAIL: usize = 30;

/// What runs in the process of its own: the scenario in its directory, the report on standard output.
///
/// # Errors
/// What the scenario says is wrong.
pub fn run_here(name: &str) -> Result<()> {
    (scenarios::find(name)?.run)(&mut Reporter::new(stdout()))
}

/// Plays the scenario of this name, and returns what was wrong, if anything.
///
/// # Errors
/// There is no such scenario, or it cannot be started.
pub(super) fn play(name: &str, mut on_said: impl FnMut(Said)) -> Result<Option<String>> {
    let scenario = scenarios::find(name)?;
    let dir = PathBuf::from("/tmp/scenarios").join(scenario.name);
    fs::create_dir_all(&dir)?;
    let error = dir.join("error.txt");
    let mut command = Command::new("timeout");
    command
        .args(["--signal", "KILL"])
        .arg(scenario.limit.as_secs().to_string());
    command.args(["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    command
        .arg(place::program("interop"))
        .args(["guest", "scenario", scenario.name]);
    command
        .current_dir(&dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&error)?);

    let mut child = command.spawn().context("cannot start timeout")?;
    let report = child.stdout.take().context("no output")?;
    for text in BufReader::new(report).lines().map_while(Result::ok) {
        on_said(report::read(&text).unwrap_or(Said::Output(text)));
    }
    let status = child.wait()?;
    if status.success() {
        return Ok(None);
    }
    let said = fs::read_to_string(&error)?;
    let reason = if said.trim().is_empty() {
        format!("{status} (limit {:?})", scenario.limit)
    } else {
        said
    };
    Ok(Some(format!("{}\n{}", reason.trim_end(), logs(&dir)?)))
}

/// The ends of all logs in `dir`.
fn logs(dir: &Path) -> Result<String> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "log"));
    files.sort();
    let mut text = String::new();
    for file in files {
        let content = fs::read(&file)?;
        let content = String::from_utf8_lossy(&content);
        let lines: Vec<&str> = content.lines().collect();
        let shown = lines[lines.len().saturating_sub(TAIL)..].join("\n    ");
        text += &format!(
            "  {}:\n    {shown}\n",
            file.file_name().unwrap_or_default().to_string_lossy()
        );
    }
    Ok(text)
}
