//! One boot of the virtual machine: a job goes in on a disk, the report comes out of a serial port.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::image::Image;
use crate::host::command::run;
use crate::report::{Job, Line, place};

const START: &str = include_str!("../../../boot/start");

/// Mebibytes of memory; the writable layer and all programs live in it.
const MEMORY: u32 = 2048;

/// Lines of the console shown when the machine ends without saying why.
const CONSOLE_TAIL: usize = 40;

/// A program for the guest: its name there, and the file here.
pub type Program = (String, PathBuf);

/// Boots, does the job, gives each line of the report to `on_line`, and returns the job's exit code.
///
/// # Errors
/// A tool is missing, the machine does not end within `limit`, or it ends before the job does.
pub fn boot(
    image: &Image,
    dir: &Path,
    programs: &[Program],
    job: &Job,
    limit: Duration,
    mut on_line: impl FnMut(&Line),
) -> Result<i32> {
    fs::create_dir_all(dir)?;
    let disk = program_disk(dir, programs, job)?;
    let console = dir.join("console.log");
    let mut machine = Machine::start(image, &disk, &console)?;
    let deadline = Instant::now() + limit;
    loop {
        match machine.next_line(deadline)? {
            Some(Line::Exit(code)) => return Ok(code),
            Some(line) => on_line(&line),
            None => bail!(
                "the machine ended before its job; its console said:\n{}",
                tail(&console)
            ),
        }
    }
}

/// A squashfs of its own, so that a new program does not mean a new image.
fn program_disk(dir: &Path, programs: &[Program], job: &Job) -> Result<PathBuf> {
    let content = dir.join("programs");
    if content.exists() {
        fs::remove_dir_all(&content)?;
    }
    fs::create_dir(&content)?;
    for (name, file) in programs {
        fs::copy(file, content.join(name)).with_context(|| format!("no program {}", file.display()))?;
    }
    fs::write(content.join(place::JOB), serde_json::to_vec(job)?)?;
    let start = content.join("start");
    fs::write(&start, START)?;
    run(Command::new("chmod").arg("755").arg(&start))?;

    let disk = dir.join("programs.squashfs");
    run(Command::new("mksquashfs").arg(&content).arg(&disk).args([
        "-noappend",
        "-quiet",
        "-no-progress",
        "-all-root",
        "-comp",
        "zstd",
        "-Xcompression-level",
        "1",
    ]))?;
    Ok(disk)
}

/// A running qemu; dropped, it is killed.
struct Machine {
    qemu: Child,
    lines: Receiver<Line>,
}

impl Machine {
    fn start(image: &Image, disk: &Path, console: &Path) -> Result<Self> {
        // qemu must not outlive us, however we end: the kernel sees to it (prctl(2), PR_SET_PDEATHSIG).
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
        command.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]);
        command.args(processor()).args(["-smp", "2"]);
        command.arg("-m").arg(MEMORY.to_string());
        command
            .arg("-kernel")
            .arg(&image.kernel)
            .arg("-initrd")
            .arg(&image.initramfs);
        command.args([
            "-append",
            "console=ttyS0 quiet panic=-1 random.trust_cpu=on no_timer_check",
        ]);
        for file in [image.root.as_path(), disk, &image.newer] {
            command.arg("-drive").arg(format!(
                "if=virtio,format=raw,readonly=on,file={}",
                file.display()
            ));
        }
        command.arg("-serial").arg(format!("file:{}", console.display()));
        command.args([
            "-chardev",
            "stdio,id=report,signal=off",
            "-device",
            "virtio-serial",
        ]);
        command.args(["-device", "virtserialport,chardev=report,name=report"]);
        command.args(["-device", "virtio-rng"]);
        let mut qemu = command
            // Kept open: at the end of its input qemu would close the port's output too.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start setpriv qemu-system-x86_64")?;
        let report = qemu.stdout.take().context("qemu has no output")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || forward(report, &sender));
        Ok(Self { qemu, lines })
    }

    /// The next line of the report, `None` when there will be no more.
    fn next_line(&mut self, deadline: Instant) -> Result<Option<Line>> {
        match self
            .lines
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => bail!("the machine overran its time and was stopped"),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// Parses the report until it ends. What is not a line of ours is shown as it is.
fn forward(report: ChildStdout, sender: &mpsc::Sender<Line>) {
    for text in BufReader::new(report).lines().map_while(Result::ok) {
        let line = serde_json::from_str(&text).unwrap_or(Line::Output(text));
        if sender.send(line).is_err() {
            return;
        }
    }
}

/// KVM only where the processor says that it can: a /dev/kvm can be there without.
///
/// Emulated, the processor has everything but CMPXCHG16B: qemu 7.2 spoils the flags in it now and then, and the guest's
/// kernel, which uses it in its allocator, died of a double fault in one boot of four. Without it the kernel takes a lock.
fn processor() -> [&'static str; 4] {
    let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let can_virtualise = flags
        .split_ascii_whitespace()
        .any(|flag| flag == "vmx" || flag == "svm");
    if can_virtualise && Path::new("/dev/kvm").exists() {
        ["-accel", "kvm", "-cpu", "host"]
    } else {
        ["-accel", "tcg,thread=multi", "-cpu", "max,-cx16"]
    }
}

fn tail(file: &Path) -> String {
    let text = fs::read(file)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(CONSOLE_TAIL)..].join("\n")
}
