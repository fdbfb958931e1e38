//! `interop/test`: every check and every test there is, counted.

mod checks;
mod fuzz;
mod guest;
mod libtest;
mod programs;
mod step;

use step::Steps;

/// Takes every step, shows what came of each, and returns whether all passed. The last line says how many did.
pub fn run() -> bool {
    let mut steps = Steps::default();
    checks::all(&mut steps);
    let kernel_tests = programs::all(&mut steps);
    fuzz::all(&mut steps);
    guest::kernel_tests(&mut steps, kernel_tests);
    guest::scenarios(&mut steps);
    steps.close()
}
