//! Scripts of a peer that has keys, against a whole responder; the same checks as `ike/src/testkit/exercise.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &[u8]| ike::fuzzing::exchange(script));
