//! What several responders on threads of their own bring: handshakes in a second on one thread and on two, and how long a
//! customer's handshake takes while others flood the edge with theirs.
//!
//! Writes a JSON object a line, one for each round; `interop/bench` makes rows of them. Wants two processors that have nothing
//! else to do.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod flood;
mod scaling;

/// One thread and two, and calm and flood, take turns this often.
const ROUNDS: u64 = 9;

fn main() {
    for round in 0..ROUNDS {
        let (one, two) = (scaling::rate(1, round), scaling::rate(2, round));
        let (calm, flooded) = (flood::delay(0, round), flood::delay(flood::FLOODING, round));
        println!(
            r#"{{"one_per_second":{one:.0},"two_per_second":{two:.0},"calm_us":{calm:.1},"flooded_us":{flooded:.1}}}"#
        );
    }
}
