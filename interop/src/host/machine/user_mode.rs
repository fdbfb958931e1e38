//! Debian's kernel as a program (user-mode Linux): built once from the source package of the guest's own release, and kept
//! under `target/lab` by what went into it.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::{Context, Result};

use super::image::{self, Cache};
use crate::host::command::run;

/// Debian's package with the source, of the version that the guest's stock kernel has.
const PACKAGE: &str = "linux-source-6.12";

/// What is in it beyond the least that there can be.
const CONFIG: &str = include_str!("../../../boot/user-mode.config");

/// The kernel, made if it is not there.
///
/// # Errors
/// A tool is missing or fails; the error carries its output.
pub fn kernel(lab_dir: &Path) -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    (PACKAGE, image::GUEST.suite, CONFIG).hash(&mut hasher);
    let cache = Cache::new(lab_dir, "kernel", hasher.finish());
    Ok(cache.get("building the guest's kernel", make)?.join("linux"))
}

fn make(dir: &Path) -> Result<()> {
    let source = dir.join("source");
    let package = dir.join("package");
    image::extract(image::GUEST.suite, PACKAGE, &package)?;
    fs::create_dir(&source)?;
    run(Command::new("tar")
        .args(["--extract", "--strip-components=1", "--file"])
        .arg(package.join("usr/src").join(PACKAGE).with_extension("12.tar.xz"))
        .arg("--directory")
        .arg(&source))?;
    let config = dir.join("config");
    fs::write(&config, CONFIG)?;
    run(build(&source)
        .arg("allnoconfig")
        .env("KCONFIG_ALLCONFIG", &config))?;
    let jobs = available_parallelism().map_or(1, usize::from);
    run(build(&source).arg(format!("-j{jobs}")).arg("linux"))?;
    run(Command::new("strip")
        .args(["--strip-debug", "-o"])
        .arg(dir.join("linux"))
        .arg(source.join("linux")))
    .context("no kernel was built")?;
    fs::remove_dir_all(&source)?;
    fs::remove_dir_all(&package)?;
    Ok(())
}

fn build(source: &Path) -> Command {
    let mut make = Command::new("make");
    make.args(["--silent", "ARCH=um", "-C"]).arg(source);
    // What a cargo above us tells its own makes is not meant for this one.
    make.env_remove("MAKEFLAGS").env_remove("CARGO_MAKEFLAGS");
    make
}
