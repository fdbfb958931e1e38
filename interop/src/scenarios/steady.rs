//! A steady flow that must not lose a packet, whatever becomes of the fleet meanwhile.

use std::net::IpAddr;

use anyhow::Result;

use crate::guest::network::{Network, ORIGIN};
use crate::guest::stage::LIMIT;
use crate::guest::traffic::flow::{Echo, Flow};
use crate::guest::watch::losses;
use crate::report::Count;

/// Datagrams a second.
const RATE: u32 = 100;

/// Answers that each edge carries before the network changes its mind.
const ANSWERS: usize = 50;

/// From the first customer to the origin, and back.
pub(crate) struct Steady {
    echo: Echo,
    flow: Flow,
}

impl Steady {
    /// Starts it, and waits until it is answered.
    ///
    /// # Errors
    /// There is no tunnel.
    pub(crate) fn start(network: &Network) -> Result<Self> {
        Self::between(network, network.customers[0].inner.into(), ORIGIN.into())
    }

    /// As [`Steady::start`], from this address of the customer to this one of the origin.
    ///
    /// # Errors
    /// As [`Steady::start`].
    pub(crate) fn between(network: &Network, from: IpAddr, to: IpAddr) -> Result<Self> {
        let echo = Echo::start(&network.origin, to)?;
        let flow = Flow::start(&network.customers[0].namespace, from, to, RATE)?;
        flow.wait_for_answers(ANSWERS, LIMIT)?;
        Ok(Self { echo, flow })
    }

    /// Has the network deliver it to each edge in turn, while the answers come back through the next one; at the end as at the
    /// beginning through the first.
    ///
    /// # Errors
    /// It stops being answered.
    pub(crate) fn tour(&self, network: &Network) -> Result<()> {
        let edges = network.edges.len();
        for edge in (0..edges).rev() {
            network.deliver_to(edge)?;
            network.return_via((edge + 1) % edges)?;
            self.flow.wait_for_answers(ANSWERS, LIMIT)?;
        }
        Ok(())
    }

    /// Ends it.
    ///
    /// # Errors
    /// A packet was lost; the error tells when and where.
    pub(crate) fn stop(self, network: &Network) -> Result<Count> {
        self.stop_after(0, network)
    }

    /// As [`Steady::stop`], after the customer has deleted so many SAs that it was sending on; see [`losses::none`].
    ///
    /// # Errors
    /// As [`Steady::stop`].
    pub(crate) fn stop_after(self, deletions: usize, network: &Network) -> Result<Count> {
        let outcome = losses::none(network, self.echo, self.flow, deletions)?;
        Ok(Count {
            sent: outcome.sent - outcome.refused.len() as u64,
            received: outcome.received(),
        })
    }
}
