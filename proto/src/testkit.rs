//! Records for the tests of those who build on this crate. Each is good by itself; a test that wants another field takes the
//! rest from here: `Tunnel { mtu: Some(1400), ..testkit::tunnel("acme", 1) }`.

use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::{
    AuthMethod, ChildSa, Cipher, Edge, EspSuite, Header, Identity, IkeSa, IkeSpis, InboundSpi, Sealed, Slot,
    Timestamp, TrafficSelector, Tunnel, TunnelId,
};

/// A slot: 1 to [`Slot::MAX`].
pub fn slot(number: u16) -> Slot {
    Slot::new(number).expect("a slot")
}

/// An inbound SPI of `slot`, by the bits below those of the slot.
pub fn spi(slot: Slot, number: u32) -> InboundSpi {
    let (first, _) = InboundSpi::of_slot(slot);
    InboundSpi::try_from(first.get() | number).expect("it has a slot")
}

/// The addresses from `first` to `last`, with all protocols and ports.
pub fn selector(first: [u8; 4], last: [u8; 4]) -> TrafficSelector {
    let any = (TrafficSelector::ANY_PROTOCOL, TrafficSelector::ANY_PORT);
    TrafficSelector::new(any.0, any.1, first.into(), last.into()).expect("a range of addresses")
}

/// A header with a secret that nobody can open.
pub fn sealed<H: Header>(header: H) -> Sealed<H> {
    Sealed::new(header, |_| Bytes::from_static(b"only edges can read this"))
}

/// A tunnel that differs from those with other numbers (up to 254) in all that has to differ.
pub fn tunnel(name: &str, id: u16) -> Tunnel {
    let prefix = |second: u16| format!("10.{second}.0.0/16").parse().expect("a prefix");
    Tunnel {
        name: name.parse().expect("a name"),
        id: TunnelId::new(id).expect("an id"),
        remote_id: Identity::Fqdn(format!("{name}.example")),
        local_id: None,
        esp: EspSuite::DEFAULT.to_vec(),
        local_ts: vec![prefix(1)],
        remote_ts: vec![prefix(1 + id)],
        netns: None,
        interface: format!("sw-{id}").parse().expect("an interface's name"),
        mtu: None,
        addresses: Vec::new(),
        rekey_bytes: None,
        auth: AuthMethod::Psk,
        redirect: None,
        ppk: None,
    }
}

/// The IKE SA with responder SPI `number` of tunnel `acme`, run by `slot` from now on.
pub fn ike_sa(slot: Slot, number: u64) -> IkeSa {
    IkeSa {
        spis: IkeSpis {
            initiator: 1000 + number,
            responder: number,
        },
        slot,
        epoch: 0,
        tunnel: "acme".parse().expect("a name"),
        remote_id: Identity::Fqdn("acme.example".to_owned()),
        local: ([203, 0, 113, 1], 500).into(),
        peer: ([198, 51, 100, 7], 500).into(),
        initial_contact: false,
        created: Timestamp::from(SystemTime::now()),
    }
}

/// Child SA `number` of `ike`, issued by its owner, for an hour.
pub fn child_sa(ike: &IkeSa, number: u32) -> ChildSa {
    ChildSa {
        inbound_spi: spi(ike.slot, number),
        outbound_spi: 0x1000 + number,
        ike: ike.spis,
        tunnel: ike.tunnel.clone(),
        local: ike.local,
        peer: ike.peer,
        udp_encap: false,
        suite: EspSuite::Encrypted(Cipher::Aes256Gcm16),
        local_ts: vec![selector([10, 1, 0, 0], [10, 1, 255, 255])],
        remote_ts: vec![selector([10, 2, 0, 0], [10, 2, 255, 255])],
        created: ike.created,
        expires: ike.created.after(Duration::from_secs(3600)),
        precedence: 1,
    }
}

/// The edge of `slot`, whose process has the incarnation of the same number.
pub fn edge(slot: Slot, name: &str) -> Edge {
    Edge {
        slot,
        name: name.parse().expect("a name"),
        forward: ([10, 9, 0, 1], 4501).into(),
        incarnation: slot.get().into(),
    }
}
