//! What needs the lab: the tests of `xfrm` against a kernel, and the scenarios.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::libtest;
use super::step::{Outcome, Steps};
use super::table::Group;
use crate::host::lab::{self, Event, Lab, On};
use crate::host::lab_dir;
use crate::host::machine::Kernel;
use crate::host::queue::Task;
use crate::report::{End, Said};
use crate::scenarios;

/// For the kernel tests, on an emulated machine.
const KERNEL_TESTS_LIMIT: Duration = Duration::from_secs(10 * 60);

/// The kernel tests' name in the guest.
const KERNEL_TESTS: &str = "kernel-tests";

/// The steps' names.
const STEP: &str = "lab: ";
const KERNEL_STEP: &str = "tests: integration kernel, in the guest";

/// What the lab gets from the build.
pub(super) struct Programs {
    pub(super) product: PathBuf,
    pub(super) kernel_tests: Option<PathBuf>,
}

/// Whether any of its steps is chosen.
pub(super) fn is_wanted(steps: &Steps) -> bool {
    let wants = |name: &str| steps.choice().wants(name);
    let scenarios = scenarios::ALL
        .iter()
        .map(|scenario| format!("{STEP}{}", scenario.name));
    !steps.choice().is_fast && (wants(KERNEL_STEP) || scenarios.into_iter().any(|name| wants(&name)))
}

fn on(steps: &Steps) -> On {
    match steps.choice().is_long {
        true => On::Stock,
        false => On::Fastest,
    }
}

/// Makes what the machines boot from.
pub(super) fn prepare(steps: &Steps) {
    steps.must(Group::Setup, "lab: kernel and file systems", || {
        let processor = lab::prepare(on(steps))?;
        Ok(Outcome::default().took(processor))
    });
}

/// Runs everything that is chosen.
pub(super) fn all(steps: &Steps, programs: Programs) {
    let mut tasks: Vec<Task> = Vec::new();
    let mut files = vec![("anyswan".to_owned(), programs.product)];
    if steps.choice().wants(KERNEL_STEP) {
        match programs.kernel_tests {
            Some(file) => {
                files.push((KERNEL_TESTS.to_owned(), file));
                tasks.push(lab::program(KERNEL_TESTS, &[], Kernel::Stock));
            }
            None => steps.take(Group::Lab, KERNEL_STEP, || {
                Ok(Outcome::failed("there is no such test program"))
            }),
        }
    }
    let chosen = scenarios::ALL
        .iter()
        .filter(|scenario| steps.choice().wants(&format!("{STEP}{}", scenario.name)));
    tasks.extend(chosen.map(|scenario| lab::scenario(scenario, on(steps))));
    if let Err(error) = play(steps, files, tasks) {
        steps.end(Group::Lab, "lab", Duration::ZERO, &Outcome::broken(&error));
    }
}

fn play(steps: &Steps, files: Vec<(String, PathBuf)>, tasks: Vec<Task>) -> Result<()> {
    let limits = scenarios::ALL.iter().map(|scenario| scenario.limit);
    let limit = limits.max().unwrap_or_default().max(KERNEL_TESTS_LIMIT);
    let lab = Lab::new(lab_dir().join("test"), files, limit)?;
    let mut accounts: HashMap<String, String> = HashMap::new();
    lab.work(tasks, |event| match event {
        Event::Begin(task) => {
            accounts.insert(task.name, String::new());
        }
        Event::Said { task, said } => {
            if let Said::Step(text) | Said::Measured(text) | Said::Output(text) = said {
                let account = accounts.entry(task).or_default();
                account.push_str(&text);
                account.push('\n');
            }
        }
        Event::End { task, end } => {
            let account = accounts.remove(&task).unwrap_or_default();
            let (name, outcome) = judge(&task, account, &end);
            steps.end(Group::Lab, &name, Duration::from_secs_f64(end.seconds), &outcome);
        }
        Event::Stopped { kernel, processor } => {
            let name = format!("lab: a machine, {kernel}");
            steps.end(
                Group::Lab,
                &name,
                Duration::ZERO,
                &Outcome::default().took(processor),
            );
        }
    })
    .map(drop)
}

/// What a task that has told `account` comes to, and its step's name.
fn judge(task: &str, account: String, end: &End) -> (String, Outcome) {
    if task.ends_with(KERNEL_TESTS) {
        let outcome = match &end.failure {
            Some(failure) => Outcome::failed(account + failure),
            None => libtest::outcome(&account, end.exit_code == 0),
        };
        return (KERNEL_STEP.to_owned(), outcome);
    }
    let outcome = match (&end.failure, end.exit_code) {
        (None, 0) => Outcome::passed(),
        (failure, code) => {
            let failure = failure.clone().unwrap_or_else(|| format!("ended with {code}"));
            Outcome::failed(account + &failure)
        }
    };
    (format!("{STEP}{task}"), outcome)
}
