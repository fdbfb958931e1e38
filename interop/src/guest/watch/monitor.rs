//! What a kernel does: each SA added, changed or removed, with the time, as `ip xfrm monitor` hears of it.
//!
//! The time is taken when ip(8) reads the kernel's message, so an event is shown at its moment or a little later, never earlier. It
//! has real-time priority: on one processor it reads before whoever made the change goes on.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::IpAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::guest::host::namespace::Namespace;
use crate::guest::host::record::Record;

/// A change to an SA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When ip(8) heard of it.
    pub time: SystemTime,
    /// What was done.
    pub what: What,
    /// Outer destination of the SA.
    pub destination: IpAddr,
    /// Its SPI.
    pub spi: u32,
}

/// What was done to an SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It is new.
    Added,
    /// It has other attributes now.
    Updated,
    /// Someone removed it.
    Deleted,
    /// Its lifetime has run out, and the kernel has removed it.
    Expired,
}

/// A running monitor; dropped, it ends.
pub struct Monitor {
    ip: Child,
    events: Arc<Record<Event>>,
}

impl Monitor {
    /// Listens in `namespace` from when this returns. The events also go to `monitor-NAMESPACE.log`, to be read
    /// when something fails.
    ///
    /// # Errors
    /// ip(8) does not run, or does not hear the kernel.
    pub fn start(namespace: &Namespace) -> Result<Self> {
        let mut command = Command::new("chrt");
        command.args(["--fifo", "1", "ip", "-ts", "xfrm", "monitor", "SA", "expire"]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut ip = namespace.spawn(command)?;
        let stream = ip.stdout.take().context("no output")?;
        let log = File::create(format!("monitor-{}.log", namespace.name()))?;
        let events = Arc::new(Record::default());
        let record = events.clone();
        thread::spawn(move || read(stream, log, &record));
        let monitor = Self { ip, events };
        monitor.wait_until_listening(namespace)?;
        Ok(monitor)
    }

    /// All until now, but for our own probe.
    pub fn events(&self) -> Vec<Event> {
        let mut events = self.events.all();
        events.retain(|event| event.spi != PROBE_SPI);
        events
    }

    /// Waits for one of `what` to be done to the SA towards `destination` with `spi`, and returns when that was.
    ///
    /// # Errors
    /// It is not within `limit`.
    pub fn wait(&self, limit: Duration, what: &[What], destination: IpAddr, spi: u32) -> Result<SystemTime> {
        self.wait_since(SystemTime::UNIX_EPOCH, limit, what, destination, spi)
    }

    /// As [`Monitor::wait`], for what is done after `since`.
    ///
    /// # Errors
    /// It is not within `limit`.
    pub fn wait_since(
        &self,
        since: SystemTime,
        limit: Duration,
        what: &[What],
        destination: IpAddr,
        spi: u32,
    ) -> Result<SystemTime> {
        let wanted = |event: &&Event| {
            event.time > since
                && what.contains(&event.what)
                && (event.destination, event.spi) == (destination, spi)
        };
        self.events
            .wait(limit, |events| events.iter().find(wanted).map(|event| event.time))
    }

    /// ip(8) does not say when its socket is open, so an SA of our own comes and goes until it is heard.
    fn wait_until_listening(&self, namespace: &Namespace) -> Result<()> {
        for _ in 0..PROBES {
            namespace.ip(&format!(
                "xfrm state add {PROBE} mode tunnel aead rfc4106(gcm(aes)) 0x{:040} 128
                 xfrm state delete {PROBE}",
                0
            ))?;
            let heard = self.events.wait(Duration::from_millis(100), |events| {
                (!events.is_empty()).then_some(())
            });
            if heard.is_ok() {
                return Ok(());
            }
        }
        bail!("`ip xfrm monitor` hears nothing in {}", namespace.name())
    }
}

/// Addresses that nobody in the lab has.
const PROBE: &str = "src 192.0.2.254 dst 192.0.2.255 proto esp spi 0xffffffff";
const PROBE_SPI: u32 = u32::MAX;
const PROBES: u32 = 100;

impl Drop for Monitor {
    fn drop(&mut self) {
        let _ = self.ip.kill();
        let _ = self.ip.wait();
    }
}

fn read(stream: impl Read, mut log: File, events: &Record<Event>) {
    let mut parser = Parser::default();
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        if let Some(event) = parser.line(&line) {
            // Not the line: `ip xfrm monitor` shows keys, with or without its option against it.
            let _ = writeln!(log, "{event:?}");
            events.push(event);
        }
    }
}

/// An event's first line has the time, what was done and the addresses; its second the SPI. The last line of an expiry says
/// whether it was the hard one, the SA's end, or the soft one, which is nothing here.
#[derive(Default)]
struct Parser {
    begun: Option<(SystemTime, What, IpAddr)>,
    expiry: Option<Event>,
}

impl Parser {
    fn line(&mut self, line: &str) -> Option<Event> {
        if line.starts_with('[') {
            self.begun = first_line(line);
            self.expiry = None;
            return None;
        }
        if line.trim() == "hard 1" {
            return self.expiry.take();
        }
        let (time, what, destination) = self.begun.take()?;
        let spi = line.trim().strip_prefix("proto esp spi 0x")?.get(..8)?;
        let spi = u32::from_str_radix(spi, 16).ok()?;
        let event = Event {
            time,
            what,
            destination,
            spi,
        };
        if what == What::Expired {
            self.expiry = Some(event);
            return None;
        }
        Some(event)
    }
}

/// `[2026-11-21T13:48:24.894304] Deleted src 1.1.1.1 dst 2.2.2.2`
fn first_line(line: &str) -> Option<(SystemTime, What, IpAddr)> {
    let (time, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let (what, addresses) = match rest.split_once(' ')? {
        ("Deleted", rest) => (What::Deleted, rest),
        ("Updated", rest) => (What::Updated, rest),
        ("Expired", rest) => (What::Expired, rest),
        _ => (What::Added, rest),
    };
    let destination = addresses
        .split_ascii_whitespace()
        .skip_while(|word| *word != "dst")
        .nth(1)?;
    Some((parse_time(time)?, what, destination.parse().ok()?))
}

/// `2026-11-21T13:48:24.894304`, in UTC, which is the guest's time zone.
fn parse_time(text: &str) -> Option<SystemTime> {
    let (date, time) = text.split_once('T')?;
    let (clock, micros) = time.split_once('.')?;
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(clock, ':')?;
    let seconds = ((days_since_epoch(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some(UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_micros(micros.parse().ok()?))
}

fn numbers(text: &str, separator: char) -> Option<[u64; 3]> {
    let numbers: Vec<u64> = text
        .split(separator)
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    numbers.try_into().ok()
}

/// Days from 1970-01-01 in the Gregorian calendar, for years from 1970.
fn days_since_epoch(year: u64, month: u64, day: u64) -> u64 {
    const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let years: u64 = (1970..year)
        .map(|year| if is_leap(year) { 366 } else { 365 })
        .sum();
    let month = usize::try_from(month).unwrap_or_default().clamp(1, 12);
    let leap_day = u64::from(month > 2 && is_leap(year));
    years + BEFORE[month - 1] + leap_day + day.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<Event> {
        let mut parser = Parser::default();
        text.lines().filter_map(|line| parser.line(line)).collect()
    }

    #[test]
    fn reads_what_ip_writes() {
        let events = parse(
            "[2026-11-21T13:48:24.694465] src 1.1.1.1 dst 2.2.2.2\n\
             \tproto esp spi 0x00001235 reqid 7 mode tunnel\n\
             \treplay-window 0 \n\
             \tsel src 0.0.0.0/0 dst 0.0.0.0/0 \n\
             [2026-11-21T13:48:24.798101] src 10.1.0.0/24 dst 10.2.0.0/24 \n\
             \tdir in priority 0 ptype main \n\
             [2026-11-21T13:48:24.894304] Deleted src 1.1.1.1 dst 2.2.2.2\n\
             \tproto esp spi 0x00001235 reqid 7 mode tunnel\n",
        );
        let what: Vec<What> = events.iter().map(|event| event.what).collect();
        assert_eq!(what, [What::Added, What::Deleted]);
        assert_eq!(
            (events[0].destination, events[0].spi),
            ("2.2.2.2".parse().unwrap(), 0x1235)
        );
        let between = events[1].time.duration_since(events[0].time).unwrap();
        assert_eq!(between, Duration::from_micros(199_839));
    }

    #[test]
    fn only_the_hard_expiry_is_the_end() {
        let expiry = |hard| {
            format!(
                "[2026-11-21T14:07:27.286058] Expired src 1.1.1.1 dst 2.2.2.2\n\
                 \tproto esp spi 0x00001235 reqid 9 mode tunnel\n\
                 \treplay-window 0 \n\
                 \thard {hard}\n"
            )
        };
        assert_eq!(parse(&expiry(0)), []);
        let ends: Vec<_> = parse(&expiry(1))
            .iter()
            .map(|event| (event.what, event.spi))
            .collect();
        assert_eq!(ends, [(What::Expired, 0x1235)]);
    }

    #[test]
    fn times_are_utc() {
        let at = |text| parse_time(text).unwrap().duration_since(UNIX_EPOCH).unwrap();
        assert_eq!(at("1970-01-01T00:00:00.000001"), Duration::from_micros(1));
        assert_eq!(at("2000-03-01T00:00:00.0"), Duration::from_secs(951_868_800));
        assert_eq!(at("2026-11-21T13:48:24.5").as_secs(), 1_795_268_904);
        assert_eq!(parse_time("yesterday"), None);
    }
}
