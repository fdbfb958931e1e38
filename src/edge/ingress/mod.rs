//! What comes in: datagrams of customers and of other edges, and what kernels notice. Decides whose each is.

pub(crate) mod dispatch;
pub(crate) mod fd_store;
pub(crate) mod forward;
pub(crate) mod input;
pub(crate) mod notice;
pub(crate) mod queue;
pub(crate) mod receive;
pub(crate) mod sockets;
