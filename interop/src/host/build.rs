//! What cargo builds: the program for the guest, and the tests.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

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
    // The whole workspace, as the entry points do: so the same features of dependencies are chosen, and nothing is built twice.
    one("build --release --workspace --bin anyswan")
}

/// The program that cargo makes when it is told `arguments`, which have no spaces within.
///
/// # Errors
/// It does not compile; cargo has said why.
pub fn one(arguments: &str) -> Result<PathBuf> {
    only(executables(cargo().args(arguments.split(' ')))?)
}

/// What a test program holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The unit tests of a library.
    Library,
    /// The unit tests of a program.
    Program,
    /// Tests of a package from outside.
    Integration,
}

/// A program of tests.
#[derive(Debug)]
pub struct TestProgram {
    /// Of what.
    pub kind: Kind,
    /// Of which library or program; or the integration tests' own name.
    pub name: String,
    /// The package's directory, where cargo runs its tests.
    pub package: PathBuf,
    /// The program.
    pub file: PathBuf,
}

/// All tests of the workspace, built.
///
/// # Errors
/// They do not compile; cargo has said why.
pub fn test_programs() -> Result<Vec<TestProgram>> {
    let mut command = cargo();
    command.args(["test", "--quiet", "--workspace", "--all-features", "--no-run"]);
    let artifacts = artifacts(&mut command)?;
    Ok(artifacts.into_iter().filter_map(Artifact::into_tests).collect())
}

/// What cargo says of one thing it made; its other messages have no target. (The Cargo Book, External tools.)
#[derive(Deserialize)]
struct Artifact {
    manifest_path: PathBuf,
    target: Target,
    profile: Profile,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    name: String,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

impl Artifact {
    fn into_tests(self) -> Option<TestProgram> {
        let kind = match self.target.kind.first()?.as_str() {
            "lib" => Kind::Library,
            "bin" => Kind::Program,
            "test" => Kind::Integration,
            _ => return None,
        };
        Some(TestProgram {
            kind,
            name: self.target.name,
            package: self.manifest_path.parent()?.to_owned(),
            file: self.executable.filter(|_| self.profile.test)?,
        })
    }
}

/// Runs a cargo build and returns the executables it made.
fn executables(command: &mut Command) -> Result<Vec<PathBuf>> {
    let artifacts = artifacts(command)?;
    Ok(artifacts
        .into_iter()
        .filter_map(|artifact| artifact.executable)
        .collect())
}

/// Runs a cargo build and returns all it made.
fn artifacts(command: &mut Command) -> Result<Vec<Artifact>> {
    command
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit());
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", output.status);
    }
    Ok(parse(&String::from_utf8_lossy(&output.stdout)))
}

fn parse(messages: &str) -> Vec<Artifact> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

fn only(mut files: Vec<PathBuf>) -> Result<PathBuf> {
    match (files.pop(), files.is_empty()) {
        (Some(file), true) => Ok(file),
        _ => bail!("expected one program of this build"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_programs_are_told_from_all_else_that_cargo_makes() {
        let messages = r#"
{"reason":"build-script-executed","package_id":"ring"}
{"reason":"compiler-artifact","manifest_path":"/p/ike/Cargo.toml","target":{"kind":["lib"],"name":"ike"},"profile":{"test":false},"executable":null}
{"reason":"compiler-artifact","manifest_path":"/p/ike/Cargo.toml","target":{"kind":["lib"],"name":"ike"},"profile":{"test":true},"executable":"/t/ike-1"}
{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","target":{"kind":["bin"],"name":"anyswan"},"profile":{"test":false},"executable":"/t/anyswan"}
{"reason":"compiler-artifact","manifest_path":"/p/Cargo.toml","target":{"kind":["test"],"name":"cli"},"profile":{"test":true},"executable":"/t/cli-2"}
{"reason":"build-finished","success":true}
"#;
        let programs: Vec<TestProgram> = parse(messages)
            .into_iter()
            .filter_map(Artifact::into_tests)
            .collect();
        let [unit, integration] = programs.as_slice() else {
            panic!("{programs:?}")
        };
        assert_eq!((unit.kind, unit.name.as_str()), (Kind::Library, "ike"));
        assert_eq!(unit.file, PathBuf::from("/t/ike-1"));
        assert_eq!(
            (integration.kind, integration.name.as_str()),
            (Kind::Integration, "cli")
        );
        assert_eq!(integration.package, PathBuf::from("/p"));
    }
}
