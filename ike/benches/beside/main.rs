//! Our responder beside others, each in a process of its own, driven by the same initiator over UDP.
//!
//! `beside TASK FOLDER -- COMMAND... -- COMMAND...` takes turns with ours and with those that the commands start, and
//! writes a JSON object a line, one for each round: for each responder in their order, microseconds of CPU time for each
//! customer, of all its threads and of the kernel on their behalf. The others are set up for the task; FOLDER is where
//! they find certificates, in swanctl's own order.
//!
//! `beside memory FOLDER -- COMMAND...` writes one object for each responder: how many customers it has been given, and
//! octets of resident memory for each. `beside respond TASK FOLDER` is our responder. All take ports 500 and 4500, so
//! this wants a network of its own.

#![allow(clippy::disallowed_methods, reason = "a benchmark takes the time")]

#[path = "../common/case.rs"]
mod case;
#[path = "../common/credentials.rs"]
mod credentials;
mod crowd;
mod folder;
mod respond;
mod rival;
mod task;

use std::env;
use std::path::Path;
use std::process::Command;

use case::Case;
use credentials::Sides;
use crowd::Crowd;
use rival::Rival;
use task::Task;

/// All take turns this often, so that what else the machine does strikes each.
const ROUNDS: u64 = 9;

/// Customers before those that are measured, with whom a process comes to have its memory and its caches.
const WARM_UP: u64 = 32;

/// Customers in a turn.
const BATCH: u64 = 256;

/// Customers that stay connected, to measure memory: ours, and the other's, which takes longer for each.
const CROWD: u64 = 100_000;
const OTHERS_CROWD: u64 = 5_000;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).filter(|it| it != "--bench").collect();
    let mut parts = arguments.split(|argument| argument == "--");
    let words: Vec<&str> = parts
        .next()
        .unwrap_or_default()
        .iter()
        .map(String::as_str)
        .collect();
    match words[..] {
        ["respond", task, folder] => respond::respond(named(task).case(), Path::new(folder)),
        ["memory", folder] => {
            let task = Task::Handshake(Case::USUAL[0]);
            memory(task, ours(&task.to_string(), folder), CROWD);
            parts.for_each(|part| memory(task, command(part), OTHERS_CROWD));
        }
        [task, folder] => {
            let mut rivals = vec![ours(task, folder)];
            rivals.extend(parts.map(command));
            measure(named(task), Path::new(folder), &mut rivals);
        }
        _ => panic!("beside TASK FOLDER -- COMMAND..."),
    }
}

fn named(task: &str) -> Task {
    Task::named(task).expect("a task")
}

fn ours(task: &str, folder: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("our own program"));
    command.args(["respond", task, folder]);
    command
}

fn command(words: &[String]) -> Command {
    let (program, arguments) = words.split_first().expect("a program");
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

fn measure(task: Task, folder: &Path, rivals: &mut [Command]) {
    let sides = task.case().key_kind().map(Sides::new);
    if let Some(sides) = &sides {
        folder::write(sides, folder).expect("the folder can be written");
    }
    let customer = task.case().customer(sides.as_ref());
    for round in 0..ROUNDS {
        let times = rivals.iter_mut().map(|command| {
            let rival = Rival::start(command);
            let mut crowd = Crowd::new(customer.clone(), round);
            warm_up(task, &mut crowd);
            let mut customers = task.prepare(&mut crowd, BATCH);
            let before = rival.cpu_time();
            task.carry_out(&mut crowd, &mut customers);
            let time = rival.cpu_time() - before;
            format!("{:.1}", time.as_secs_f64() * 1e6 / BATCH as f64)
        });
        println!(r#"{{"us":[{}]}}"#, times.collect::<Vec<_>>().join(","));
    }
}

fn warm_up(task: Task, crowd: &mut Crowd) {
    crowd.wait_for_responder();
    let mut customers = task.prepare(crowd, WARM_UP);
    task.carry_out(crowd, &mut customers);
}

/// Each customer has an IKE SA with one child SA.
fn memory(task: Task, mut command: Command, customers: u64) {
    let rival = Rival::start(&mut command);
    let mut crowd = Crowd::new(task.case().customer(None), 0);
    warm_up(task, &mut crowd);
    let before = rival.resident();
    let mut left = customers;
    while left > 0 {
        let mut some = crowd.customers(left.min(BATCH));
        crowd.connect(&mut some);
        left -= some.len() as u64;
    }
    let each = (rival.resident() - before) as f64 / customers as f64;
    println!(r#"{{"customers":{customers},"octets":{each:.0}}}"#);
}
