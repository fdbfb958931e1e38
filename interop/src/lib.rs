//! The lab: a virtual machine with a stock kernel, a fleet of edges in network namespaces, and a stock strongSwan as the
//! customer. Nothing here links the product: it is run as the program `anyswan`, and judged by what the network and
//! the kernel show.
//!
//! - [`host`] runs on the developer's machine: builds the image, boots it, prints what comes out.
//! - [`guest`] runs inside, as root: the namespaces, the programs in them and the instruments that watch them.
//! - [`runner`] is what the machine does when it has started.
//! - [`scenarios`] run inside too, one file each: what must be true, told with the words of `guest`.
//! - [`report`] is the only thing that passes between inside and outside.

pub mod guest;
pub mod host;
pub mod report;
pub mod runner;
pub mod scenarios;
