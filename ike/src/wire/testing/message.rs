//! Messages for tests of the decoder, correct but for what a test makes wrong.

use crate::crypto::unhex;
use crate::wire::*;

/// A message whose chain is `chain`, in hexadecimal, after a correct header that names `first`.
pub(in crate::wire) fn message(first: u8, chain: &str) -> Vec<u8> {
    let head = Head {
        spis: crate::IkeSpis {
            initiator: 1,
            responder: 0,
        },
        exchange: ExchangeType::IkeSaInit,
        flags: Flags {
            initiator: true,
            response: false,
        },
        message_id: 0,
    };
    let mut message = Vec::new();
    head.encode(PayloadType(first), &mut message);
    message.extend_from_slice(&unhex(chain));
    let length = message.len();
    patch_length(&mut message, length);
    message
}

/// A message that is one payload of type `kind`, its body in hexadecimal.
pub(in crate::wire) fn single(kind: u8, body: &str) -> Vec<u8> {
    message(kind, &format!("0000{:04x}{body}", 4 + unhex(body).len()))
}

/// What the decoder says of a message.
pub(in crate::wire) fn verdict(message: &[u8]) -> Result<(), WireError> {
    Message::decode(message).map(|_| ())
}
