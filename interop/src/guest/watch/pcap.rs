//! The stream that `tcpdump -w -` writes: a file header, then records (draft-ietf-opsawg-pcap, sections 4 and 5).

use std::io::{self, Read};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

/// The magic number of times in nanoseconds, as this machine writes it.
const NANOSECONDS: u32 = 0xa1b2_3c4d;

/// LINKTYPE_ETHERNET.
const ETHERNET: u32 = 1;

/// The longest frame that is believed.
const LONGEST: usize = 256 * 1024;

/// A frame and the kernel's time of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// When the kernel saw it.
    pub time: SystemTime,
    /// From the Ethernet header on.
    pub bytes: Vec<u8>,
}

/// Reads the file header.
///
/// # Errors
/// It is not what our tcpdump writes: nanoseconds, this machine's byte order, Ethernet.
pub fn read_header(stream: &mut impl Read) -> Result<()> {
    let mut header = [0; 24];
    stream.read_exact(&mut header)?;
    let (magic, link_type) = (word(&header, 0)?, word(&header, 20)?);
    if magic != NANOSECONDS || link_type != ETHERNET {
        bail!("a capture with magic {magic:#x} and link type {link_type}");
    }
    Ok(())
}

/// Reads the next frame, `None` at the end, which may cut a record short.
///
/// # Errors
/// The stream cannot be read, or it is not a capture.
pub fn read_frame(stream: &mut impl Read) -> Result<Option<Frame>> {
    let mut header = [0; 16];
    if !fill(stream, &mut header)? {
        return Ok(None);
    }
    let since_epoch = Duration::new(word(&header, 0)?.into(), word(&header, 4)?);
    let length = usize::try_from(word(&header, 8)?)?;
    if length > LONGEST {
        bail!("a frame of {length} octets");
    }
    let mut bytes = vec![0; length];
    Ok(fill(stream, &mut bytes)?.then(|| Frame {
        time: UNIX_EPOCH + since_epoch,
        bytes,
    }))
}

/// False when the stream ends first.
fn fill(stream: &mut impl Read, buffer: &mut [u8]) -> Result<bool> {
    match stream.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn word(bytes: &[u8], at: usize) -> Result<u32> {
    let four = bytes.get(at..at + 4).context("too short")?;
    Ok(u32::from_ne_bytes(four.try_into()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [NANOSECONDS, 0x0004_0002, 0, 0, 262_144, ETHERNET] {
            bytes.extend_from_slice(&u32::to_ne_bytes(number));
        }
        for number in [1_700_000_000, 500, 3, 3] {
            bytes.extend_from_slice(&u32::to_ne_bytes(number));
        }
        bytes.extend_from_slice(b"abc");
        bytes
    }

    #[test]
    fn frames_keep_their_time() {
        let bytes = stream();
        let mut reader = bytes.as_slice();
        read_header(&mut reader).unwrap();
        let frame = read_frame(&mut reader).unwrap().unwrap();
        assert_eq!(frame.bytes, b"abc");
        assert_eq!(frame.time, UNIX_EPOCH + Duration::new(1_700_000_000, 500));
        assert_eq!(read_frame(&mut reader).unwrap(), None);
    }

    #[test]
    fn a_record_cut_short_is_the_end() {
        let bytes = stream();
        let mut reader = &bytes[..bytes.len() - 1];
        read_header(&mut reader).unwrap();
        assert_eq!(read_frame(&mut reader).unwrap(), None);
    }

    #[test]
    fn other_captures_are_refused() {
        let mut bytes = stream();
        bytes[20] = 113;
        assert!(read_header(&mut bytes.as_slice()).is_err());
    }
}
