//! What a customer's strongSwan is set up with, as swanctl.conf(5) has it.

use std::net::IpAddr;

use crate::guest::peers::certificates::Certificates;

/// How two sides prove who they are.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// By a pre-shared key.
    Psk(String),
    /// By certificates.
    Certificates(Certificates),
}

/// A post-quantum pre-shared key (RFC 8784).
#[derive(Clone, Debug)]
pub struct Ppk {
    /// What both sides call it.
    pub id: String,
    /// The key itself.
    pub key: String,
    /// Whether there is no IKE SA without it.
    pub required: bool,
}

/// A connection with one child SA, both of the same name, as swanctl.conf(5) has it.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its name.
    pub name: String,
    /// Our outer address; `None` for any.
    pub local: Option<IpAddr>,
    /// The peer's outer address; `None` for any.
    pub remote: Option<IpAddr>,
    /// What we say we are.
    pub local_id: String,
    /// What the peer must prove to be.
    pub remote_id: String,
    /// How both prove it.
    pub credentials: Credentials,
    /// What is mixed into its keys besides.
    pub ppk: Option<Ppk>,
    /// Proposal for the IKE SA, in strongSwan's words.
    pub ike: String,
    /// Proposal for the child SA.
    pub esp: String,
    /// Behind us.
    pub local_ts: Vec<String>,
    /// Behind the peer.
    pub remote_ts: Vec<String>,
    /// Seconds of silence after which the peer is asked whether it lives; 0 for never.
    pub dpd_seconds: u32,
    /// Further settings of the connection, a line each: `vips = 0.0.0.0`.
    pub settings: Vec<String>,
}

impl Connection {
    /// The same from the other side, which takes the peer from wherever it comes.
    pub fn mirrored(&self) -> Self {
        Self {
            local: self.remote,
            remote: None,
            local_id: self.remote_id.clone(),
            remote_id: self.local_id.clone(),
            local_ts: self.remote_ts.clone(),
            remote_ts: self.local_ts.clone(),
            ..self.clone()
        }
    }

    /// What stands in the sections `local` and `remote`, and the section `secrets`.
    fn auth(&self) -> (String, String, String) {
        let Self {
            name,
            local_id,
            remote_id,
            credentials,
            ..
        } = self;
        match credentials {
            Credentials::Psk(psk) => (
                "auth = psk".to_owned(),
                "auth = psk".to_owned(),
                format!(
                    "secrets {{
    ike-{name} {{
        id-local = {local_id}
        id-remote = {remote_id}
        secret = \"{psk}\"
    }}
}}
"
                ),
            ),
            Credentials::Certificates(_) => (
                format!("auth = pubkey\n            certs = {name}"),
                format!("auth = pubkey\n            cacerts = {name}"),
                String::new(),
            ),
        }
    }

    /// What stands in the connection, and the section `secrets`.
    fn ppk(&self) -> (String, String) {
        let Some(Ppk { id, key, required }) = &self.ppk else {
            return Default::default();
        };
        let required = if *required { "yes" } else { "no" };
        (
            format!("ppk_id = {id}\n        ppk_required = {required}"),
            format!(
                "secrets {{
    ppk-{name} {{
        id = {id}
        secret = \"{key}\"
    }}
}}
",
                name = self.name
            ),
        )
    }

    /// The customer's window for replays is off: more than one edge sends, each with a sequence of its own.
    pub(super) fn config(&self) -> String {
        let Self {
            name,
            local_id,
            remote_id,
            ike,
            esp,
            dpd_seconds,
            ..
        } = self;
        let (local_auth, remote_auth, secret) = self.auth();
        let (ppk, ppk_secret) = self.ppk();
        let address = |of: Option<IpAddr>| of.map_or("%any".to_owned(), |address| address.to_string());
        format!(
            "connections {{
    {name} {{
        version = 2
        local_addrs = {local}
        remote_addrs = {remote}
        proposals = {ike}
        dpd_delay = {dpd_seconds}s
        {settings}
        {ppk}
        local {{
            {local_auth}
            id = {local_id}
        }}
        remote {{
            {remote_auth}
            id = {remote_id}
        }}
        children {{
            {name} {{
                local_ts = {local_ts}
                remote_ts = {remote_ts}
                esp_proposals = {esp}
                replay_window = 0
            }}
        }}
    }}
}}
{secret}{ppk_secret}",
            local = address(self.local),
            remote = address(self.remote),
            settings = self.settings.join("\n        "),
            local_ts = self.local_ts.join(","),
            remote_ts = self.remote_ts.join(","),
        )
    }
}
