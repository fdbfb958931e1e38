//! Machines that share a queue of tasks: scenarios, or any programs.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Error, Result, bail};

use super::command::spent;
use super::lab_dir;
use super::machine::image::{self, Image};
use super::machine::programs::{self, Program};
use super::machine::running::{Machine, has_hardware_support};
use super::machine::{Kernel, user_mode};
use super::queue::{Next, Queue, Task};
use crate::report::{End, Job, Line, Order, Said, place};
use crate::scenarios::{self, Scenario};

/// How long a machine may say nothing: its longest task's limit, and this for its boot and its own end of things.
const MARGIN: Duration = Duration::from_secs(60);

/// What happens in the lab.
#[derive(Debug)]
pub enum Event {
    /// A task begins.
    Begin(Task),
    /// A task says something.
    Said {
        /// Its name.
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
    /// A machine has nothing left to do.
    Stopped {
        /// What it ran.
        kernel: Kernel,
        /// The processor time that it had.
        processor: Duration,
    },
}

/// Which machines there are, and what they have.
pub struct Lab {
    image: Image,
    programs: Vec<Program>,
    /// Where the machines' own files go; two labs at once need two.
    dir: PathBuf,
    limit: Duration,
}

impl Lab {
    /// A lab with these programs beside `interop`, none of whose tasks takes longer than `limit`.
    ///
    /// # Errors
    /// There is no image, and none can be made.
    pub fn new(dir: PathBuf, more: Vec<Program>, limit: Duration) -> Result<Self> {
        let mut programs = vec![("interop".to_owned(), std::env::current_exe()?)];
        programs.extend(more);
        let image = image::get(&lab_dir())?;
        Ok(Self {
            image,
            programs,
            dir,
            limit,
        })
    }

    /// Does all the tasks, and returns how many ended with another exit code than 0.
    ///
    /// # Errors
    /// A machine cannot be started or ends before its tasks do.
    pub fn work(&self, tasks: Vec<Task>, mut on_event: impl FnMut(Event)) -> Result<usize> {
        let machines = machines(&tasks);
        let queue = Mutex::new(Queue::new(tasks));
        let (events, told) = mpsc::channel();
        let mut failed = 0;
        let results: Vec<Result<()>> = thread::scope(|scope| {
            let threads: Vec<_> = machines
                .into_iter()
                .enumerate()
                .map(|(number, (kernel, at_once))| {
                    let (queue, events) = (&queue, events.clone());
                    scope.spawn(move || self.run(number, kernel, at_once, queue, &events))
                })
                .collect();
            drop(events);
            for event in told {
                if let Event::End { end, .. } = &event {
                    failed += usize::from(end.exit_code != 0);
                }
                on_event(event);
            }
            let ended = threads.into_iter().map(|thread| thread.join());
            ended
                .map(|end| end.unwrap_or_else(|_| bail!("a panic")))
                .collect()
        });
        results.into_iter().collect::<Result<Vec<()>>>()?;
        let queue = queue.into_inner().unwrap_or_else(PoisonError::into_inner);
        match queue.left().next() {
            None => Ok(failed),
            Some(task) => bail!("no machine took {}", task.name),
        }
    }

    /// One machine, until there is nothing left for it. Its own end is that of its tasks.
    fn run(
        &self,
        number: usize,
        kernel: Kernel,
        at_once: usize,
        queue: &Mutex<Queue>,
        events: &Sender<Event>,
    ) -> Result<()> {
        let mut running = Vec::new();
        let done = self.serve(number, kernel, at_once, queue, events, &mut running);
        for task in running {
            let failure = done.as_ref().err().map(|error: &Error| format!("{error:?}"));
            let end = End {
                exit_code: -1,
                failure,
                seconds: 0.0,
            };
            let _ = events.send(Event::End { task: task.name, end });
        }
        done
    }

    fn serve(
        &self,
        number: usize,
        kernel: Kernel,
        at_once: usize,
        queue: &Mutex<Queue>,
        events: &Sender<Event>,
        running: &mut Vec<Task>,
    ) -> Result<()> {
        let dir = self.dir.join(number.to_string());
        let disk = programs::disk(&dir, &self.programs, &Job { at_once })?;
        let mut machine = Machine::start(kernel, &self.image, &disk, &dir)?;
        let tell = |event| {
            let _ = events.send(event);
        };
        let mut asking = false;
        loop {
            match machine.next_line(self.limit + MARGIN)? {
                Line::Free => asking = true,
                Line::Said { task, said } => tell(Event::Said { task, said }),
                Line::End { task, end } => {
                    running.retain(|other| other.name != task);
                    tell(Event::End { task, end });
                }
            }
            if !asking {
                continue;
            }
            let next = queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .next(kernel, running);
            match next {
                Next::Begin(task) => {
                    machine.order(&task.order);
                    tell(Event::Begin(task.clone()));
                    running.push(task);
                    asking = false;
                }
                Next::Wait => {}
                // Others of its workers may have something to do still.
                Next::Stop if running.is_empty() => break,
                Next::Stop => {}
            }
        }
        let processor = machine.processor_time();
        tell(Event::Stopped { kernel, processor });
        Ok(())
    }
}

/// One with the stock kernel, which is slow where it is emulated; of those that have one processor each, two.
fn machines(tasks: &[Task]) -> Vec<(Kernel, usize)> {
    let stock = if has_hardware_support() { 2 } else { 1 };
    let all = [
        (Kernel::Stock, stock),
        (Kernel::UserMode, 3),
        (Kernel::UserMode, 3),
    ];
    let is_wanted = |kernel| tasks.iter().any(|task| task.kernel == kernel);
    all.into_iter().filter(|(kernel, _)| is_wanted(*kernel)).collect()
}

/// Which kernel the scenarios run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Those that are about the kernel or the whole of it on the stock one, and the others wherever it is fastest.
    Fastest,
    /// All of them.
    Stock,
}

impl On {
    /// The kernel for this scenario.
    pub fn kernel(self, scenario: &Scenario) -> Kernel {
        let is_fast = has_hardware_support();
        if self == Self::Stock || is_fast || scenarios::wants_stock_kernel(scenario) {
            Kernel::Stock
        } else {
            Kernel::UserMode
        }
    }
}

/// The task of playing a scenario.
pub fn scenario(scenario: &Scenario, on: On) -> Task {
    Task {
        name: scenario.name.to_owned(),
        order: Order::Scenario(scenario.name.to_owned()),
        kernel: on.kernel(scenario),
        alone: scenarios::must_be_alone(scenario),
    }
}

/// The task of running a program of the lab.
pub fn program(name: &str, arguments: &[String], kernel: Kernel) -> Task {
    let name = place::program(name).to_string_lossy().into_owned();
    let words = std::iter::once(&name).chain(arguments).cloned().collect();
    Task {
        name,
        order: Order::Program(words),
        kernel,
        alone: true,
    }
}

/// Makes what the machines boot from, if it is not there, and tells the processor time that it took.
///
/// # Errors
/// A tool is missing or fails.
pub fn prepare(on: On) -> Result<Duration> {
    let (dir, before) = (lab_dir(), spent());
    let of_image = thread::scope(|scope| {
        // One waits for the mirror while the other compiles.
        let image = scope.spawn(|| image::get(&dir).map(|_| spent()));
        if on == On::Fastest && !has_hardware_support() {
            user_mode::kernel(&dir)?;
        }
        image.join().unwrap_or_else(|_| bail!("a panic"))
    })?;
    Ok(of_image + spent() - before)
}

/// Plays the scenarios of these names, all if there are none, with `product` as the program `anyswan`, and returns how many
/// failed.
///
/// # Errors
/// There is no such scenario, or a machine fails.
pub fn play(product: PathBuf, names: &[String], on: On, on_event: impl FnMut(Event)) -> Result<usize> {
    let chosen: Vec<&Scenario> = if names.is_empty() {
        scenarios::ALL.iter().collect()
    } else {
        names
            .iter()
            .map(|name| scenarios::find(name))
            .collect::<Result<_>>()?
    };
    let limit = chosen
        .iter()
        .map(|scenario| scenario.limit)
        .max()
        .unwrap_or_default();
    let product = ("anyswan".to_owned(), product);
    let lab = Lab::new(lab_dir().join("scenarios"), vec![product], limit)?;
    let tasks = chosen.into_iter().map(|chosen| scenario(chosen, on)).collect();
    lab.work(tasks, on_event)
}

/// Runs the first of `files` with `arguments` as root in a machine with this kernel, where the others lie beside it; gives each
/// line of its output to `on_output` and returns its exit code. The machine's own files go to `dir`; two at once need two.
///
/// # Errors
/// The machine fails, or the program says nothing for `limit`.
pub fn run(
    dir: &Path,
    kernel: Kernel,
    files: &[&Path],
    arguments: &[String],
    limit: Duration,
    mut on_output: impl FnMut(&str),
) -> Result<i32> {
    let mut beside = Vec::new();
    for file in files {
        let name = file.file_name().context("a program must be a file")?;
        beside.push((name.to_string_lossy().into_owned(), file.to_path_buf()));
    }
    let name = beside.first().context("no program to run")?.0.clone();
    let mut ended = None;
    Lab::new(dir.to_owned(), beside, limit)?.work(vec![program(&name, arguments, kernel)], |event| {
        match event {
            Event::Said {
                said: Said::Output(text),
                ..
            } => on_output(&text),
            Event::End { end, .. } => ended = Some(end),
            _ => {}
        }
    })?;
    let End {
        exit_code, failure, ..
    } = ended.context("the program did not end")?;
    match failure {
        Some(failure) => bail!(failure),
        None => Ok(exit_code),
    }
}
