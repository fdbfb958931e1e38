//! The lab's network:
//!
//! ```text
//!  c1 (nat1) --.          .-- e1 --.
//!  c2 ---------+-- net ---+-- e2 --+-- origin         dist -- e1, e2, e3 (management)
//!              '          '-- e3 --'
//! ```
//!
//! Every edge has the anycast address; `net` has one route to it, or one for each packet, and can change its mind; so can
//! `origin` about the way back. Addresses are those for documentation (RFC 5737, RFC 3849).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result};

use crate::guest::host::namespace::Namespace;

/// The fleet's outer addresses.
pub const ANYCAST: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// The inner address of what the customer wants to reach, and its prefixes.
pub const ORIGIN: Ipv4Addr = Ipv4Addr::new(10, 2, 0, 1);
/// See [`ORIGIN`].
pub const ORIGIN_6: Ipv6Addr = Ipv6Addr::new(0xfd00, 2, 0, 0, 0, 0, 0, 1);
/// See [`ORIGIN`].
pub const ORIGIN_PREFIXES: [&str; 2] = ["10.2.0.0/24", "fd00:2::/64"];

/// Where the distributor listens, on the management network.
pub const DISTRIBUTOR: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 10);

/// Which of the two families the outer packets have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outer {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Outer {
    /// The fleet's address.
    pub fn anycast(self) -> IpAddr {
        ANYCAST[usize::from(self == Self::V6)]
    }
}

/// What to build.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Edges `e1`, `e2` and so on.
    pub edges: usize,
    /// Customers `c1`, `c2` and so on.
    pub customers: usize,
    /// A NAT between each customer and the network.
    pub nat: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            edges: 3,
            customers: 1,
            nat: false,
        }
    }
}

/// A customer's router, with its own network behind it.
pub struct Customer {
    /// Where its programs run; the outer interface is `up`.
    pub namespace: Namespace,
    /// Its own outer IPv4 address; behind a NAT a private one.
    pub outer: Ipv4Addr,
    /// Its own outer IPv6 address.
    pub outer_6: Ipv6Addr,
    /// The address that the network sees.
    pub public: Ipv4Addr,
    /// An inner address, the first of `prefixes[0]`.
    pub inner: Ipv4Addr,
    /// An inner address, the first of `prefixes[1]`.
    pub inner_6: Ipv6Addr,
    /// What is behind it.
    pub prefixes: [String; 2],
    /// The NAT in front of it.
    pub nat: Option<Namespace>,
}

impl Customer {
    /// Its own outer address of that family.
    pub fn outer(&self, family: Outer) -> IpAddr {
        match family {
            Outer::V4 => self.outer.into(),
            Outer::V6 => self.outer_6.into(),
        }
    }
}

/// Everything between the customers and the origin.
pub struct Network {
    /// The customers' routers.
    pub customers: Vec<Customer>,
    /// The internet.
    pub net: Namespace,
    /// The edges; the interface towards the internet is `up`, towards the origin `in`, for management `mgmt`.
    pub edges: Vec<Namespace>,
    /// What the customers want to reach.
    pub origin: Namespace,
    /// The management network and what runs there.
    pub dist: Namespace,
}

impl Network {
    /// Builds it. The anycast address leads to the first edge, and so does the way back.
    ///
    /// # Errors
    /// The kernel refuses something.
    pub fn build(plan: Plan) -> Result<Self> {
        let network = Self {
            customers: Vec::new(),
            net: router("net")?,
            edges: Vec::new(),
            origin: Namespace::new("origin")?,
            dist: Namespace::new("dist")?,
        };
        network.build_ends()?;
        let network = (1..=plan.edges).try_fold(network, Self::add_edge)?;
        let network =
            (1..=plan.customers).try_fold(network, |network, n| network.add_customer(n, plan.nat))?;
        network.deliver_to(0)?;
        network.return_via(0)?;
        Ok(network)
    }

    /// An edge's name.
    pub fn edge_name(&self, edge: usize) -> &str {
        self.edges[edge].name()
    }

    /// The network delivers all that is for the anycast address to this edge from now on. Nothing under way is lost.
    ///
    /// # Errors
    /// The kernel refuses the route.
    pub fn deliver_to(&self, edge: usize) -> Result<()> {
        let n = edge + 1;
        self.net.ip(&format!(
            "route replace 203.0.113.1/32 via 192.0.2.{} dev e{n}
             route replace 2001:db8::1/128 via 2001:db8:200:{n}::2 dev e{n}",
            4 * n + 2
        ))
    }

    /// The origin answers through this edge from now on.
    ///
    /// # Errors
    /// The kernel refuses the route.
    pub fn return_via(&self, edge: usize) -> Result<()> {
        let n = edge + 1;
        self.origin.ip(&format!(
            "route replace default via 10.20.{n}.1 dev e{n}
             route replace ::/0 via fd00:20:{n}::1 dev e{n}"
        ))
    }

    /// The network delivers packets to the edges in turn, one each, whatever flow they belong to.
    ///
    /// # Errors
    /// The kernel refuses the rule.
    pub fn spray(&self) -> Result<()> {
        let edges = self.edges.len();
        let turns: Vec<String> = (0..edges).map(|edge| format!("{edge} : {}", edge + 1)).collect();
        self.mark(&format!(
            "meta mark set numgen inc mod {edges} map {{ {} }}",
            turns.join(", ")
        ))
    }

    /// The network delivers what is for this UDP port to this edge, and the rest as before.
    ///
    /// # Errors
    /// The kernel refuses the rule.
    pub fn deliver_port_to(&self, port: u16, edge: usize) -> Result<()> {
        self.mark(&format!("udp dport {port} meta mark set {}", edge + 1))
    }

    /// The network delivers every IKE message to this edge as well as to the one it leads to.
    ///
    /// # Errors
    /// The kernel refuses the rule.
    pub fn copy_ike_to(&self, edge: usize) -> Result<()> {
        let n = edge + 1;
        self.net.nft(&format!(
            "table ip copy {{
               chain prerouting {{
                 type filter hook prerouting priority mangle
                 ip daddr 203.0.113.1 udp dport {{ 500, 4500 }} dup to 192.0.2.{} device e{n}
               }}
             }}",
            4 * n + 2
        ))
    }

    /// The NAT in front of this customer restarts: it forgets its mappings, and gives other ports than before.
    ///
    /// # Errors
    /// There is none, or its kernel refuses something.
    pub fn restart_nat(&self, customer: usize) -> Result<()> {
        let nat = self.customers[customer].nat.as_ref().context("no NAT")?;
        nat.nft("delete table ip nat")?;
        nat.nft(&masquerade("30000-39999"))?;
        // Mappings of an interface that goes down are forgotten, and so are its routes.
        nat.ip(&format!(
            "link set dev up down
             link set dev up up
             route add default via {}",
            gateway(customer + 1)?
        ))
    }

    /// This customer loses its outer IPv4 address and gets another one.
    ///
    /// # Errors
    /// A kernel refuses something.
    pub fn move_customer(&self, customer: usize) -> Result<()> {
        let (n, gateway) = (customer + 1, gateway(customer + 1)?);
        let Customer {
            namespace, public, ..
        } = &self.customers[customer];
        let other = Ipv4Addr::new(198, 51, 100, 200 + u8::try_from(n)?);
        self.net.ip(&format!("route add {other}/32 dev c{n}"))?;
        namespace.ip(&format!(
            "address add {other}/32 dev up
             address del {public}/30 dev up
             route replace {gateway}/32 dev up src {other}
             route replace default via {gateway} src {other}"
        ))
    }

    /// Packets are marked with an edge's number before they are routed, and every mark has a table of its own.
    fn mark(&self, rule: &str) -> Result<()> {
        self.net.nft(&format!(
            "table inet deliver
             delete table inet deliver
             table inet deliver {{
               chain prerouting {{
                 type filter hook prerouting priority mangle
                 ip daddr 203.0.113.1 {rule}
                 ip6 daddr 2001:db8::1 {rule}
               }}
             }}"
        ))
    }

    fn build_ends(&self) -> Result<()> {
        self.origin.ip(&format!(
            "address add {ORIGIN}/32 dev lo
             address add {ORIGIN_6}/128 dev lo nodad"
        ))?;
        self.dist.ip(&format!(
            "link add mgmt type bridge
             link set mgmt up
             address add {DISTRIBUTOR}/24 dev mgmt"
        ))
    }

    fn add_edge(mut self, n: usize) -> Result<Self> {
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

    fn add_customer(mut self, n: usize, behind_nat: bool) -> Result<Self> {
        let name = format!("c{n}");
        let namespace = router(&name)?;
        let gateway = gateway(n)?;
        let public = Ipv4Addr::from_bits(gateway.to_bits() + 1);
        let outside = if behind_nat {
            router(&format!("nat{n}"))?
        } else {
            namespace.clone()
        };
        self.net.link(&name, &outside, "up")?;
        self.net.ip(&format!(
            "address add {gateway}/30 dev {name}
             address add 2001:db8:100:{n}::1/64 dev {name} nodad"
        ))?;
        outside.ip(&format!(
            "address add {public}/30 dev up
             address add 2001:db8:100:{n}::2/64 dev up nodad
             route add default via {gateway}
             route add ::/0 via 2001:db8:100:{n}::1"
        ))?;
        if behind_nat {
            put_behind(&namespace, &outside)?;
        }
        let number = u8::try_from(n)?;
        let inner = Ipv4Addr::new(10, 1, number, 1);
        let inner_6 = Ipv6Addr::new(0xfd00, 1, number.into(), 0, 0, 0, 0, 1);
        namespace.ip(&format!(
            "address add {inner}/32 dev lo
             address add {inner_6}/128 dev lo nodad"
        ))?;
        self.customers.push(Customer {
            outer: if behind_nat {
                Ipv4Addr::new(192, 168, 0, 2)
            } else {
                public
            },
            outer_6: Ipv6Addr::new(0x2001, 0xdb8, 0x100, number.into(), 0, 0, 0, 2),
            public,
            inner,
            inner_6,
            prefixes: [format!("10.1.{n}.0/24"), format!("fd00:1:{n}::/64")],
            nat: behind_nat.then_some(outside),
            namespace,
        });
        Ok(self)
    }
}

/// An edge's address on the management network.
pub fn management(n: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 9, 0, n as u8)
}

/// The network's address towards customer number `n`, in a /30 whose other one is the customer's.
fn gateway(n: usize) -> Result<Ipv4Addr> {
    let low = u8::try_from(4 * n).context("too many customers")?;
    Ok(Ipv4Addr::new(198, 51, 100, low + 1))
}

/// A host that forwards.
fn router(name: &str) -> Result<Namespace> {
    let namespace = Namespace::new(name)?;
    namespace.sysctl("ipv4/ip_forward", "1")?;
    namespace.sysctl("ipv6/conf/all/forwarding", "1")?;
    Ok(namespace)
}

/// A NAT that changes ports too, as they do when two customers behind it use the same one.
fn put_behind(customer: &Namespace, nat: &Namespace) -> Result<()> {
    nat.link("down", customer, "up")?;
    nat.ip("address add 192.168.0.1/24 dev down")?;
    customer.ip("address add 192.168.0.2/24 dev up
         route add default via 192.168.0.1")?;
    nat.nft(&masquerade("20000-29999"))
}

/// Rules that give every mapping one of these ports.
fn masquerade(ports: &str) -> String {
    format!(
        "table ip nat {{
           chain postrouting {{
             type nat hook postrouting priority srcnat
             oifname up meta l4proto udp masquerade to :{ports}
             oifname up masquerade
           }}
         }}"
    )
}
