//! What `ike/benches/beside` measures: our responder, and charon as another.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::charon::{Charon, Connection, Settings};
use super::samples_of;
use super::spread::{Mark, Spread};

/// What is asked of a responder.
pub(super) struct Case {
    /// As the program calls it.
    name: &'static str,
    connection: Connection,
    /// What we want our rate to be, in charon's.
    mark: Option<f64>,
}

/// By pre-shared key.
pub(super) const BY_PSK: Connection = Connection {
    auth: "psk",
    ike: "aes256gcm16-prfsha256-x25519",
    esp: "aes256gcm16",
};

/// Handshakes by how both sides prove who they are, and how they exchange keys.
pub(super) const HANDSHAKES: [Case; 6] = [
    Case {
        name: "psk, curve25519",
        connection: BY_PSK,
        mark: Some(8.0),
    },
    Case {
        name: "ecdsa p256, curve25519",
        connection: Connection {
            auth: "pubkey",
            ..BY_PSK
        },
        mark: Some(5.0),
    },
    Case {
        name: "psk, curve25519 and mlkem768",
        connection: Connection {
            ike: "aes256gcm16-prfsha256-x25519-ke1_mlkem768",
            ..BY_PSK
        },
        mark: Some(5.0),
    },
    Case {
        name: "rsa 2048, curve25519",
        connection: Connection {
            auth: "pubkey",
            ..BY_PSK
        },
        mark: Some(2.0),
    },
    Case {
        name: "psk, modp2048",
        connection: Connection {
            ike: "aes256gcm16-prfsha256-modp2048",
            ..BY_PSK
        },
        mark: Some(1.0),
    },
    Case {
        name: "psk, modp3072",
        connection: Connection {
            ike: "aes256gcm16-prfsha256-modp3072",
            ..BY_PSK
        },
        mark: Some(1.0),
    },
];

/// What a customer rekeys, and with which key exchange. The DELETE of the old SA is a part of it.
pub(super) const REKEYS: [Case; 3] = [
    Case {
        name: "child sa",
        connection: BY_PSK,
        mark: None,
    },
    Case {
        name: "child sa, curve25519",
        connection: Connection {
            esp: "aes256gcm16-x25519",
            ..BY_PSK
        },
        mark: None,
    },
    Case {
        name: "ike sa, curve25519",
        connection: BY_PSK,
        mark: None,
    },
];

/// A round: microseconds of CPU time of ours, and of charon with each of [`Settings::ALL`].
#[derive(Deserialize)]
struct Sample {
    us: [f64; 3],
}

/// A case. Ratios are of rates: more than 1 is in our favour.
#[derive(Serialize)]
pub(super) struct Row {
    case: &'static str,
    ours_us: Spread,
    charon_released_us: Spread,
    charon_tuned_us: Spread,
    released_ratio: Spread,
    tuned_ratio: Spread,
    /// For `released_ratio`.
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<Mark>,
}

pub(super) const HEADER: [&str; 7] = [
    "what",
    "us each",
    "charon us",
    "x",
    "tuned charon us",
    "x",
    "mark",
];

/// Lets `program` measure each case.
pub(super) fn rows(program: &Path, charon: &Charon, cases: &'static [Case]) -> Result<Vec<Row>> {
    cases.iter().map(|case| row(program, charon, case)).collect()
}

fn row(program: &Path, charon: &Charon, case: &'static Case) -> Result<Row> {
    let rounds: Vec<Sample> = samples_of(&mut command(program, charon, case.name, &case.connection)?)?;
    let spread = |figure: fn(&Sample) -> f64| Spread::of(rounds.iter().map(figure));
    let released_ratio = spread(|sample| sample.us[1] / sample.us[0]);
    Ok(Row {
        case: case.name,
        ours_us: spread(|sample| sample.us[0]),
        charon_released_us: spread(|sample| sample.us[1]),
        charon_tuned_us: spread(|sample| sample.us[2]),
        released_ratio,
        tuned_ratio: spread(|sample| sample.us[2] / sample.us[0]),
        mark: case.mark.map(|mark| Mark::at_least(mark, released_ratio.median)),
    })
}

/// `program` with our responder and charon, which is set up for the connection.
pub(super) fn command(
    program: &Path,
    charon: &Charon,
    task: &str,
    connection: &Connection,
) -> Result<Command> {
    charon.set_up(connection)?;
    let mut command = charon.alone(program);
    command.arg(task).arg(charon.folder());
    for settings in Settings::ALL {
        command.arg("--").args(charon.command(settings));
    }
    Ok(command)
}

impl Row {
    pub(super) fn cells(&self) -> [String; 7] {
        [
            self.case.to_owned(),
            format!("{:.0}", self.ours_us),
            format!("{:.0}", self.charon_released_us),
            format!("{:.1}", self.released_ratio),
            format!("{:.0}", self.charon_tuned_us),
            format!("{:.1}", self.tuned_ratio),
            self.mark.map(|mark| mark.to_string()).unwrap_or_default(),
        ]
    }
}
