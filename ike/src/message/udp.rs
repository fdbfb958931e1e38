//! IKE in UDP: the ports and the non-ESP marker (RFC 7296 section 2.23, RFC 3948 section 2.2).

/// The port where ESP may come in UDP too, and IKE messages follow a marker.
pub(crate) const NAT_T_PORT: u16 = 4500;

/// Where an ESP packet has its SPI, which is never zero.
const NON_ESP_MARKER: [u8; 4] = [0; 4];

/// The UDP payload that carries an IKE message from or to our `local_port`.
pub(crate) fn wrap(local_port: u16, message: &[u8]) -> Vec<u8> {
    match local_port {
        NAT_T_PORT => [&NON_ESP_MARKER, message].concat(),
        _ => message.to_vec(),
    }
}

/// What a NAT's mapping is kept alive with (RFC 3948 section 2.3).
pub(crate) const KEEP_ALIVE: &[u8] = &[0xff];

/// The IKE message in a UDP payload; `None` for ESP and for a keep-alive.
pub(crate) fn unwrap(local_port: u16, payload: &[u8]) -> Option<&[u8]> {
    match local_port {
        NAT_T_PORT => payload.strip_prefix(&NON_ESP_MARKER),
        _ => Some(payload),
    }
}
