//! What one more subscriber costs: the same Delta, made ready for one more stream in three ways, against copying its
//! octets, which none of them can avoid. docs/decisions/0002-fanout.md has the figures and the choice.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;
use proto::{Body, ChildSa, IkeSa, IkeSpis, Record, Sealed, testkit, v1};

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
    // As long on the wire as such numbers are.
    let ike = IkeSa {
        spis: IkeSpis {
            initiator: u64::MAX / 3,
            responder: u64::MAX / 5,
        },
        initial_contact: true,
        ..testkit::ike_sa(testkit::slot(1), 1)
    };
    let child = ChildSa {
        outbound_spi: 0x1234_5678,
        ..testkit::child_sa(&ike, 0)
    };
    let ike = Sealed::new(ike, |_| vec![0xa5; IKE_SECRET].into());
    let child = Sealed::new(child, |_| vec![0xa5; CHILD_SECRET].into());
    [Body::IkeSa(ike), Body::ChildSa(child)].map(|body| Record { revision: 7, body })
}
