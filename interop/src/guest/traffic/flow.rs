//! A flow of our own through the tunnel: numbered datagrams from the customer, answered by the origin.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rustix::net::sockopt;

use crate::guest::host::namespace::Namespace;

/// The echo port (RFC 862).
const PORT: u16 = 7;

/// Octets of a datagram: its number, then as much again to look like a packet of voice.
const SIZE: usize = 160;

/// Octets of a receive buffer: room for a minute of datagrams.
const RECEIVE_BUFFER: usize = 16 * 1024 * 1024;

/// How long answers are waited for after the last request.
const STRAGGLERS: Duration = Duration::from_secs(3);

/// How often the threads look whether they are to end.
const TICK: Duration = Duration::from_millis(100);

/// Answers every datagram to `address` with the same datagram; dropped, it ends.
pub struct Echo {
    running: Running,
    seen: Arc<Mutex<BTreeSet<u64>>>,
}

impl Echo {
    /// Starts it in `namespace`, which has `address`.
    ///
    /// # Errors
    /// The namespace has no such address.
    pub fn start(namespace: &Namespace, address: IpAddr) -> Result<Self> {
        let socket = bind(namespace, SocketAddr::new(address, PORT))?;
        let seen = Arc::new(Mutex::new(BTreeSet::new()));
        let noted = seen.clone();
        let running = Running::start(move |stop| {
            let mut buffer = [0; SIZE];
            while !stop.load(Ordering::Relaxed) {
                if let Ok((length, peer)) = socket.recv_from(&mut buffer) {
                    if let Some(number) = number(&buffer[..length]) {
                        locked(&noted).insert(number);
                    }
                    let _ = socket.send_to(&buffer[..length], peer);
                }
            }
        });
        Ok(Self { running, seen })
    }

    /// The numbers that reached it; ends it.
    pub fn stop(mut self) -> BTreeSet<u64> {
        self.running.stop();
        std::mem::take(&mut *locked(&self.seen))
    }
}

/// A flow under way.
pub struct Flow {
    sender: Running,
    receiver: Running,
    begun: Instant,
    interval: Duration,
    counters: Arc<Counters>,
    answered: Arc<Mutex<BTreeSet<u64>>>,
}

#[derive(Default)]
struct Counters {
    sent: AtomicU64,
    refused: Mutex<BTreeSet<u64>>,
}

/// How a flow went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Datagrams sent, numbered from 0.
    pub sent: u64,
    /// The numbers that the sender's own kernel did not take, so that they never left it.
    pub refused: BTreeSet<u64>,
    /// How long it took.
    pub took: Duration,
    /// The numbers that were answered.
    pub answered: BTreeSet<u64>,
    /// Between two datagrams.
    pub interval: Duration,
}

impl Outcome {
    /// How many were answered.
    pub fn received(&self) -> u64 {
        self.answered.len() as u64
    }

    /// Runs of datagrams that were neither refused nor answered, as times since the start.
    pub fn gaps(&self) -> Vec<String> {
        let mut gaps: Vec<(u64, u64)> = Vec::new();
        let is_lost = |number: &u64| !self.answered.contains(number) && !self.refused.contains(number);
        for number in (0..self.sent).filter(is_lost) {
            match gaps.last_mut() {
                Some((_, last)) if *last + 1 == number => *last = number,
                _ => gaps.push((number, number)),
            }
        }
        let at = |number: u64| self.interval.as_secs_f64() * number as f64;
        gaps.iter()
            .map(|(first, last)| {
                format!(
                    "{} lost from {:.2} s to {:.2} s",
                    last - first + 1,
                    at(*first),
                    at(*last)
                )
            })
            .collect()
    }
}

impl Flow {
    /// Sends `rate` datagrams a second from `source` in `namespace` to the echo at `destination`.
    ///
    /// # Errors
    /// The namespace has no such address.
    pub fn start(namespace: &Namespace, source: IpAddr, destination: IpAddr, rate: u32) -> Result<Self> {
        let socket = bind(namespace, SocketAddr::new(source, 0))?;
        let receiving = socket.try_clone()?;
        let target = SocketAddr::new(destination, PORT);
        let (begun, interval) = (Instant::now(), Duration::from_secs(1) / rate);
        let counters = Arc::<Counters>::default();
        let answered = Arc::new(Mutex::new(BTreeSet::new()));
        let (counted, noted) = (counters.clone(), answered.clone());
        let receiver = Running::start(move |stop| receive(&receiving, stop, &noted));
        let sender = Running::start(move |stop| send(&socket, target, begun, interval, stop, &counted));
        Ok(Self {
            sender,
            receiver,
            begun,
            interval,
            counters,
            answered,
        })
    }

    /// Waits until `more` have been answered, so that what follows happens under traffic.
    ///
    /// # Errors
    /// They are not within `limit`.
    pub fn wait_for_answers(&self, more: usize, limit: Duration) -> Result<()> {
        let count = || self.answered.lock().unwrap_or_else(PoisonError::into_inner).len();
        let (wanted, deadline) = (count() + more, Instant::now() + limit);
        while count() < wanted {
            if Instant::now() > deadline {
                return Err(anyhow!("{} of {wanted} answers within {limit:?}", count()));
            }
            thread::sleep(self.interval);
        }
        Ok(())
    }

    /// Ends the flow and waits for its last answers.
    pub fn stop(mut self) -> Outcome {
        self.sender.stop();
        let (took, sent) = (self.begun.elapsed(), self.counters.sent.load(Ordering::SeqCst));
        let deadline = Instant::now() + STRAGGLERS;
        let count = || locked(&self.answered).len() as u64;
        while count() < sent && Instant::now() < deadline {
            thread::sleep(TICK);
        }
        self.receiver.stop();
        let answered = std::mem::take(&mut *locked(&self.answered));
        Outcome {
            sent,
            refused: std::mem::take(&mut *locked(&self.counters.refused)),
            took,
            answered,
            interval: self.interval,
        }
    }
}

/// Keeps to the schedule: a late datagram does not move the next.
fn send(
    socket: &UdpSocket,
    target: SocketAddr,
    begun: Instant,
    interval: Duration,
    stop: &AtomicBool,
    counters: &Counters,
) {
    let mut datagram = [0; SIZE];
    let mut due = begun;
    while !stop.load(Ordering::Relaxed) {
        let number = counters.sent.load(Ordering::SeqCst);
        datagram[..8].copy_from_slice(&number.to_be_bytes());
        if socket.send_to(&datagram, target).is_err() {
            locked(&counters.refused).insert(number);
        }
        counters.sent.store(number + 1, Ordering::SeqCst);
        due += interval;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

fn receive(socket: &UdpSocket, stop: &AtomicBool, answered: &Mutex<BTreeSet<u64>>) {
    let mut buffer = [0; SIZE];
    while !stop.load(Ordering::Relaxed) {
        match socket.recv(&mut buffer) {
            Ok(length) => {
                if let Some(number) = number(&buffer[..length]) {
                    locked(answered).insert(number);
                }
            }
            // Nothing within a tick, or an ICMP error for an earlier datagram.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn locked(numbers: &Mutex<BTreeSet<u64>>) -> MutexGuard<'_, BTreeSet<u64>> {
    numbers.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number(datagram: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(datagram.get(..8)?.try_into().ok()?))
}

/// A socket belongs to the namespace it was made in, whoever uses it.
fn bind(namespace: &Namespace, address: SocketAddr) -> Result<UdpSocket> {
    let socket = namespace
        .run(move || UdpSocket::bind(address))?
        .with_context(|| format!("cannot bind {address} in {}", namespace.name()))?;
    socket.set_read_timeout(Some(TICK))?;
    // What is lost is to be the network's doing, not that of a thread which had no processor for a while.
    sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER)?;
    Ok(socket)
}

/// A thread that ends when it is told to, or when this is dropped.
struct Running {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    fn start(work: impl FnOnce(&AtomicBool) + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        Self {
            stop,
            thread: Some(thread::spawn(move || work(&told))),
        }
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_told_by_time() {
        let answered = [0, 1, 4, 5, 7].into_iter().collect();
        let interval = Duration::from_millis(10);
        let outcome = Outcome {
            sent: 8,
            refused: BTreeSet::from([3]),
            took: interval * 8,
            answered,
            interval,
        };
        assert_eq!(outcome.received(), 5);
        assert_eq!(
            outcome.gaps(),
            ["1 lost from 0.02 s to 0.02 s", "1 lost from 0.06 s to 0.06 s"]
        );
    }
}
