//! The virtual machine: what it boots from, and how it runs.
//!
//! - [`image`], [`initramfs`], [`user_mode`]: root file systems and kernels, made once and kept;
//! - [`programs`]: the disk with what is to run;
//! - [`running`]: a machine at work.

use std::fmt;

pub mod image;
pub mod initramfs;
pub mod programs;
pub mod running;
pub mod user_mode;

/// Which kernel a machine runs, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// Debian's stock kernel on qemu's processors, which are emulated where there is no hardware support.
    Stock,
    /// The same version from Debian's source, built as a process of this machine (user-mode Linux). It has one processor, and
    /// runs programs at nearly their native speed.
    UserMode,
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stock => "stock kernel",
            Self::UserMode => "user-mode kernel",
        })
    }
}
