//! A fleet on loopback: its certificates, its distributor process, and an operator.

use std::fs;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::program::{Ended, program, run};

const PORT: u16 = 7400;
const START: Duration = Duration::from_secs(30);

/// The key that every test's tunnels have. It must show nowhere.
pub(crate) const PSK: &str = "correct-horse-battery-staple";

const OPERATOR_CONFIG: &str = "operator.toml";

/// A fleet with a running distributor.
pub(crate) struct Hub {
    dir: TempDir,
    address: Ipv4Addr,
    distributor: Child,
}

/// A file that nobody else may read.
pub(crate) fn write_secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

impl Hub {
    /// Makes certificates for the distributor `hub`, the operator `ann`, and these edges, and starts the distributor.
    pub(crate) fn start(edges: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let address = own_loopback_address();
        let pki = dir.path().to_str().unwrap().to_owned();
        let issue = |args: &[&str]| {
            run([&["pki", "issue", "--dir", &pki], args].concat(), "").expect(0);
        };
        run(["pki", "init", "--dir", &pki], "").expect(0);
        issue(&["distributor", "hub", "--address", &address.to_string()]);
        issue(&["operator", "ann"]);
        edges.iter().for_each(|edge| issue(&["edge", edge]));
        write_secret(&dir.path().join("psk"), &format!("{PSK}\n"));

        let distributor = Self::spawn(&dir, address);
        let hub = Self {
            dir,
            address,
            distributor,
        };
        hub.write_operator_config(OPERATOR_CONFIG, &hub, "ann");
        hub
    }

    /// Returns when the distributor says that it is ready, in the service manager's way.
    fn spawn(dir: &TempDir, address: Ipv4Addr) -> Child {
        let config = dir.path().join("distributor.toml");
        let store = dir.path().join("fleet.redb");
        let text = format!(
            "listen = \"{address}:{PORT}\"\nstore = {store:?}\n{}",
            tls_section(dir, "hub")
        );
        fs::write(&config, text).unwrap();

        let socket_path = dir.path().join("notify");
        let _ = fs::remove_file(&socket_path);
        let socket = UnixDatagram::bind(&socket_path).unwrap();
        socket.set_read_timeout(Some(START)).unwrap();
        let child = program()
            .args(["distributor", "--config"])
            .arg(&config)
            .env("NOTIFY_SOCKET", &socket_path)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        assert_eq!(receive(&socket), b"READY=1\n");
        child
    }

    /// Ends the distributor by a signal (`-TERM`, `-KILL`); returns its exit code (`None` when the signal killed it)
    /// and its log.
    pub(crate) fn stop(&mut self, signal: &str) -> (Option<i32>, String) {
        let pid = self.distributor.id().to_string();
        assert!(
            std::process::Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        let log = std::io::read_to_string(self.distributor.stderr.take().unwrap()).unwrap();
        (self.distributor.wait().unwrap().code(), log)
    }

    /// Starts the distributor again, on the same store.
    pub(crate) fn start_again(&mut self) {
        self.distributor = Self::spawn(&self.dir, self.address);
    }

    /// `https://address:port`.
    pub(crate) fn url(&self) -> String {
        format!("https://{}:{PORT}", self.address)
    }

    /// A file of the fleet's.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes an operator's config with the certificate that `name` has in `fleet`, and returns its path.
    pub(crate) fn write_operator_config(&self, file: &str, fleet: &Hub, name: &str) -> PathBuf {
        let path = self.path(file);
        let fleet_key = self.path("fleet.key");
        let text = format!(
            "distributor = {:?}\nfleet_key = {fleet_key:?}\n{}",
            self.url(),
            tls_section(&fleet.dir, name)
        );
        fs::write(&path, text).unwrap();
        path
    }

    /// Runs an operator's command, and checks that no secret shows.
    #[track_caller]
    pub(crate) fn operator(&self, command: &str) -> Ended {
        self.operator_with_input(command, "")
    }

    /// The same with standard input.
    #[track_caller]
    pub(crate) fn operator_with_input(&self, command: &str, input: &str) -> Ended {
        let config = self.path(OPERATOR_CONFIG);
        let args = command.split(' ').map(str::to_owned);
        let ended = run(
            args.chain(["--config".to_owned(), config.to_str().unwrap().to_owned()]),
            input,
        );
        self.check_no_secret(&ended.stdout);
        self.check_no_secret(&ended.stderr);
        ended
    }

    /// `tunnel add` with what every tunnel needs.
    #[track_caller]
    pub(crate) fn add_tunnel(&self, name: &str, more: &str) -> Ended {
        let psk = self.path("psk");
        let command = format!(
            "tunnel add {name} --remote-id {name}.example --psk-file {} --local-ts 10.0.0.0/8 --remote-ts {}",
            psk.display(),
            prefix_behind(name)
        );
        self.operator([command.as_str(), more].join(" ").trim_end())
    }

    /// Neither the pre-shared key nor the fleet key nor any private key.
    #[track_caller]
    pub(crate) fn check_no_secret(&self, text: &str) {
        assert!(!text.contains(PSK), "{text}");
        assert!(
            !text.contains(fs::read_to_string(self.path("fleet.key")).unwrap().trim()),
            "{text}"
        );
        assert!(!text.contains("PRIVATE"), "{text}");
    }
}

/// Another one for each of the names that tests give to tunnels.
pub(crate) fn prefix_behind(name: &str) -> String {
    format!("192.168.{}.0/24", name.bytes().fold(0, u8::wrapping_add))
}

impl Drop for Hub {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.distributor.kill();
        let _ = self.distributor.wait();
    }
}

/// One message; a signal to this process does not end the wait.
fn receive(socket: &UnixDatagram) -> Vec<u8> {
    let mut message = vec![0; 64];
    loop {
        match socket.recv(&mut message) {
            Ok(length) => {
                message.truncate(length);
                return message;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("the distributor does not say that it is ready: {error}"),
        }
    }
}

fn tls_section(dir: &TempDir, name: &str) -> String {
    let file = |file: &str| dir.path().join(file);
    format!(
        "[tls]\nca = {:?}\ncertificate = {:?}\nkey = {:?}\n",
        file("ca.pem"),
        file(&format!("{name}.pem")),
        file(&format!("{name}.key"))
    )
}

/// Of this process and this test only, so that tests need not share ports.
fn own_loopback_address() -> Ipv4Addr {
    static TESTS: AtomicU8 = AtomicU8::new(1);
    let test = TESTS.fetch_add(1, Ordering::Relaxed);
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high, low, test)
}
