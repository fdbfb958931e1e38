//! The UDP sockets that customers send to: ports 500 and 4500 of each anycast address.
//!
//! The kernel takes ESP in UDP (RFC 3948) out of a socket with UDP_ENCAP, and only while that socket lives. So the
//! sockets outlive this process: the service manager keeps them (see [`super::fd_store`]) and hands them to the next one.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use socket2::{Domain, Protocol, Socket, Type};
use thiserror::Error;
use tokio::net::UdpSocket;
use tracing::{info, warn};

use super::fd_store::{self, Stored};

/// IKE (RFC 7296 section 2), and IKE and ESP in UDP (section 2.23).
const PORTS: [u16; 2] = [500, 4500];
const NAT_T_PORT: u16 = 4500;

/// The kernel queues that many octets of datagrams while the process is busy or being replaced: some thousand handshakes.
const RECEIVE_BUFFER: usize = 4 << 20;

/// A socket could not be had.
#[derive(Debug, Error)]
#[error("UDP {address}: {source}")]
pub struct SocketError {
    address: SocketAddr,
    source: io::Error,
}

/// One socket for each address and port.
pub(crate) struct Sockets(Vec<Bound>);

/// A socket and the address it is bound to.
pub(crate) struct Bound {
    pub(crate) address: SocketAddr,
    pub(crate) socket: UdpSocket,
}

impl Sockets {
    /// Takes those that a previous process left with the service manager, binds the others and leaves them there too. A
    /// stored socket that nobody needs any more is closed for good. Needs a tokio runtime.
    pub(crate) fn open(addresses: &[IpAddr]) -> Result<Self, SocketError> {
        let mut stored = fd_store::take();
        let wanted = addresses
            .iter()
            .flat_map(|ip| PORTS.map(|port| SocketAddr::new(*ip, port)));
        let bound = wanted
            .map(|address| {
                let found = stored.iter().position(|stored| is_bound_to(&stored.fd, address));
                let left_over = found.map(|index| stored.swap_remove(index));
                let socket = take_or_bind(address, left_over);
                socket.map_err(|source| SocketError { address, source })
            })
            .collect::<Result<Vec<_>, _>>()?;
        for Stored { name, fd } in stored {
            info!(
                socket = name,
                "closing a stored socket that the configuration does not name"
            );
            fd_store::remove(&name);
            drop(fd);
        }
        Ok(Self(bound))
    }

    /// One socket that passes for the one at `address`.
    #[cfg(test)]
    pub(crate) fn of(address: SocketAddr, socket: UdpSocket) -> Self {
        Self(vec![Bound { address, socket }])
    }

    /// Sends from the anycast address and port `local`, which the customer expects the answer to come from.
    pub(crate) fn try_send(&self, payload: &[u8], local: SocketAddr, peer: SocketAddr) -> io::Result<()> {
        let bound = self.0.iter().find(|bound| bound.address == local);
        let bound = bound.ok_or(io::ErrorKind::AddrNotAvailable)?;
        bound.socket.try_send_to(payload, peer).map(|_| ())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, index: usize) -> &Bound {
        &self.0[index]
    }
}

fn take_or_bind(address: SocketAddr, left_over: Option<Stored>) -> io::Result<Bound> {
    let socket = match left_over {
        Some(Stored { name, fd }) => {
            info!(%address, socket = name, "adopting a stored socket");
            Socket::from(fd)
        }
        None => {
            let socket = bind(address)?;
            if let Err(error) = fd_store::put(&name(address), socket.as_fd()) {
                warn!(%address, %error, "the service manager does not keep the socket; a restart will interrupt NATed tunnels");
            }
            socket
        }
    };
    socket.set_nonblocking(true)?;
    Ok(Bound {
        address,
        socket: UdpSocket::from_std(socket.into())?,
    })
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    // The anycast address may come to the machine later than this process (BGP speakers add it when all is well). A
    // path MTU learnt from ICMP does not help: the message may reach another edge. So replies may be fragmented.
    match address {
        SocketAddr::V4(_) => {
            socket.set_freebind_v4(true)?;
            set_option(
                &socket,
                libc::IPPROTO_IP,
                libc::IP_MTU_DISCOVER,
                libc::IP_PMTUDISC_DONT,
            )?;
        }
        SocketAddr::V6(_) => {
            socket.set_only_v6(true)?;
            socket.set_freebind_v6(true)?;
            set_option(
                &socket,
                libc::IPPROTO_IPV6,
                libc::IPV6_MTU_DISCOVER,
                libc::IPV6_PMTUDISC_DONT,
            )?;
        }
    }
    socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
    if address.port() == NAT_T_PORT {
        set_option(&socket, libc::IPPROTO_UDP, libc::UDP_ENCAP, UDP_ENCAP_ESPINUDP)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

/// `UDP_ENCAP_ESPINUDP` of linux/udp.h: the kernel takes ESP and keep-alives, we get what has the non-ESP marker.
const UDP_ENCAP_ESPINUDP: libc::c_int = 2;

/// For the options that no safe wrapper has.
#[allow(unsafe_code)]
fn set_option(
    socket: &Socket,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    // SAFETY: the descriptor is open while `socket` is borrowed, and the kernel reads as many octets of `value` as it is
    // told, which is its size.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn is_bound_to(fd: &OwnedFd, address: SocketAddr) -> bool {
    let socket = socket2::SockRef::from(fd);
    let is_udp = socket.r#type().is_ok_and(|r#type| r#type == Type::DGRAM);
    is_udp
        && socket
            .local_addr()
            .is_ok_and(|local| local.as_socket() == Some(address))
}

/// The name in the store: without the colon, which the service manager does not allow in names.
fn name(address: SocketAddr) -> String {
    let ip = address.ip().to_string().replace(':', "_");
    format!("ike-{}-{ip}", address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_have_no_colon() {
        let names: Vec<_> = [
            "192.0.2.1:500",
            "192.0.2.1:4500",
            "[2001:db8::1]:500",
            "[2001:db8:0:1::]:500",
        ]
        .map(|address| name(address.parse().unwrap()))
        .into();
        assert!(names.iter().all(|name| !name.contains(':')), "{names:?}");
        assert!(
            names
                .iter()
                .enumerate()
                .all(|(i, name)| !names[..i].contains(name)),
            "{names:?}"
        );
    }

    #[tokio::test]
    async fn a_stored_socket_is_known_by_its_address_and_goes_on() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let first = bind(address.parse().unwrap()).unwrap();
            let address = first.local_addr().unwrap().as_socket().unwrap();
            let peer = std::net::UdpSocket::bind((address.ip(), 0)).unwrap();
            peer.send_to(b"while nobody reads", address).unwrap();

            let fd = OwnedFd::from(first);
            let other = SocketAddr::new(address.ip(), address.port() ^ 1);
            assert!(is_bound_to(&fd, address) && !is_bound_to(&fd, other));
            let bound = take_or_bind(
                address,
                Some(Stored {
                    name: name(address),
                    fd,
                }),
            )
            .unwrap();
            let mut buffer = [0; 64];
            let (length, from) = bound.socket.recv_from(&mut buffer).await.unwrap();
            assert_eq!(&buffer[..length], b"while nobody reads");

            let sockets = Sockets(vec![bound]);
            sockets.try_send(b"answer", address, from).unwrap();
            let (length, from) = peer.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..length], from), (&b"answer"[..], address));
            assert!(
                sockets.try_send(b"answer", other, from).is_err(),
                "no socket has that address"
            );
        }
    }
}
