//! Which events reach this process at all, so that neither our own changes nor a full routing table's cost anything.
//!
//! Classic BPF programs, run by the kernel on each message. Loads are big-endian, whereas netlink's numbers have the
//! host's order: so they are compared as they lie in memory. What passes is parsed and judged like any other bytes.

use std::io;
use std::os::fd::AsFd;

use socket2::{SockFilter, SockRef};

use crate::wanted::MARK;

// Offsets into `struct nlmsghdr`, and into the message behind it.
const TYPE: u32 = 4;
const PORT: u32 = 12;
/// `ifi_index` and `ifa_index` alike; the half with the mark.
const INDEX_HIGH: u32 = if cfg!(target_endian = "little") { 22 } else { 20 };
/// `rtm_protocol`.
const ROUTE_PROTOCOL: u32 = 21;

// Operations (linux/bpf_common.h).
const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;

const DROP: SockFilter = SockFilter::new(RETURN, 0, 0, 0);
const PASS: SockFilter = SockFilter::new(RETURN, 0, 0, u32::MAX);

/// Passes messages of these types, unless a request from the port `own` has caused them.
pub(super) fn pass_types(socket: &impl AsFd, own: u32, types: &[u16]) -> io::Result<()> {
    let mut program = skip_own(own);
    program.push(load(LOAD_HALF, TYPE));
    for kind in types {
        // If not, behind the next, which passes it.
        program.extend([equal(half(*kind), 0, 1), PASS]);
    }
    program.push(DROP);
    SockRef::from(socket).attach_filter(&program)
}

/// Of rtnetlink's messages, passes those of `on_interfaces` about interfaces with our mark, and those of `on_routes` about
/// routes of `protocol`; unless a request from the port `own` has caused them.
pub(super) fn pass_ours(
    socket: &impl AsFd,
    own: u32,
    on_interfaces: &[u16],
    on_routes: &[u16],
    protocol: u8,
) -> io::Result<()> {
    let mut program = skip_own(own);
    let mark = half((MARK >> 16) as u16);
    let tests = [
        (on_interfaces, (LOAD_HALF, INDEX_HIGH), mark),
        (on_routes, (LOAD_BYTE, ROUTE_PROTOCOL), u32::from(protocol)),
    ];
    for (types, (operation, offset), value) in tests {
        for kind in types {
            program.push(load(LOAD_HALF, TYPE));
            // If not, behind the four that follow.
            program.push(equal(half(*kind), 0, 4));
            program.extend([load(operation, offset), equal(value, 0, 1), PASS, DROP]);
        }
    }
    program.push(DROP);
    SockRef::from(socket).attach_filter(&program)
}

fn skip_own(own: u32) -> Vec<SockFilter> {
    let own = u32::from_be_bytes(own.to_ne_bytes());
    vec![load(LOAD_WORD, PORT), equal(own, 0, 1), DROP]
}

const fn load(operation: u16, offset: u32) -> SockFilter {
    SockFilter::new(operation, 0, 0, offset)
}

/// Skips so many instructions if the loaded value is this one, or is not.
const fn equal(value: u32, if_equal: u8, if_other: u8) -> SockFilter {
    SockFilter::new(JUMP_IF_EQUAL, if_equal, if_other, value)
}

fn half(value: u16) -> u32 {
    u16::from_be_bytes(value.to_ne_bytes()).into()
}
