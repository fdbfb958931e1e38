//! The disk with the programs: a squashfs of its own, so that a new program does not mean a new image.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::host::command::run;
use crate::report::{Job, place};

const START: &str = include_str!("../../../boot/start");

/// A program for the guest: its name there, and the file here.
pub type Program = (String, PathBuf);

/// Makes the disk in `dir`, and returns its file.
///
/// # Errors
/// There is no such program, or mksquashfs fails.
pub fn disk(dir: &Path, programs: &[Program], job: &Job) -> Result<PathBuf> {
    let content = dir.join("programs");
    if content.exists() {
        fs::remove_dir_all(&content)?;
    }
    fs::create_dir_all(&content)?;
    for (name, file) in programs {
        // What debuggers want is most of a program, and the guest has it all in memory.
        run(Command::new("strip")
            .args(["--strip-debug", "-o"])
            .arg(content.join(name))
            .arg(file))
        .or_else(|_| copy(file, &content.join(name)))?;
    }
    fs::write(content.join(place::JOB), serde_json::to_vec(job)?)?;
    let start = content.join("start");
    fs::write(&start, START)?;
    run(Command::new("chmod").arg("755").arg(&start))?;

    let disk = dir.join("programs.squashfs");
    let compression = ["-comp", "zstd", "-Xcompression-level", "1"];
    run(Command::new("mksquashfs")
        .arg(&content)
        .arg(&disk)
        .args(["-noappend", "-quiet", "-no-progress", "-all-root"])
        .args(compression))?;
    Ok(disk)
}

/// What is no program of this processor is taken as it is.
fn copy(file: &Path, to: &Path) -> Result<std::process::Output> {
    run(Command::new("cp").arg(file).arg(to)).with_context(|| format!("no program {}", file.display()))
}
