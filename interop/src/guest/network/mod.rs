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

mod addresses;
mod customers;
mod delivery;
mod edges;

use anyhow::Result;

pub use addresses::{ANYCAST, DISTRIBUTOR, ORIGIN, ORIGIN_6, ORIGIN_PREFIXES, Outer, management};
pub use customers::Customer;

use crate::guest::host::namespace::Namespace;

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

impl Plan {
    /// So many customers.
    pub fn of_customers(customers: usize) -> Self {
        Self {
            customers,
            ..Self::default()
        }
    }

    /// One customer, behind a NAT.
    pub fn behind_nat() -> Self {
        Self {
            nat: true,
            ..Self::default()
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
}

/// A host that forwards.
fn router(name: &str) -> Result<Namespace> {
    let namespace = Namespace::new(name)?;
    namespace.sysctl("ipv4/ip_forward", "1")?;
    namespace.sysctl("ipv6/conf/all/forwarding", "1")?;
    Ok(namespace)
}
