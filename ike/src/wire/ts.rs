//! TSi and TSr (RFC 7296 section 3.13).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::WireError;
use super::length::in_8_bits;
use crate::TrafficSelector;

const TS_IPV4_ADDR_RANGE: u8 = 7;
const TS_IPV6_ADDR_RANGE: u8 = 8;

/// "OPAQUE" ports (RFC 4301 section 4.4.1.1), the one range whose first port lies above its last.
const OPAQUE: (u16, u16) = (65535, 0);

/// Selectors of types not known here, and those of opaque ports, are left out: no traffic can be narrowed to them.
pub(super) fn decode(body: &[u8]) -> Result<Vec<TrafficSelector>, WireError> {
    let ([count, _, _, _], mut rest) = body
        .split_first_chunk()
        .ok_or(WireError::Syntax("a TS payload is shorter than its fixed part"))?;
    let mut selectors = Vec::new();
    for _ in 0..*count {
        let (selector, behind) = split_selector(rest)?;
        selectors.extend(selector);
        rest = behind;
    }
    if !rest.is_empty() {
        return Err(WireError::Syntax("octets behind the last traffic selector"));
    }
    Ok(selectors)
}

/// At most 255 selectors can be counted; narrowing keeps far fewer.
pub(super) fn encode(selectors: &[TrafficSelector], out: &mut Vec<u8>) {
    debug_assert!(selectors.len() <= usize::from(u8::MAX));
    out.extend_from_slice(&[in_8_bits(selectors.len()), 0, 0, 0]);
    for selector in selectors {
        encode_selector(selector, out);
    }
}

/// Takes the first selector off a list; `None` if it is of a type not known here (RFC 7296 section 3.13.1) or of opaque
/// ports.
fn split_selector(list: &[u8]) -> Result<(Option<TrafficSelector>, &[u8]), WireError> {
    let ([kind, protocol, l0, l1], _) = list
        .split_first_chunk()
        .ok_or(WireError::Syntax("a traffic selector is cut short"))?;
    let length = usize::from(u16::from_be_bytes([*l0, *l1]));
    let (selector, behind) = list
        .split_at_checked(length)
        .ok_or(WireError::Syntax("a traffic selector is longer than its payload"))?;
    let range = selector.get(4..).ok_or(WireError::Syntax(
        "a traffic selector is shorter than its fixed part",
    ))?;
    let (ports, first, last) = match *kind {
        TS_IPV4_ADDR_RANGE => decode_range::<4, Ipv4Addr>(range)?,
        TS_IPV6_ADDR_RANGE => decode_range::<16, Ipv6Addr>(range)?,
        _ => return Ok((None, behind)),
    };
    if ports == OPAQUE {
        return Ok((None, behind));
    }
    Ok((TrafficSelector::new(*protocol, ports, first, last).ok(), behind))
}

/// Ports, then two addresses of `N` octets, and nothing else.
fn decode_range<const N: usize, A>(range: &[u8]) -> Result<((u16, u16), IpAddr, IpAddr), WireError>
where
    A: From<[u8; N]> + Into<IpAddr>,
{
    const LENGTH: WireError = WireError::Syntax("a traffic selector has the wrong length for its type");
    let ([p0, p1, p2, p3], addresses) = range.split_first_chunk().ok_or(LENGTH)?;
    let (first, last) = addresses.split_first_chunk().ok_or(LENGTH)?;
    let last = <[u8; N]>::try_from(last).map_err(|_| LENGTH)?;
    let ports = (u16::from_be_bytes([*p0, *p1]), u16::from_be_bytes([*p2, *p3]));
    if *first > last || (ports.0 > ports.1 && ports != OPAQUE) {
        return Err(WireError::Syntax(
            "a traffic selector's range ends before it begins",
        ));
    }
    Ok((ports, A::from(*first).into(), A::from(last).into()))
}

fn encode_selector(selector: &TrafficSelector, out: &mut Vec<u8>) {
    // Both addresses are of one family: `TrafficSelector` says so.
    let (kind, length) = match selector.first() {
        IpAddr::V4(_) => (TS_IPV4_ADDR_RANGE, 16_u16),
        IpAddr::V6(_) => (TS_IPV6_ADDR_RANGE, 40_u16),
    };
    out.extend_from_slice(&[kind, selector.protocol()]);
    for number in [length, selector.ports().0, selector.ports().1] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    for address in [selector.first(), selector.last()] {
        match address {
            IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::{single, verdict};
    use crate::wire::{Message, Payload};

    #[test]
    fn traffic_selectors() {
        let length = "a traffic selector has the wrong length for its type";
        let range = "a traffic selector's range ends before it begins";
        let any_v4 = "07000010 0000ffff 00000000 ffffffff";
        let cases = [
            (
                "no fixed part",
                "0100",
                "a TS payload is shorter than its fixed part",
            ),
            (
                "one counted, none there",
                "01000000",
                "a traffic selector is cut short",
            ),
            (
                "one counted, two there",
                &format!("01000000 {any_v4} {any_v4}"),
                "octets behind the last traffic selector",
            ),
            (
                "a length of three",
                "01000000 07000003",
                "a traffic selector is shorter than its fixed part",
            ),
            (
                "a length beyond the payload",
                "01000000 07000009 00",
                "a traffic selector is longer than its payload",
            ),
            (
                "IPv4 with one address",
                "01000000 0700000c 0000ffff 00000000",
                length,
            ),
            ("IPv4 with half a port", "01000000 07000006 0000", length),
            (
                "IPv4 with IPv6's length",
                &format!("01000000 07000028 0000ffff {}", "00".repeat(32)),
                length,
            ),
            (
                "IPv6 with IPv4's length",
                "01000000 08000010 0000ffff 00000000 ffffffff",
                length,
            ),
            (
                "the last address below the first",
                "01000000 07000010 0000ffff 0a000002 0a000001",
                range,
            ),
            (
                "the last port below the first",
                "01000000 07000010 00020001 00000000 ffffffff",
                range,
            ),
        ];
        for (name, body, reason) in cases {
            for kind in [44, 45] {
                assert_eq!(
                    verdict(&single(kind, body)),
                    Err(WireError::Syntax(reason)),
                    "{name}"
                );
            }
        }
        // Opaque ports (RFC 4301 section 4.4.1.1) and a type not known here, alone and beside what is known.
        let opaque_v4 = "07000010 ffff0000 00000000 ffffffff";
        let unknown = "09000008 12345678";
        for (body, left) in [
            (format!("01000000 {opaque_v4}"), 0),
            (format!("01000000 {unknown}"), 0),
            (format!("03000000 {unknown} {opaque_v4} {any_v4}"), 1),
        ] {
            let message = single(44, &body);
            let payloads = Message::decode(&message).unwrap().payloads;
            assert!(
                matches!(&payloads[..], [Payload::TsI(selectors)] if selectors.len() == left),
                "{payloads:?}"
            );
        }
    }
}
