//! Inside the machine, as root: namespaces, the programs in them, and the instruments that watch them.

pub mod boot;
