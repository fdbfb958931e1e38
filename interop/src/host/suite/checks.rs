//! What is checked of the source: form, lints, documentation, dependencies, and that it compiles elsewhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::step::{Outcome, Steps};
use super::table::Group;
use crate::host::build::cargo;
use crate::host::command::{attempt, read};
use crate::host::{requirements, target_dir, workspace};

/// For a check that compiles everything.
const COMPILING: Duration = Duration::from_secs(15 * 60);
/// For one that only reads.
const READING: Duration = Duration::from_secs(2 * 60);

// The steps' names.
const FORMAT: &str = "format";
const SCRIPTS: &str = "shell scripts";
const REQUIREMENTS: &str = "requirements, documents, words";
const LINTS: &str = "lints";
const DOCUMENTATION: &str = "documentation";
const OLDEST: &str = "the oldest compiler";
const FEATURES: &str = "the program with some of its features";
const AARCH64: &str = "another processor: aarch64";
const BANS: &str = "dependencies: bans, licences, sources";
const ADVISORIES: &str = "dependencies: advisories";

/// All of them.
pub(super) const STEPS: [&str; 10] = [
    FORMAT,
    SCRIPTS,
    REQUIREMENTS,
    LINTS,
    DOCUMENTATION,
    OLDEST,
    FEATURES,
    AARCH64,
    BANS,
    ADVISORIES,
];

/// Those that take no time.
pub(super) fn of_form(steps: &Steps) {
    steps.take(Group::Checks, FORMAT, || {
        check(READING, cargo().args(["fmt", "--all", "--check"]))
    });
    steps.take(Group::Checks, SCRIPTS, || {
        let mut shellcheck = Command::new("shellcheck");
        shellcheck.current_dir(workspace()).arg("--external-sources");
        check(READING, shellcheck.args(scripts()?))
    });
    steps.take(Group::Checks, REQUIREMENTS, requirements);
}

/// Those that compile.
pub(super) fn compiling(steps: &Steps) {
    steps.take(Group::Checks, LINTS, || {
        let scope = ["--workspace", "--all-targets", "--all-features"];
        let mut clippy = cargo();
        clippy.args(["clippy", "--locked", "--quiet"]).args(scope);
        check(COMPILING, clippy.args(["--", "--deny", "warnings"]))
    });
    steps.take(Group::Checks, DOCUMENTATION, || {
        let mut doc = cargo();
        doc.args([
            "doc",
            "--locked",
            "--quiet",
            "--workspace",
            "--no-deps",
            "--all-features",
        ]);
        check(COMPILING, doc.env("RUSTDOCFLAGS", "--deny warnings"))
    });
    steps.take(Group::Checks, OLDEST, oldest_compiler);
    steps.take(Group::Checks, FEATURES, each_feature);
    steps.take(Group::Checks, AARCH64, || another_processor("aarch64"));
}

/// What may come into the program.
pub(super) fn of_dependencies(steps: &Steps) {
    if ![BANS, ADVISORIES].iter().any(|name| steps.choice().wants(name)) {
        return;
    }
    steps.must(Group::Setup, "cargo-deny", install_deny);
    steps.take(Group::Checks, BANS, || {
        check(READING, deny().args(["check", "bans", "licenses", "sources"]))
    });
    steps.take(Group::Checks, ADVISORIES, advisories);
}

/// The scripts of the project: they begin by naming a shell, or are for one that does.
fn scripts() -> Result<Vec<PathBuf>> {
    let mut scripts = Vec::new();
    for folder in ["interop", "interop/boot", ".ci", "packaging"] {
        for entry in fs::read_dir(workspace().join(folder)).with_context(|| format!("no {folder}"))? {
            let entry = entry?;
            if !entry.file_type()?.is_file() {
                continue;
            }
            let content = fs::read(entry.path())?;
            let first = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let first = String::from_utf8_lossy(first);
            if first.ends_with("sh") && (first.starts_with("#!") || first.starts_with("# shellcheck shell="))
            {
                scripts.push(Path::new(folder).join(entry.file_name()));
            }
        }
    }
    scripts.sort();
    Ok(scripts)
}

/// Quotes of RFCs, the tests of each rule, and what documents say of the project.
fn requirements() -> Result<Outcome> {
    let faults = requirements::check()?.faults;
    Ok(if faults.is_empty() {
        Outcome::passed()
    } else {
        Outcome::failed(faults.join("\n"))
    })
}

/// `rust-version` of the manifest is a promise. Where it is this run's own compiler, everything else here proves it.
fn oldest_compiler() -> Result<Outcome> {
    let manifest = fs::read_to_string(workspace().join("Cargo.toml"))?;
    let promised = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'))
        .context("no rust-version")?;
    let is_promised = |version: &str| {
        version
            .trim()
            .strip_prefix("rustc ")
            .is_some_and(|rest| rest.starts_with(promised))
    };
    let rustc = || Command::new("rustc");
    if is_promised(&read(rustc().current_dir(workspace()).arg("--version"))?) {
        return Ok(Outcome::passed());
    }
    let mut other = Command::new("cargo");
    other.arg(format!("+{promised}")).env_remove("RUSTUP_TOOLCHAIN");
    other
        .env("RUSTUP_AUTO_INSTALL", "0")
        .env_remove("CARGO")
        .current_dir(workspace());
    if !attempt(
        READING,
        Command::new("rustup").args(["run", promised, "rustc", "--version"]),
    )?
    .ended_well
    {
        return Ok(Outcome::skipped(format!("there is no Rust {promised} here")));
    }
    other.args([
        "check",
        "--locked",
        "--quiet",
        "--workspace",
        "--all-features",
        "--target-dir",
    ]);
    check(COMPILING, other.arg(target_dir().join("oldest")))
}

/// Compiles the program without its default features, as operators may have it, and with each of the daemons alone.
fn each_feature() -> Result<Outcome> {
    let mut processor = Duration::ZERO;
    for features in ["", "edge", "distributor"] {
        let mut command = cargo();
        command.args([
            "check",
            "--locked",
            "--quiet",
            "--package",
            "anyswan",
            "--bin",
            "anyswan",
        ]);
        command.args(["--no-default-features", "--features", features]);
        let done = attempt(COMPILING, &mut command)?;
        processor += done.processor;
        if !done.ended_well {
            return Ok(Outcome::failed(format!("{features:?}:\n{}", done.output)).took(processor));
        }
    }
    Ok(Outcome::passed().took(processor))
}

/// Compiles for another processor than this one, where compilers for it are there.
fn another_processor(name: &str) -> Result<Outcome> {
    let target = format!("{name}-unknown-linux-gnu");
    let libraries = read(Command::new("rustc").current_dir(workspace()).args([
        "--print",
        "target-libdir",
        "--target",
        &target,
    ]))?;
    if !Path::new(libraries.trim()).is_dir() {
        return Ok(Outcome::skipped(format!("no Rust library for {target} here")));
    }
    let c_compiler = format!("{name}-linux-gnu-gcc");
    let has_c = Command::new(&c_compiler).arg("--version").output().is_ok();
    if !has_c {
        return Ok(Outcome::skipped(format!("no {c_compiler} here")));
    }
    let mut command = cargo();
    command.args(["check", "--locked", "--quiet", "--workspace", "--target", &target]);
    check(COMPILING, &mut command)
}

/// Nothing of it has to be fast.
fn install_deny() -> Result<Outcome> {
    if attempt(READING, deny().arg("--version"))?.ended_well {
        return Ok(Outcome::default());
    }
    let mut install = cargo();
    install.args(["install", "--quiet", "--locked", "--debug", "cargo-deny@0.20.2"]);
    let done = attempt(COMPILING, &mut install)?;
    Ok(match done.ended_well {
        true => Outcome::default().took(done.processor),
        false => Outcome::failed(done.output),
    })
}

/// The database of advisories comes from the network, which not every machine that tests may reach.
fn advisories() -> Result<Outcome> {
    let fetched = attempt(READING, deny().args(["fetch", "db"]))?;
    if !fetched.ended_well {
        return Ok(Outcome::skipped("the advisory database cannot be had from here"));
    }
    check(READING, deny().args(["check", "--disable-fetch", "advisories"]))
}

fn deny() -> Command {
    let mut command = cargo();
    command.args(["deny", "--all-features", "--log-level", "error"]);
    command
}

fn check(limit: Duration, command: &mut Command) -> Result<Outcome> {
    attempt(limit, command).map(Outcome::of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_points_are_scripts_and_so_is_what_they_source() {
        let scripts = scripts().unwrap();
        for script in ["interop/test", "interop/setup", "interop/boot/start", ".ci/run"] {
            assert!(scripts.contains(&PathBuf::from(script)), "{scripts:?}");
        }
        assert!(!scripts.contains(&PathBuf::from("interop/Cargo.toml")));
    }
}
