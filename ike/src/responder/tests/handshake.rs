//! IKE_SA_INIT and IKE_AUTH that lead to an IKE SA.

use super::*;
use crate::{DhGroup, EspSuite, IkeCipher, IkeSuite, Prf, Slot, What, default_ike_suites};

#[test]
fn every_suite_leads_to_the_same_keys_on_both_sides() {
    for suite in default_ike_suites() {
        for esp in [EspSuite::Aes128Gcm16, EspSuite::Aes256Gcm16] {
            let (fleet, initiator) = connected(Customer {
                ike: vec![suite],
                esp: vec![esp],
                ..Customer::new(1)
            });
            let (theirs, ours) = (initiator.child().unwrap(), child(&fleet));
            assert_eq!(initiator.suite(), Some(suite));
            assert_eq!((ours.suite, theirs.suite), (esp, esp));
            assert_eq!(ours.inbound_key, theirs.outbound_key);
            assert_eq!(ours.outbound_key, theirs.inbound_key);
            assert_ne!(ours.inbound_key, ours.outbound_key);
            assert_eq!(ours.inbound_key.expose().len(), esp.key_len());
            assert_eq!(
                (ours.inbound_spi, ours.outbound_spi),
                (theirs.outbound_spi, theirs.inbound_spi)
            );
        }
    }
}
