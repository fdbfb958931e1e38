//! What must hold for every datagram whatsoever. The property tests and the fuzz target share it.

use crate::wire::{Encrypted, Head, Message, encode};

/// Decodes `datagram`, which must not panic. What decodes is encoded again: that must decode to an equal chain, apart
/// from what the decoder passes over (attributes and selectors not known here), so it must encode to the same octets.
pub(crate) fn exercise(datagram: &[u8]) {
    let message = match Message::decode(datagram) {
        Ok(message) => message,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    if let Some(Encrypted::Whole { body, .. } | Encrypted::Fragment { body, .. }) = message.encrypted {
        assert!(datagram.ends_with(body));
    }
    let header = message.header;
    let head = Head {
        spis: header.spis,
        exchange: header.exchange,
        flags: header.flags,
        message_id: header.message_id,
    };
    let encoded = encode(&head, &message.payloads);
    let again = Message::decode(&encoded).expect("what we encode can be decoded");
    assert_eq!(encode(&head, &again.payloads), encoded);
    assert!(encoded.len() <= datagram.len());
}
