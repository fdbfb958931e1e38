//! A shell that someone pastes commands into.

use std::fs::File;
use std::io::{BufRead, BufReader, Lines, PipeReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::guest::host::namespace::Namespace;

/// The shell says so when it has done all that was pasted.
const DONE: &str = "-- done --";

/// A running bash; dropped, it is killed. All it writes goes to `NAME.log` too.
pub struct Shell {
    name: String,
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<PipeReader>>,
    log: File,
}

impl Shell {
    /// Runs `command` in `namespace`, which must be bash, or lead to one.
    ///
    /// # Errors
    /// There is no such program.
    pub fn start(namespace: &Namespace, name: &str, mut command: Command) -> Result<Self> {
        let (reader, writer) = std::io::pipe()?;
        command
            .stdin(Stdio::piped())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let mut child = namespace.spawn(command)?;
        let mut shell = Self {
            name: name.to_owned(),
            input: child.stdin.take().context("no input")?,
            child,
            output: BufReader::new(reader).lines(),
            log: File::create(format!("{name}.log"))?,
        };
        // The first command that fails ends the shell, and errors stand where they happened.
        shell.paste("set -e -o pipefail; exec 2>&1")?;
        Ok(shell)
    }

    /// Gives it `text` as its input, in one piece: a command in it that reads its input eats what follows, as it does for anyone
    /// who pastes. Returns what was written when all is done.
    ///
    /// # Errors
    /// A command fails, and ended the shell; the error carries all that was written.
    pub fn paste(&mut self, text: &str) -> Result<String> {
        // On a line of its own, even after a line without an end.
        writeln!(self.input, "{text}\nprintf '\\n%s\\n' '{DONE}'")
            .with_context(|| format!("{}: the shell has ended", self.name))?;
        let mut wrote = String::new();
        for line in self.output.by_ref() {
            let line = line?;
            writeln!(self.log, "{line}")?;
            if line == DONE {
                wrote.pop();
                return Ok(wrote);
            }
            wrote += &line;
            wrote.push('\n');
        }
        bail!(
            "{}: a command failed:\n{text}\nThe shell wrote:\n{wrote}",
            self.name
        )
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
