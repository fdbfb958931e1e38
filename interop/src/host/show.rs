//! The report on a terminal.

use crate::report::Line;

/// Prints one line of the report as it comes.
pub fn line(line: &Line) {
    match line {
        Line::Begin { scenario } => println!("\n== {scenario}"),
        Line::Step(text) => println!("   {text}"),
        Line::Measured(text) => println!("   - {text}"),
        Line::Output(text) => println!("   | {text}"),
        Line::End {
            failure: None,
            seconds,
            ..
        } => println!("   ok ({seconds:.1} s)"),
        Line::End {
            failure: Some(failure),
            seconds,
            scenario,
        } => {
            println!("   FAILED: {scenario} ({seconds:.1} s)\n{failure}");
        }
        Line::Figures(_) | Line::Exit(_) => {}
    }
}
