//! A netlink socket that never waits: the kernel handles a request before `send` returns, so that every answer lies in
//! the receive queue by then.

mod message;
mod request;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NLMSG_OVERRUN,
};
use netlink_sys::SocketAddr;
use rustix::io::Errno;
use zeroize::{Zeroize, Zeroizing};

use self::message::answer;
pub(crate) use self::message::{Message, messages, receive};
pub(crate) use self::request::{Refusal, Request};

/// Requests in one send. Each answer takes about 1 KiB of the receive queue with the kernel's bookkeeping, and the queue
/// holds 208 KiB unless the administrator changed it.
pub(crate) const BATCH_REQUESTS: usize = 128;

/// Bytes in one send; the send queue has the same limit as the receive queue.
const BATCH_BYTES: usize = 64 * 1024;

/// The kernel makes no part of a dump larger than 32 KiB.
const RECEIVE_BYTES: usize = 64 * 1024;

/// A dump whose table changes meanwhile is taken again this often.
const DUMP_ATTEMPTS: usize = 5;

/// Length of a netlink header.
const HEADER_LEN: usize = 16;

/// A socket for requests only: it has joined no multicast group, whose messages could be taken for answers.
pub(crate) struct Socket {
    inner: netlink_sys::Socket,
    port: u32,
    sequence: u32,
    /// Both may hold keys. Allocated once, so that no growth leaves a copy behind.
    send: Zeroizing<Vec<u8>>,
    receive: Zeroizing<Vec<u8>>,
}

impl Socket {
    /// Of the network namespace of the calling thread, now and later.
    pub(crate) fn open(protocol: isize) -> io::Result<Self> {
        let mut inner = netlink_sys::Socket::new(protocol)?;
        let port = inner.bind_auto()?.port_number();
        inner.connect(&SocketAddr::new(0, 0))?;
        inner.set_non_blocking(true)?;
        // Answers do not repeat the request, which may hold a key; they carry the kernel's reason in words.
        inner.set_cap_ack(true)?;
        inner.set_ext_ack(true)?;
        // Dumps are filtered by the kernel, and a filter it does not know is refused instead of passed over.
        inner.set_netlink_get_strict_chk(true)?;
        Ok(Self {
            inner,
            port,
            sequence: 0,
            send: Zeroizing::new(Vec::with_capacity(2 * BATCH_BYTES)),
            receive: Zeroizing::new(vec![0; RECEIVE_BYTES]),
        })
    }

    /// What events say of who has caused them.
    pub(crate) fn port(&self) -> u32 {
        self.port
    }

    /// Sends the requests, as many as fit in one send at a time. One result for each, in their order.
    pub(crate) fn execute(&mut self, requests: &[Request]) -> Vec<Result<(), Refusal>> {
        let mut results = Vec::with_capacity(requests.len());
        while results.len() < requests.len() {
            let first = self.sequence.wrapping_add(1);
            let count = self.fill(requests.get(results.len()..).unwrap_or_default());
            let mut answers = vec![None; count];
            let sent = self
                .inner
                .send(&self.send, 0)
                .and_then(|_| self.answers(first, &mut answers));
            let lost = sent.err().map_or_else(|| Errno::NOMSG.into(), Refusal::from);
            results.extend(
                answers
                    .into_iter()
                    .map(|answer| answer.unwrap_or_else(|| Err(lost.clone()))),
            );
        }
        self.wipe();
        results
    }

    /// Puts as many requests as one send may hold into the send buffer, at least one. Returns how many.
    fn fill(&mut self, requests: &[Request]) -> usize {
        self.send.clear();
        let mut count = 0;
        for request in requests.iter().take(BATCH_REQUESTS) {
            if count > 0 && self.send.len() + HEADER_LEN + request.payload.len() > BATCH_BYTES {
                break;
            }
            self.sequence = self.sequence.wrapping_add(1);
            request.emit(self.port, self.sequence, NLM_F_ACK, &mut self.send);
            count += 1;
        }
        count
    }

    /// Reads the answers to a batch whose sequence numbers start with `first`.
    fn answers(&mut self, first: u32, answers: &mut [Option<Result<(), Refusal>>]) -> io::Result<()> {
        while answers.iter().any(Option::is_none) {
            for message in messages(receive(&self.inner, &mut self.receive)?) {
                let message = message?;
                let place = message.header.sequence_number.wrapping_sub(first) as usize;
                if message.header.message_type == NLMSG_ERROR
                    && let Some(place) = answers.get_mut(place)
                {
                    *place = Some(answer(&message)?);
                }
            }
        }
        Ok(())
    }

    /// What `parse` makes of the messages of a dump.
    pub(crate) fn dump<T>(
        &mut self,
        request: &Request,
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        for _ in 0..DUMP_ATTEMPTS {
            let mut parsed = Vec::new();
            let consistent = self.read(request, NLM_F_DUMP, |payload| parsed.extend(parse(payload)));
            self.wipe();
            if consistent? {
                return Ok(parsed);
            }
        }
        Err(io::Error::other(
            "the kernel's table keeps changing while it is read",
        ))
    }

    /// What `parse` makes of the answer to a question about one thing.
    pub(crate) fn get<T>(
        &mut self,
        request: &Request,
        parse: impl Fn(&[u8]) -> Option<T>,
    ) -> io::Result<Option<T>> {
        let mut parsed = None;
        self.read(request, NLM_F_ACK, |payload| parsed = parse(payload))?;
        Ok(parsed)
    }

    /// Sends a request and gives each of the answering messages to `each`. False if the table changed meanwhile
    /// (NLM_F_DUMP_INTR).
    fn read(&mut self, request: &Request, flags: u16, mut each: impl FnMut(&[u8])) -> io::Result<bool> {
        self.sequence = self.sequence.wrapping_add(1);
        self.send.clear();
        request.emit(self.port, self.sequence, flags, &mut self.send);
        self.inner.send(&self.send, 0)?;
        let mut consistent = true;
        loop {
            for message in messages(receive(&self.inner, &mut self.receive)?) {
                let message = message?;
                // The rest of a dump that was given up earlier.
                if message.header.sequence_number != self.sequence {
                    continue;
                }
                consistent &= message.header.flags & NLM_F_DUMP_INTR == 0;
                match message.header.message_type {
                    NLMSG_NOOP => {}
                    NLMSG_OVERRUN => return Err(Errno::NOBUFS.into()),
                    // Either bears an error code, which is 0 at the end of a complete dump.
                    NLMSG_DONE | NLMSG_ERROR => {
                        return answer(&message)?
                            .map(|()| consistent)
                            .map_err(|refusal| refusal.errno.into());
                    }
                    _ => each(message.payload),
                }
            }
        }
    }

    /// Keys pass through the buffers.
    fn wipe(&mut self) {
        self.send.zeroize();
        self.receive.as_mut_slice().zeroize();
    }
}

/// The sockets of one namespace, one for each protocol.
pub(crate) struct Sockets(BTreeMap<isize, Socket>);

impl Sockets {
    /// Of the network namespace of the calling thread.
    pub(crate) fn open(protocols: &BTreeSet<isize>) -> io::Result<Self> {
        let sockets = protocols
            .iter()
            .map(|protocol| Ok((*protocol, Socket::open(*protocol)?)));
        Ok(Self(sockets.collect::<io::Result<_>>()?))
    }

    pub(crate) fn get(&mut self, protocol: isize) -> io::Result<&mut Socket> {
        self.0
            .get_mut(&protocol)
            .ok_or_else(|| Errno::PROTONOSUPPORT.into())
    }
}
