//! What the guest tells the host: one JSON object a line, over a virtio serial port.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What the host wants done inside one boot.
#[derive(Debug, Serialize, Deserialize)]
pub enum Job {
    /// A program and its arguments, as root; its output becomes [`Line::Output`].
    Run(Vec<String>),
    /// Scenarios by name, one after the other.
    Scenarios(Vec<String>),
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Line {
    /// A scenario starts.
    Begin {
        /// Its name.
        scenario: String,
    },
    /// What is being done now, for people.
    Step(String),
    /// Something measured, for people.
    Measured(String),
    /// The demo's figures, for machines.
    Figures(Figures),
    /// A line that a program wrote.
    Output(String),
    /// A scenario has ended.
    End {
        /// Its name.
        scenario: String,
        /// Nothing when it passed; else what was wrong and the last lines of every log.
        failure: Option<String>,
        /// Wall-clock seconds.
        seconds: f64,
    },
    /// The job is done; the exit code of a [`Job::Run`], or the number of failed scenarios.
    Exit(i32),
}

/// What `interop/demo --json` writes. Everything is measured in the run that writes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Names of the edges.
    pub edges: Vec<String>,
    /// The edge that negotiated.
    pub owner: String,
    /// Milliseconds from the first IKE_SA_INIT request to the IKE_AUTH reply, both seen at the customer.
    pub handshake_ms: f64,
    /// Milliseconds from the IKE_AUTH request's arrival at the owner to the inbound SA in each edge's kernel.
    pub installed_ms: BTreeMap<String, f64>,
    /// Pings by the edge that the network delivered them to.
    pub ping: BTreeMap<String, Count>,
    /// The flow while the network switched between edges.
    pub flip: Flip,
    /// Milliseconds from the start of `anyswan sa revoke` to the inbound SA's end in each edge's kernel.
    pub revoke_ms: BTreeMap<String, f64>,
    /// No IKE_AUTH reply was seen on the wire before the last edge had installed.
    pub barrier_held: bool,
}

/// Requests sent, and answers received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Requests.
    pub sent: u64,
    /// Answers.
    pub received: u64,
}

/// A flow through a network that changes its mind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flip {
    /// Requests.
    pub sent: u64,
    /// Answers.
    pub received: u64,
    /// How often the network changed the edge that it delivers to. The way back changed as often, to another edge.
    pub switches: u64,
    /// Requests a second.
    pub packets_per_second: f64,
    /// How long the flow lasted.
    pub seconds: f64,
}

/// The guest's end of the report.
pub struct Reporter {
    out: Box<dyn Write + Send>,
}

impl Reporter {
    /// Writes to `out`, a line at a time.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Self { out: Box::new(out) }
    }

    /// Sends one line. A host that no longer listens is not an error of the guest's.
    pub fn send(&mut self, line: &Line) {
        if let Ok(mut text) = serde_json::to_vec(line) {
            text.push(b'\n');
            let _ = self.out.write_all(&text).and_then(|()| self.out.flush());
        }
    }

    /// Tells people what is being done now.
    pub fn step(&mut self, text: impl Into<String>) {
        self.send(&Line::Step(text.into()));
    }

    /// Tells people what was measured.
    pub fn measured(&mut self, text: impl Into<String>) {
        self.send(&Line::Measured(text.into()));
    }
}

/// Where things lie inside the guest.
pub mod place {
    use super::PathBuf;

    /// The disk with the programs and the [`super::Job`].
    pub const PROGRAMS: &str = "/lab";
    /// Name of the job's file on that disk.
    pub const JOB: &str = "job.json";

    /// A program of that disk.
    pub fn program(name: &str) -> PathBuf {
        PathBuf::from(PROGRAMS).join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_survives_the_port() {
        let line = Line::End {
            scenario: "nat".into(),
            failure: Some("two\nlines".into()),
            seconds: 1.5,
        };
        let text = serde_json::to_string(&line).unwrap();
        assert!(!text.contains('\n'), "one object a line");
        assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
    }
}
