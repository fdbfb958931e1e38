//! The tunnels of the fleet, which this edge's responders have in common.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use distributor_client::replica::{Cursor, Update};
use ike::Shared;
use proto::{Body, Key, Name, Sealed};
use sealing::FleetKey;
use tracing::warn;

use super::convert;

/// Puts into [`Shared`] what the fleet's records say of tunnels: once, whichever responder reads of it first.
#[derive(Default)]
pub(crate) struct Tunnels {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    names: BTreeSet<Name>,
    /// How far the records have been read. What somebody reads who is not as far is here already.
    read: Option<Cursor>,
}

impl Tunnels {
    /// When it returns, `shared` has all that the update says of tunnels. Gives the names of those that it speaks of.
    pub(crate) fn read(&self, update: &Update, fleet_key: &FleetKey, shared: &Shared) -> Vec<Name> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = known.read.is_none_or(|read| read < update.cursor);
        let mut changed = Vec::new();
        if update.whole && is_first {
            let gone = known.all_but(update);
            for name in gone {
                known.remove(&name, shared);
            }
        }
        for record in &update.records {
            match &record.body {
                Body::Tunnel(sealed) => {
                    if is_first {
                        known.put(sealed, fleet_key, shared);
                    }
                    changed.push(sealed.header().name.clone());
                }
                Body::Tombstone(tombstone) => {
                    if let Key::Tunnel(name) = &tombstone.key {
                        if is_first {
                            known.remove(name, shared);
                        }
                        changed.push(name.clone());
                    }
                }
                Body::IkeSa(_) | Body::ChildSa(_) | Body::Edge(_) => {}
            }
        }
        known.read = known.read.max(Some(update.cursor));
        changed
    }
}

impl Known {
    fn put(&mut self, sealed: &Sealed<proto::Tunnel>, fleet_key: &FleetKey, shared: &Shared) {
        let name = &sealed.header().name;
        match convert::tunnel(fleet_key, sealed) {
            Ok(tunnel) => {
                self.names.insert(name.clone());
                shared.put_tunnel(tunnel);
            }
            // The planner reports it as a failure of the tunnel.
            Err(error) => {
                warn!(tunnel = %name, %error, "nobody can authenticate for this tunnel; give it again with `anyswan tunnel add --replace`");
                self.remove(name, shared);
            }
        }
    }

    fn remove(&mut self, name: &Name, shared: &Shared) {
        self.names.remove(name);
        shared.remove_tunnel(name.as_str());
    }

    /// Those that the update, which are all there is, do not name.
    fn all_but(&self, update: &Update) -> Vec<Name> {
        let kept: BTreeSet<&Name> = update
            .records
            .iter()
            .filter_map(|record| match &record.body {
                Body::Tunnel(sealed) => Some(&sealed.header().name),
                Body::Tombstone(_) | Body::IkeSa(_) | Body::ChildSa(_) | Body::Edge(_) => None,
            })
            .collect();
        let gone = self.names.iter().filter(|name| !kept.contains(name));
        gone.cloned().collect()
    }
}
