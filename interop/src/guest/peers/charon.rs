//! A stock strongSwan in a namespace: Debian's stable one, or a newer one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::guest::host::namespace::Namespace;
use crate::guest::host::process::{self, Daemon};
use crate::guest::peers::certificates::Certificates;
use crate::guest::peers::connection::{Connection, Credentials};

/// Puts the files of `certificates` where swanctl looks for them, under the names that the connections use.
fn place_files(folder: &Path, name: &str, certificates: &Certificates) -> Result<()> {
    let chain = fs::read_to_string(&certificates.chain)?;
    let mut chain = chain.split_inclusive("-----END CERTIFICATE-----\n");
    fs::write(
        folder.join("x509").join(name),
        chain.next().context("an empty chain")?,
    )?;
    for (number, intermediate) in chain.enumerate() {
        fs::write(
            folder.join("x509ca").join(format!("{name}-{number}")),
            intermediate,
        )?;
    }
    fs::copy(&certificates.authority, folder.join("x509ca").join(name))?;
    fs::copy(&certificates.key, folder.join("private").join(name))?;
    Ok(())
}

/// Named one by one: with every plugin charon crashed in the guest (kernel-libipsec takes /dev/net/tun).
const PLUGINS: &str = "random nonce openssl kdf hmac pem pkcs1 pkcs8 pubkey x509 constraints revocation \
                       kernel-netlink socket-default vici updown";

const START_LIMIT: Duration = Duration::from_secs(90);
const LOAD_LIMIT: Duration = Duration::from_secs(90);

/// Which strongSwan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// The guest's own, 6.0.
    Stable,
    /// 6.1, from a system of its own: with ML-KEM.
    Newer,
}

/// The newer system's root, which shares `/tmp` with the guest's own.
const NEWER_ROOT: &str = "/newer";

/// Where it keeps its control sockets: each namespace needs a place of its own, as it has one at `/run`.
const NEWER_RUN: &str = "/newer/run";

impl Release {
    fn command(self, program: &str) -> Command {
        match self {
            Self::Stable => Command::new(program),
            Self::Newer => {
                let mut command = Command::new("chroot");
                command.args([NEWER_ROOT, program]);
                command
            }
        }
    }
}

/// A running charon; dropped, it is killed, and its kernel keeps what it has.
pub struct Charon {
    namespace: Namespace,
    release: Release,
    config: PathBuf,
    daemon: Daemon,
}

impl Charon {
    /// Starts it in `namespace` with `connections`, and `settings` for the `charon` section of strongswan.conf(5).
    ///
    /// # Errors
    /// charon does not start, or refuses a connection.
    pub fn start(namespace: &Namespace, connections: &[Connection], settings: &str) -> Result<Self> {
        Self::start_release(Release::Stable, namespace, connections, settings)
    }

    /// As [`Charon::start`], of that release.
    ///
    /// # Errors
    /// As [`Charon::start`].
    pub fn start_release(
        release: Release,
        namespace: &Namespace,
        connections: &[Connection],
        settings: &str,
    ) -> Result<Self> {
        let name = namespace.name();
        let strongswan = PathBuf::from(format!("strongswan-{name}.conf"));
        // swanctl looks for certificates and keys beside its file.
        let folder = PathBuf::from(format!("swanctl-{name}"));
        let config = folder.join("swanctl.conf");
        fs::write(&strongswan, daemon_config(settings))?;
        for kind in ["x509", "x509ca", "private"] {
            fs::create_dir_all(folder.join(kind))?;
        }
        for connection in connections {
            if let Credentials::Certificates(certificates) = &connection.credentials {
                place_files(&folder, &connection.name, certificates)?;
            }
        }
        fs::write(
            &config,
            connections.iter().map(Connection::config).collect::<String>(),
        )?;

        if release == Release::Newer {
            namespace.cover(NEWER_RUN)?;
        }
        let mut command = release.command("/usr/lib/ipsec/charon");
        command.env("STRONGSWAN_CONF", fs::canonicalize(&strongswan)?);
        let daemon = Daemon::start(namespace, &format!("charon-{name}"), command)?;
        daemon.wait_for_line("spawning 16 worker threads", START_LIMIT)?;
        let charon = Self {
            namespace: namespace.clone(),
            release,
            config: fs::canonicalize(config)?,
            daemon,
        };
        charon.load()?;
        Ok(charon)
    }

    /// Loads the file again.
    fn load(&self) -> Result<()> {
        let mut command = self.release.command("swanctl");
        command
            .args(["--load-all", "--noprompt", "--file"])
            .arg(&self.config);
        process::check(&self.namespace, LOAD_LIMIT, &command).map(drop)
    }

    /// Sets up a child SA and returns what swanctl said.
    ///
    /// # Errors
    /// It fails, or is not up within `limit`.
    pub fn initiate(&self, child: &str, limit: Duration) -> Result<String> {
        let output = self.try_initiate(child, limit)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            bail!(
                "{} could not set up {child}: {}\n{said}{error}",
                self.namespace.name(),
                output.status
            );
        }
        Ok(said)
    }

    /// As [`Charon::initiate`] where it may well fail: the output tells.
    ///
    /// # Errors
    /// swanctl does not run.
    pub fn try_initiate(&self, child: &str, limit: Duration) -> Result<Output> {
        let mut command = self.release.command("swanctl");
        command
            .args(["--initiate", "--child", child, "--timeout"])
            .arg(limit.as_secs().to_string());
        process::run(&self.namespace, limit + Duration::from_secs(5), &command)
    }

    /// Begins to replace the child SA `child` by a new one.
    ///
    /// # Errors
    /// There is none.
    pub fn rekey_child(&self, child: &str) -> Result<()> {
        self.rekey("--child", child)
    }

    /// Begins to replace the IKE SA of `connection` by a new one, which inherits its child SAs.
    ///
    /// # Errors
    /// There is none.
    pub fn rekey_ike(&self, connection: &str) -> Result<()> {
        self.rekey("--ike", connection)
    }

    fn rekey(&self, kind: &str, name: &str) -> Result<()> {
        let mut command = self.release.command("swanctl");
        command.args(["--rekey", kind, name]);
        process::check(&self.namespace, LOAD_LIMIT, &command).map(drop)
    }

    /// Ends the child SA `child` by a DELETE; the IKE SA stays.
    ///
    /// # Errors
    /// There is none, or the peer does not answer within `limit`.
    pub fn terminate_child(&self, child: &str, limit: Duration) -> Result<()> {
        self.delete("--child", child, limit)
    }

    /// Has charon begin to set up a child SA, and does not wait: one that waits keeps one of charon's few threads busy.
    ///
    /// # Errors
    /// charon does not know it.
    pub fn begin(&self, child: &str) -> Result<()> {
        let mut command = self.release.command("swanctl");
        command.args(["--initiate", "--child", child, "--timeout", "-1"]);
        process::check(&self.namespace, LOAD_LIMIT, &command).map(drop)
    }

    /// Ends the IKE SA of `connection` by a DELETE.
    ///
    /// # Errors
    /// There is none, or the peer does not answer within `limit`.
    pub fn terminate(&self, connection: &str, limit: Duration) -> Result<()> {
        self.delete("--ike", connection, limit)
    }

    fn delete(&self, kind: &str, name: &str, limit: Duration) -> Result<()> {
        let mut command = self.release.command("swanctl");
        command
            .args(["--terminate", kind, name, "--timeout"])
            .arg(limit.as_secs().to_string());
        process::check(&self.namespace, limit + Duration::from_secs(5), &command).map(drop)
    }

    /// What swanctl lists of its SAs.
    ///
    /// # Errors
    /// swanctl does not run.
    pub fn list_sas(&self) -> Result<String> {
        process::check(
            &self.namespace,
            LOAD_LIMIT,
            self.release.command("swanctl").arg("--list-sas"),
        )
    }

    /// Waits until charon has logged `part`.
    ///
    /// # Errors
    /// It does not within `limit`.
    pub fn wait_for_line(&self, part: &str, limit: Duration) -> Result<()> {
        self.daemon.wait_for_line(part, limit).context("charon")
    }
}

/// charon logs to its standard error; level 1 names each message it sends and receives.
fn daemon_config(settings: &str) -> String {
    format!(
        "charon {{
    load = {PLUGINS}
    install_virtual_ip = no
    filelog {{
        stderr {{
            default = 1
            flush_line = yes
        }}
    }}
    {settings}
}}
"
    )
}
