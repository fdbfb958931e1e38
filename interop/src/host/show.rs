//! The report on a terminal, as it comes.

use std::io::{IsTerminal, stdout};

use crate::report::Line;

/// Prints one line of the report.
pub fn line(line: &Line) {
    match line {
        Line::Begin { scenario } => println!("\n== {scenario}"),
        Line::Step(text) => println!("\n{}", strong(text)),
        Line::Measured(text) => println!("  - {text}"),
        Line::Output(text) => println!("    {text}"),
        Line::End {
            failure: None,
            seconds,
            ..
        } => println!("\nok ({seconds:.1} s)"),
        Line::End {
            failure: Some(failure),
            seconds,
            scenario,
        } => println!("\nFAILED: {scenario} ({seconds:.1} s)\n{failure}"),
        Line::Figures(_) | Line::Exit(_) => {}
    }
}

/// Bold where a person looks (ECMA-48, SGR).
fn strong(text: &str) -> String {
    if stdout().is_terminal() {
        format!("\x1b[1m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
