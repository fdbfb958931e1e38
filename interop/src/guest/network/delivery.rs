//! Which edge the network delivers to, and which the origin answers through.

use anyhow::Result;

use super::Network;

impl Network {
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
}
