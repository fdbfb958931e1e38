//! charon as a responder on this machine, in a root file system and a network of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::host::command::run;
use crate::host::machine::image::{self, System};

/// How charon is set up beyond what it needs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Settings {
    /// As released, which writes to the system's log what it does; only its limits for floods are off.
    Released,
    /// Silent, and with a hash table for its IKE SAs.
    Tuned,
}

impl Settings {
    pub(super) const ALL: [Self; 2] = [Self::Released, Self::Tuned];

    fn file(self) -> &'static str {
        match self {
            Self::Released => "released.conf",
            Self::Tuned => "tuned.conf",
        }
    }

    /// In the `charon` section of strongswan.conf(5).
    fn settings_text(self) -> &'static str {
        match self {
            Self::Released => "",
            Self::Tuned => {
                "ikesa_table_size = 4096
    ikesa_table_segments = 16
    syslog {
        daemon {
            default = -1
        }
    }"
            }
        }
    }
}

/// What the lab's charon has, but for kernel-libipsec, which keeps SAs in charon itself: this kernel need not know ESP.
const PLUGINS: &str = "random nonce openssl kdf hmac pem pkcs1 pkcs8 pubkey x509 constraints revocation \
                       kernel-libipsec kernel-netlink socket-default vici updown";

/// The customer of `ike/benches`, by pre-shared key or certificate.
pub(super) struct Connection {
    /// `psk` or `pubkey`.
    pub(super) auth: &'static str,
    /// Proposal for the IKE SA, in strongSwan's words.
    pub(super) ike: &'static str,
    /// Proposal for the child SA.
    pub(super) esp: &'static str,
}

impl Connection {
    /// It rekeys nothing by itself. Policies, and so routes, are left out: they would be the kernel's.
    fn config(&self) -> String {
        let Self { auth, ike, esp } = self;
        format!(
            "connections {{
    customer {{
        version = 2
        proposals = {ike}
        unique = never
        send_cert = always
        rekey_time = 0
        local {{
            auth = {auth}
            id = fleet.example
        }}
        remote {{
            auth = {auth}
            id = cpe1.example
        }}
        children {{
            net {{
                local_ts = 192.168.0.0/16
                remote_ts = 10.1.0.0/16
                esp_proposals = {esp}
                policies = no
                rekey_time = 0
            }}
        }}
    }}
}}
secrets {{
    ike-customer {{
        id-remote = cpe1.example
        secret = \"secret 1\"
    }}
}}
"
        )
    }
}

/// The charon that knows ML-KEM, and kernel-libipsec, which the lab's guest does without.
const SYSTEM: System = System {
    suite: "unstable",
    packages: &[
        "libcharon-extra-plugins",
        "libstrongswan-extra-plugins",
        "strongswan-charon",
        "strongswan-swanctl",
    ],
};

fn make(root: &Path) -> Result<()> {
    let (tar, unfinished) = (root.with_extension("tar"), root.with_extension("unfinished"));
    image::make_tar(&SYSTEM, &[], &tar)?;
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    fs::create_dir_all(&unfinished)?;
    let mut extract = Command::new("tar");
    extract
        .args(["--extract", "--no-same-owner", "--exclude=./dev/*", "--file"])
        .arg(&tar)
        .arg("--directory")
        .arg(&unfinished);
    run(&mut extract)?;
    fs::remove_file(&tar)?;
    Ok(fs::rename(&unfinished, root)?)
}

/// A root file system with charon in it.
pub(super) struct Charon {
    root: PathBuf,
}

impl Charon {
    /// The one below `lab_dir`, made if it is not there.
    pub(super) fn get(lab_dir: &Path) -> Result<Self> {
        let root = lab_dir.join(format!("charon-{}", SYSTEM.suite));
        if !root.is_dir() {
            eprintln!("bench: making a root file system for charon (once)");
            make(&root)?;
        }
        let charon = Self { root };
        for settings in Settings::ALL {
            charon.write(settings)?;
        }
        for kind in ["x509", "x509ca", "private"] {
            fs::create_dir_all(charon.folder().join(kind))?;
        }
        Ok(charon)
    }

    fn write(&self, settings: Settings) -> Result<()> {
        let config = format!(
            "charon {{
    load = {PLUGINS}
    dos_protection = no
    start-scripts {{
        load = /usr/sbin/swanctl --load-all --noprompt
    }}
    {}
}}
",
            settings.settings_text()
        );
        let file = self.root.join("etc").join(settings.file());
        fs::write(&file, config).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Sets it up for a customer, without any certificates.
    pub(super) fn set_up(&self, connection: &Connection) -> Result<()> {
        for kind in ["x509", "x509ca", "private"] {
            for file in fs::read_dir(self.folder().join(kind))? {
                fs::remove_file(file?.path())?;
            }
        }
        Ok(fs::write(
            self.folder().join("swanctl.conf"),
            connection.config(),
        )?)
    }

    /// Where swanctl(8) looks for configuration and certificates.
    pub(super) fn folder(&self) -> PathBuf {
        self.root.join("etc/swanctl")
    }

    /// Starts it.
    pub(super) fn command(&self, settings: Settings) -> Vec<String> {
        let file = format!("STRONGSWAN_CONF=/etc/{}", settings.file());
        let root = self.root.display().to_string();
        ["env", &file, "chroot", &root, "/usr/lib/ipsec/charon"]
            .map(str::to_owned)
            .to_vec()
    }

    /// `program` in a network of its own, with a loopback interface and the devices that charon wants.
    pub(super) fn alone(&self, program: &Path) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["--map-root-user", "--net", "--mount", "sh", "-c"])
            .arg(r#"busybox ip link set lo up && mount --rbind /dev "$0/dev" && exec "$@""#)
            .args([&self.root as &Path, program]);
        command
    }
}
