//! The edges, with their links to the internet, to the origin and for management.

use anyhow::Result;

use super::addresses::{ORIGIN_PREFIXES, management};
use super::{Network, router};

impl Network {
    /// Adds edge number `n`.
    pub(super) fn add_edge(mut self, n: usize) -> Result<Self> {
        let name = format!("e{n}");
        let edge = router(&name)?;
        let low = 4 * n;

        self.net.link(&name, &edge, "up")?;
        self.net.ip(&format!(
            "address add 192.0.2.{}/30 dev {name}
             address add 2001:db8:200:{n}::1/64 dev {name} nodad
             route add 203.0.113.1/32 via 192.0.2.{gateway} dev {name} table {n}
             route add 2001:db8::1/128 via 2001:db8:200:{n}::2 dev {name} table {n}
             rule add fwmark {n} lookup {n}",
            low + 1,
            gateway = low + 2,
        ))?;
        self.net.ip6(&format!("rule add fwmark {n} lookup {n}"))?;
        edge.ip(&format!(
            "address add 192.0.2.{}/30 dev up
             address add 2001:db8:200:{n}::2/64 dev up nodad
             address add 203.0.113.1/32 dev lo
             address add 2001:db8::1/128 dev lo nodad
             route add default via 192.0.2.{}
             route add ::/0 via 2001:db8:200:{n}::1",
            low + 2,
            low + 1
        ))?;

        self.origin.link(&name, &edge, "in")?;
        self.origin.ip(&format!(
            "address add 10.20.{n}.2/24 dev {name}
             address add fd00:20:{n}::2/64 dev {name} nodad"
        ))?;
        edge.ip(&format!(
            "address add 10.20.{n}.1/24 dev in
             address add fd00:20:{n}::1/64 dev in nodad
             route add {} via 10.20.{n}.2
             route add {} via fd00:20:{n}::2",
            ORIGIN_PREFIXES[0], ORIGIN_PREFIXES[1]
        ))?;

        self.dist.link(&name, &edge, "mgmt")?;
        self.dist.ip(&format!("link set {name} master mgmt"))?;
        edge.ip(&format!("address add {}/24 dev mgmt", management(n)))?;
        self.edges.push(edge);
        Ok(self)
    }
}
