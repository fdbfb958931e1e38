//! Messages of the kernel, which are not believed before they are parsed.

use std::io;

use netlink_packet_core::{NLM_F_ACK_TLVS, NetlinkBuffer, NetlinkHeader, NlasIterator, Parseable, parse_i32};
use rustix::io::Errno;
use rustix::net::RecvFlags;

use super::{HEADER_LEN, Refusal};

/// Length of the start of an answer to a request: the error code and the request's header.
const ANSWER_LEN: usize = 4 + HEADER_LEN;

/// The text in the attributes of an answer (NLMSGERR_ATTR_MSG).
const ANSWER_TEXT: u16 = 1;

/// Receives one datagram.
pub(crate) fn receive<'a>(socket: &netlink_sys::Socket, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let mut room = &mut *buffer;
    let length = socket.recv(&mut room, RecvFlags::TRUNC.bits().cast_signed())?;
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
pub(super) fn answer(message: &Message) -> io::Result<Result<(), Refusal>> {
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

fn malformed(what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("netlink: {what}"))
}
