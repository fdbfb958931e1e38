//! Inside the machine, as root: hosts, the programs on them, and the instruments that watch them.
//!
//! - [`host`]: where things run, and how they are started and ended;
//! - [`network`]: the customers, the internet, the edges and what lies behind them;
//! - [`peers`]: the customer's side and ours;
//! - [`watch`], [`traffic`]: what was seen, what was sent;
//! - [`stage`]: all of that, running.

pub mod host;
pub mod network;
pub mod peers;
pub mod stage;
pub mod traffic;
pub mod watch;
