//! A fleet set up by hand, with nothing but the commands in README: three servers with systemd, the operator's machine and the
//! customer's router.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::readme;
use crate::guest::host::namespace::Namespace;
use crate::guest::host::server;
use crate::guest::host::service::Service;
use crate::guest::host::shell::Shell;
use crate::guest::network::{Network, Outer, Plan, management};
use crate::guest::peers::charon::Charon;
use crate::guest::stage::LIMIT;
use crate::guest::watch::kernel::{self, Sa};
use crate::report::{Reporter, place};
use crate::scenarios::failures::daemon_restart;
use crate::scenarios::steady::Steady;
use crate::scenarios::{Scenario, traffic};

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "by-hand",
    claim: "what README says, typed as it stands on servers with systemd, makes a fleet that works and outlives its daemons",
    limit: Duration::from_secs(900),
    run,
};

/// For the boot of three servers at once, each with systemd, on an emulated machine that shares its processors with other work.
const BOOT_LIMIT: Duration = Duration::from_secs(300);

/// README's addresses behind the customer and behind the fleet.
const INNER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 0, 1));
const ORIGIN: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 20, 0, 1));

/// The operator's copy of the project, as far as it is needed.
const CHECKOUT: &str = "/root/anyswan";
const UNITS: [(&str, &str); 2] = [
    (
        "anyswan-distributor.service",
        include_str!("../../../../packaging/anyswan-distributor.service"),
    ),
    (
        "anyswan-edge.service",
        include_str!("../../../../packaging/anyswan-edge.service"),
    ),
];

fn run(reporter: &mut Reporter) -> Result<()> {
    let [build, first_server, each_server, operate, customer, end] = readme::commands()?;
    let network = Network::build(Plan::default())?;
    let mut operator = operator(&network.dist)?;
    let begun = Instant::now();
    let _machines = servers(&network, &mut operator)?;
    reporter.measured(format!(
        "three servers booted in {:.1} s",
        begun.elapsed().as_secs_f64()
    ));

    operator.paste(after_the_build(&build)?)?;
    let mut servers = (1..=network.edges.len())
        .map(|n| log_in(&network.dist, n))
        .collect::<Result<Vec<Shell>>>()?;
    servers[0].paste(&first_server)?;
    for (index, server) in servers.iter_mut().enumerate() {
        server.paste(&with_own_address(&each_server, index + 1)?)?;
    }
    servers.iter_mut().try_for_each(healthy)?;
    operator.paste(&operate)?;
    all_live(&read(&mut operator, "fleet status")?)?;
    reporter.measured("three servers are healthy, three edges live");

    let _charon = connect(&network, &customer, operator.paste("cat shop.psk")?.trim())?;
    let spi = shared_spi(&network)?;
    traffic::all_answered(&traffic::ping_through_each(&network, INNER, ORIGIN)?)?;
    let listed = read(&mut operator, "sa list")?;
    ensure!(
        listed.to_string().contains(&format!("{spi:08x}")),
        "{spi:08x} is not in {listed:#}"
    );
    reporter.measured("every server answers the customer's pings");

    outlives_its_daemon(&network, &mut servers[0])?;
    reporter.measured("a daemon restarted, or killed, finds SAs and sockets again, and no packet is lost");

    operator.paste(&end)?;
    for edge in &network.edges {
        kernel::wait_until_empty(edge, LIMIT)?;
    }
    let left = read(&mut operator, "tunnel list")?;
    ensure!(left == Value::Array(Vec::new()), "{left:#}");
    reporter.measured("revoked and removed, it is gone everywhere");
    Ok(())
}

/// A machine with a checkout, an ssh key, and a shell.
fn operator(host: &Namespace) -> Result<Shell> {
    host.cover("/root")?;
    host.cover("/usr/local/bin")?;
    host.run(check_out)??;
    let mut bash = Command::new("bash");
    bash.current_dir(CHECKOUT).env(
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    );
    let mut shell = Shell::start(host, "operator", bash)?;
    shell.paste(
        "mkdir -m 700 ~/.ssh
         ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519
         echo 'ControlPath ~/.ssh/%h' > ~/.ssh/config",
    )?;
    Ok(shell)
}

fn check_out() -> Result<()> {
    let (packaging, release) = (
        format!("{CHECKOUT}/packaging"),
        format!("{CHECKOUT}/target/release"),
    );
    fs::create_dir_all(&packaging)?;
    for (name, unit) in UNITS {
        fs::write(format!("{packaging}/{name}"), unit)?;
    }
    fs::create_dir_all(&release)?;
    Ok(symlink(place::program("anyswan"), format!("{release}/anyswan"))?)
}

/// Makes servers of the edges' hosts, which the operator knows and may log in to.
fn servers(network: &Network, operator: &mut Shell) -> Result<Vec<Service>> {
    let key = operator.paste("cat ~/.ssh/id_ed25519.pub")?;
    network.origin.ip(&format!("address add {ORIGIN}/32 dev lo"))?;
    let mut servers = Vec::new();
    for (index, host) in network.edges.iter().enumerate() {
        let n = index + 1;
        // They know the way to what is behind the fleet. The anycast address and forwarding are left to README.
        host.ip(&format!(
            "route add 10.20.0.0/24 via 10.20.{n}.2
             address delete 203.0.113.1/32 dev lo"
        ))?;
        host.sysctl("ipv4/ip_forward", "0")?;
        // All have the host key of the image, and so has the operator's machine.
        operator.paste(&format!(
            "echo {} $(cat /etc/ssh/ssh_host_ed25519_key.pub) >> ~/.ssh/known_hosts",
            management(n)
        ))?;
        servers.push(server::start(host, key.trim())?);
    }
    for (index, server) in servers.iter_mut().enumerate() {
        server.wait_ready(BOOT_LIMIT)?;
        // One connection for all that goes there: a handshake takes an emulated processor a second.
        operator.paste(&format!(
            "ssh -fNM root@{} < /dev/null > /dev/null 2>&1",
            management(index + 1)
        ))?;
    }
    Ok(servers)
}

/// A shell on server number `n`.
fn log_in(operator: &Namespace, n: usize) -> Result<Shell> {
    let mut ssh = Command::new("ssh");
    ssh.arg(format!("root@{}", management(n)))
        .args(["bash", "--login"]);
    Shell::start(operator, &format!("server-{n}"), ssh)
}

/// The build is done: the product lies where it would put it.
fn after_the_build(commands: &str) -> Result<&str> {
    commands
        .strip_prefix("cargo build --release\n")
        .context("README does not begin with the build")
}

/// README has people change one thing from server to server.
fn with_own_address(commands: &str, n: usize) -> Result<String> {
    let (before, after) = commands
        .split_once("forward = \"10.9.0.1:")
        .context("README has no address to change")?;
    Ok(format!("{before}forward = \"{}:{after}", management(n)))
}

fn healthy(server: &mut Shell) -> Result<()> {
    let code = server.paste("curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:9101/health")?;
    ensure!(code == "200", "/health answers {code}");
    Ok(())
}

fn all_live(status: &Value) -> Result<()> {
    let edges = status["edges"].as_array().context("no edges")?;
    let names: Vec<&Value> = edges.iter().map(|edge| &edge["name"]).collect();
    let are_live = edges.iter().all(|edge| edge["state"] == "live");
    ensure!(names == ["e1", "e2", "e3"] && are_live, "{status:#}");
    Ok(())
}

/// Has the customer do what README says, and returns its charon with the tunnel up.
fn connect(network: &Network, commands: &str, psk: &str) -> Result<Charon> {
    let customer = &network.customers[0].namespace;
    customer.cover("/etc/swanctl/conf.d")?;
    customer.ip(&format!("address add {INNER}/32 dev lo"))?;
    let charon = Charon::start(customer, &[], "")?;
    let (before, after) = commands
        .split_once("the line in shop.psk")
        .context("README has no secret to put in")?;
    Shell::start(customer, "customer", Command::new("bash"))?.paste(&format!("{before}{psk}{after}"))?;
    Ok(charon)
}

/// Runs a reading command of the operator's with `--json`.
fn read(operator: &mut Shell, command: &str) -> Result<Value> {
    let text = operator.paste(&format!("anyswan {command} --json"))?;
    serde_json::from_str(&text).with_context(|| format!("{command} wrote {text}"))
}

/// The SPI of the inbound SA that all servers have.
fn shared_spi(network: &Network) -> Result<u32> {
    let mut spis = network
        .edges
        .iter()
        .map(|edge| Ok(inbound(edge)?.spi))
        .collect::<Result<Vec<u32>>>()?;
    spis.dedup();
    ensure!(spis.len() == 1, "not the same everywhere: {spis:08x?}");
    Ok(spis[0])
}

/// A server's one inbound SA. One that is slower than the deadline of the barrier gets it after the customer has its reply.
fn inbound(server: &Namespace) -> Result<Sa> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let mut sas = kernel::sas(server)?;
        sas.retain(|sa| sa.destination == Outer::V4.anycast());
        match sas.pop() {
            Some(sa) if sas.is_empty() => return Ok(sa),
            Some(_) => bail!("{} has more than one inbound SA", server.name()),
            None => ensure!(Instant::now() < deadline, "{} has no inbound SA", server.name()),
        }
    }
}

/// Under traffic, the first server's daemon is restarted, and then killed.
fn outlives_its_daemon(network: &Network, server: &mut Shell) -> Result<()> {
    let sockets = stored_sockets(server)?;
    let steady = Steady::between(network, INNER, ORIGIN)?;
    for death in [RESTART, KILL] {
        let before = inbound(&network.edges[0])?;
        server.paste(death)?;
        steady.tour(network)?;
        daemon_restart::was_adopted(&before, &inbound(&network.edges[0])?)?;
        let now = stored_sockets(server)?;
        ensure!(now == sockets, "{sockets}became\n{now}by\n{death}");
    }
    steady.stop(network).map(drop)
}

const RESTART: &str = "systemctl restart anyswan-edge";

/// Once it is known to have died, `start` waits until systemd has started it again.
const KILL: &str = r#"before=$(systemctl show --value -p MainPID anyswan-edge)
systemctl kill -s KILL anyswan-edge
while [ "$(systemctl show --value -p MainPID anyswan-edge)" = "$before" ]; do sleep 0.1; done
systemctl start anyswan-edge"#;

/// How many descriptors systemd keeps, and which sockets have the anycast address: one for each of IKE's two ports. (ss is sorry
/// that the unit they were made in has ended.)
fn stored_sockets(server: &mut Shell) -> Result<String> {
    let sockets = server.paste(
        "systemctl show -p NFileDescriptorStore anyswan-edge
         ss --no-header --udp --all --numeric --extended 'src 203.0.113.1' 2> /dev/null | grep -o 'ino:[0-9]*' | sort",
    )?;
    let kept = sockets.starts_with("NFileDescriptorStore=2\n");
    ensure!(kept && sockets.matches("ino:").count() == 2, "{sockets}");
    Ok(sockets)
}
