//! The report on a terminal, as it comes.

use std::io::{IsTerminal, stdout};

use super::lab::Event;
use crate::report::{End, Said};

/// Prints what happens in the lab. Where several tasks run at once, each line says whose it is.
pub fn event(event: &Event, are_many: bool) {
    match event {
        Event::Begin(task) => println!("\n== {}", task.name),
        Event::Said { task, said } => {
            let whose = if are_many {
                format!("{task}: ")
            } else {
                String::new()
            };
            match said {
                Said::Step(text) => println!("\n{whose}{}", strong(text)),
                Said::Measured(text) => println!("  - {whose}{text}"),
                Said::Output(text) => println!("    {whose}{text}"),
                Said::Figures(_) => {}
            }
        }
        Event::End { task, end } => println!("\n{}", verdict(task, end)),
        Event::Stopped { .. } => {}
    }
}

fn verdict(task: &str, end: &End) -> String {
    let seconds = end.seconds;
    match &end.failure {
        None if end.exit_code == 0 => format!("ok: {task} ({seconds:.1} s)"),
        None => format!("FAILED: {task} ended with {} ({seconds:.1} s)", end.exit_code),
        Some(failure) => format!("FAILED: {task} ({seconds:.1} s)\n{failure}"),
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
