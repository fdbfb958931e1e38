//! Instruments: what was on the wire ([`capture`]), what a kernel did ([`monitor`]), what it holds ([`kernel`]), and where
//! packets were lost ([`losses`]).

pub mod capture;
pub mod kernel;
pub mod losses;
pub mod monitor;
pub mod packet;
pub mod pcap;
