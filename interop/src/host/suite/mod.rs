//! `interop/test`: every check and every test there is, counted.

mod checks;
mod fuzz;
mod guest;
mod libtest;
mod programs;
mod step;

use std::time::Duration;

use step::Steps;

/// Takes every step, shows what came of each, and returns whether all passed. The last line says how many did.
pub fn run() -> bool {
    let mut steps = Steps::default();
    checks::all(&mut steps);
    let kernel_tests = programs::all(&mut steps);
    fuzz::all(&mut steps, fuzz::SHORT);
    guest::kernel_tests(&mut steps, kernel_tests);
    guest::scenarios(&mut steps);
    steps.close()
}

/// Feeds each fuzz target for `time`, and returns whether none broke.
pub fn fuzz(time: Duration) -> bool {
    let mut steps = Steps::default();
    fuzz::all(&mut steps, time);
    steps.close()
}
