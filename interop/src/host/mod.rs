//! The developer's side: image, machine, programs, and what is shown.

pub mod bench;
pub mod build;
pub mod command;
pub mod demo;
pub mod lab;
pub mod machine;
pub mod processor_time;
pub mod queue;
pub mod requirements;
pub mod show;
pub mod suite;

use std::path::PathBuf;

/// The workspace's root.
pub fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where cargo puts what it builds.
pub fn target_dir() -> PathBuf {
    workspace().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or("target".into()))
}

/// Where images and runs are kept.
pub fn lab_dir() -> PathBuf {
    target_dir().join("lab")
}
