//! A server as one rents it: Debian with systemd as its first process, to be had by ssh.

use std::process::Command;

use anyhow::Result;

use crate::guest::host::namespace::Namespace;
use crate::guest::host::service::Service;

const START: &str = include_str!("../../../boot/server");

/// Starts one on a host of the lab, whose links and addresses are then the server's. Whoever has the secret half of the ssh key
/// `key` can log in as root. It is ready when it has booted; its console goes to the log.
///
/// # Errors
/// It cannot be started.
pub fn start(host: &Namespace, key: &str) -> Result<Service> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", START, "server", host.name(), key]);
    let mut server = Service::new(host, host.name(), command)?;
    server.start()?;
    Ok(server)
}
