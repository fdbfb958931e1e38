//! Records to try things with.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use proto::{
    AuthMethod, ChildSa, Cipher, EspSuite, Identity, IkeSa, IkeSpis, InboundSpi, Sealed, Slot, Timestamp,
    TrafficSelector, Tunnel, TunnelId,
};

pub(crate) fn sealed<H: proto::Header>(header: H) -> Sealed<H> {
    Sealed::new(header, |_| Bytes::from_static(b"only edges can read this"))
}

/// A tunnel that differs from those with other numbers in all that has to differ.
pub(crate) fn tunnel(name: &str, id: u16) -> Tunnel {
    Tunnel {
        name: name.parse().unwrap(),
        id: TunnelId::new(id).unwrap(),
        remote_id: Identity::Fqdn(format!("{name}.example")),
        local_id: None,
        esp: EspSuite::DEFAULT.to_vec(),
        local_ts: vec!["10.1.0.0/16".parse().unwrap()],
        remote_ts: vec![format!("10.{}.0.0/16", 1 + id).parse().unwrap()],
        netns: None,
        interface: format!("sw-{id}").parse().unwrap(),
        mtu: None,
        addresses: Vec::new(),
        rekey_bytes: None,
        auth: AuthMethod::Psk,
        redirect: None,
        ppk: None,
    }
}

pub(crate) fn spi(slot: Slot, number: u32) -> InboundSpi {
    InboundSpi::try_from(u32::from(slot.get()) << 22 | number).unwrap()
}

/// IKE SA `number` of tunnel `acme`, run by `slot`.
pub(crate) fn ike_sa(slot: Slot, number: u64) -> IkeSa {
    IkeSa {
        spis: IkeSpis {
            initiator: 1000 + number,
            responder: number,
        },
        slot,
        epoch: 0,
        tunnel: "acme".parse().unwrap(),
        remote_id: Identity::Fqdn("acme.example".to_owned()),
        local: ([203, 0, 113, 1], 500).into(),
        peer: ([198, 51, 100, 7], 500).into(),
        initial_contact: false,
        created: Timestamp::from(SystemTime::now()),
    }
}

/// Child SA `number` of `ike`, issued by its owner.
pub(crate) fn child_sa(ike: &IkeSa, number: u32) -> ChildSa {
    let any = |first: [u8; 4], last: [u8; 4]| {
        TrafficSelector::new(0, (0, u16::MAX), first.into(), last.into()).unwrap()
    };
    ChildSa {
        inbound_spi: spi(ike.slot, number),
        outbound_spi: 0x1000 + number,
        ike: ike.spis,
        tunnel: ike.tunnel.clone(),
        local: ike.local,
        peer: ike.peer,
        udp_encap: false,
        suite: EspSuite::Encrypted(Cipher::Aes256Gcm16),
        local_ts: vec![any([10, 1, 0, 0], [10, 1, 255, 255])],
        remote_ts: vec![any([10, 2, 0, 0], [10, 2, 255, 255])],
        created: ike.created,
        expires: ike.created.after(Duration::from_secs(3600)),
        precedence: 1,
    }
}
