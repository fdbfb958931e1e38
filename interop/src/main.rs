//! `interop/demo`, `interop/test` and what they are made of.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};
use interop::host::lab::On;
use interop::host::machine::Kernel;
use interop::host::suite::Choice;
use interop::host::{self, build};
use interop::runner;

/// The lab.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Runs any program in the guest, as root, and shows its output.
    Run {
        /// A further file to put beside the program.
        #[arg(long)]
        with: Vec<PathBuf>,
        /// Where the machine's files go; two machines at once need two.
        #[arg(long)]
        dir: Option<PathBuf>,
        /// On the kernel that is built from source, which is fast where the stock one is emulated.
        #[arg(long)]
        user_mode: bool,
        /// The program.
        program: PathBuf,
        /// Its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Plays scenarios of the lab.
    Lab {
        /// The product to judge; without it, this workspace's is built.
        #[arg(long)]
        product: Option<PathBuf>,
        /// All of them on the stock kernel, also where that is slow.
        #[arg(long)]
        stock: bool,
        /// Their names; none for all.
        names: Vec<String>,
    },
    /// Plays the main story and shows it as it happens.
    Demo {
        /// Where the figures go too.
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// Checks and tests everything.
    Test {
        /// Only what has this in its name.
        #[arg(long, value_name = "PART")]
        only: Option<String>,
        /// Nothing that needs the lab.
        #[arg(long, conflicts_with = "long")]
        fast: bool,
        /// What not every run has to repeat, too: all of the lab with the stock kernel and the product as it is released, and
        /// twenty minutes of fuzzing for each target.
        #[arg(long)]
        long: bool,
        /// Seconds since the run began.
        #[arg(long, default_value_t = 0, hide = true)]
        since: u64,
    },
    /// Feeds the fuzz targets.
    Fuzz {
        /// For each target.
        #[arg(default_value_t = 60)]
        minutes: u32,
    },
    /// Measures what the parts cost, beside something that does the same work.
    Bench {
        /// Where the figures go too.
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// Checks quotes of RFCs, the tests that docs/requirements.md names, documents and words.
    Requirements {
        /// A folder with RFCs (rfc7296.txt): compares docs/requirements/ with them.
        #[arg(long)]
        rfc: Option<PathBuf>,
        /// Writes what new quotes need into docs/requirements/.
        #[arg(long, requires = "rfc")]
        write: bool,
        /// Sections, like 7296:2.8: shows their sentences with MUST or SHOULD that nothing quotes.
        #[arg(requires = "rfc")]
        sections: Vec<String>,
    },
    /// What runs inside the machine.
    #[command(subcommand, hide = true)]
    Guest(Inside),
}

#[derive(Subcommand)]
enum Inside {
    /// Does the job that the machine was started for.
    Boot,
    /// Plays one scenario in the working directory.
    Scenario {
        /// Its name.
        name: String,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Task::Run {
            with,
            dir,
            user_mode,
            program,
            arguments,
        } => run(&with, dir, user_mode, &program, &arguments),
        Task::Lab {
            product,
            stock,
            names,
        } => lab(product, stock, &names),
        Task::Demo { json } => host::demo::run(json.as_deref()).map(exit_code),
        Task::Test {
            only,
            fast,
            long,
            since,
        } => {
            let choice = Choice::new(only, fast, long, Duration::from_secs(since));
            Ok(i32::from(!host::suite::run(choice)))
        }
        Task::Fuzz { minutes } => Ok(i32::from(!host::suite::fuzz(MINUTE * minutes))),
        Task::Bench { json } => host::bench::run(json.as_deref()).map(|()| 0),
        Task::Requirements { rfc, write, sections } => requirements(rfc.as_deref(), write, &sections),
        Task::Guest(Inside::Boot) => runner::boot::boot().map(|()| 0),
        Task::Guest(Inside::Scenario { name }) => runner::scenarios::run_here(&name).map(|()| 0),
    };
    match done {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// How long a program that someone runs by hand may take.
const RUN_LIMIT: Duration = Duration::from_secs(30 * 60);

fn run(
    with: &[PathBuf],
    dir: Option<PathBuf>,
    user_mode: bool,
    program: &Path,
    arguments: &[String],
) -> Result<i32> {
    let files: Vec<&Path> = std::iter::once(program)
        .chain(with.iter().map(PathBuf::as_path))
        .collect();
    let dir = dir.unwrap_or_else(|| host::lab_dir().join("run"));
    let kernel = if user_mode {
        Kernel::UserMode
    } else {
        Kernel::Stock
    };
    host::lab::run(&dir, kernel, &files, arguments, RUN_LIMIT, |text| {
        println!("{text}")
    })
}

fn lab(product: Option<PathBuf>, stock: bool, names: &[String]) -> Result<i32> {
    let product = product.map_or_else(build::product, Ok)?;
    let on = if stock { On::Stock } else { On::Fastest };
    let are_many = names.len() != 1;
    host::lab::play(product, names, on, |event| host::show::event(&event, are_many)).map(exit_code)
}

/// Of so many failures.
fn exit_code(failed: usize) -> i32 {
    i32::try_from(failed).unwrap_or(i32::MAX)
}

fn requirements(rfc: Option<&Path>, write: bool, sections: &[String]) -> Result<i32> {
    let findings = match rfc {
        Some(texts) => host::requirements::compare(texts, write, sections)?,
        None => host::requirements::check()?,
    };
    let lines = findings.said.iter().chain(&findings.faults);
    lines.for_each(|line| println!("{line}"));
    Ok(i32::from(!findings.faults.is_empty()))
}
