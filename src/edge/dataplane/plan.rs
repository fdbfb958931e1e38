//! From the fleet's records to what this edge's kernel ought to hold.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use proto::{
    Body, ChildSa, ChildSaKeys, EspSuite, Failure, InboundSpi, Integrity, Key, Name, Record, Sealed, Slot,
    Tunnel, TunnelSelector, limits,
};
use sealing::{FleetKey, OpenError};
use selectors::{Pair, Ports, Unsupported};
use thiserror::Error;
use xfrm::{Algorithm, Change, Child, Cipher, PortMask, Selector, Subject, TunnelId, UdpEncap, Wanted};

/// Turns records into changes for the kernel, and remembers which of them it could not turn.
pub(crate) struct Planner {
    fleet_key: Arc<FleetKey>,
    sa_lease: Duration,
    ids: TunnelIds,
    refused: BTreeMap<Key, Refusal>,
}

/// What holds for every child SA of a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// The SA lease counts from here.
    pub(crate) now: SystemTime,
    /// Of each sender, under an outbound key of a counter-mode cipher that all of them share.
    pub(crate) packet_limit: u64,
}

/// Why a record cannot become kernel state.
#[derive(Debug, Error)]
enum Refusal {
    #[error("its credentials do not open: {0}")]
    Credentials(OpenError),
    #[error("its keys do not open: {0}")]
    Sealed(#[from] OpenError),
    #[error("its keys are not what its suite needs: {0}")]
    Keys(#[from] proto::Invalid),
    #[error(transparent)]
    Selectors(#[from] Unsupported),
    #[error("there is no tunnel {0}")]
    NoTunnel(Name),
}

impl Planner {
    pub(crate) fn new(fleet_key: Arc<FleetKey>, sa_lease: Duration) -> Self {
        Self {
            fleet_key,
            sa_lease,
            ids: TunnelIds::default(),
            refused: BTreeMap::new(),
        }
    }

    /// The kernel's whole state, from all records there are.
    pub(crate) fn wanted(&mut self, records: &[Arc<Record>], terms: Terms) -> Wanted {
        self.ids = TunnelIds::default();
        self.refused.clear();
        let mut wanted = Wanted::default();
        for change in self.changes(records, terms) {
            match change {
                Change::PutTunnel(id, tunnel) => {
                    wanted.tunnels.insert(id, tunnel);
                }
                Change::PutChild(child) => {
                    wanted.children.insert(child.inbound_spi, child);
                }
                Change::RemoveTunnel(_) | Change::RemoveChild(_) => {}
            }
        }
        wanted
    }

    /// What the records change. Tunnels go first: a tunnel that was changed comes after its child SAs in the order of
    /// revisions.
    pub(crate) fn changes(&mut self, records: &[Arc<Record>], terms: Terms) -> Vec<Change> {
        let mut changes = Vec::new();
        for record in records {
            self.plan_tunnel(record, &mut changes);
        }
        for record in records {
            self.plan_child_sa(record, terms, &mut changes);
        }
        changes
    }

    /// What stands between the records and the kernel: what could not be planned, and what the kernel refuses. A failure
    /// that concerns no record is the edge's own.
    pub(crate) fn failures<'a>(
        &self,
        kernel: impl IntoIterator<Item = &'a xfrm::Failure>,
        slot: Slot,
    ) -> Vec<Failure> {
        let planned = self.refused.iter().map(|(key, refusal)| Failure {
            key: key.clone(),
            errno: 0,
            reason: one_line(&refusal.to_string()),
        });
        let refused = kernel.into_iter().map(|failure| Failure {
            key: self.key_of(failure.subject).unwrap_or(Key::Edge(slot)),
            errno: failure.errno,
            reason: one_line(&failure.text),
        });
        planned.chain(refused).collect()
    }

    fn plan_tunnel(&mut self, record: &Record, changes: &mut Vec<Change>) {
        match &record.body {
            Body::Tunnel(sealed) => {
                let tunnel = sealed.header();
                let id = TunnelId(tunnel.id.get());
                if let Some(old) = self.ids.put(&tunnel.name, id) {
                    changes.push(Change::RemoveTunnel(old));
                }
                changes.push(Change::PutTunnel(id, kernel_tunnel(tunnel)));
                // The kernel does not need the credentials, but nobody can authenticate without.
                match sealing::open_record(&self.fleet_key, sealed) {
                    Ok(_) => self.refused.remove(&record.key()),
                    Err(error) => self.refused.insert(record.key(), Refusal::Credentials(error)),
                };
            }
            Body::Tombstone(tombstone) => {
                self.refused.remove(&tombstone.key);
                if let Key::Tunnel(name) = &tombstone.key
                    && let Some(id) = self.ids.remove(name)
                {
                    changes.push(Change::RemoveTunnel(id));
                }
            }
            Body::ChildSa(_) | Body::IkeSa(_) | Body::Edge(_) => {}
        }
    }

    fn plan_child_sa(&mut self, record: &Record, terms: Terms, changes: &mut Vec<Change>) {
        match &record.body {
            Body::ChildSa(sealed) => {
                let spi = sealed.header().inbound_spi;
                let key = Key::ChildSa(spi);
                match self.child(sealed, terms) {
                    Ok(child) => {
                        self.refused.remove(&key);
                        changes.push(Change::PutChild(child));
                    }
                    Err(refusal) => {
                        self.refused.insert(key, refusal);
                        changes.push(Change::RemoveChild(spi.get()));
                    }
                }
            }
            Body::Tombstone(tombstone) => {
                if let Key::ChildSa(spi) = tombstone.key {
                    changes.push(Change::RemoveChild(spi.get()));
                }
            }
            Body::Tunnel(_) | Body::IkeSa(_) | Body::Edge(_) => {}
        }
    }

    fn child(&self, sealed: &Sealed<ChildSa>, terms: Terms) -> Result<Child, Refusal> {
        let sa = sealed.header();
        let tunnel = self
            .ids
            .of(&sa.tunnel)
            .ok_or_else(|| Refusal::NoTunnel(sa.tunnel.clone()))?;
        let pairs = selectors::pairs(&sa.local_ts, &sa.remote_ts)?;
        let keys = ChildSaKeys::decode(sealing::open_record(&self.fleet_key, sealed)?.expose(), sa.suite)?;
        let ports = UdpEncap {
            local_port: sa.local.port(),
            peer_port: sa.peer.port(),
        };
        Ok(Child {
            tunnel,
            inbound_spi: sa.inbound_spi.get(),
            outbound_spi: sa.outbound_spi,
            local: sa.local.ip(),
            peer: sa.peer.ip(),
            encap: sa.udp_encap.then_some(ports),
            inbound: cipher(sa.suite, keys.inbound.expose()),
            outbound: cipher(sa.suite, keys.outbound.expose()),
            selectors: pairs.iter().map(kernel_selector).collect(),
            precedence: sa.precedence,
            created: SystemTime::from(sa.created),
            report_use: sa.is_standby(),
            expires: SystemTime::from(sa.expires).min(terms.now + self.sa_lease),
            packet_limit: sa.suite.is_counter_mode().then_some(terms.packet_limit),
        })
    }

    fn key_of(&self, subject: Subject) -> Option<Key> {
        match subject {
            Subject::Tunnel(id) => self.ids.name_of(id).cloned().map(Key::Tunnel),
            Subject::Child(spi) => InboundSpi::try_from(spi).ok().map(Key::ChildSa),
            Subject::Kernel => None,
        }
    }
}

fn kernel_selector(pair: &Pair) -> Selector {
    let ports = |ports: Ports| PortMask::new(ports.port, ports.mask);
    Selector {
        local: pair.local.prefix,
        local_ports: ports(pair.local.ports),
        remote: pair.remote.prefix,
        remote_ports: ports(pair.remote.ports),
        protocol: pair.protocol,
    }
}

fn kernel_tunnel(tunnel: &Tunnel) -> xfrm::Tunnel {
    xfrm::Tunnel {
        interface: tunnel.interface.to_string(),
        netns: tunnel.netns.as_ref().map(String::from),
        mtu: tunnel.mtu,
        routes: tunnel.remote_ts.iter().map(TunnelSelector::prefix).collect(),
        rekey_bytes: tunnel.rekey_bytes,
    }
}

/// `key` has the octets that the suite needs: [`ChildSaKeys`] sees to that.
fn cipher(suite: EspSuite, key: &[u8]) -> Cipher {
    let (encryption, integrity) = key.split_at(suite.encryption_key_len());
    let aead = |name| Cipher::Aead {
        algorithm: Algorithm::new(name, encryption),
        icv_bits: 128,
    };
    let with_hmac = |name, hmac| {
        let (hmac, icv_bits) = match hmac {
            Integrity::HmacSha256 => ("hmac(sha256)", 128),
            Integrity::HmacSha384 => ("hmac(sha384)", 192),
            Integrity::HmacSha512 => ("hmac(sha512)", 256),
        };
        Cipher::EncryptThenMac {
            encryption: Algorithm::new(name, encryption),
            integrity: Algorithm::new(hmac, integrity),
            icv_bits,
        }
    };
    match suite {
        EspSuite::Encrypted(ike::Cipher::Aes128Gcm16 | ike::Cipher::Aes256Gcm16) => aead("rfc4106(gcm(aes))"),
        EspSuite::Encrypted(ike::Cipher::ChaCha20Poly1305) => aead("rfc7539esp(chacha20,poly1305)"),
        EspSuite::Encrypted(ike::Cipher::Aes128Cbc(hmac) | ike::Cipher::Aes256Cbc(hmac)) => {
            with_hmac("cbc(aes)", hmac)
        }
        EspSuite::Null(hmac) => with_hmac("ecb(cipher_null)", hmac),
    }
}

/// As the schema wants a reason: without line breaks, and not too long.
fn one_line(text: &str) -> String {
    let mut line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    line.truncate(line.floor_char_boundary(limits::REASON));
    line
}

/// Which tunnel has which number.
#[derive(Default)]
struct TunnelIds {
    id_of: BTreeMap<Name, TunnelId>,
    name_of: BTreeMap<TunnelId, Name>,
}

impl TunnelIds {
    /// Returns the number that the tunnel had before and that is nobody's now: it was removed and made anew, and the
    /// tombstone in between was overwritten.
    fn put(&mut self, name: &Name, id: TunnelId) -> Option<TunnelId> {
        let abandoned = if self.of(name) == Some(id) {
            None
        } else {
            self.remove(name)
        };
        self.id_of.insert(name.clone(), id);
        self.name_of.insert(id, name.clone());
        abandoned
    }

    /// Returns the tunnel's number unless another tunnel has it by now.
    fn remove(&mut self, name: &Name) -> Option<TunnelId> {
        let id = self.id_of.remove(name)?;
        if self.name_of.get(&id) != Some(name) {
            return None;
        }
        self.name_of.remove(&id);
        Some(id)
    }

    fn of(&self, name: &Name) -> Option<TunnelId> {
        self.id_of.get(name).copied()
    }

    fn name_of(&self, id: TunnelId) -> Option<&Name> {
        self.name_of.get(&id)
    }
}

#[cfg(test)]
mod tests;
