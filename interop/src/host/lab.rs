//! What is done in one boot of the machine: scenarios, or any program.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use super::lab_dir;
use super::machine::{image, vm};
use crate::report::{Job, Line, place};
use crate::scenarios;

/// Boot, and what lies between two scenarios.
const MARGIN: Duration = Duration::from_secs(60);

/// Plays the scenarios of these names, all if there are none, with `product` as the program `anyswan`, and returns how many
/// failed.
///
/// # Errors
/// There is no such scenario, or the machine fails.
pub fn play(product: PathBuf, mut names: Vec<String>, on_line: impl FnMut(&Line)) -> Result<i32> {
    if names.is_empty() {
        names = scenarios::ALL
            .iter()
            .map(|scenario| scenario.name.to_owned())
            .collect();
    }
    let mut limit = MARGIN;
    for name in &names {
        limit += scenarios::find(name)?.limit;
    }
    let dir = lab_dir();
    let image = image::get(&dir)?;
    let programs = [
        ("interop".to_owned(), std::env::current_exe()?),
        ("anyswan".to_owned(), product),
    ];
    vm::boot(
        &image,
        &dir.join("scenarios"),
        &programs,
        &Job::Scenarios(names),
        limit,
        on_line,
    )
}

/// Runs the first of `files` with `arguments` as root in the guest, where the others lie beside it; gives each line of its output
/// to `on_output` and returns its exit code. The machine's own files go to `dir`; two machines at once need two.
///
/// # Errors
/// The machine fails, or the program does not end within `limit`.
pub fn run(
    dir: &Path,
    files: &[&Path],
    arguments: &[String],
    limit: Duration,
    mut on_output: impl FnMut(&str),
) -> Result<i32> {
    let image = image::get(&lab_dir())?;
    let mut programs = vec![("interop".to_owned(), std::env::current_exe()?)];
    for file in files {
        let name = file.file_name().context("a program must be a file")?;
        programs.push((name.to_string_lossy().into_owned(), file.to_path_buf()));
    }
    let (name, _) = programs.get(1).context("no program to run")?;
    let mut words = vec![place::program(name).to_string_lossy().into_owned()];
    words.extend_from_slice(arguments);
    vm::boot(&image, dir, &programs, &Job::Run(words), limit, |line| {
        if let Line::Output(text) = line {
            on_output(text);
        }
    })
}
