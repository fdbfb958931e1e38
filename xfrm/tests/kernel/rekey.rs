//! Two children of one tunnel with equal selectors.

use std::thread;

use xfrm::{Change, Child};

use crate::world::{INBOUND_SPI, OUTBOUND_SPI, World, agent_with, cipher, counters, plain_child};

const NEW_INBOUND_SPI: u32 = 0x0040_0002;
const NEW_OUTBOUND_SPI: u32 = 0xc0ff_ee02;

fn replacement() -> Child {
    Child {
        inbound_spi: NEW_INBOUND_SPI,
        outbound_spi: NEW_OUTBOUND_SPI,
        inbound: cipher(3),
        outbound: cipher(4),
        precedence: 2,
        ..plain_child()
    }
}

fn sent(spi: u32) -> Option<u64> {
    counters(spi).map(|sa| sa.packets)
}

#[test]
fn the_policy_says_which_sa_sends() {
    World::run("rekey", |world| {
        let peer = world.add_peer(1);
        peer.face(&plain_child());
        let new = replacement();
        peer.add_sa(new.local, new.peer, new.outbound_spi, &new.outbound);
        let mut agent = agent_with(plain_child());
        assert_eq!(peer.ping("10.1.0.1", 3), 3);

        // Installed, but not yet the one that sends.
        agent.apply(vec![Change::PutChild(Child {
            precedence: 0,
            ..new.clone()
        })]);
        assert_eq!(peer.ping("10.1.0.1", 3), 3);
        assert_eq!((sent(OUTBOUND_SPI), sent(NEW_OUTBOUND_SPI)), (Some(6), Some(0)));

        agent.apply(vec![Change::PutChild(new)]);
        assert_eq!(peer.ping("10.1.0.1", 3), 3);
        assert_eq!((sent(OUTBOUND_SPI), sent(NEW_OUTBOUND_SPI)), (Some(6), Some(3)));

        agent.apply(vec![Change::RemoveChild(INBOUND_SPI)]);
        assert_eq!((sent(INBOUND_SPI), sent(OUTBOUND_SPI)), (None, None));
        let report = agent.reconcile();
        assert_eq!((report.added, report.updated, report.removed), (0, 0, 0));
    });
}

#[test]
fn no_packet_is_lost_when_the_new_child_takes_over() {
    World::run("takeover", |world| {
        let peer = world.add_peer(1);
        peer.face(&plain_child());
        let new = replacement();
        peer.add_sa(new.local, new.peer, new.outbound_spi, &new.outbound);
        let mut agent = agent_with(plain_child());
        thread::scope(|scope| {
            let pings = scope.spawn(|| peer.ping("10.1.0.1", 100));
            while sent(OUTBOUND_SPI) < Some(20) {
                thread::yield_now();
            }
            for _ in 0..20 {
                agent.apply(vec![Change::PutChild(new.clone())]);
                agent.apply(vec![Change::PutChild(Child {
                    precedence: 0,
                    ..new.clone()
                })]);
            }
            assert_eq!(pings.join().expect("pings"), 100);
        });
    });
}
