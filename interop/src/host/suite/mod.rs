//! `interop/test`: every check and every test there is, counted.
//!
//! Two chains of steps run at once. One compiles, tests and checks; the other makes what the lab boots from, and plays there as
//! soon as the first has built the product. So one has a processor where the other waits.

mod checks;
mod choice;
mod fuzz;
mod lab;
mod libtest;
mod programs;
mod step;
mod table;

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

pub use choice::Choice;
use step::{Outcome, Steps};
use table::Group;

use super::processor_time;

/// Takes every step that is chosen, shows what came of each, and returns whether all passed. The last line says how many did.
pub fn run(choice: Choice) -> bool {
    let steps = Steps::new(choice);
    // What our process did before it became this program: it was a script that installs what is missing.
    let setup = processor_time::of(std::process::id());
    let outcome = Outcome::default().took(setup);
    steps.end(
        Group::Setup,
        "packages, and this program",
        steps.choice().begun().elapsed(),
        &outcome,
    );

    let (built, programs) = mpsc::channel();
    thread::scope(|scope| {
        if lab::is_wanted(&steps) {
            let steps = &steps;
            scope.spawn(move || {
                lab::prepare(steps);
                if let Ok(programs) = programs.recv() {
                    lab::all(steps, programs);
                }
            });
        }
        checks::of_form(&steps);
        if programs::are_wanted(&steps) {
            let tests = programs::build(&steps).map(|(programs, tests)| {
                let _ = built.send(programs);
                tests
            });
            programs::all(&steps, tests.unwrap_or_default());
        }
        // Without programs the other chain has nothing to wait for.
        drop(built);
        checks::compiling(&steps);
        let time = if steps.choice().is_long {
            fuzz::LONG
        } else {
            fuzz::SHORT
        };
        fuzz::all(&steps, time);
        checks::of_dependencies(&steps);
    });
    steps.close()
}

/// Feeds each fuzz target for `time`, and returns whether none broke.
pub fn fuzz(time: Duration) -> bool {
    let steps = Steps::new(Choice::usual());
    fuzz::all(&steps, time);
    steps.close()
}
