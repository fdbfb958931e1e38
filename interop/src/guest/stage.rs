//! Where a scenario plays: a network with a fleet on it, and an instrument wherever something can be seen.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};

use crate::guest::network::{Network, Outer, Plan};
use crate::guest::peers::charon::Charon;
use crate::guest::peers::connection::Connection;
use crate::guest::peers::fleet::Fleet;
use crate::guest::peers::tunnel::Tunnel;
use crate::guest::watch::capture::Capture;
use crate::guest::watch::kernel::{self, Sa};
use crate::guest::watch::monitor::{Monitor, What};

/// For one thing to happen in an emulated machine on a busy one. Scenarios assert facts, not speed.
pub const LIMIT: Duration = Duration::from_secs(120);

/// The whole lab, with everything running.
pub struct Stage {
    /// Hosts and links.
    pub network: Network,
    /// Distributor and edges.
    pub fleet: Fleet,
    /// On each customer's outer interface.
    pub at_customers: Vec<Capture>,
    /// On each edge's outer interface.
    pub at_edges: Vec<Capture>,
    /// In each edge's kernel.
    pub monitors: Vec<Monitor>,
}

impl Stage {
    /// Builds and starts it all. The network delivers to the first edge, and the origin answers through it.
    ///
    /// # Errors
    /// Something does not start.
    pub fn set(plan: Plan) -> Result<Self> {
        Self::set_with(plan, "")
    }

    /// As [`Stage::set`], with `settings` at the end of each edge's config.
    ///
    /// # Errors
    /// As [`Stage::set`].
    pub fn set_with(plan: Plan, settings: &str) -> Result<Self> {
        let network = Network::build(plan)?;
        let at_customers = network
            .customers
            .iter()
            .map(|customer| Capture::start(&customer.namespace, "up"))
            .collect::<Result<_>>()?;
        let at_edges = network
            .edges
            .iter()
            .map(|edge| Capture::start(edge, "up"))
            .collect::<Result<_>>()?;
        let monitors = network.edges.iter().map(Monitor::start).collect::<Result<_>>()?;
        let fleet = Fleet::start(&network, settings)?;
        Ok(Self {
            network,
            fleet,
            at_customers,
            at_edges,
            monitors,
        })
    }

    /// Has the operator add the tunnel that the customer would order, and starts the customer's charon, which knows it too but
    /// does nothing yet.
    ///
    /// # Errors
    /// The operator's command fails, or charon does not start.
    pub fn order(&self, customer: usize, outer: Outer) -> Result<(Tunnel, Charon)> {
        self.order_with(customer, outer, |_| {})
    }

    /// As [`Stage::order`], with a `change` to what the customer's side is told.
    ///
    /// # Errors
    /// As [`Stage::order`].
    pub fn order_with(
        &self,
        customer: usize,
        outer: Outer,
        change: impl FnOnce(&mut Connection),
    ) -> Result<(Tunnel, Charon)> {
        let tunnel = Tunnel::of(&self.network.customers[customer]);
        let charon = self.order_tunnel(customer, &tunnel, outer, "", change)?;
        Ok((tunnel, charon))
    }

    /// As [`Stage::order_with`], of any tunnel, and with `settings` for the customer's charon.
    ///
    /// # Errors
    /// As [`Stage::order`].
    pub fn order_tunnel(
        &self,
        customer: usize,
        tunnel: &Tunnel,
        outer: Outer,
        settings: &str,
        change: impl FnOnce(&mut Connection),
    ) -> Result<Charon> {
        self.fleet.add(tunnel)?;
        let customer = &self.network.customers[customer];
        let mut connection = tunnel.connection(customer.outer(outer), outer);
        change(&mut connection);
        Charon::start(&customer.namespace, &[connection], settings)
    }

    /// As [`Stage::order`], and the customer sets the tunnel up. Returns the inbound SPI, which every edge has in its kernel by
    /// then.
    ///
    /// # Errors
    /// The tunnel is not up, or an edge does not have it.
    pub fn connect(&self, customer: usize, outer: Outer) -> Result<(Tunnel, Charon, u32)> {
        let (tunnel, charon) = self.order(customer, outer)?;
        charon.initiate(&tunnel.name, LIMIT)?;
        let spi = self.shared_spi(outer.anycast())?;
        Ok((tunnel, charon, spi))
    }

    /// The SAs of edge number `edge` towards the anycast addresses.
    ///
    /// # Errors
    /// Its kernel cannot be read.
    pub fn inbound(&self, edge: usize) -> Result<Vec<Sa>> {
        let mut sas = kernel::sas(&self.network.edges[edge])?;
        sas.retain(|sa| crate::guest::network::ANYCAST.contains(&sa.destination));
        Ok(sas)
    }

    /// The SPI of the one inbound SA that all edges have towards `anycast`, with the same key.
    ///
    /// # Errors
    /// An edge has none, several, or another.
    pub fn shared_spi(&self, anycast: IpAddr) -> Result<u32> {
        let mut shared: Option<Sa> = None;
        for (edge, namespace) in self.network.edges.iter().enumerate() {
            let mut sas = self.inbound(edge)?;
            ensure!(
                sas.len() == 1,
                "{} has {} inbound SAs",
                namespace.name(),
                sas.len()
            );
            let sa = sas.pop().context("one")?;
            ensure!(sa.destination == anycast, "{}: {sa:?}", namespace.name());
            if let Some(first) = &shared {
                let (spi, cipher, key) = (first.spi, &first.cipher, &first.key_print);
                ensure!(
                    (spi, cipher, key) == (sa.spi, &sa.cipher, &sa.key_print),
                    "{first:?} but {sa:?}"
                );
            }
            shared = Some(sa);
        }
        Ok(shared.context("no edges")?.spi)
    }

    /// No edge's kernel has an SA, and none has had one since the stage was set.
    ///
    /// # Errors
    /// One has, or has had.
    pub fn untouched(&self) -> Result<()> {
        for (monitor, edge) in self.monitors.iter().zip(&self.network.edges) {
            let (events, sas) = (monitor.events(), kernel::sas(edge)?);
            ensure!(
                events.is_empty() && sas.is_empty(),
                "{}: {events:?}, {sas:?}",
                edge.name()
            );
        }
        Ok(())
    }

    /// When each edge's kernel got the inbound SA with this SPI.
    ///
    /// # Errors
    /// An edge does not get it.
    pub fn installed(&self, anycast: IpAddr, spi: u32) -> Result<Vec<SystemTime>> {
        self.times(&[What::Added, What::Updated], anycast, spi)
            .context("the SA does not come")
    }

    /// Waits until no edge has an SA any more, and returns when each lost the inbound one with this SPI.
    ///
    /// # Errors
    /// An edge keeps one.
    pub fn gone(&self, anycast: IpAddr, spi: u32) -> Result<Vec<SystemTime>> {
        let times = self
            .times(&[What::Deleted], anycast, spi)
            .context("the SA stays")?;
        self.network
            .edges
            .iter()
            .try_for_each(|edge| kernel::wait_until_empty(edge, LIMIT))?;
        Ok(times)
    }

    /// When each edge's kernel first did one of `what` to the SA.
    fn times(&self, what: &[What], anycast: IpAddr, spi: u32) -> Result<Vec<SystemTime>> {
        let edges = self.monitors.iter().zip(&self.network.edges);
        edges
            .map(|(monitor, edge)| {
                let time = monitor.wait(LIMIT, what, anycast, spi);
                time.with_context(|| format!("{:?} of {spi:#010x} at {}", what, edge.name()))
            })
            .collect()
    }
}
