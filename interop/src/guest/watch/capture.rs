//! What passes an interface: IKE and ESP with the kernel's times, by tcpdump.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::guest::host::namespace::Namespace;
use crate::guest::host::record::Record;
use crate::guest::watch::packet::{Content, Packet};
use crate::guest::watch::pcap;

const FILTER: &str = "udp port 500 or udp port 4500 or ip proto 50 or ip6 proto 50";

/// A running capture; dropped, it ends.
pub struct Capture {
    tcpdump: Child,
    packets: Arc<Record<Packet>>,
}

impl Capture {
    /// Captures on `interface` of `namespace` from when this returns. The IKE messages also go to `capture-NAMESPACE.log`,
    /// to be read when something fails.
    ///
    /// # Errors
    /// There is no such interface.
    pub fn start(namespace: &Namespace, interface: &str) -> Result<Self> {
        let mut command = Command::new("tcpdump");
        command.args([
            "-i",
            interface,
            "-n",
            "-s",
            "128",
            "-U",
            "--immediate-mode",
            "-Z",
            "root",
        ]);
        command.args(["--time-stamp-precision=nano", "-w", "-", FILTER]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut tcpdump = namespace.spawn(command)?;
        let stream = tcpdump.stdout.take().context("no output")?;
        let messages = tcpdump.stderr.take().context("no messages")?;
        wait_until_listening(messages)?;
        let log = File::create(format!("capture-{}.log", namespace.name()))?;
        let packets = Arc::new(Record::default());
        let record = packets.clone();
        thread::spawn(move || read(stream, log, &record));
        Ok(Self { tcpdump, packets })
    }

    /// All until now.
    pub fn packets(&self) -> Vec<Packet> {
        self.packets.all()
    }

    /// Waits until `found` finds what it looks for in all that was captured.
    ///
    /// # Errors
    /// It does not within `limit`.
    pub fn wait_until<R>(&self, limit: Duration, found: impl FnMut(&[Packet]) -> Option<R>) -> Result<R> {
        self.packets.wait(limit, found)
    }

    /// Waits for the first packet that is `wanted`.
    ///
    /// # Errors
    /// There is none within `limit`.
    pub fn wait(&self, limit: Duration, wanted: impl Fn(&Packet) -> bool) -> Result<Packet> {
        self.packets.wait(limit, |packets| {
            packets.iter().find(|packet| wanted(packet)).cloned()
        })
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.tcpdump.kill();
        let _ = self.tcpdump.wait();
    }
}

/// tcpdump says so when its socket is open.
fn wait_until_listening(mut messages: ChildStderr) -> Result<()> {
    let mut said = Vec::new();
    let mut octet = [0];
    loop {
        if messages.read(&mut octet)? == 0 {
            bail!("tcpdump ended: {}", String::from_utf8_lossy(&said));
        }
        said.push(octet[0]);
        if said.ends_with(b"listening on") {
            // The rest is drained, so that tcpdump never blocks on it.
            thread::spawn(move || std::io::copy(&mut messages, &mut std::io::sink()));
            return Ok(());
        }
    }
}

/// A stream that ends or is no capture ends the reading; who waits for a packet then says what is missing.
fn read(stream: impl Read, mut log: File, packets: &Record<Packet>) {
    let mut stream = BufReader::new(stream);
    if let Err(error) = pcap::read_header(&mut stream) {
        let _ = writeln!(log, "{error}");
        return;
    }
    while let Ok(Some(frame)) = pcap::read_frame(&mut stream) {
        if let Some(packet) = Packet::parse(&frame) {
            if matches!(packet.content, Content::Ike(_)) {
                let _ = writeln!(log, "{:?} {packet}", packet.time);
            }
            packets.push(packet);
        }
    }
}
