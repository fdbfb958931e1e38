//! Running a program to its end, with an error that says which one and what it wrote.

use std::process::{Command, Output};

use anyhow::{Context, Result, bail};

/// Runs `command` and returns its output when it succeeds.
///
/// # Errors
/// The program cannot be started, or it fails; the error then carries all it wrote.
pub fn run(command: &mut Command) -> Result<Output> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
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
