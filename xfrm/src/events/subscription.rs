//! A connection of rtnetlink that only listens: no answer can be taken for an event, nor an event for an answer.

use std::io;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::AsyncSocket;
use rtnetlink::MulticastGroup;
use tokio::task::AbortHandle;

/// A connection that could not be opened again is tried again after this time.
const RETRY: Duration = Duration::from_secs(1);

type Messages =
    Box<dyn Stream<Item = (NetlinkMessage<RouteNetlinkMessage>, netlink_sys::SocketAddr)> + Send + Unpin>;

/// Sets a socket's options.
type Prepare = Box<dyn Fn(&netlink_sys::Socket) -> io::Result<()> + Send + Sync>;

/// What a subscription hears.
pub(super) enum Heard {
    Message(RouteNetlinkMessage),
    /// Events came faster than they were read, or the socket failed: some are missing.
    Lost,
}

pub(super) struct Subscription {
    groups: &'static [MulticastGroup],
    prepare: Prepare,
    messages: Messages,
    connection: AbortHandle,
}

impl Subscription {
    /// In the network namespace of the calling thread, whose tokio runtime reads the socket. `prepare` sets its options.
    pub(super) fn open(
        groups: &'static [MulticastGroup],
        prepare: impl Fn(&netlink_sys::Socket) -> io::Result<()> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (messages, connection) = connect(groups, &prepare)?;
        Ok(Self {
            groups,
            prepare: Box::new(prepare),
            messages,
            connection,
        })
    }

    /// Waits for the next event. Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Heard {
        loop {
            match self.messages.next().await {
                Some((message, _)) => match message.payload {
                    NetlinkPayload::InnerMessage(message) => return Heard::Message(message),
                    NetlinkPayload::Overrun(_) => return Heard::Lost,
                    // No answer, as nothing was asked.
                    NetlinkPayload::Done(_) | NetlinkPayload::Error(_) | NetlinkPayload::Noop | _ => {}
                },
                // The socket has failed.
                None => match connect(self.groups, &self.prepare) {
                    Ok((messages, connection)) => {
                        self.messages = messages;
                        self.connection = connection;
                        return Heard::Lost;
                    }
                    Err(_) => tokio::time::sleep(RETRY).await,
                },
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

fn connect(
    groups: &[MulticastGroup],
    prepare: impl Fn(&netlink_sys::Socket) -> io::Result<()>,
) -> io::Result<(Messages, AbortHandle)> {
    let (mut connection, _, messages) = rtnetlink::new_multicast_connection(groups)?;
    prepare(connection.socket_mut().socket_ref())?;
    let connection = tokio::spawn(connection).abort_handle();
    Ok((Box::new(messages), connection))
}
