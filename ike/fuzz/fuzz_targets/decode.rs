//! Arbitrary datagrams against the decoder; the same checks as `ike/src/wire/properties.rs`.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| ike::fuzzing::decode(datagram));
