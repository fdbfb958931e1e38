//! The programs that go into the guest.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::vm::Program;
use super::workspace;

/// The cargo that runs us, or the one in the path.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    command.current_dir(workspace()).stdin(Stdio::null());
    command
}

/// The product, built for release.
///
/// # Errors
/// It does not compile; cargo has said why.
pub fn product() -> Result<PathBuf> {
    let mut command = cargo();
    command.args(["build", "--release", "-p", "anyswan", "--bin", "anyswan"]);
    only(executables(&mut command)?)
}

/// The program that holds `package`'s tests with `features`.
///
/// # Errors
/// It does not compile; cargo has said why.
pub fn test_program(package: &str, features: &str) -> Result<Program> {
    let mut command = cargo();
    command.args(["test", "-p", package, "--features", features, "--lib", "--no-run"]);
    Ok((format!("{package}-tests"), only(executables(&mut command)?)?))
}

/// What cargo says of one thing it made.
#[derive(Deserialize)]
struct Artifact {
    executable: Option<PathBuf>,
}

/// Runs a cargo build and returns the executables it made.
fn executables(command: &mut Command) -> Result<Vec<PathBuf>> {
    command
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit());
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Artifact>(line).ok()?.executable)
        .collect())
}

fn only(mut files: Vec<PathBuf>) -> Result<PathBuf> {
    match (files.pop(), files.is_empty()) {
        (Some(file), true) => Ok(file),
        _ => bail!("expected one program of this build"),
    }
}
