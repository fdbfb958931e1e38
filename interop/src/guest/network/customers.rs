//! Customers, with a NAT or without, and what becomes of their addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result};

use super::addresses::{Outer, gateway};
use super::{Network, router};
use crate::guest::host::namespace::Namespace;

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

impl Network {
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

    /// Adds customer number `n`.
    pub(super) fn add_customer(mut self, n: usize, behind_nat: bool) -> Result<Self> {
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
