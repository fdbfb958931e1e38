//! What is asked of the kernel, and why it refuses.

use std::io;

use netlink_packet_core::{Emitable, NLM_F_REQUEST, NetlinkHeader, NetlinkSerializable};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::HEADER_LEN;

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

    pub(super) fn emit(&self, port: u32, sequence: u32, flags: u16, buffer: &mut Vec<u8>) {
        let length = HEADER_LEN + self.payload.len();
        let end = buffer.len() + length.next_multiple_of(4);
        let mut header = NetlinkHeader::default();
        // The kernel refuses what is longer than it says.
        header.length = u32::try_from(length).unwrap_or(u32::MAX);
        header.message_type = self.message_type;
        header.flags = NLM_F_REQUEST | self.flags | flags;
        header.sequence_number = sequence;
        // xfrm takes it over into events (`km_event`); elsewhere the kernel knows it anyhow.
        header.port_number = port;
        let mut head = [0; HEADER_LEN];
        header.emit(&mut head);
        buffer.extend_from_slice(&head);
        buffer.extend_from_slice(&self.payload);
        buffer.resize(end, 0);
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
