//! What other programs remove comes back when the kernel tells of it, and not only with the slow loop, whose step no test
//! here takes.

use std::future::pending;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use xfrm::{Agent, Change, NetworkEvent, NetworkWatcher, Report, TunnelId};

use crate::world::{TUNNEL, World, agent_with, ip, open_agent, plain_child, plain_tunnel, wanted};

/// Far from the slow loop's interval (5 s), and wide enough for an emulated machine with other tests on it.
const SOON: Duration = Duration::from_secs(3);

/// Nothing happens any more if nothing has happened for so long.
const QUIET: Duration = Duration::from_secs(1);

/// An agent and what wakes it, as in the daemon.
struct Daemon {
    agent: Agent,
    watcher: NetworkWatcher,
    readable: AsyncFd<OwnedFd>,
}

impl Daemon {
    fn run<T>(mut agent: Agent, test: impl AsyncFnOnce(Daemon) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let watcher = agent.watch_network().expect("root may subscribe");
            let fd = agent.as_fd().try_clone_to_owned().expect("a descriptor");
            let readable = register(fd);
            test(Daemon {
                agent,
                watcher,
                readable,
            })
            .await
        })
    }

    /// Waits for events until the agent wants to reconcile; lets it.
    async fn reconciled(&mut self) -> Report {
        loop {
            let due = self.agent.reconcile_at();
            let due = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = due => return self.agent.reconcile(),
                event = self.watcher.next() => self.agent.observe(&event),
                readable = self.readable.readable() => readable.expect("a socket").clear_ready(),
            }
            assert_eq!(self.agent.notices(), []);
        }
    }

    /// Returns when all that events ask for is done.
    async fn is_quiet(&mut self) {
        while tokio::time::timeout(QUIET, self.reconciled()).await.is_ok() {}
    }
}

#[allow(unsafe_code, reason = "the registration's only form")]
fn register(fd: OwnedFd) -> AsyncFd<OwnedFd> {
    // SAFETY: a descriptor of our own, which nothing closes or replaces before the registration ends.
    unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.expect("a registration")
}

/// What a command removes is back soon.
async fn comes_back(daemon: &mut Daemon, command: &str, show: &str) {
    let before = ip(show);
    let begun = Instant::now();
    ip(command);
    let done = begun.elapsed();
    let back = async {
        loop {
            let report = daemon.reconciled().await;
            assert_eq!(report.failures, [], "after {command}");
            if report.added + report.updated > 0 {
                return begun.elapsed();
            }
        }
    };
    let took = tokio::time::timeout(SOON, back).await;
    let took = took.unwrap_or_else(|_| panic!("nothing came back after {command}"));
    // Somewhere within the command's own time is the event.
    println!("{command}: took {done:?}, back {took:?} after its beginning");
    assert_eq!(ip(show), before, "after {command}");
    daemon.is_quiet().await;
}

#[test]
fn interfaces_and_routes_come_back() {
    World::run("lost", |_| {
        let mut agent = open_agent();
        agent.adopt(wanted([(TUNNEL, plain_tunnel())], []));
        Daemon::run(agent, async |mut daemon| {
            daemon.is_quiet().await;
            ip("address add 10.77.0.1/32 dev ipsec0");
            daemon.is_quiet().await;
            for (command, show) in [
                ("route flush proto 87", "route show proto 87"),
                ("route delete 10.2.0.0/16", "route show proto 87"),
                ("-6 route flush proto 87", "-6 route show proto 87"),
                // The last address takes the routes along.
                ("address delete 10.77.0.1/32 dev ipsec0", "route show proto 87"),
                ("link set ipsec0 down", "route show proto 87"),
                ("link set ipsec0 mtu 1300", "-o link show ipsec0"),
                ("link delete ipsec0", "route show proto 87"),
            ] {
                comes_back(&mut daemon, command, show).await;
            }
        });
    });
}

#[test]
fn interfaces_and_routes_in_other_namespaces_come_back() {
    World::run("lostns", |world| {
        let netns = world.add_netns("vrf");
        let tunnel = xfrm::Tunnel {
            netns: Some(netns.clone()),
            ..plain_tunnel()
        };
        let mut agent = open_agent();
        agent.adopt(wanted([(TUNNEL, tunnel)], []));
        Daemon::run(agent, async |mut daemon| {
            daemon.is_quiet().await;
            let show = format!("-n {netns} route show proto 87");
            for command in [
                "route flush proto 87",
                "link set ipsec0 down",
                "link delete ipsec0",
            ] {
                comes_back(&mut daemon, &format!("-n {netns} {command}"), &show).await;
            }
        });
    });
}

#[test]
fn states_and_policies_come_back() {
    World::run("flushed", |world| {
        let peer = world.add_peer(1);
        peer.face(&plain_child());
        Daemon::run(agent_with(plain_child()), async |mut daemon| {
            daemon.is_quiet().await;
            for command in [
                "xfrm state flush",
                "xfrm state deleteall",
                "xfrm policy flush",
                "xfrm policy deleteall",
            ] {
                comes_back(&mut daemon, command, "xfrm policy").await;
                assert_eq!(peer.ping("10.1.0.1", 2), 2, "after {command}");
            }
        });
    });
}

/// The number is enough, so that this needs no kernel with IPsec.
#[test]
fn what_happens_to_an_interface_of_ours_is_told() {
    World::run("heard", |world| {
        let netns = world.add_netns("vrf");
        Daemon::run(open_agent(), async |mut daemon| {
            let index = TUNNEL.if_id();
            let route: ipnet::IpNet = "10.2.0.0/16".parse().expect("a prefix");
            ip(&format!(
                "link add name ipsec0 index {index} mtu 1400 type veth peer name other"
            ));
            ip("link set ipsec0 up");
            ip("route add 10.2.0.0/16 dev ipsec0 proto 87");
            ip("route delete 10.2.0.0/16");
            ip(&format!("link set ipsec0 netns {netns}"));
            ip(&format!("-n {netns} link set ipsec0 up"));
            ip(&format!("-n {netns} route add 10.2.0.0/16 dev ipsec0 proto 87"));
            ip(&format!("-n {netns} route delete 10.2.0.0/16"));
            ip(&format!("-n {netns} link delete ipsec0"));
            let mut heard = Vec::new();
            while let Ok(event) = tokio::time::timeout(QUIET, daemon.watcher.next()).await {
                heard.push(event);
            }
            let count =
                |wanted: &dyn Fn(&NetworkEvent) -> bool| heard.iter().filter(|event| wanted(event)).count();
            let is_up = |event: &NetworkEvent| matches!(event, NetworkEvent::LinkChanged { tunnel: TUNNEL, name, mtu: 1400, up: true } if name == "ipsec0");
            assert!(count(&is_up) >= 2, "{heard:?}");
            assert_eq!(
                count(&|event| *event == NetworkEvent::RouteRemoved(TUNNEL, route)),
                2,
                "{heard:?}"
            );
            // By the move, and in the end.
            assert_eq!(
                count(&|event| *event == NetworkEvent::LinkRemoved(TUNNEL)),
                2,
                "{heard:?}"
            );
        });
    });
}

/// Else each change would cost a look at everything.
#[test]
fn what_the_agent_does_itself_does_not_wake_it() {
    World::run("own", |world| {
        world.add_peer(1);
        let agent = agent_with(plain_child());
        Daemon::run(agent, async |mut daemon| {
            daemon.is_quiet().await;
            let other = xfrm::Tunnel {
                interface: "ipsec1".into(),
                routes: vec!["10.3.0.0/16".parse().expect("a prefix")],
                ..plain_tunnel()
            };
            let spi = plain_child().inbound_spi;
            daemon.agent.apply(vec![Change::RemoveChild(spi)]);
            daemon.agent.apply(vec![Change::PutChild(plain_child())]);
            daemon.agent.apply(vec![Change::PutTunnel(TunnelId(8), other)]);
            daemon.agent.apply(vec![Change::RemoveTunnel(TunnelId(8))]);
            let woken = tokio::time::timeout(QUIET, daemon.reconciled()).await;
            assert!(woken.is_err(), "{woken:?}");
        });
    });
}

/// A program that removes a route as often as it comes back.
#[test]
fn a_fight_over_a_route_costs_little() {
    World::run("fight", |_| {
        let mut agent = open_agent();
        agent.adopt(wanted([(TUNNEL, plain_tunnel())], []));
        Daemon::run(agent, async |mut daemon| {
            daemon.is_quiet().await;
            let mut passes = 0;
            let fight = async {
                loop {
                    ip("route flush proto 87");
                    daemon.reconciled().await;
                    passes += 1;
                }
            };
            let time = Duration::from_secs(4);
            assert!(tokio::time::timeout(time, fight).await.is_err());
            // A burst of 10 and one a second; fewer where a pass takes long.
            assert!((2..=10 + 1 + 5).contains(&passes), "{passes} passes in {time:?}");
        });
    });
}

#[test]
fn what_others_do_with_their_own_is_none_of_our_business() {
    World::run("others", |world| {
        world.add_peer(1);
        let mut agent = open_agent();
        agent.adopt(wanted([(TUNNEL, plain_tunnel())], []));
        Daemon::run(agent, async |mut daemon| {
            daemon.is_quiet().await;
            for command in [
                "route add 10.9.0.0/16 dev wire1",
                "route delete 10.9.0.0/16",
                "link set wire1 mtu 1400",
                "link set wire1 down",
                "link delete wire1",
            ] {
                ip(command);
            }
            let event = tokio::time::timeout(QUIET, daemon.watcher.next()).await;
            assert!(event.is_err(), "{event:?}");
        });
    });
}

#[test]
fn an_address_that_comes_and_goes_is_noticed() {
    World::run("address", |_| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(async {
            let [anycast, anycast6] = ["203.0.113.1", "2001:db8:a::1"].map(crate::world::address);
            ip("link add any type veth peer name other");
            ip("link set any up");
            ip("address add 203.0.113.1/32 dev any");
            let addresses = xfrm::Addresses::watch().await.expect("root may subscribe");
            assert!(addresses.has(anycast), "it was there before");
            let mut changes = addresses.subscribe();
            for (command, is_there) in [
                ("address delete 203.0.113.1/32 dev any", [false, false]),
                ("address add 203.0.113.1/32 dev any", [true, false]),
                ("address add 2001:db8:a::1/128 dev any nodad", [true, true]),
                ("link set any down", [false, false]),
                ("link set any up", [true, false]),
                ("link delete any", [false, false]),
            ] {
                let begun = Instant::now();
                ip(command);
                let as_expected = changes.wait_for(|present| {
                    [anycast, anycast6].map(|address| present.contains(&address)) == is_there
                });
                let noticed = tokio::time::timeout(SOON, as_expected).await;
                assert!(noticed.is_ok(), "after {command}");
                println!("{command}: noticed after {:?}", begun.elapsed());
            }
        });
    });
}

#[test]
fn events_that_come_too_fast_are_told_as_lost() {
    World::run("toofast", |_| {
        let mut agent = open_agent();
        agent.adopt(wanted([(TUNNEL, plain_tunnel())], []));
        Daemon::run(agent, async |mut daemon| {
            daemon.is_quiet().await;
            // Nobody reads meanwhile.
            let mut batch = String::new();
            for _ in 0..500 {
                batch += "link set ipsec0 mtu 1300\nlink set ipsec0 mtu 1400\n";
            }
            let file = std::env::temp_dir().join(format!("too-fast-{}.batch", std::process::id()));
            std::fs::write(&file, batch).expect("room");
            ip(&format!("-batch {}", file.display()));
            std::fs::remove_file(&file).expect("it is there");
            loop {
                let event = tokio::time::timeout(SOON, daemon.watcher.next()).await;
                let event = event.expect("an event was lost");
                if event == NetworkEvent::Lost {
                    break;
                }
            }
        });
    });
}
