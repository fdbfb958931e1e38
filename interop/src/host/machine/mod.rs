//! The virtual machine: what it boots from, and how it runs.

pub mod image;
pub mod initramfs;
pub mod vm;
