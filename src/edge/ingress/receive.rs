//! From the sockets to the responder that owns the message: ours, or another edge's.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use distributor_client::RateLimit;
use ike::{MAX_INIT_DATAGRAM, Path, Route};
use tokio::net::UdpSocket;
use tracing::warn;

use super::dispatch::Dispatcher;
use super::forward::{Forwarded, Forwarder};
use super::input::{Datagram, Input, MOST_OCTETS};
use super::sockets::Bound;
use crate::metrics::{self, Datagrams};
use crate::shared::Shared;

/// Datagrams that one socket may bring before the others have their turn.
const BATCH: usize = 64;

/// Decides whose a datagram is. Keeps no state of peers.
#[derive(Clone)]
pub(crate) struct Receiver {
    /// The anycast addresses.
    pub(crate) addresses: Arc<[IpAddr]>,
    pub(crate) shared: Shared,
    pub(crate) forwarder: Arc<Forwarder>,
    pub(crate) dispatcher: Dispatcher,
}

impl Receiver {
    /// Reads one of the anycast sockets for ever.
    pub(crate) async fn read_customers(self, bound: &Bound) {
        read(&bound.socket, |payload, peer| {
            self.take(
                Path {
                    local: bound.address,
                    peer,
                },
                payload,
            )
        })
        .await;
    }

    /// Reads what other edges pass to this one, for ever.
    pub(crate) async fn read_edges(self) {
        let mut throttle = RateLimit::of_log_lines();
        read(self.forwarder.socket(), |sealed, edge| match self.forwarder.open(sealed) {
            Ok(input) => self.take_forwarded(input),
            Err(error) => {
                if let Some(withheld) = throttle.admit(edge.ip(), Instant::now()) {
                    warn!(%edge, %error, withheld, "a datagram on the forward port is not from an edge with this fleet key");
                }
            }
        })
        .await;
    }

    fn take(&self, path: Path, payload: &[u8]) {
        self.shared.metrics.count(Datagrams::Received);
        // The kernel drops that for IPv4 only. The SA towards such a customer would be one towards ourselves, and its SPI,
        // which the customer chooses, could be that of another customer's inbound SA: the kernel takes them for one.
        if self.addresses.contains(&path.peer.ip()) {
            return self.shared.metrics.count(Datagrams::DroppedFromOurAddress);
        }
        let Some(grant) = self.shared.lease(Instant::now()) else {
            return self.shared.metrics.count(Datagrams::DroppedWithoutLease);
        };
        let (route, shard) = self.dispatcher.router().route(path, payload);
        match route {
            Route::Any if self.shared.is_draining() => self.shared.metrics.count(Datagrams::DroppedDraining),
            Route::Slot(slot) if slot != grant.slot => {
                let forwarded = Forwarded::Datagram { path, payload };
                self.forwarder.pass_on(slot, &forwarded);
            }
            // The responder would drop it, after it had taken the room of others.
            Route::Any if payload.len() > MAX_INIT_DATAGRAM && self.begins_ike_sa(path, payload) => {
                self.shared.metrics.count(Datagrams::DroppedTooLong)
            }
            // What nobody can make anything of goes there too: the responder drops it, and says what is wrong with it.
            Route::Any | Route::Slot(_) | Route::Discard => {
                let payload = payload.to_vec();
                let datagram = Datagram { path, payload };
                let is_taken = match route {
                    Route::Slot(_) => self.dispatcher.datagram(shard, datagram),
                    Route::Any | Route::Discard => self.dispatcher.new_datagram(shard, datagram),
                };
                if !is_taken {
                    self.shared.metrics.count(Datagrams::DroppedBusy);
                }
            }
        }
    }

    /// Other messages without an IKE SA need an answer, or a count of what is wrong with them.
    fn begins_ike_sa(&self, path: Path, payload: &[u8]) -> bool {
        self.dispatcher.router().ike_sa_of(path, payload) == Some(0)
    }

    /// A message that came here by another edge is ours or nobody's: it is never passed on again, so that two edges that
    /// disagree about an owner do not pass it back and forth.
    fn take_forwarded(&self, input: Input) {
        let Some(grant) = self.shared.lease(Instant::now()) else {
            return self.shared.metrics.count(metrics::Forwarded::DroppedWithoutLease);
        };
        let is_taken = match input {
            Input::Datagram(datagram) => {
                let router = self.dispatcher.router();
                let (route, shard) = router.route(datagram.path, &datagram.payload);
                if route != Route::Slot(grant.slot) {
                    return self.shared.metrics.count(metrics::Forwarded::DroppedNotOurs);
                }
                self.dispatcher.datagram(shard, datagram)
            }
            // The responder knows which SAs are its own.
            Input::Notice(notice) => self.dispatcher.notice(notice),
        };
        if !is_taken {
            self.shared.metrics.count(metrics::Forwarded::DroppedBusy);
        }
    }
}

/// Reads a socket for ever, a bounded number of datagrams at a time.
async fn read(socket: &UdpSocket, mut take: impl FnMut(&[u8], SocketAddr)) {
    let mut buffer = vec![0; MOST_OCTETS];
    loop {
        if let Err(error) = socket.readable().await {
            return warn!(%error, "cannot read a socket any more; its datagrams are lost until a restart");
        }
        for _ in 0..BATCH {
            match socket.try_recv_from(&mut buffer) {
                Ok((length, peer)) => take(&buffer[..length], peer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An ICMP error about something we sent. It says nothing of what comes.
                Err(_) => {}
            }
        }
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ike::Router;
    use ike::testkit::{Customer, Initiator};

    use super::*;
    use crate::fixtures;
    use crate::ingress::dispatch::Place;
    use crate::shared::Writers;
    use distributor_client::lease::LeaseGrant;

    /// That of the edge in slot 1, with one responder.
    struct TestReceiver {
        receiver: Receiver,
        place: Place,
        _writers: Writers,
    }

    impl TestReceiver {
        async fn new(addresses: &[IpAddr]) -> Self {
            let (shared, writers) = Shared::new(Arc::new(fixtures::fleet_key()));
            let router = Router::new(&shared.fleet_key.spi_key());
            let dispatcher = Dispatcher::new(1, router, shared.replica.clone());
            let grant = LeaseGrant {
                slot: proto::Slot::new(1).unwrap(),
                incarnation: 1,
                store: 1,
                until: Instant::now() + Duration::from_secs(600),
            };
            writers.session.send_modify(|session| session.grant = Some(grant));
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let forwarder = Arc::new(Forwarder::new(socket, shared.clone()));
            let place = dispatcher.places().next().unwrap();
            let receiver = Receiver {
                addresses: addresses.into(),
                shared,
                forwarder,
                dispatcher,
            };
            Self {
                receiver,
                place,
                _writers: writers,
            }
        }

        /// Whether the responder gets it, which comes from `peer`.
        fn take(&self, peer: IpAddr, payload: &[u8]) -> bool {
            let local = SocketAddr::new(self.receiver.addresses[0], 500);
            let peer = SocketAddr::new(peer, 500);
            self.receiver.take(Path { local, peer }, payload);
            let mut inputs = Vec::new();
            self.place.queue().take(1, &mut inputs);
            !inputs.is_empty()
        }
    }

    #[tokio::test]
    async fn nobody_is_a_customer_at_an_address_of_ours() {
        let addresses: [IpAddr; 2] = ["2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap()];
        let receiver = TestReceiver::new(&addresses).await;
        let take = |peer| receiver.take(peer, b"whatever it says");
        assert!(take("2001:db8::7".parse().unwrap()));
        assert!(!take(addresses[0]));
        assert!(!take(addresses[1]));
    }

    /// A request that begins an IKE SA, as far as its header says, of so many octets.
    fn init(octets: usize) -> Vec<u8> {
        let mut message = Initiator::new(Customer::new(1), 1).start().payload;
        message.resize(octets, 0);
        message[24..28].copy_from_slice(&u32::try_from(octets).unwrap().to_be_bytes());
        message
    }

    #[tokio::test]
    async fn what_is_too_long_to_begin_an_ike_sa_is_not_queued() {
        let receiver = TestReceiver::new(&["203.0.113.1".parse().unwrap()]).await;
        let peer = "192.0.2.1".parse().unwrap();
        assert!(receiver.take(peer, &init(MAX_INIT_DATAGRAM)));
        assert!(!receiver.take(peer, &init(MAX_INIT_DATAGRAM + 1)));
    }
}
