//! Packets go through.

use xfrm::Change;

use crate::world::{TUNNEL, World, agent, child, ip, tunnel};

#[test]
fn pings_pass_in_both_families() {
    World::run("both", |world| {
        let child = child();
        world.set_up_peer(&child);
        let mut agent = agent();
        let failures = agent.apply(vec![Change::PutTunnel(TUNNEL, tunnel()), Change::PutChild(child)]);
        assert_eq!(failures, []);
        println!("{}", ip("-s xfrm state"));
        println!("{}", ip("xfrm policy"));
        println!("{}", ip("-d link show ipsec0"));
        println!("{}", ip("route"));
        assert_eq!(world.ping("10.1.0.1", 3), 3);
        assert_eq!(world.ping("fd00:1::1", 3), 3);
        let r = agent.reconcile();
        assert_eq!((r.added, r.updated, r.removed), (0, 0, 0), "{r:?}");
        println!("{r:?}");
    });
}
