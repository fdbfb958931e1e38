//! A netlink socket that never waits: the kernel handles a request before `send` returns, so that every answer lies in
//! the receive queue by then.

use std::io;

use netlink_packet_core::{
    Emitable, NLM_F_ACK, NLM_F_ACK_TLVS, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR,
    NLMSG_NOOP, NLMSG_OVERRUN, NetlinkBuffer, NetlinkHeader, NetlinkSerializable, NlasIterator, Parseable,
    parse_i32,
};
use netlink_sys::SocketAddr;
use rustix::io::Errno;
use rustix::net::RecvFlags;
use zeroize::{Zeroize, Zeroizing};

/// Requests in one send. Each answer takes about 1 KiB of the receive queue with the kernel's bookkeeping, and the queue
/// holds 208 KiB unless the administrator changed it.
pub(crate) const BATCH_REQUESTS: usize = 128;

/// Octets in one send; the send queue has the same limit as the receive queue.
const BATCH_OCTETS: usize = 64 * 1024;

/// The kernel makes no part of a dump larger than 32 KiB.
const RECEIVE_OCTETS: usize = 64 * 1024;

/// A dump that changes under our hands is taken again this often.
const DUMP_ATTEMPTS: usize = 5;

/// Length of a netlink header, and of the start of an answer to a request: the error code and the request's header.
const HEADER_LEN: usize = 16;
const ANSWER_LEN: usize = 4 + HEADER_LEN;

/// The text in the attributes of an answer (NLMSGERR_ATTR_MSG).
const ANSWER_TEXT: u16 = 1;

/// A request for the kernel. Zeroized on drop, as it may hold a key.
pub(crate) struct Request {
    message_type: u16,
    flags: u16,
    pub(crate) payload: Zeroizing<Vec<u8>>,
}

impl Request {
    /// `flags` in addition to NLM_F_REQUEST and what the way of sending asks for.
    pub(crate) fn new(flags: u16, message: &impl NetlinkSerializable) -> Self {
        let mut payload = Zeroizing::new(vec![0; message.buffer_len()]);
        message.serialize(&mut payload);
        Self {
            message_type: message.message_type(),
            flags,
            payload,
        }
    }

    fn emit(&self, sequence: u32, flags: u16, buffer: &mut Vec<u8>) {
        let start = buffer.len();
        let length = HEADER_LEN + self.payload.len();
        let mut header = NetlinkHeader::default();
        header.length = length as u32;
        header.message_type = self.message_type;
        header.flags = NLM_F_REQUEST | self.flags | flags;
        header.sequence_number = sequence;
        buffer.resize(start + HEADER_LEN, 0);
        header.emit(&mut buffer[start..]);
        buffer.extend_from_slice(&self.payload);
        buffer.resize(start + length.next_multiple_of(4), 0);
    }
}

/// Why the kernel refused a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) errno: Errno,
    /// The kernel's own words, where it has some.
    pub(crate) text: Option<String>,
}

impl Refusal {
    /// There was no answer, so that nobody knows what became of the request: the next reconciliation will see.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self.errno, Errno::NOBUFS | Errno::AGAIN | Errno::NOMSG)
    }
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self { errno, text: None }
    }
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        Errno::from_io_error(&error).map_or_else(
            || Self {
                errno: Errno::IO,
                text: Some(error.to_string()),
            },
            Self::from,
        )
    }
}

/// A socket for requests only: it has joined no multicast group, whose messages could be taken for answers.
pub(crate) struct Socket {
    inner: netlink_sys::Socket,
    sequence: u32,
    /// Both may hold keys. Allocated once, so that no growth leaves a copy behind.
    send: Zeroizing<Vec<u8>>,
    receive: Zeroizing<Vec<u8>>,
}

impl Socket {
    /// Of the network namespace of the calling thread, now and later.
    pub(crate) fn open(protocol: isize) -> io::Result<Self> {
        let mut inner = netlink_sys::Socket::new(protocol)?;
        inner.bind_auto()?;
        inner.connect(&SocketAddr::new(0, 0))?;
        inner.set_non_blocking(true)?;
        // Answers do not repeat the request, which may hold a key; they carry the kernel's reason in words.
        inner.set_cap_ack(true)?;
        inner.set_ext_ack(true)?;
        // Dumps are filtered by the kernel, and a filter it does not know is refused instead of passed over.
        inner.set_netlink_get_strict_chk(true)?;
        Ok(Self {
            inner,
            sequence: 0,
            send: Zeroizing::new(Vec::with_capacity(2 * BATCH_OCTETS)),
            receive: Zeroizing::new(vec![0; RECEIVE_OCTETS]),
        })
    }

    /// Sends the requests, as many as fit in one send at a time. One result for each, in their order.
    pub(crate) fn execute(&mut self, requests: &[Request]) -> Vec<Result<(), Refusal>> {
        let mut results = Vec::with_capacity(requests.len());
        while results.len() < requests.len() {
            let first = self.sequence.wrapping_add(1);
            let count = self.fill(&requests[results.len()..]);
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
        self.forget();
        results
    }

    /// Puts as many requests as one send may hold into the send buffer, at least one. Returns how many.
    fn fill(&mut self, requests: &[Request]) -> usize {
        self.send.clear();
        let mut count = 0;
        for request in requests.iter().take(BATCH_REQUESTS) {
            if count > 0 && self.send.len() + HEADER_LEN + request.payload.len() > BATCH_OCTETS {
                break;
            }
            self.sequence = self.sequence.wrapping_add(1);
            request.emit(self.sequence, NLM_F_ACK, &mut self.send);
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
                if message.header.message_type == NLMSG_ERROR && place < answers.len() {
                    answers[place] = Some(answer(&message)?);
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
            self.forget();
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
        request.emit(self.sequence, flags, &mut self.send);
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
    fn forget(&mut self) {
        self.send.zeroize();
        self.receive.as_mut_slice().zeroize();
    }
}

/// Receives one datagram.
pub(crate) fn receive<'a>(socket: &netlink_sys::Socket, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let mut room = &mut *buffer;
    let length = socket.recv(&mut room, RecvFlags::TRUNC.bits() as i32)?;
    buffer
        .get(..length)
        .ok_or_else(|| malformed("a truncated datagram"))
}

/// One message of a datagram.
pub(crate) struct Message<'a> {
    pub(crate) header: NetlinkHeader,
    pub(crate) payload: &'a [u8],
}

/// The messages of a datagram.
pub(crate) fn messages(mut datagram: &[u8]) -> impl Iterator<Item = io::Result<Message<'_>>> {
    std::iter::from_fn(move || {
        if datagram.is_empty() {
            return None;
        }
        let message = NetlinkBuffer::new_checked(datagram).and_then(|buffer| {
            Ok(Message {
                header: NetlinkHeader::parse(&buffer)?,
                payload: buffer.payload(),
            })
        });
        let length = message
            .as_ref()
            .map_or(usize::MAX, |message| message.header.length as usize);
        datagram = datagram.get(length.saturating_add(3) & !3..).unwrap_or_default();
        Some(message.map_err(malformed))
    })
}

/// Reads NLMSG_ERROR and NLMSG_DONE: an error code, the header of the request, and attributes (RFC 3549 section 2.3.2.2,
/// linux/netlink.h).
fn answer(message: &Message) -> io::Result<Result<(), Refusal>> {
    let code = message
        .payload
        .get(..4)
        .ok_or_else(|| malformed("an answer without a code"))?;
    let code = parse_i32(code).map_err(malformed)?;
    if code == 0 {
        return Ok(Ok(()));
    }
    let mut text = None;
    if message.header.flags & NLM_F_ACK_TLVS != 0 {
        let attributes = message.payload.get(ANSWER_LEN..).unwrap_or_default();
        for attribute in NlasIterator::new(attributes).map_while(Result::ok) {
            if attribute.kind() == ANSWER_TEXT {
                text = Some(
                    String::from_utf8_lossy(attribute.value())
                        .trim_end_matches('\0')
                        .to_owned(),
                );
            }
        }
    }
    Ok(Err(Refusal {
        errno: Errno::from_raw_os_error(code.saturating_neg()),
        text,
    }))
}

pub(crate) fn malformed(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("netlink: {what}"))
}
