//! Who calls.

use std::net::IpAddr;

use distributor_client::Role;
use proto::Name;
use tonic::{Request, Status};

/// Who is at the other end of a connection, as its certificate proves.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(super) role: Role,
    pub(super) address: IpAddr,
}

impl Caller {
    /// The caller of a request.
    pub(crate) fn of<T>(request: &Request<T>) -> Result<&Self, Status> {
        request
            .extensions()
            .get()
            .ok_or_else(|| Status::unauthenticated("the connection has no certificate"))
    }

    /// Where its machine is, or the address translator before it.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    /// An edge's name, or PERMISSION_DENIED.
    pub(crate) fn edge(&self) -> Result<&Name, Status> {
        match &self.role {
            Role::Edge(name) => Ok(name),
            other @ (Role::Operator(_) | Role::Distributor(_)) => Err(Status::permission_denied(format!(
                "only an edge may ask this, not {other}"
            ))),
        }
    }

    /// An operator's name, or PERMISSION_DENIED.
    pub(crate) fn operator(&self) -> Result<&Name, Status> {
        match &self.role {
            Role::Operator(name) => Ok(name),
            other @ (Role::Edge(_) | Role::Distributor(_)) => Err(Status::permission_denied(format!(
                "only an operator may ask this, not {other}"
            ))),
        }
    }
}
