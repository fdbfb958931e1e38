//! Configuration: a customer asks for addresses behind its end of the tunnel (RFC 7296 sections 2.19 and 3.15).

use std::net::IpAddr;

use crate::wire::WireError;

const CFG_REQUEST: u8 = 1;
const CFG_REPLY: u8 = 2;

const INTERNAL_IP4_ADDRESS: u16 = 1;
const INTERNAL_IP6_ADDRESS: u16 = 8;

/// The high bit of an attribute's type is reserved, and ignored.
const TYPE: u16 = 0x7fff;

/// How many addresses of each family somebody asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AddressRequest {
    ipv4: usize,
    ipv6: usize,
}

impl AddressRequest {
    /// Reads a configuration payload; whatever else it asks for is ignored, and so is one that is no request. Which address
    /// the peer would like to have does not matter, since the operator has chosen.
    pub(crate) fn read(body: &[u8]) -> Result<Self, WireError> {
        let ([kind, _, _, _], mut rest) = body.split_first_chunk().ok_or(WireError::Syntax(
            "a configuration payload is shorter than its fixed part",
        ))?;
        let mut request = Self::default();
        while !rest.is_empty() {
            let (attribute, behind) = split_attribute(rest)?;
            match (*kind, attribute) {
                (CFG_REQUEST, INTERNAL_IP4_ADDRESS) => request.ipv4 += 1,
                (CFG_REQUEST, INTERNAL_IP6_ADDRESS) => request.ipv6 += 1,
                _ => {}
            }
            rest = behind;
        }
        Ok(request)
    }

    /// Those of `addresses` that are given.
    pub(crate) fn given(self, addresses: &[IpAddr]) -> impl Iterator<Item = IpAddr> {
        let ipv4 = addresses.iter().filter(|address| address.is_ipv4());
        let ipv6 = addresses.iter().filter(|address| address.is_ipv6());
        ipv4.take(self.ipv4).chain(ipv6.take(self.ipv6)).copied()
    }

    /// The reply's payload, with as many of `addresses` as are asked for; `None` if it would be empty: no answer at all is
    /// one (RFC 7296 section 2.19).
    pub(crate) fn answer(self, addresses: &[IpAddr]) -> Option<Vec<u8>> {
        let mut given = self.given(addresses).peekable();
        given.peek()?;
        let mut body = vec![CFG_REPLY, 0, 0, 0];
        given.for_each(|address| encode(address, &mut body));
        Some(body)
    }
}

/// The type of the first attribute, its length checked against it, and what follows.
fn split_attribute(attributes: &[u8]) -> Result<(u16, &[u8]), WireError> {
    const CUT: WireError = WireError::Syntax("a configuration attribute is cut short");
    let ([t0, t1, l0, l1], rest) = attributes.split_first_chunk().ok_or(CUT)?;
    let kind = u16::from_be_bytes([*t0, *t1]) & TYPE;
    let length = usize::from(u16::from_be_bytes([*l0, *l1]));
    let (_, behind) = rest.split_at_checked(length).ok_or(CUT)?;
    // Empty where the peer has no wish (RFC 7296 section 3.15.1).
    match (kind, length) {
        (INTERNAL_IP4_ADDRESS, 0 | 4) | (INTERNAL_IP6_ADDRESS, 0 | 17) => Ok((kind, behind)),
        (INTERNAL_IP4_ADDRESS | INTERNAL_IP6_ADDRESS, _) => Err(WireError::Syntax(
            "an address in a configuration payload has the wrong length",
        )),
        _ => Ok((kind, behind)),
    }
}

fn encode(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(address) => {
            out.extend_from_slice(&[0, INTERNAL_IP4_ADDRESS as u8, 0, 4]);
            out.extend_from_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            out.extend_from_slice(&[0, INTERNAL_IP6_ADDRESS as u8, 0, 17]);
            out.extend_from_slice(&address.octets());
            out.push(128);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::unhex;

    fn read(body: &str) -> Result<AddressRequest, WireError> {
        AddressRequest::read(&unhex(body))
    }

    #[test]
    fn requests_are_counted_and_the_rest_is_ignored() {
        let request = |ipv4, ipv6| Ok(AddressRequest { ipv4, ipv6 });
        for (body, expected) in [
            ("01000000", request(0, 0)),
            // An address of no wish, one of a wish, the reserved bit.
            ("01000000 00010000", request(1, 0)),
            ("01000000 00010004 0a000001 80010000", request(2, 0)),
            // DNS, a subnet, an IPv6 address with its prefix, an application's version.
            (
                "01000000 00030000 000d0008 0a000000 ff000000 00080011 20010db8 00000000 00000000 00000001 40 00070002 3130",
                request(0, 1),
            ),
            // CFG_SET, CFG_REPLY.
            ("03000000 00010000", request(0, 0)),
            ("02000000 00010004 0a000001", request(0, 0)),
        ] {
            assert_eq!(read(body), expected, "{body}");
        }
    }

    #[test]
    fn what_is_malformed_is_refused() {
        let cut = Err(WireError::Syntax("a configuration attribute is cut short"));
        let length = Err(WireError::Syntax(
            "an address in a configuration payload has the wrong length",
        ));
        for (body, expected) in [
            (
                "010000",
                Err(WireError::Syntax(
                    "a configuration payload is shorter than its fixed part",
                )),
            ),
            ("01000000 000100", cut),
            ("01000000 00010004 0a0000", cut),
            ("01000000 0003ffff", cut),
            ("01000000 00010003 0a0000", length),
            ("01000000 00080010 20010db8 00000000 00000000 00000001", length),
        ] {
            assert_eq!(read(body), expected, "{body}");
        }
    }

    #[test]
    fn as_many_addresses_are_given_as_there_are_and_are_asked_for() {
        let addresses: [IpAddr; 3] = ["10.0.0.5", "2001:db8::5", "10.0.0.6"].map(|it| it.parse().unwrap());
        let given = |ipv4, ipv6| AddressRequest { ipv4, ipv6 }.answer(&addresses);
        let v4 = "00010004 0a000005";
        let v6 = "00080011 20010db8 00000000 00000000 00000005 80";
        assert_eq!(given(0, 0), None);
        assert_eq!(given(1, 0), Some(unhex(&format!("02000000 {v4}"))));
        assert_eq!(
            given(9, 9),
            Some(unhex(&format!("02000000 {v4} 00010004 0a000006 {v6}")))
        );
        assert_eq!(AddressRequest { ipv4: 1, ipv6: 0 }.answer(&addresses[1..2]), None);
    }
}
