//! What `ike/benches/beside` measures of memory.

use std::path::Path;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::beside::{BY_PSK, command};
use super::charon::Charon;
use super::samples_of;
use super::spread::Mark;

/// Memory of an IKE SA with one child SA, of so many.
#[derive(Deserialize)]
struct Sample {
    customers: u32,
    octets: f64,
}

/// Memory of a responder's process.
#[derive(Serialize)]
pub(super) struct Row {
    responder: &'static str,
    customers: u32,
    octets_each: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<Mark>,
}

pub(super) const HEADER: [&str; 4] = ["responder", "IKE SAs", "octets each", "mark"];

/// Octets that each of ours may have.
const MARK: f64 = 1024.0;

/// Lets `program` measure memory.
pub(super) fn rows(program: &Path, charon: &Charon) -> Result<Vec<Row>> {
    let samples: Vec<Sample> = samples_of(&mut command(program, charon, "memory", &BY_PSK)?)?;
    let responders = ["ours", "charon", "tuned charon"].into_iter();
    let marks = [Some(MARK), None, None];
    let rows = responders.zip(samples).zip(marks);
    let rows = rows.map(|((responder, sample), mark)| Row {
        responder,
        customers: sample.customers,
        octets_each: sample.octets,
        mark: mark.map(|mark| Mark::at_most(mark, sample.octets)),
    });
    Ok(rows.collect())
}

impl Row {
    pub(super) fn cells(&self) -> [String; 4] {
        [
            self.responder.to_owned(),
            self.customers.to_string(),
            format!("{:.0}", self.octets_each),
            self.mark.map(|mark| mark.to_string()).unwrap_or_default(),
        ]
    }
}
