//! The customers' configurations, by name and by who they must prove to be.

use std::collections::HashMap;

use crate::certificate::{Authorities, folded_name};
use crate::{Credentials, Identity, Tunnel};

/// The distributor lets no two tunnels have one remote identity; should it happen, the later one is found.
#[derive(Default)]
pub(crate) struct Tunnels {
    by_name: HashMap<String, Tunnel>,
    name_by_remote_id: HashMap<Identity, String>,
    authorities: Authorities,
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
        self.name_by_remote_id
            .insert(folded(&tunnel.remote_id), tunnel.name.clone());
        self.by_name.insert(tunnel.name.clone(), tunnel);
    }

    pub(crate) fn remove(&mut self, name: &str) {
        if let Some(tunnel) = self.by_name.remove(name) {
            if let Credentials::Certificates(certificates) = &tunnel.credentials {
                self.authorities.remove(certificates);
            }
            self.ppks -= usize::from(tunnel.ppk.is_some());
            let id = folded(&tunnel.remote_id);
            if self.name_by_remote_id.get(&id).is_some_and(|other| other == name) {
                self.name_by_remote_id.remove(&id);
            }
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Tunnel> {
        self.by_name.get(name)
    }

    /// The authorities that they trust.
    pub(crate) fn authorities(&self) -> &Authorities {
        &self.authorities
    }

    /// Whether any has one: nobody has said yet who it is when USE_PPK is answered (RFC 8784 section 3).
    pub(crate) fn have_ppk(&self) -> bool {
        self.ppks > 0
    }

    pub(crate) fn of_remote(&self, id: &Identity) -> Option<&Tunnel> {
        self.by_name.get(self.name_by_remote_id.get(&folded(id))?)
    }
}

/// True when both are the same name of the same kind.
pub(crate) fn is_same_identity(a: &Identity, b: &Identity) -> bool {
    folded(a) == folded(b)
}

/// Host names have no case (RFC 4343), and so have the domains of mail addresses.
fn folded(id: &Identity) -> Identity {
    match id {
        Identity::Fqdn(name) => Identity::Fqdn(name.to_ascii_lowercase()),
        Identity::Rfc822(mail) => Identity::Rfc822(match mail.rsplit_once('@') {
            Some((user, domain)) => format!("{user}@{}", domain.to_ascii_lowercase()),
            None => mail.clone(),
        }),
        // Another kind of string than in the peer's own name would be hard to see. What is no name is equal to itself.
        Identity::DistinguishedName(der) => {
            Identity::DistinguishedName(folded_name(der).unwrap_or_else(|| der.clone()))
        }
        Identity::Address(_) | Identity::KeyId(_) => id.clone(),
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

    fn mail(name: &str) -> Identity {
        Identity::Rfc822(name.into())
    }

    #[test]
    fn identities_match_by_kind_and_by_the_rules_of_their_kind() {
        let address = Identity::Address("192.0.2.1".parse().unwrap());
        for (a, b, same) in [
            (fqdn("cpe.example"), fqdn("CPE.Example"), true),
            (fqdn("cpe.example"), fqdn("cpe.example."), false),
            (mail("Ann@Example.org"), mail("Ann@example.ORG"), true),
            (mail("Ann@example.org"), mail("ann@example.org"), false),
            (fqdn("a@b"), mail("a@b"), false),
            (
                Identity::KeyId(b"K".to_vec()),
                Identity::KeyId(b"K".to_vec()),
                true,
            ),
            (
                Identity::KeyId(b"K".to_vec()),
                Identity::KeyId(b"k".to_vec()),
                false,
            ),
            (address.clone(), address.clone(), true),
            (address, fqdn("192.0.2.1"), false),
        ] {
            assert_eq!(is_same_identity(&a, &b), same, "{a:?} {b:?}");
        }
    }

    #[test]
    fn a_changed_identity_leaves_no_trace() {
        let mut tunnels = Tunnels::default();
        tunnels.put(tunnel("t", fqdn("old")));
        tunnels.put(tunnel("t", fqdn("new")));
        assert!(tunnels.of_remote(&fqdn("old")).is_none());
        assert_eq!(tunnels.of_remote(&fqdn("NEW")).unwrap().name, "t");
        tunnels.remove("t");
        assert!(tunnels.of_remote(&fqdn("new")).is_none());
    }

    #[test]
    fn removing_one_of_two_with_the_same_identity_keeps_the_other() {
        let mut tunnels = Tunnels::default();
        tunnels.put(tunnel("a", fqdn("x")));
        tunnels.put(tunnel("b", fqdn("x")));
        tunnels.remove("a");
        assert_eq!(tunnels.of_remote(&fqdn("x")).unwrap().name, "b");
    }
}
