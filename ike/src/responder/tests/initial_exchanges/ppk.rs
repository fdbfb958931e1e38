//! Post-quantum pre-shared keys (RFC 8784).

use super::*;
use crate::{AuthRefusal, Kem, Ppk, Secret, Tunnel};

fn ppk(id: &str, required: bool) -> Ppk {
    Ppk {
        id: id.parse().unwrap(),
        key: Secret::new(format!("the key called {id}").into_bytes()),
        required,
    }
}

/// Connects a customer with `theirs` for a tunnel with `ours`.
fn connect(theirs: Option<Ppk>, ours: Option<Ppk>) -> (TestFleet, Initiator) {
    let customer = Customer {
        ppk: theirs,
        ..Customer::new(1)
    };
    let mut fleet = TestFleet::new(5);
    // Another customer's, so that the fleet has use for PPKs in any case.
    let other = Tunnel {
        ppk: Some(ppk("other", true)),
        ..Customer::new(2).tunnel()
    };
    let tunnel = Tunnel {
        ppk: ours,
        ..customer.tunnel()
    };
    fleet.responder.handle_tunnel(fleet.now, other);
    fleet.responder.handle_tunnel(fleet.now, tunnel);
    let mut initiator = Initiator::new(customer, 1);
    fleet.connect(&mut initiator);
    (fleet, initiator)
}

#[track_caller]
fn refusal_of((fleet, initiator): &(TestFleet, Initiator)) -> AuthRefusal {
    assert_eq!(
        initiator.status(),
        Status::Refused(NotifyType::AUTHENTICATION_FAILED.0)
    );
    match fleet.last_event() {
        Some(What::AuthRefused(refusal)) => refusal.clone(),
        what => panic!("{what:?} where IKE_AUTH should be refused"),
    }
}

/// The lines of table 1 in section 3 that lead to an IKE SA with the PPK: both sides make the same keys of it, and others
/// than without.
#[test]
fn a_ppk_that_both_sides_have_is_used() {
    let (without, _) = connect(None, None);
    for theirs in [true, false] {
        for ours in [true, false] {
            let (fleet, initiator) = connect(Some(ppk("k", theirs)), Some(ppk("k", ours)));
            assert_eq!(initiator.status(), Status::Up, "{:?}", fleet.events);
            assert!(matches!(fleet.last_event(), Some(What::Established { .. })));
            let key = &child(&fleet).outbound_key;
            assert_eq!(&initiator.child().unwrap().inbound_key, key);
            assert_ne!(&child(&without).outbound_key, key);
        }
    }
}

/// Those that lead to one without: the operator hears of it where the tunnel has a PPK (section 6).
#[test]
fn who_can_do_without_is_let_in_without() {
    let optional = |id| Some(ppk(id, false));
    for (theirs, ours, is_missed) in [
        (None, None, false),
        (None, optional("k"), true),
        (optional("k"), None, false),
        (optional("k"), optional("another"), true),
    ] {
        let case = format!("{theirs:?} {ours:?}");
        let (fleet, initiator) = connect(theirs, ours);
        assert_eq!(initiator.status(), Status::Up, "{case}: {:?}", fleet.events);
        assert_eq!(fleet.last_event() == Some(&What::WithoutPpk), is_missed, "{case}");
        assert_eq!(initiator.child().unwrap().inbound_key, child(&fleet).outbound_key);
    }
}

/// Those that lead to none.
#[test]
fn who_insists_is_not_let_in_without() {
    let (optional, required) = (|id| Some(ppk(id, false)), |id| Some(ppk(id, true)));
    for (theirs, ours, refusal) in [
        (None, required("k"), AuthRefusal::PpkRequired),
        (required("k"), None, AuthRefusal::UnknownPpk),
        (required("k"), optional("another"), AuthRefusal::UnknownPpk),
        (optional("k"), required("another"), AuthRefusal::UnknownPpk),
    ] {
        let case = format!("{theirs:?} {ours:?}");
        assert_eq!(refusal_of(&connect(theirs, ours)), refusal, "{case}");
    }
}

/// A PPK of the right name counts, whatever NO_PPK_AUTH says.
#[test]
fn another_key_of_the_same_name_is_found_out() {
    for required in [true, false] {
        let wrong = Ppk {
            key: Secret::new(b"not the key called k".to_vec()),
            ..ppk("k", required)
        };
        let refusal = refusal_of(&connect(Some(wrong), Some(ppk("k", false))));
        assert!(matches!(refusal, AuthRefusal::WrongKey(_)), "{refusal:?}");
    }
}

#[test]
fn a_name_for_the_key_is_needed() {
    let customer = Customer {
        ppk: Some(ppk("k", false)),
        ..Customer::new(1)
    };
    let mut fleet = fleet_for(&customer);
    let mut initiator = Initiator::new(customer, 1);
    fleet.begin(&mut initiator);
    let auth = initiator.auth_with(|payloads| {
        payloads.retain(|payload| !NotifyType::PPK_IDENTITY.is_in(std::slice::from_ref(payload)));
    });
    fleet.converse(&mut initiator, auth);
    assert_eq!(refusal_of(&(fleet, initiator)), AuthRefusal::NoPpkIdentity);
}

/// "If the responder [...] does not have any PPK configured, then it ignores the received notification."
#[test]
fn a_fleet_without_ppks_does_not_speak_of_them() {
    let customer = Customer {
        ppk: Some(ppk("k", false)),
        ..Customer::new(1)
    };
    let says_so = |tunnel: Tunnel, is_kept: bool| {
        let mut fleet = TestFleet::new(5);
        let name = tunnel.name.clone();
        fleet.responder.handle_tunnel(fleet.now, tunnel);
        if !is_kept {
            fleet.responder.handle_tunnel_removed(fleet.now, &name);
        }
        let response = fleet
            .deliver(&Initiator::new(customer.clone(), 1).start())
            .remove(0);
        NotifyType::USE_PPK.is_in(&Message::decode(&response.payload).unwrap().payloads)
    };
    assert!(says_so(customer.tunnel(), true));
    assert!(!says_so(customer.tunnel(), false));
    assert!(!says_so(Customer::new(1).tunnel(), true));
}

/// Who takes USE_PPK out on the way is found out: AUTH covers IKE_SA_INIT.
#[test]
fn a_downgrade_on_the_way_is_found_out() {
    let customer = Customer {
        ppk: Some(ppk("k", false)),
        ..Customer::new(1)
    };
    let mut fleet = fleet_for(&customer);
    let mut initiator = Initiator::new(customer.clone(), 1);
    initiator.start();
    let changed = refusals::init_of(customer, |payloads| {
        payloads.retain(|payload| !NotifyType::USE_PPK.is_in(std::slice::from_ref(payload)));
    });
    let response = fleet.deliver(&changed).remove(0);
    let auth = initiator.handle_datagram(&response.payload);
    fleet.converse(&mut initiator, auth);
    assert!(matches!(
        refusal_of(&(fleet, initiator)),
        AuthRefusal::WrongKey(_)
    ));
}

/// It is mixed into the keys that an additional key exchange has led to.
#[test]
fn a_ppk_goes_with_an_additional_key_exchange() {
    let (fleet, initiator) = connected(Customer {
        kem: Some(Kem::MlKem768),
        ppk: Some(ppk("k", true)),
        ..Customer::new(1)
    });
    assert!(matches!(fleet.last_event(), Some(What::Established { .. })));
    assert_eq!(initiator.child().unwrap().inbound_key, child(&fleet).outbound_key);
}
