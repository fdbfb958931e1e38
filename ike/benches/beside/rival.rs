//! A responder's process, and what it has cost so far.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// Killed when dropped.
pub(crate) struct Rival(Child);

/// Work that goes on after the last reply is done when the time has stood still for so long.
const QUIET: Duration = Duration::from_millis(30);

impl Rival {
    /// What it says is thrown away, but for errors.
    pub(crate) fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.spawn().expect("the responder starts"))
    }

    /// CPU time of its threads, of those that are still there, in user space and in the kernel. Waits until they rest.
    pub(crate) fn cpu_time(&self) -> Duration {
        let mut last = self.cpu_time_now();
        loop {
            thread::sleep(QUIET);
            let time = self.cpu_time_now();
            if time == last {
                return time;
            }
            last = time;
        }
    }

    /// Octets of its memory that are resident.
    pub(crate) fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("it is alive");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        number.expect("a number of KiB") * 1024
    }

    /// The first number of a thread's schedstat is the time on a CPU, in nanoseconds.
    fn cpu_time_now(&self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.0.id())).expect("it is alive");
        let times = threads.map(|thread| {
            let file = thread.expect("a thread").path().join("schedstat");
            let text = fs::read_to_string(file).expect("a thread that stays");
            let first = text.split(' ').next().and_then(|number| number.parse().ok());
            Duration::from_nanos(first.expect("three numbers"))
        });
        times.sum()
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
