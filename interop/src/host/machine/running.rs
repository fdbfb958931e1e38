//! A machine at work: orders go in and the report comes out of its serial port.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::image::Image;
use super::{Kernel, user_mode};
use crate::host::lab_dir;
use crate::host::processor_time;
use crate::report::{self, Line, Order, Reporter};

/// Mebibytes of memory; the writable layer and all programs live in it.
const MEMORY: u32 = 2048;

/// Lines of the console shown when the machine ends without saying why.
const CONSOLE_TAIL: usize = 40;

/// The end of every kernel's command line.
const KERNEL_LINE: &str = "quiet panic=-1 random.trust_cpu=on";

/// A running machine; dropped, it is killed.
pub struct Machine {
    child: Child,
    orders: Reporter,
    lines: Receiver<Line>,
    console: PathBuf,
}

impl Machine {
    /// Boots one whose own files go to `dir`, with `disk` as the disk with the programs.
    ///
    /// # Errors
    /// A tool is missing, or the kernel cannot be built.
    pub fn start(kernel: Kernel, image: &Image, disk: &Path, dir: &Path) -> Result<Self> {
        let console = dir.join("console.log");
        let mut command = match kernel {
            Kernel::Stock => stock(image, disk, &console),
            Kernel::UserMode => user_mode_linux(&user_mode::kernel(&lab_dir())?, image, disk, dir),
        };
        let mut child = command
            // Kept open: at the end of its input qemu would close the port's output too.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&console)?)
            // User-mode Linux is many processes.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {:?}", command.get_program()))?;
        let report = child.stdout.take().context("no output")?;
        let orders: ChildStdin = child.stdin.take().context("no input")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || forward(report, &sender));
        Ok(Self {
            child,
            orders: Reporter::new(orders),
            lines,
            console,
        })
    }

    /// Answers a [`Line::Free`].
    pub fn order(&mut self, order: &Order) {
        self.orders.send(order);
    }

    /// The next line of the report.
    ///
    /// # Errors
    /// The machine has ended, or says nothing for so long.
    pub fn next_line(&self, limit: Duration) -> Result<Line> {
        match self.lines.recv_timeout(limit) {
            Ok(line) => Ok(line),
            Err(RecvTimeoutError::Disconnected) => {
                bail!(
                    "the machine has ended; its console said:\n{}",
                    tail(&self.console)
                )
            }
            Err(RecvTimeoutError::Timeout) => bail!("the machine said nothing for {limit:?} and was stopped"),
        }
    }

    /// The processor time that it has had.
    pub fn processor_time(&self) -> Duration {
        processor_time::of(self.child.id())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let group = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// Ends with us, however we end: the kernel sees to it (prctl(2), PR_SET_PDEATHSIG).
fn bound_to_us(signal: &str, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal]).arg(program);
    command
}

/// Debian's kernel on qemu's processors.
fn stock(image: &Image, disk: &Path, console: &Path) -> Command {
    let mut command = bound_to_us("KILL", Path::new("qemu-system-x86_64"));
    command.args(["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]);
    command.args(processor()).args(["-smp", "2"]);
    command.arg("-m").arg(MEMORY.to_string());
    command.arg("-kernel").arg(&image.kernel);
    command.arg("-initrd").arg(&image.initramfs);
    command.arg("-append");
    command.arg(format!("console=ttyS0 no_timer_check {KERNEL_LINE}"));
    for file in [image.root.as_path(), disk, &image.newer] {
        let file = file.display();
        command.arg("-drive");
        // Several machines read one image, and a user-mode kernel holds a lock on it that qemu would not start beside.
        command.arg(format!(
            "if=virtio,format=raw,readonly=on,file.locking=off,file={file}"
        ));
    }
    command.arg("-serial").arg(format!("file:{}", console.display()));
    command.args(["-chardev", "stdio,id=report,signal=off"]);
    command.args(["-device", "virtio-serial"]);
    command.args(["-device", "virtserialport,chardev=report,name=report"]);
    command.args(["-device", "virtio-rng"]);
    command
}

/// A kernel that is a process: its first serial line is our pipes, its console the standard error.
fn user_mode_linux(kernel: &Path, image: &Image, disk: &Path, dir: &Path) -> Command {
    // Asked to end, it ends the processes of its guest as well.
    let mut command = bound_to_us("TERM", kernel);
    command.arg(format!("mem={MEMORY}M"));
    command.arg(format!("initrd={}", image.initramfs.display()));
    for (number, file) in [image.root.as_path(), disk, &image.newer].into_iter().enumerate() {
        command.arg(format!("ubd{number}r={}", file.display()));
    }
    command.args(["con=null", "con0=null,fd:2", "console=tty0"]);
    command.args(["ssl=null", "ssl0=fd:0,fd:1", "report=/dev/ttyS0"]);
    command.arg(format!("uml_dir={}", dir.join("uml").display()));
    command.args(KERNEL_LINE.split(' '));
    command
}

/// Parses the report until it ends. What is not a line of ours is somebody's noise on the port.
fn forward(report: ChildStdout, sender: &mpsc::Sender<Line>) {
    for text in BufReader::new(report).lines().map_while(Result::ok) {
        match report::read(&text) {
            Some(line) => {
                if sender.send(line).is_err() {
                    return;
                }
            }
            None => eprintln!("lab: {text}"),
        }
    }
}

/// Whether this machine's processors can run another machine's programs by themselves. A /dev/kvm can be there without.
pub fn has_hardware_support() -> bool {
    let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let can_virtualise = flags
        .split_ascii_whitespace()
        .any(|flag| flag == "vmx" || flag == "svm");
    can_virtualise && Path::new("/dev/kvm").exists()
}

/// Emulated, the processor has everything but CMPXCHG16B: qemu 7.2 spoils the flags in it now and then, and the guest's
/// kernel, which uses it in its allocator, died of a double fault in one boot of four. Without it the kernel takes a lock.
fn processor() -> [&'static str; 4] {
    if has_hardware_support() {
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
