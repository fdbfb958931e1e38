//! The fuzz targets, each for some time. ike's own tests read the same corpus, and what was ever found.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::step::{Outcome, Steps};
use super::table::Group;
use crate::host::build::cargo;
use crate::host::command::attempt;
use crate::host::{target_dir, workspace};

/// How long each target is fed among the other tests, and when there is time.
pub(super) const SHORT: Duration = Duration::from_secs(20);
pub(super) const LONG: Duration = Duration::from_secs(20 * 60);

/// How the steps' names begin.
pub(super) const STEP: &str = "fuzzing: ";

/// For the build, and beside the time a target is fed.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// What libFuzzer needs of the code that it feeds, and an allocator that finds misuse of memory: what `cargo fuzz` asks for.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing -Zsanitizer=address -Cdebug-assertions";

/// With a target named, flags are for the code that runs there, and not for the build's own programs.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Feeds all targets, each for so long.
pub(super) fn all(steps: &Steps, time: Duration) {
    let package = workspace().join("ike/fuzz");
    let names = match targets(&package) {
        Ok(names) => names,
        Err(error) => return steps.take(Group::Fuzzing, "fuzzing", || Err(error)),
    };
    let step = |name: &String| format!("{STEP}{name}, {} s", time.as_secs());
    if !names.iter().any(|name| steps.choice().wants(&step(name))) {
        return;
    }
    steps.must(Group::Build, "build of the fuzz targets", || build(&package));
    for name in &names {
        steps.take(Group::Fuzzing, &step(name), || run(&package, name, time));
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

/// Any compiler can do it that is told to be taken for a nightly one.
fn build(package: &Path) -> Result<Outcome> {
    let mut command = cargo();
    command
        .current_dir(package)
        .args([
            "build",
            "--locked",
            "--quiet",
            "--release",
            "--target",
            TARGET,
            "--target-dir",
        ])
        .arg(target_dir().join("fuzz"))
        .env("RUSTFLAGS", FLAGS)
        .env("RUSTC_BOOTSTRAP", "1");
    let done = attempt(LIMIT, &mut command)?;
    Ok(match done.ended_well {
        true => Outcome::default().took(done.processor),
        false => Outcome::failed(done.output),
    })
}

fn run(package: &Path, name: &str, time: Duration) -> Result<Outcome> {
    let build = target_dir().join("fuzz");
    let grown = build.join("corpus").join(name);
    let found = package.join("found").join(name);
    fs::create_dir_all(&grown)?;
    fs::create_dir_all(&found)?;
    let mut command = Command::new(build.join(TARGET).join("release").join(name));
    command.current_dir(package);
    // What is new goes to the first; the samples in the second are only read. What breaks a target goes where ike's tests find it.
    command
        .arg(&grown)
        .arg(Path::new("corpus").join(name))
        .arg(format!("-artifact_prefix=found/{name}/"))
        .arg(format!("-max_total_time={}", time.as_secs()));
    let outcome = Outcome::of(attempt(LIMIT + time, &mut command)?);
    // Only if nothing was found; nobody wants to see an empty folder.
    let _ = fs::remove_dir(&found);
    let _ = fs::remove_dir(package.join("found"));
    Ok(outcome)
}
