//! Runs the program and looks at what it says.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The program as a command that is not yet started, without anything from the environment that it heeds.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_anyswan"));
    for variable in ["ANYSWAN_CONFIG", "RUST_LOG", "NOTIFY_SOCKET", "LISTEN_FDS"] {
        command.env_remove(variable);
    }
    command
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the program to its end; `input` is its standard input.
pub(crate) fn run(args: impl IntoIterator<Item = impl AsRef<OsStr>>, input: &str) -> Ended {
    let mut command = program();
    command
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that fails before it reads closes its end, and that is no fault of the test.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Ended {
    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// Checks that the error message says all of this.
    #[track_caller]
    pub(crate) fn complains(self, parts: &[&str]) -> Self {
        assert!(
            parts.iter().all(|part| self.stderr.contains(part)),
            "{parts:?} in {self:#?}"
        );
        self
    }

    /// What was printed, as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}
