//! The customers' configurations, by name and by who they must prove to be.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Deref;
use std::sync::Arc;

use crate::certificate::Authorities;
use crate::crypto::PaddedPsk;
use crate::negotiation::selectors::Selectors;
use crate::{Credentials, Identity, Tunnel};

/// A tunnel, with what its handshakes need of it and its IKE SAs share.
pub(crate) struct Known {
    tunnel: Tunnel,
    /// `None` with certificates.
    pub(crate) psk: Option<PaddedPsk>,
    pub(crate) name: Arc<str>,
    pub(crate) remote_id: Arc<Identity>,
    pub(crate) selectors: Arc<Selectors>,
}

impl Known {
    fn new(tunnel: Tunnel) -> Self {
        Self {
            psk: match &tunnel.credentials {
                Credentials::Psk(psk) => Some(PaddedPsk::new(psk)),
                Credentials::Certificates(_) => None,
            },
            name: tunnel.name.as_str().into(),
            remote_id: Arc::new(tunnel.remote_id.clone()),
            selectors: Arc::new(Selectors {
                local: tunnel.local_ts.clone(),
                remote: tunnel.remote_ts.clone(),
            }),
            tunnel,
        }
    }
}

impl Deref for Known {
    type Target = Tunnel;

    fn deref(&self) -> &Tunnel {
        &self.tunnel
    }
}

/// The distributor lets no two tunnels have one remote identity; should it happen, the later one is found.
#[derive(Clone, Default)]
pub(crate) struct Tunnels {
    by_name: HashMap<Arc<str>, Arc<Known>>,
    by_remote_id: HashMap<Arc<Identity>, Arc<Known>>,
    authorities: Authorities,
    /// The identities that tunnels name as ours, each with how many do.
    local_ids: HashMap<Identity, usize>,
    /// How many of them have a PPK.
    ppks: usize,
}

impl Tunnels {
    pub(crate) fn put(&mut self, tunnel: Tunnel) {
        self.remove(&tunnel.name);
        if let Credentials::Certificates(certificates) = &tunnel.credentials {
            self.authorities.add(certificates);
        }
        self.ppks += usize::from(tunnel.ppk.is_some());
        if let Some(id) = &tunnel.local_id {
            *self.local_ids.entry(id.clone()).or_default() += 1;
        }
        let known = Arc::new(Known::new(tunnel));
        self.by_remote_id
            .insert(Arc::clone(&known.remote_id), Arc::clone(&known));
        self.by_name.insert(Arc::clone(&known.name), known);
    }

    pub(crate) fn remove(&mut self, name: &str) {
        if let Some(tunnel) = self.by_name.remove(name) {
            if let Credentials::Certificates(certificates) = &tunnel.credentials {
                self.authorities.remove(certificates);
            }
            self.ppks -= usize::from(tunnel.ppk.is_some());
            if let Some(id) = &tunnel.local_id
                && let Entry::Occupied(mut entry) = self.local_ids.entry(id.clone())
            {
                *entry.get_mut() -= 1;
                if *entry.get() == 0 {
                    entry.remove();
                }
            }
            let id = &*tunnel.remote_id;
            if self
                .by_remote_id
                .get(id)
                .is_some_and(|other| &*other.name == name)
            {
                self.by_remote_id.remove(id);
            }
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Tunnel> {
        self.by_name.get(name).map(|known| &known.tunnel)
    }

    /// The authorities that they trust.
    pub(crate) fn authorities(&self) -> &Authorities {
        &self.authorities
    }

    /// Whether any has one: nobody has said yet who it is when USE_PPK is answered (RFC 8784 section 3).
    pub(crate) fn have_ppk(&self) -> bool {
        self.ppks > 0
    }

    /// Whether a tunnel names this identity as ours.
    pub(crate) fn is_local_of_any(&self, id: &Identity) -> bool {
        self.local_ids.contains_key(id)
    }

    pub(crate) fn of_remote(&self, id: &Identity) -> Option<&Known> {
        self.by_remote_id.get(id).map(Arc::as_ref)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cipher, EspSuite, Secret};

    fn tunnel(name: &str, remote_id: Identity) -> Tunnel {
        Tunnel {
            name: name.into(),
            remote_id,
            local_id: None,
            credentials: Credentials::Psk(Secret::new(b"key".to_vec())),
            ppk: None,
            esp: vec![EspSuite::Encrypted(Cipher::Aes256Gcm16)],
            local_ts: vec![],
            remote_ts: vec![],
            addresses: vec![],
            redirect: None,
        }
    }

    fn fqdn(name: &str) -> Identity {
        Identity::Fqdn(name.into())
    }

    #[test]
    fn a_changed_identity_leaves_no_trace() {
        let mut tunnels = Tunnels::default();
        tunnels.put(tunnel("t", fqdn("old")));
        tunnels.put(tunnel("t", fqdn("new")));
        assert!(tunnels.of_remote(&fqdn("old")).is_none());
        assert_eq!(tunnels.of_remote(&fqdn("NEW")).unwrap().tunnel.name, "t");
        tunnels.remove("t");
        assert!(tunnels.of_remote(&fqdn("new")).is_none());
    }

    #[test]
    fn removing_one_of_two_with_the_same_identity_keeps_the_other() {
        let mut tunnels = Tunnels::default();
        tunnels.put(tunnel("a", fqdn("x")));
        tunnels.put(tunnel("b", fqdn("x")));
        tunnels.remove("a");
        assert_eq!(tunnels.of_remote(&fqdn("x")).unwrap().tunnel.name, "b");
    }
}
