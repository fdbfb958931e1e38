//! The developer's side: image, machine, programs, and what is shown.

pub mod build;
pub mod command;
pub mod image;
pub mod initramfs;
pub mod lab;
pub mod show;
pub mod vm;

use std::path::PathBuf;

/// The workspace's root.
pub fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where images and runs are kept.
pub fn lab_dir() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    target.join("lab")
}
