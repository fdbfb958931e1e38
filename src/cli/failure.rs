//! How a command fails: a message for people and an exit code for scripts.

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use distributor_client::connect::{self, ConnectError};
use files::FileError;
use pki::PkiError;
use sealing::FleetKeyError;
use tonic::{Code, Status};

use crate::config::ConfigError;

/// Shown at the end of `anyswan --help`.
pub(super) const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong usage or config, 3 not found, \
                                     4 not every edge did it, or not in time, 5 distributor unreachable or it refused the caller";

/// A command's failure. Its message never holds a key.
#[derive(Debug)]
pub(super) struct Failure {
    kind: Kind,
    message: String,
}

/// The exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// It was tried and did not work.
    Failed = 1,
    /// The command line, a config file or a file that it names is wrong.
    Usage = 2,
    /// What the command names does not exist.
    NotFound = 3,
    /// It is decided, but not every edge had it before the deadline, or could do it.
    Late = 4,
    /// The distributor cannot be reached, or it does not let this caller do that.
    Unreachable = 5,
}

impl Failure {
    pub(super) fn new(kind: Kind, message: impl fmt::Display) -> Self {
        Self {
            kind,
            message: message.to_string(),
        }
    }

    /// Says what went wrong on standard error.
    pub(super) fn report(self) -> ExitCode {
        // When even that is closed, the exit code is all that is left to tell.
        let _ = writeln!(io::stderr(), "anyswan: {}", self.message);
        ExitCode::from(self.kind as u8)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Kind::Usage, error)
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::new(Kind::Usage, error)
    }
}

impl From<FleetKeyError> for Failure {
    fn from(error: FleetKeyError) -> Self {
        Self::new(Kind::Usage, error)
    }
}

impl From<PkiError> for Failure {
    fn from(error: PkiError) -> Self {
        let kind = if matches!(error, PkiError::NoAddress) {
            Kind::Usage
        } else {
            Kind::Failed
        };
        Self::new(kind, error)
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let kind = match error {
            ConnectError::File(_)
            | ConnectError::BadAuthority(_)
            | ConnectError::BadIdentity { .. }
            | ConnectError::WrongHolder { .. } => Kind::Usage,
            ConnectError::Unreachable { .. } => Kind::Unreachable,
        };
        Self::new(kind, error)
    }
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        if let Some(broken) = connect::broken(&status) {
            return Self::new(Kind::Unreachable, broken);
        }
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "gRPC's codes: what is not named has failed"
        )]
        let kind = match status.code() {
            Code::NotFound => Kind::NotFound,
            Code::Unavailable | Code::PermissionDenied | Code::Unauthenticated | Code::DeadlineExceeded => {
                Kind::Unreachable
            }
            _ => Kind::Failed,
        };
        Self::new(kind, status.message())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(Kind::Failed, error)
    }
}
