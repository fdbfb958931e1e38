//! What cargo builds: the program for the guest, and the tests.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::command::{content, memory_file, wait};
use super::workspace;

/// The program that all this is about.
const PRODUCT: &str = "anyswan";

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
    one("build --locked --release --workspace --bin anyswan")
}

/// The program that cargo makes when it is told `arguments`, which have no spaces within.
///
/// # Errors
/// It does not compile; cargo has said why.
pub fn one(arguments: &str) -> Result<PathBuf> {
    let made = made_by(cargo().args(arguments.split(' ')))?;
    only(
        made.artifacts
            .into_iter()
            .filter_map(|made| made.executable)
            .collect(),
    )
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

/// What one build makes, so that all that it needs is compiled once: the tests, and the product that the lab judges, which has
/// the checks of debug builds.
#[derive(Debug)]
pub struct Build {
    /// All tests of the workspace.
    pub tests: Vec<TestProgram>,
    /// The program `anyswan`.
    pub product: PathBuf,
    /// The processor time that it took.
    pub processor: Duration,
}

/// Builds tests and product.
///
/// # Errors
/// They do not compile; cargo has said why.
pub fn all() -> Result<Build> {
    let scope = [
        "test",
        "--locked",
        "--quiet",
        "--workspace",
        "--all-features",
        "--no-run",
    ];
    let Made { artifacts, processor } = made_by(cargo().args(scope))?;
    let product = artifacts.iter().filter_map(Artifact::as_product).collect();
    Ok(Build {
        product: only(product)?,
        tests: artifacts.into_iter().filter_map(Artifact::into_tests).collect(),
        processor,
    })
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
    fn as_product(&self) -> Option<PathBuf> {
        let is_product = self.target.name == PRODUCT && self.target.kind == ["bin"] && !self.profile.test;
        self.executable.clone().filter(|_| is_product)
    }

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

/// What came of a cargo build.
struct Made {
    artifacts: Vec<Artifact>,
    processor: Duration,
}

/// Runs a cargo build.
fn made_by(command: &mut Command) -> Result<Made> {
    command.args(["--message-format", "json-render-diagnostics"]);
    let mut messages = memory_file()?;
    let mut child = command
        .stdout(messages.try_clone()?)
        .stderr(Stdio::inherit())
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let (status, processor) = wait(&mut child)?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    let artifacts = parse(&String::from_utf8_lossy(&content(&mut messages)?));
    Ok(Made { artifacts, processor })
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
        let products: Vec<PathBuf> = parse(messages).iter().filter_map(Artifact::as_product).collect();
        assert_eq!(products, [PathBuf::from("/t/anyswan")]);
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
