//! The fuzz targets, each for some time, where there is a compiler for them. Elsewhere ike's own tests read the same corpus, and
//! everywhere what was ever found.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::step::{Outcome, Steps};
use crate::host::command::attempt;
use crate::host::{target_dir, workspace};

/// How long each target is fed among the other tests.
pub(super) const SHORT: Duration = Duration::from_secs(20);

/// For the build of one target, beside the time it is fed.
const BUILD_LIMIT: Duration = Duration::from_secs(10 * 60);

/// Feeds all targets, each for so long.
pub(super) fn all(steps: &mut Steps, time: Duration) {
    let package = workspace().join("ike/fuzz");
    match targets(&package) {
        Ok(names) => names.iter().for_each(|name| {
            steps.take(&format!("fuzzing: {name}, {} s", time.as_secs()), || {
                run(&package, name, time)
            });
        }),
        Err(error) => steps.take("fuzzing", || Err(error)),
    }
}

/// By the names of their files, in alphabetical order.
fn targets(package: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for file in fs::read_dir(package.join("fuzz_targets"))? {
        let name = PathBuf::from(file?.file_name()).with_extension("");
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn run(package: &Path, name: &str, time: Duration) -> Result<Outcome> {
    if !attempt(BUILD_LIMIT, cargo_fuzz().arg("--version"))?.ended_well {
        return Ok(Outcome::uncounted(
            "not done: no nightly compiler with cargo-fuzz here",
        ));
    }
    let build = target_dir().join("fuzz");
    let grown = build.join("corpus").join(name);
    fs::create_dir_all(&grown)?;
    fs::create_dir_all(package.join("found").join(name))?;
    let mut command = cargo_fuzz();
    command.current_dir(package).args(["run", "--target-dir"]);
    command.arg(&build).arg(name);
    // What is new goes to the first; the samples in the second are only read. What breaks a target goes where ike's tests find it.
    command
        .arg(&grown)
        .arg(Path::new("corpus").join(name))
        .arg("--")
        .arg(format!("-artifact_prefix=found/{name}/"))
        .arg(format!("-max_total_time={}", time.as_secs()));
    let attempt = attempt(BUILD_LIMIT + time, &mut command)?;
    Ok(if attempt.ended_well {
        Outcome::passed()
    } else {
        Outcome::failed(attempt.output)
    })
}

/// rustup's cargo, which knows `+nightly`, and must not fetch that compiler when it is missing.
fn cargo_fuzz() -> Command {
    let mut command = Command::new("cargo");
    command
        .args(["+nightly", "fuzz"])
        .env_remove("RUSTUP_TOOLCHAIN")
        .env("RUSTUP_AUTO_INSTALL", "0");
    command
}
