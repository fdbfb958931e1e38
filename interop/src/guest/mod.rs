//! Inside the machine, as root: namespaces, the programs in them, and the instruments that watch them.
//!
//! - [`namespace`], [`process`]: where things run, and how they are started and ended;
//! - [`topology`]: the customers, the network, the edges and what lies behind them;
//! - [`charon`] with [`connection`]; [`fleet`] with [`service`] and [`holder`]: the customer's side and ours;
//! - [`stage`]: all of that, running;
//! - [`server`], [`shell`]: a host that someone sets up by hand, and where they type;
//! - [`capture`], [`monitor`], [`kernel`]: what was on the wire, what the kernel did and what it holds;
//! - [`ping`], [`flow`], [`losses`]: what got through, and where the rest was lost;
//! - [`noise`]: octets that mean nothing.

pub mod boot;
pub mod capture;
pub mod certificates;
pub mod charon;
pub mod connection;
pub mod fleet;
pub mod flow;
pub mod holder;
pub mod kernel;
pub mod losses;
pub mod monitor;
pub mod namespace;
pub mod noise;
pub mod packet;
pub mod pcap;
pub mod ping;
pub mod process;
pub mod record;
pub mod runner;
pub mod server;
pub mod service;
pub mod shell;
pub mod stage;
pub mod topology;
