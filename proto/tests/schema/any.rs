//! Anything that the schema allows.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use ipnet::IpNet;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::subsequence;
use proto::*;

pub(crate) fn name() -> impl Strategy<Value = Name> {
    "[A-Za-z0-9][A-Za-z0-9._-]{0,62}".prop_map(|text| text.parse().unwrap())
}

pub(crate) fn slot() -> impl Strategy<Value = Slot> {
    (1..=Slot::MAX).prop_map(|number| Slot::new(number).unwrap())
}

pub(crate) fn inbound_spi() -> impl Strategy<Value = InboundSpi> {
    (InboundSpi::MIN.get()..).prop_map(|spi| spi.try_into().unwrap())
}

pub(crate) fn host(v4: bool) -> BoxedStrategy<IpAddr> {
    let address = if v4 {
        any::<[u8; 4]>().prop_map(IpAddr::from).boxed()
    } else {
        any::<[u8; 16]>().prop_map(IpAddr::from).boxed()
    };
    address
        .prop_filter("one host's", |address| {
            !address.is_unspecified() && !address.is_multicast()
        })
        .boxed()
}

pub(crate) fn endpoint(v4: bool) -> impl Strategy<Value = SocketAddr> {
    (host(v4), 1..=u16::MAX).prop_map(SocketAddr::from)
}

pub(crate) fn path() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
    any::<bool>().prop_flat_map(|v4| (endpoint(v4), endpoint(v4)))
}

pub(crate) fn timestamp() -> impl Strategy<Value = Timestamp> {
    (0..4_000_000_000_000u64).prop_map(|ms| (std::time::UNIX_EPOCH + Duration::from_millis(ms)).into())
}

pub(crate) fn identity() -> impl Strategy<Value = Identity> {
    prop_oneof![
        any::<IpAddr>().prop_map(Identity::Address),
        "[a-z0-9.-]{1,255}".prop_map(Identity::Fqdn),
        "[!-?A-~]{1,60}@[!-~]{1,60}".prop_map(Identity::Rfc822),
        vec(any::<u8>(), 1..=255).prop_map(Identity::KeyId),
        "CN=[a-z]{1,300}, O=[A-Za-z.]{1,60}".prop_map(|text| text.parse().unwrap()),
    ]
}

/// A prefix with what of it may pass.
pub(crate) fn tunnel_selector() -> impl Strategy<Value = TunnelSelector> {
    let prefix = (any::<IpAddr>(), 0..=128u8).prop_map(|(address, length)| {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        IpNet::new(address, length.min(longest)).unwrap().trunc()
    });
    let traffic = prop_oneof![
        Just(String::new()),
        (1..=u8::MAX).prop_map(|protocol| format!("[{protocol}]")),
        any::<[u16; 2]>().prop_map(|mut ports| {
            ports.sort_unstable();
            format!("[tcp/{}-{}]", ports[0], ports[1])
        }),
    ];
    (prefix, traffic).prop_map(|(prefix, traffic)| format!("{prefix}{traffic}").parse().unwrap())
}

/// Both sides of a tunnel: something of one side fits the other.
fn both_sides() -> impl Strategy<Value = (Vec<TunnelSelector>, Vec<TunnelSelector>)> {
    let sides = (
        vec(tunnel_selector(), 0..=3),
        vec(tunnel_selector(), 0..limits::TUNNEL_SELECTORS),
    );
    (sides, tunnel_selector()).prop_map(|((mut local, mut remote), common)| {
        local.push(common);
        remote.push(common);
        (local, remote)
    })
}

pub(crate) fn selector() -> impl Strategy<Value = TrafficSelector> {
    let addresses = prop_oneof![
        any::<[[u8; 4]; 2]>().prop_map(|ends| ends.map(IpAddr::from)),
        any::<[[u8; 16]; 2]>().prop_map(|ends| ends.map(IpAddr::from)),
    ];
    (any::<u8>(), any::<[u16; 2]>(), addresses).prop_map(|(protocol, mut ports, mut addresses)| {
        ports.sort_unstable();
        addresses.sort_unstable();
        TrafficSelector::new(protocol, ports.into(), addresses[0], addresses[1]).unwrap()
    })
}

pub(crate) fn suites() -> impl Strategy<Value = Vec<EspSuite>> {
    let all: Vec<_> = EspSuite::all().collect();
    let count = all.len();
    subsequence(all, 1..=count).prop_shuffle()
}

pub(crate) fn gateway() -> impl Strategy<Value = Gateway> {
    let text = prop_oneof![
        (1..=0xdfff_ffffu32).prop_map(|bits| std::net::Ipv4Addr::from(bits).to_string()),
        "[a-z0-9]{1,20}(\\.[a-z0-9]{1,20}){0,4}\\.[a-z]{2,8}",
    ];
    text.prop_map(|text| text.parse().unwrap())
}

pub(crate) fn tunnel() -> impl Strategy<Value = Tunnel> {
    let who = (name(), 1..=u16::MAX, identity(), option::of(identity()), suites());
    let place = (
        option::of("[A-Za-z0-9_-]{1,64}"),
        "[A-Za-z0-9@._-]{1,15}",
        option::of(1280..=65_535u32),
    );
    let place = place.prop_filter(
        "a directory's own names, and the kernel's",
        |(_, interface, _)| ![".", "..", "lo", "all", "default"].contains(&interface.as_str()),
    );
    let method = prop_oneof![Just(AuthMethod::Psk), Just(AuthMethod::Certificates)];
    let ppk = ("[!-~]{1,255}", any::<bool>()).prop_map(|(id, required)| Ppk {
        id: id.parse().unwrap(),
        required,
    });
    let auth = (method, option::of(ppk), option::of(gateway()));
    (who, both_sides(), place, auth).prop_map(
        |(who, (local_ts, remote_ts), (netns, interface, mtu), (auth, ppk, redirect))| Tunnel {
            addresses: vec![remote_ts[0].prefix().network()],
            rekey_bytes: mtu.map(|mtu| limits::REKEY_BYTES_LEAST * u64::from(mtu)),
            name: who.0,
            id: TunnelId::new(who.1).unwrap(),
            remote_id: who.2,
            local_id: who.3,
            esp: who.4,
            local_ts,
            remote_ts,
            netns: netns.map(|name| name.parse().unwrap()),
            interface: interface.parse().unwrap(),
            mtu,
            auth,
            redirect,
            ppk,
        },
    )
}

pub(crate) fn spis() -> impl Strategy<Value = IkeSpis> {
    (1..=u64::MAX, 1..=u64::MAX).prop_map(|(initiator, responder)| IkeSpis { initiator, responder })
}

pub(crate) fn child_sa() -> impl Strategy<Value = ChildSa> {
    let names = (inbound_spi(), 256..=u32::MAX, spis(), name());
    let outside = (path(), any::<bool>(), suites());
    let inside = (vec(selector(), 1..=8), vec(selector(), 1..=8));
    let times = (timestamp(), 1..u64::from(u32::MAX), any::<u64>());
    (names, outside, inside, times).prop_map(|(names, (path, udp_encap, suites), inside, times)| {
        let (created, life, precedence) = times;
        ChildSa {
            inbound_spi: names.0,
            outbound_spi: names.1,
            ike: names.2,
            tunnel: names.3,
            local: path.0,
            peer: path.1,
            udp_encap,
            suite: suites[0],
            local_ts: inside.0,
            remote_ts: inside.1,
            created,
            expires: created.after(Duration::from_millis(life)),
            precedence,
        }
    })
}

pub(crate) fn ike_sa() -> impl Strategy<Value = IkeSa> {
    let names = (spis(), slot(), any::<u64>(), name());
    (names, identity(), path(), any::<bool>(), timestamp()).prop_map(
        |(names, remote_id, path, initial_contact, created)| IkeSa {
            spis: names.0,
            slot: names.1,
            epoch: names.2,
            tunnel: names.3,
            remote_id,
            local: path.0,
            peer: path.1,
            initial_contact,
            created,
        },
    )
}

pub(crate) fn edge() -> impl Strategy<Value = Edge> {
    let forward = any::<bool>().prop_flat_map(endpoint);
    (slot(), name(), forward, 1..=u32::MAX).prop_map(|(slot, name, forward, incarnation)| Edge {
        slot,
        name,
        forward,
        incarnation,
    })
}

pub(crate) fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        name().prop_map(Key::Tunnel),
        inbound_spi().prop_map(Key::ChildSa),
        (1..=u64::MAX).prop_map(Key::IkeSa),
        slot().prop_map(Key::Edge),
    ]
}

pub(crate) fn sealed<H: Header + std::fmt::Debug>(
    header: impl Strategy<Value = H>,
) -> impl Strategy<Value = Sealed<H>> {
    let secret = vec(any::<u8>(), 1..=100).prop_map(Bytes::from);
    (header, secret).prop_map(|(header, secret)| Sealed::new(header, |_| secret))
}

pub(crate) fn record() -> impl Strategy<Value = Record> {
    let body = prop_oneof![
        sealed(tunnel()).prop_map(Body::Tunnel),
        sealed(child_sa()).prop_map(Body::ChildSa),
        sealed(ike_sa()).prop_map(Body::IkeSa),
        edge().prop_map(Body::Edge),
        (key(), timestamp()).prop_map(|(key, deleted)| Body::Tombstone(Tombstone { key, deleted })),
    ];
    (any::<u64>(), body).prop_map(|(revision, body)| Record { revision, body })
}

pub(crate) fn commit() -> impl Strategy<Value = Commit> {
    let change = prop_oneof![
        sealed(child_sa()).prop_map(Change::PutChildSa),
        sealed(ike_sa()).prop_map(Change::PutIkeSa),
        inbound_spi().prop_map(Change::RemoveChildSa),
        (1..=u64::MAX).prop_map(Change::RemoveIkeSa),
    ];
    let deadline = option::of((1..=u32::MAX).prop_map(|ms| Duration::from_millis(ms.into())));
    (vec(change, 1..=8), deadline, any::<u32>()).prop_map(|(changes, deadline, incarnation)| Commit {
        changes,
        deadline,
        incarnation,
    })
}

pub(crate) fn to_distributor() -> impl Strategy<Value = ToDistributor> {
    let failure =
        (key(), any::<i32>(), "[ -~]{0,100}").prop_map(|(key, errno, reason)| Failure { key, errno, reason });
    let resume = (any::<u64>(), 1..=u64::MAX).prop_map(|(store, revision)| Resume { store, revision });
    let forward = any::<bool>().prop_flat_map(endpoint);
    let hello = (forward, option::of(resume), option::of(1..=u32::MAX));
    let applied = (any::<u64>(), vec(failure, 0..8), any::<u32>());
    prop_oneof![
        hello.prop_map(|(forward, resume, incarnation)| {
            ToDistributor::Hello(Hello {
                forward,
                resume,
                incarnation,
            })
        }),
        applied.prop_map(|(revision, failures, failures_total)| {
            ToDistributor::Applied(Applied {
                revision,
                failures,
                failures_total,
            })
        }),
        (1..=u64::MAX).prop_map(|number| ToDistributor::Heartbeat(Heartbeat { number })),
    ]
}

pub(crate) fn lease() -> impl Strategy<Value = Lease> {
    let ttl = any::<u32>().prop_map(|ms| Duration::from_millis(ms.into()));
    (slot(), 1..=u32::MAX, ttl, option::of(1..=u64::MAX), any::<u64>()).prop_map(
        |(slot, incarnation, ttl, heartbeat, store)| Lease {
            slot,
            incarnation,
            ttl,
            heartbeat,
            store,
        },
    )
}
