//! TSi and TSr (RFC 7296 section 3.13).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::WireError;
use crate::TrafficSelector;

const TS_IPV4_ADDR_RANGE: u8 = 7;
const TS_IPV6_ADDR_RANGE: u8 = 8;

/// Selectors one payload can count.
pub(crate) const MAX_SELECTORS: usize = u8::MAX as usize;

/// "OPAQUE" ports (RFC 4301 section 4.4.1.1), the one range whose first port lies above its last.
const OPAQUE: (u16, u16) = (65535, 0);

/// Selectors of types not known here are left out: no traffic can be narrowed to them.
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

/// At most [`MAX_SELECTORS`].
pub(super) fn encode(selectors: &[TrafficSelector], out: &mut Vec<u8>) {
    debug_assert!(selectors.len() <= MAX_SELECTORS);
    out.extend_from_slice(&[selectors.len() as u8, 0, 0, 0]);
    for selector in selectors {
        encode_selector(selector, out);
    }
}

/// Takes the first selector off a list; `None` if it is of a type not known here (RFC 7296 section 3.13.1).
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
    Ok((
        Some(TrafficSelector {
            protocol: *protocol,
            ports,
            first,
            last,
        }),
        behind,
    ))
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
    let (kind, length) = match selector.first {
        IpAddr::V4(_) => (TS_IPV4_ADDR_RANGE, 16_u16),
        IpAddr::V6(_) => (TS_IPV6_ADDR_RANGE, 40_u16),
    };
    out.extend_from_slice(&[kind, selector.protocol]);
    for number in [length, selector.ports.0, selector.ports.1] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    for address in [selector.first, selector.last] {
        match address {
            IpAddr::V4(address) => out.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => out.extend_from_slice(&address.octets()),
        }
    }
}
