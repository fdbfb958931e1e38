//! Scenarios in one boot of the machine.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::{image, lab_dir, vm};
use crate::report::{Job, Line};
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
