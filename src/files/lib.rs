//! Files on disk, with errors that name the path.

#![forbid(unsafe_code)]
#![warn(
    clippy::iter_over_hash_type,
    clippy::unwrap_in_result,
    clippy::wildcard_enum_match_arm
)]

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use thiserror::Error;
use zeroize::Zeroizing;

/// Read and written by the owner only: private keys.
pub const PRIVATE: u32 = 0o600;
/// Readable by everyone: certificates.
pub const PUBLIC: u32 = 0o644;

/// What a secret file must not allow: a group may read it, since daemons of several users may share one.
const EXPOSED: u32 = 0o027;

/// A file cannot be used.
#[derive(Debug, Error)]
pub enum FileError {
    /// It could not be read or written.
    #[error("{}: {doing}: {source}", path.display())]
    System {
        /// As configured.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// As the system gave it.
        source: io::Error,
    },
    /// It is in the way of a new one.
    #[error(
        "{}: there is a file of this name, and it may be in use: move it away, or choose another folder or name",
        .0.display()
    )]
    Exists(PathBuf),
    /// It holds a secret that is none.
    #[error(
        "{path}: it holds a secret that others may read or change (mode {mode:04o}); `chmod 600 {path}`, and put a new \
         secret in its place if others have had access",
        path = path.display()
    )]
    Exposed {
        /// As configured.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

impl FileError {
    fn new(path: &Path, doing: &'static str, source: io::Error) -> Self {
        Self::System {
            path: path.to_owned(),
            doing,
            source,
        }
    }
}

/// Creates `path` with `mode` and writes `contents` to the disk; a file that exists is never overwritten.
pub fn write_new(path: &Path, contents: &[u8], mode: u32) -> Result<(), FileError> {
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

/// Makes sure that [`write_new`] will not find a file there.
pub fn check_new(path: &Path) -> Result<(), FileError> {
    match path.symlink_metadata() {
        Ok(_) => Err(FileError::Exists(path.to_owned())),
        Err(_) => Ok(()),
    }
}

/// Creates a directory and those above it; a new one is the owner's only.
pub fn create_dir(path: &Path) -> Result<(), FileError> {
    let create = || DirBuilder::new().recursive(true).mode(0o700).create(path);
    create().map_err(|source| FileError::new(path, "cannot create the directory", source))
}

/// The whole file.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(path).map_err(|source| FileError::new(path, "cannot read", source))
}

/// The whole file as text.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(|source| FileError::new(path, "cannot read", source))
}

/// The whole file, which holds a secret and must not be open to others.
pub fn read_secret(path: &Path) -> Result<Zeroizing<String>, FileError> {
    let mut text = Zeroizing::new(String::new());
    open_secret(path)?
        .read_to_string(&mut text)
        .map_err(|source| FileError::new(path, "cannot read", source))?;
    Ok(text)
}

/// Opens a file that must not be open to others; for what somebody else is going to read, a check.
pub fn open_secret(path: &Path) -> Result<File, FileError> {
    let open = || {
        let file = File::open(path)?;
        let mode = file.metadata()?.mode() & 0o7777;
        Ok((file, mode))
    };
    let (file, mode) = open().map_err(|source| FileError::new(path, "cannot read", source))?;
    match mode & EXPOSED {
        0 => Ok(file),
        _ => Err(FileError::Exposed {
            path: path.to_owned(),
            mode,
        }),
    }
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

        check_new(&dir.path().join("ca.pem")).unwrap();
        let error = check_new(&path).unwrap_err().to_string();
        assert!(error.contains("ca.key: there is a file"), "{error}");
        let error = write_new(&path, b"second", PRIVATE).unwrap_err().to_string();
        assert!(error.contains("ca.key") && error.contains("exists"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"first");
    }

    #[test]
    fn a_secret_that_others_can_read_or_change_is_refused_with_the_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fleet.key");
        write_new(&path, b"secret", PRIVATE).unwrap();
        for (mode, good) in [
            (0o600, true),
            (0o400, true),
            (0o640, true),
            (0o644, false),
            (0o660, false),
            (0o602, false),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            match read_secret(&path) {
                Ok(text) => assert!(good && *text == "secret", "{mode:04o}"),
                Err(error) => {
                    let error = error.to_string();
                    let told = [format!("{mode:04o}"), format!("chmod 600 {}", path.display())];
                    assert!(!good && told.iter().all(|part| error.contains(part)), "{error}");
                }
            }
        }
    }
}
