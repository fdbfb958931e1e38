//! What one more subscriber costs: the same Delta, made ready for one more stream in three ways, against copying its
//! octets, which none of them can avoid. docs/decisions/0002-fanout.md has the figures and the choice.

use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use proto::{
    Body, ChildSa, Cipher, EspSuite, Identity, IkeSa, IkeSpis, InboundSpi, Record, Sealed, Slot, Timestamp,
    TrafficSelector, v1,
};

/// Octets of a sealed pair of keys, and of a sealed snapshot of an IKE SA after IKE_AUTH.
const CHILD_SECRET: usize = 130;
const IKE_SECRET: usize = 900;

const TIME: Duration = Duration::from_millis(500);

/// The Delta as it would be with typed records.
#[derive(Clone, PartialEq, Message)]
struct TypedDelta {
    #[prost(message, repeated, tag = "1")]
    records: Vec<v1::Record>,
    #[prost(uint64, tag = "2")]
    revision: u64,
}

fn main() {
    let records = handshake();
    let typed = TypedDelta {
        records: records.iter().map(v1::Record::from).collect(),
        revision: 7,
    };
    let octets = v1::Delta {
        records: records.iter().map(Record::encode).collect(),
        revision: 7,
    };
    let encoded = Bytes::from(octets.encode_to_vec());
    assert_eq!(
        typed.encode_to_vec(),
        encoded,
        "all three are the same on the wire"
    );

    let mut out = BytesMut::with_capacity(2 * encoded.len());
    let bare = measure(&mut out, |out| out.put_slice(black_box(&encoded)));
    println!(
        "{} octets; copying them takes {bare:.0} ns, and with",
        encoded.len()
    );
    for (what, nanoseconds) in [
        (
            "typed records, cloned and encoded",
            measure(&mut out, |out| encode(typed.clone(), out)),
        ),
        (
            "records as octets, cloned and encoded",
            measure(&mut out, |out| encode(octets.clone(), out)),
        ),
        (
            "the whole message as octets",
            measure(&mut out, |out| out.put(black_box(encoded.clone()))),
        ),
    ] {
        println!("{nanoseconds:6.0} ns, {:4.1} times: {what}", nanoseconds / bare);
    }
}

fn encode(message: impl Message, out: &mut BytesMut) {
    black_box(message).encode(out).expect("the buffer grows");
}

/// Nanoseconds for one call.
fn measure(out: &mut BytesMut, mut call: impl FnMut(&mut BytesMut)) -> f64 {
    let (start, mut calls) = (Instant::now(), 0u32);
    while start.elapsed() < TIME {
        for _ in 0..1000 {
            out.clear();
            call(out);
        }
        calls += 1000;
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
}

/// What IKE_AUTH commits: an IKE SA and a child SA.
fn handshake() -> [Record; 2] {
    let created = Timestamp::from(SystemTime::now());
    let ike = IkeSa {
        spis: IkeSpis {
            initiator: u64::MAX / 3,
            responder: u64::MAX / 5,
        },
        slot: Slot::new(1).expect("a slot"),
        epoch: 0,
        tunnel: "acme".parse().expect("a name"),
        remote_id: Identity::Fqdn("acme.example".to_owned()),
        local: ([203, 0, 113, 1], 500).into(),
        peer: ([198, 51, 100, 7], 500).into(),
        initial_contact: true,
        created,
    };
    let selector = |ends: [[u8; 4]; 2]| {
        TrafficSelector::new(0, (0, u16::MAX), ends[0].into(), ends[1].into()).expect("a range")
    };
    let child = ChildSa {
        inbound_spi: InboundSpi::MIN,
        outbound_spi: 0x1234_5678,
        ike: ike.spis,
        tunnel: ike.tunnel.clone(),
        local: ike.local,
        peer: ike.peer,
        udp_encap: false,
        suite: EspSuite::Encrypted(Cipher::Aes256Gcm16),
        local_ts: vec![selector([[10, 1, 0, 0], [10, 1, 255, 255]])],
        remote_ts: vec![selector([[10, 2, 0, 0], [10, 2, 255, 255]])],
        created,
        expires: created.after(Duration::from_secs(3600)),
        precedence: 1,
    };
    let ike = Sealed::new(ike, |_| vec![0xa5; IKE_SECRET].into());
    let child = Sealed::new(child, |_| vec![0xa5; CHILD_SECRET].into());
    [Body::IkeSa(ike), Body::ChildSa(child)].map(|body| Record { revision: 7, body })
}
