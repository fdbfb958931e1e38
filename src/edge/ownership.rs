//! Which of the fleet's records concern the responder of this edge.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use ike::{Change, Commit, Responder};
use proto::{Body, IkeSa, Key, Name, Record, Sealed};
use tracing::warn;

use super::convert;
use super::lease::Tenure;
use super::replica::News;
use crate::fleet_key::FleetKey;
use crate::seal;

/// What the responder was told, so that it can be told when it is gone.
#[derive(Default)]
pub(crate) struct Ownership {
    tunnels: BTreeSet<Name>,
    /// The IKE SAs that run here or did, until their tombstone comes; by responder SPI. A record of one that is missing here
    /// is what a previous process of this edge left.
    ike_sas: HashMap<u64, ike::IkeSpis>,
}

impl Ownership {
    /// Tells the responder what is new. Children after their IKE SA, whose end includes theirs.
    pub(crate) fn read(
        &mut self,
        news: &News,
        tenure: &Tenure,
        fleet_key: &FleetKey,
        responder: &mut Responder,
        now: Instant,
    ) {
        if news.whole {
            self.forget_all_but(&news.records, responder, now);
        }
        for record in &news.records {
            match &record.body {
                Body::Tunnel(sealed) => self.put_tunnel(sealed, fleet_key, responder, now),
                Body::IkeSa(sealed) if sealed.header().slot == tenure.slot => {
                    self.restore(sealed, fleet_key, responder, now);
                }
                Body::Tombstone(tombstone) => self.bury(&tombstone.key, responder, now),
                Body::IkeSa(_) | Body::ChildSa(_) | Body::Edge(_) => {}
            }
        }
        for record in &news.records {
            if let Body::Tombstone(tombstone) = &record.body
                && let Key::ChildSa(spi) = tombstone.key
            {
                responder.handle_child_removed(now, spi.get());
            }
        }
    }

    /// The responder has asked for this commit.
    pub(crate) fn note_commit(&mut self, commit: &Commit) {
        for change in &commit.changes {
            if let Change::PutIke(sa) = change {
                self.ike_sas.insert(sa.spis.responder, sa.spis);
            }
        }
    }

    /// The fleet has not taken the IKE SA, so no tombstone will come for it.
    pub(crate) fn note_never_was(&mut self, ike_sa: ike::IkeSpis) {
        self.ike_sas.remove(&ike_sa.responder);
    }

    fn put_tunnel(
        &mut self,
        sealed: &Sealed<proto::Tunnel>,
        fleet_key: &FleetKey,
        responder: &mut Responder,
        now: Instant,
    ) {
        let name = &sealed.header().name;
        match convert::tunnel(fleet_key, sealed) {
            Ok(tunnel) => {
                self.tunnels.insert(name.clone());
                responder.handle_tunnel(now, tunnel);
            }
            // The planner reports it as a failure of the tunnel.
            Err(error) => warn!(tunnel = %name, %error, "nobody can authenticate for this tunnel"),
        }
    }

    fn restore(
        &mut self,
        sealed: &Sealed<IkeSa>,
        fleet_key: &FleetKey,
        responder: &mut Responder,
        now: Instant,
    ) {
        let spis = convert::spis_to_ike(sealed.header().spis);
        if self.ike_sas.insert(spis.responder, spis).is_some() {
            return;
        }
        let restored = seal::open_record(fleet_key, sealed)
            .map_err(|error| error.to_string())
            .and_then(|snapshot| {
                responder
                    .handle_restore(now, &snapshot)
                    .map_err(|error| error.to_string())
            });
        if let Err(reason) = restored {
            let ike_sa = format_args!("{:016x}", spis.responder);
            warn!(%ike_sa, tunnel = %sealed.header().tunnel, reason, "cannot take up an IKE SA");
        }
    }

    fn bury(&mut self, key: &Key, responder: &mut Responder, now: Instant) {
        match key {
            Key::Tunnel(name) => {
                self.tunnels.remove(name);
                responder.handle_tunnel_removed(now, name.as_str());
            }
            Key::IkeSa(spi) => {
                if let Some(spis) = self.ike_sas.remove(spi) {
                    responder.handle_ike_removed(now, spis);
                }
            }
            Key::ChildSa(_) | Key::Edge(_) => {}
        }
    }

    /// The records are all there is.
    fn forget_all_but(&mut self, records: &[Arc<Record>], responder: &mut Responder, now: Instant) {
        let kept: BTreeSet<Key> = records.iter().map(|record| record.key()).collect();
        let tunnels = self.tunnels.iter().cloned().map(Key::Tunnel);
        let ike_sas = self.ike_sas.keys().copied().map(Key::IkeSa);
        let gone: Vec<Key> = tunnels.chain(ike_sas).filter(|key| !kept.contains(key)).collect();
        for key in gone {
            self.bury(&key, responder, now);
        }
    }
}
