//! `interop/bench`: what the parts cost, each beside something that does the same work, in one run.
//!
//! The measuring programs lie in the crates they measure and write one JSON object a line for each case and round.
//! Here they are built, run one after the other, and made into ratios.

mod beside;
mod charon;
mod cores;
mod fanout;
mod handshake;
mod install;
mod memory;
mod spread;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::command::read;
use super::machine::Kernel;
use super::{build, lab, lab_dir};
use charon::Charon;

/// An emulated machine installs some hundred SAs in a second.
const INSTALL_LIMIT: Duration = Duration::from_secs(15 * 60);

/// What `interop/bench --json` writes. Everything is measured in the run that writes it.
#[derive(Serialize)]
struct Figures {
    machine: Machine,
    handshake: Vec<handshake::Row>,
    cores: Vec<cores::Row>,
    handshakes_beside_charon: Vec<beside::Row>,
    rekeys_beside_charon: Vec<beside::Row>,
    memory: Vec<memory::Row>,
    fanout: Vec<fanout::Row>,
    install: Vec<install::Row>,
}

/// Where it was measured.
#[derive(Serialize)]
struct Machine {
    processor: String,
    processors: usize,
    /// Of the minute before, by others: more than a little of it spoils the figures.
    load: f64,
}

/// Builds, measures, prints, and writes the figures to `json` if wanted.
///
/// # Errors
/// A program does not compile or fails, or the lab's machine does.
pub fn run(json: Option<&Path>) -> Result<()> {
    let machine = Machine::this()?;
    println!(
        "{}, {} processors, load {}",
        machine.processor, machine.processors, machine.load
    );
    let programs = Programs::build()?;

    println!("Medians over several rounds; in brackets the least and the greatest.");
    let handshake = handshake::rows(&samples(&programs.handshake)?);
    show(
        "Responder: CPU time of a handshake, beside its cryptography alone",
        handshake::HEADER,
        handshake.iter().map(handshake::Row::cells),
    );
    let cores = cores::rows(&samples(&programs.cores)?);
    show(
        "Responders on threads of their own",
        cores::HEADER,
        cores.iter().map(cores::Row::cells),
    );
    let charon = Charon::get(&lab_dir())?;
    let handshakes = beside::rows(&programs.beside, &charon, &beside::HANDSHAKES)?;
    show(
        "Handshakes: CPU time of our responder's process, beside charon's with the same initiator",
        beside::HEADER,
        handshakes.iter().map(beside::Row::cells),
    );
    let rekeys = beside::rows(&programs.beside, &charon, &beside::REKEYS)?;
    show(
        "Rekeys by the customer, likewise",
        beside::HEADER,
        rekeys.iter().map(beside::Row::cells),
    );
    let memory = memory::rows(&programs.beside, &charon)?;
    show(
        "Memory of an IKE SA with one child SA",
        memory::HEADER,
        memory.iter().map(memory::Row::cells),
    );
    let fanout = fanout::rows(&samples(&programs.fanout)?);
    show(
        "Distributor: from a commit to applied at all subscribers, beside one subscriber",
        fanout::HEADER,
        fanout.iter().map(fanout::Row::cells),
    );
    let install = install::rows(&samples_in_guest(&programs.install)?);
    show(
        "Agent: SAs into the kernel of the lab's machine, beside `ip -batch`",
        install::HEADER,
        install.iter().map(install::Row::cells),
    );

    if let Some(file) = json {
        let figures = Figures {
            machine,
            handshake,
            cores,
            handshakes_beside_charon: handshakes,
            rekeys_beside_charon: rekeys,
            memory,
            fanout,
            install,
        };
        fs::write(file, serde_json::to_vec_pretty(&figures)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// The measuring programs, all built before the first is run.
struct Programs {
    handshake: PathBuf,
    cores: PathBuf,
    beside: PathBuf,
    fanout: PathBuf,
    install: PathBuf,
}

impl Programs {
    fn build() -> Result<Self> {
        Ok(Self {
            handshake: build::one("bench --no-run -p ike --features testkit --bench handshake")?,
            cores: build::one("bench --no-run -p ike --features testkit --bench cores")?,
            beside: build::one("bench --no-run -p ike --features testkit --bench beside")?,
            fanout: build::one("bench --no-run -p distributor --bench fanout")?,
            install: build::one("build --release -p xfrm --example install")?,
        })
    }
}

impl Machine {
    fn this() -> Result<Self> {
        let processors = fs::read_to_string("/proc/cpuinfo")?;
        let model = processors
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let load = fs::read_to_string("/proc/loadavg")?;
        Ok(Self {
            processor: model.map_or("unknown processor", |(_, model)| model).to_owned(),
            processors: std::thread::available_parallelism()?.get(),
            load: load.split(' ').next().unwrap_or_default().parse()?,
        })
    }
}

/// Prints a heading and a table below it.
fn show<const COLUMNS: usize>(
    title: &str,
    header: [&str; COLUMNS],
    rows: impl Iterator<Item = [String; COLUMNS]>,
) {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header)
        .add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    println!("\n{title}\n{}", table.trim_fmt());
}

/// Runs a program here.
fn samples<T: DeserializeOwned>(program: &Path) -> Result<Vec<T>> {
    samples_of(&mut Command::new(program))
}

fn samples_of<T: DeserializeOwned>(command: &mut Command) -> Result<Vec<T>> {
    read(command)?.lines().map(parse).collect()
}

/// Runs a program in the lab's machine, alone there.
fn samples_in_guest<T: DeserializeOwned>(program: &Path) -> Result<Vec<T>> {
    let mut output = Vec::new();
    let dir = lab_dir().join("bench");
    let code = lab::run(&dir, Kernel::Stock, &[program], &[], INSTALL_LIMIT, |text| {
        output.push(text.to_owned());
    })?;
    if code != 0 {
        bail!(
            "the program in the lab's machine ended with {code}:\n{}",
            output.join("\n")
        );
    }
    output.iter().map(|line| parse(line)).collect()
}

fn parse<T: DeserializeOwned>(line: &str) -> Result<T> {
    serde_json::from_str(line).with_context(|| format!("not a sample: {line}"))
}
