//! What is done in one boot of the machine: scenarios, or any program.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::{image, lab_dir, vm};
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

/// How a program in the guest ended.
#[derive(Debug)]
pub struct Done {
    /// Its exit code.
    pub code: i32,
    /// All it wrote.
    pub output: String,
}

/// Runs `program` as root in the guest.
///
/// # Errors
/// The machine fails, or the program does not end within `limit`.
pub fn run(program: &Path, limit: Duration) -> Result<Done> {
    const NAME: &str = "program";
    let dir = lab_dir();
    let image = image::get(&dir)?;
    let programs = [
        ("interop".to_owned(), std::env::current_exe()?),
        (NAME.to_owned(), program.to_owned()),
    ];
    let job = Job::Run(vec![place::program(NAME).to_string_lossy().into_owned()]);
    let mut output = String::new();
    let code = vm::boot(&image, &dir.join("program"), &programs, &job, limit, |line| {
        if let Line::Output(text) = line {
            output += text;
            output.push('\n');
        }
    })?;
    Ok(Done { code, output })
}
