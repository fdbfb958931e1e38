//! A customer's router on loopback.

use ike::testkit::{Customer, Initiator, Status};
use ike::{Path, Transmit};
use tokio::net::UdpSocket;

use super::fleet::{ANYCAST, TestEdge};

/// Speaks IKE with the fleet; the test says which edge the network delivers to.
pub(super) struct Router {
    socket: UdpSocket,
    pub(super) initiator: Initiator,
}

impl Router {
    /// The customer that [`Router::customer`] describes, at an address of its own.
    pub(super) async fn new(number: u8) -> (Self, Customer) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let path = Path {
            local: socket.local_addr().unwrap(),
            peer: ANYCAST,
        };
        let customer = Customer {
            path,
            ..Customer::new(number)
        };
        (
            Self {
                socket,
                initiator: Initiator::new(customer.clone(), number.into()),
            },
            customer,
        )
    }

    pub(super) async fn send(&self, transmit: &Transmit, edge: &TestEdge) {
        self.socket
            .send_to(&transmit.payload, edge.customers)
            .await
            .unwrap();
    }

    /// Takes the next datagram; gives what the initiator answers.
    pub(super) async fn receive(&mut self) -> Option<Transmit> {
        let mut buffer = vec![0; 65_536];
        let (length, _) = self.socket.recv_from(&mut buffer).await.unwrap();
        self.initiator.handle_datagram(&buffer[..length])
    }

    /// True when nothing has come.
    pub(super) fn has_heard_nothing(&self) -> bool {
        let mut buffer = [0; 64];
        self.socket.try_recv(&mut buffer).is_err()
    }

    /// IKE_SA_INIT at `edge`; gives the IKE_AUTH request.
    pub(super) async fn begin(&mut self, edge: &TestEdge) -> Transmit {
        let init = self.initiator.start();
        self.send(&init, edge).await;
        self.receive()
            .await
            .expect("IKE_SA_INIT is answered, and IKE_AUTH follows")
    }

    /// Both exchanges at `edge`.
    pub(super) async fn connect(&mut self, edge: &TestEdge) {
        let auth = self.begin(edge).await;
        self.send(&auth, edge).await;
        self.receive().await;
        assert_eq!(self.initiator.status(), Status::Up);
    }
}
