//! What host and guest tell each other: one JSON object a line, over a serial port.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// How a machine is to work, told once, on the disk with the programs.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Tasks at once.
    pub at_once: usize,
}

/// What the host answers each [`Line::Free`] with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Plays the scenario of this name.
    Scenario(String),
    /// Runs a program with its arguments, as root; both of its outputs become [`Said::Output`].
    Program(Vec<String>),
    /// There is nothing left to do.
    Stop,
}

/// What the guest tells the host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Line {
    /// One more task can begin.
    Free,
    /// A task says something.
    Said {
        /// The scenario's name, or the program's.
        task: String,
        /// What.
        said: Said,
    },
    /// A task has ended.
    End {
        /// Its name.
        task: String,
        /// How.
        end: End,
    },
}

/// What a task says while it runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Said {
    /// What is being done now, for people.
    Step(String),
    /// Something measured, for people.
    Measured(String),
    /// The demo's figures, for machines.
    Figures(Figures),
    /// A line that a program wrote.
    Output(String),
}

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// Of a program; a scenario's is 0 or 1.
    pub exit_code: i32,
    /// What was wrong with a scenario, and the last lines of every log.
    pub failure: Option<String>,
    /// Wall-clock seconds.
    pub seconds: f64,
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

/// One end of the port, or of the pipe between a scenario and its runner.
pub struct Reporter {
    out: Box<dyn Write + Send>,
}

impl Reporter {
    /// Writes to `out`, a line at a time.
    pub fn new(out: impl Write + Send + 'static) -> Self {
        Self { out: Box::new(out) }
    }

    /// Sends one object. A host that no longer listens is not an error of the guest's.
    pub fn send(&mut self, object: &impl Serialize) {
        if let Ok(mut text) = serde_json::to_vec(object) {
            text.push(b'\n');
            let _ = self.out.write_all(&text).and_then(|()| self.out.flush());
        }
    }

    /// Tells people what is being done now.
    pub fn step(&mut self, text: impl Into<String>) {
        self.send(&Said::Step(text.into()));
    }

    /// Tells people what was measured.
    pub fn measured(&mut self, text: impl Into<String>) {
        self.send(&Said::Measured(text.into()));
    }
}

/// The object on a line, unless it holds none.
pub fn read<T: DeserializeOwned>(line: &str) -> Option<T> {
    serde_json::from_str(line).ok()
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
        let end = End {
            exit_code: 1,
            failure: Some("two\nlines".into()),
            seconds: 1.5,
        };
        let line = Line::End {
            task: "nat".into(),
            end,
        };
        let text = serde_json::to_string(&line).unwrap();
        assert!(!text.contains('\n'), "one object a line");
        assert_eq!(read(&text), Some(line));
    }
}
