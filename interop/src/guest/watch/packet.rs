//! A frame as far as the lab looks into it: who sent it to whom, and whether it is IKE or ESP.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::SystemTime;

use crate::guest::watch::pcap::Frame;

/// Ports of IKE, plain and with a non-ESP marker (RFC 3948 section 2.2).
const IKE_PORT: u16 = 500;
const NAT_PORT: u16 = 4500;

/// IP protocol numbers.
const UDP: u8 = 17;
const ESP: u8 = 50;

/// A packet of the capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When the kernel saw it.
    pub time: SystemTime,
    /// Sender; port 0 for plain ESP.
    pub source: SocketAddr,
    /// Receiver; port 0 for plain ESP.
    pub destination: SocketAddr,
    /// What it carries.
    pub content: Content,
}

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// An IKE message.
    Ike(Ike),
    /// An ESP packet, in UDP when the ports say 4500.
    Esp {
        /// Security parameters index.
        spi: u32,
        /// The low 32 bits of the sequence number.
        sequence: u32,
    },
    /// The one octet that keeps a NAT's mapping alive (RFC 3948 section 2.3).
    KeepAlive,
}

/// The header of an IKE message (RFC 7296 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ike {
    /// The initiator's SPI.
    pub initiator_spi: u64,
    /// The responder's SPI, 0 in the first message.
    pub responder_spi: u64,
    /// 34 IKE_SA_INIT, 35 IKE_AUTH, 36 CREATE_CHILD_SA, 37 INFORMATIONAL.
    pub exchange: u8,
    /// The R flag: this answers the request with the same message ID.
    pub is_response: bool,
    /// Counts the sender's requests.
    pub message_id: u32,
    /// First payload's type; 41 is a notify in the clear, 46 an encrypted payload, [`Ike::FRAGMENT`] a part of one.
    pub next_payload: u8,
    /// Octets of the message.
    pub length: u32,
}

impl Ike {
    /// Exchange types.
    pub const SA_INIT: u8 = 34;
    /// See [`Ike::SA_INIT`].
    pub const AUTH: u8 = 35;
    /// See [`Ike::SA_INIT`].
    pub const CREATE_CHILD_SA: u8 = 36;
    /// See [`Ike::SA_INIT`].
    pub const INFORMATIONAL: u8 = 37;

    /// Payload type of a fragment (RFC 7383).
    pub const FRAGMENT: u8 = 53;
}

impl Packet {
    /// The IKE header, when the packet is of this exchange and direction.
    pub fn ike(&self, exchange: u8, is_response: bool) -> Option<&Ike> {
        match &self.content {
            Content::Ike(ike) if ike.exchange == exchange && ike.is_response == is_response => Some(ike),
            _ => None,
        }
    }

    /// The SPI of an ESP packet.
    pub fn esp_spi(&self) -> Option<u32> {
        match self.content {
            Content::Esp { spi, .. } => Some(spi),
            Content::Ike(_) | Content::KeepAlive => None,
        }
    }

    /// Parses an Ethernet frame; `None` for what is neither IKE nor ESP, and for fragments after the first.
    pub fn parse(frame: &Frame) -> Option<Self> {
        let ether_type = u16_at(&frame.bytes, 12)?;
        let (source, destination, protocol, payload) = match ether_type {
            0x0800 => ipv4(frame.bytes.get(14..)?)?,
            0x86dd => ipv6(frame.bytes.get(14..)?)?,
            _ => return None,
        };
        let (ports, content) = match protocol {
            ESP => ((0, 0), esp(payload)?),
            UDP => udp(payload)?,
            _ => return None,
        };
        Some(Self {
            time: frame.time,
            source: SocketAddr::new(source, ports.0),
            destination: SocketAddr::new(destination, ports.1),
            content,
        })
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} > {} ", self.source, self.destination)?;
        match self.content {
            Content::Ike(ike) => {
                let exchange = match ike.exchange {
                    Ike::SA_INIT => "IKE_SA_INIT".into(),
                    Ike::AUTH => "IKE_AUTH".into(),
                    36 => "CREATE_CHILD_SA".into(),
                    Ike::INFORMATIONAL => "INFORMATIONAL".into(),
                    other => format!("exchange {other}"),
                };
                let direction = if ike.is_response { "response" } else { "request" };
                write!(
                    f,
                    "{exchange} {direction} {} of {:016x}:{:016x}, {} octets",
                    ike.message_id, ike.initiator_spi, ike.responder_spi, ike.length
                )
            }
            Content::Esp { spi, sequence } => write!(f, "ESP {spi:#010x} sequence {sequence}"),
            Content::KeepAlive => f.write_str("NAT keep-alive"),
        }
    }
}

type Layer<'a> = (IpAddr, IpAddr, u8, &'a [u8]);

fn ipv4(bytes: &[u8]) -> Option<Layer<'_>> {
    let header = usize::from(bytes.first()? & 0x0f) * 4;
    if u16_at(bytes, 6)? & 0x1fff != 0 {
        return None;
    }
    let source: [u8; 4] = bytes.get(12..16)?.try_into().ok()?;
    let destination: [u8; 4] = bytes.get(16..20)?.try_into().ok()?;
    Some((
        Ipv4Addr::from(source).into(),
        Ipv4Addr::from(destination).into(),
        *bytes.get(9)?,
        bytes.get(header..)?,
    ))
}

fn ipv6(bytes: &[u8]) -> Option<Layer<'_>> {
    let source: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
    let destination: [u8; 16] = bytes.get(24..40)?.try_into().ok()?;
    Some((
        Ipv6Addr::from(source).into(),
        Ipv6Addr::from(destination).into(),
        *bytes.get(6)?,
        bytes.get(40..)?,
    ))
}

fn udp(bytes: &[u8]) -> Option<((u16, u16), Content)> {
    let ports = (u16_at(bytes, 0)?, u16_at(bytes, 2)?);
    let payload = bytes.get(8..)?;
    let content = if ports.0 == IKE_PORT || ports.1 == IKE_PORT {
        ike(payload)?
    } else if ports.0 == NAT_PORT || ports.1 == NAT_PORT {
        match payload {
            [0, 0, 0, 0, message @ ..] => ike(message)?,
            [_] => Content::KeepAlive,
            packet => esp(packet)?,
        }
    } else {
        return None;
    };
    Some((ports, content))
}

fn esp(bytes: &[u8]) -> Option<Content> {
    Some(Content::Esp {
        spi: u32_at(bytes, 0)?,
        sequence: u32_at(bytes, 4)?,
    })
}

fn ike(bytes: &[u8]) -> Option<Content> {
    Some(Content::Ike(Ike {
        initiator_spi: u64_at(bytes, 0)?,
        responder_spi: u64_at(bytes, 8)?,
        next_payload: *bytes.get(16)?,
        exchange: *bytes.get(18)?,
        is_response: bytes.get(19)? & 0x20 != 0,
        message_id: u32_at(bytes, 20)?,
        length: u32_at(bytes, 24)?,
    }))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn ethernet(ether_type: u16, packet: &[u8]) -> Frame {
        let mut bytes = vec![0; 12];
        bytes.extend_from_slice(&ether_type.to_be_bytes());
        bytes.extend_from_slice(packet);
        Frame {
            time: UNIX_EPOCH,
            bytes,
        }
    }

    fn ipv4_packet(protocol: u8, payload: &[u8]) -> Frame {
        let mut packet = vec![
            0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 198, 51, 100, 2, 203, 0, 113, 1,
        ];
        packet.extend_from_slice(payload);
        ethernet(0x0800, &packet)
    }

    fn datagram(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [source, destination, 0, 0] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(payload);
        bytes
    }

    fn ike_message(exchange: u8, flags: u8) -> Vec<u8> {
        let mut message = vec![1, 2, 3, 4, 5, 6, 7, 8];
        message.extend_from_slice(&[0; 8]);
        message.extend_from_slice(&[33, 0x20, exchange, flags, 0, 0, 0, 9, 0, 0, 0, 28]);
        message
    }

    #[test]
    fn ike_on_both_ports() {
        let request = ipv4_packet(UDP, &datagram(500, 500, &ike_message(Ike::SA_INIT, 0x08)));
        let packet = Packet::parse(&request).unwrap();
        let ike = packet.ike(Ike::SA_INIT, false).unwrap();
        assert_eq!((ike.initiator_spi, ike.message_id), (0x0102_0304_0506_0708, 9));
        assert_eq!(packet.destination, "203.0.113.1:500".parse().unwrap());

        let mut marked = vec![0; 4];
        marked.extend_from_slice(&ike_message(Ike::AUTH, 0x20));
        let reply = ipv4_packet(UDP, &datagram(4500, 1024, &marked));
        assert!(Packet::parse(&reply).unwrap().ike(Ike::AUTH, true).is_some());
    }

    #[test]
    fn esp_plain_and_in_udp() {
        let esp = [0, 0x40, 0, 1, 0, 0, 0, 7, 0xaa];
        let plain = Packet::parse(&ipv4_packet(ESP, &esp)).unwrap();
        assert_eq!(
            plain.content,
            Content::Esp {
                spi: 0x0040_0001,
                sequence: 7
            }
        );
        let in_udp = Packet::parse(&ipv4_packet(UDP, &datagram(1024, 4500, &esp))).unwrap();
        assert_eq!(in_udp.esp_spi(), Some(0x0040_0001));
        let keep_alive = Packet::parse(&ipv4_packet(UDP, &datagram(1024, 4500, &[0xff]))).unwrap();
        assert_eq!(keep_alive.content, Content::KeepAlive);
    }

    #[test]
    fn ipv6() {
        let mut packet = vec![0x60, 0, 0, 0, 0, 9, ESP, 64];
        packet.extend_from_slice(&"2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend_from_slice(&"2001:db8::2".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend_from_slice(&[0, 0, 1, 0, 0, 0, 0, 1]);
        let parsed = Packet::parse(&ethernet(0x86dd, &packet)).unwrap();
        assert_eq!(parsed.source, "[2001:db8::1]:0".parse().unwrap());
        assert_eq!(parsed.esp_spi(), Some(0x100));
    }

    #[test]
    fn what_is_cut_short_is_nothing() {
        let whole = ipv4_packet(UDP, &datagram(500, 500, &ike_message(Ike::SA_INIT, 0)));
        for length in 0..whole.bytes.len() {
            let cut = Frame {
                time: whole.time,
                bytes: whole.bytes[..length].to_vec(),
            };
            assert_eq!(Packet::parse(&cut), None, "{length} octets");
        }
    }
}
