//! Files on disk, with errors that name the path.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Read and written by the owner only: private keys.
pub(crate) const PRIVATE: u32 = 0o600;
/// Readable by everyone: certificates.
pub(crate) const PUBLIC: u32 = 0o644;

/// A file could not be read or written.
#[derive(Debug, Error)]
#[error("{}: {doing}: {source}", path.display())]
pub(crate) struct FileError {
    path: PathBuf,
    doing: &'static str,
    source: io::Error,
}

impl FileError {
    fn new(path: &Path, doing: &'static str, source: io::Error) -> Self {
        Self {
            path: path.to_owned(),
            doing,
            source,
        }
    }
}

/// Creates `path` with `mode` and writes `contents` to the disk; a file that exists is never overwritten.
pub(crate) fn write_new(path: &Path, contents: &[u8], mode: u32) -> Result<(), FileError> {
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        file.write_all(contents)?;
        file.sync_all()
    };
    write().map_err(|source| FileError::new(path, "cannot create", source))
}

/// Creates a directory and those above it; a new one is the owner's only.
pub(crate) fn create_dir(path: &Path) -> Result<(), FileError> {
    let create = || DirBuilder::new().recursive(true).mode(0o700).create(path);
    create().map_err(|source| FileError::new(path, "cannot create the directory", source))
}

/// The whole file as text.
pub(crate) fn read_text(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(|source| FileError::new(path, "cannot read", source))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_file_has_its_mode_and_an_existing_one_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.key");
        write_new(&path, b"first", PRIVATE).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        let error = write_new(&path, b"second", PRIVATE).unwrap_err().to_string();
        assert!(error.contains("ca.key") && error.contains("exists"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }
}
