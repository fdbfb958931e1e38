//! The service for operators.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;

use proto::v1::{self, operator_server, revoke_request};
use proto::{Body, Edge, InboundSpi, Invalid, Key, Name, Sealed, Tunnel};
use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use crate::fleet::Member;
use crate::grpc::caller::Caller;
use crate::grpc::context::{Context, invalid};
use crate::grpc::status::{edge_status, encode_header, ike_sa_status};
use crate::log::state::State;
use crate::log::transaction::{Outcome, Transaction};
use crate::rules::operator::{self as rules, Replaces, Target};
use crate::rules::refusal::Refusal;

pub(crate) struct OperatorService(pub(crate) Arc<Context>);

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl operator_server::Operator for OperatorService {
    type ListTunnelsStream = Answers<v1::Tunnel>;
    type ListSasStream = Answers<v1::IkeSaStatus>;

    async fn put_tunnel(
        &self,
        request: Request<v1::PutTunnelRequest>,
    ) -> Result<Response<v1::PutTunnelResponse>, Status> {
        let operator = operator_name(&request)?;
        let v1::PutTunnelRequest {
            tunnel,
            replace,
            replaced_revision,
        } = request.into_inner();
        let replaces = match (replace, replaced_revision) {
            (false, _) => Replaces::Nothing,
            (true, 0) => Replaces::Any,
            (true, revision) => Replaces::Revision(revision),
        };
        let tunnel = tunnel.ok_or_else(|| invalid(Invalid::missing("tunnel")))?;
        let tunnel: Sealed<Tunnel> = tunnel.try_into().map_err(invalid)?;
        let action = format!("put tunnel {}", tunnel.header().name);
        let rule = move |transaction: &mut _| rules::put(transaction, &tunnel, replaces);
        let (outcome, edges) = self.change(&operator, &action, rule).await?;
        Ok(Response::new(v1::PutTunnelResponse {
            revision: outcome.revision,
            edges,
        }))
    }

    async fn remove_tunnel(
        &self,
        request: Request<v1::RemoveTunnelRequest>,
    ) -> Result<Response<v1::RevokeResponse>, Status> {
        let operator = operator_name(&request)?;
        let tunnel: Name = request.into_inner().name.parse().map_err(invalid)?;
        let action = format!("remove tunnel {tunnel}");
        let rule = move |transaction: &mut _| rules::remove(transaction, &tunnel);
        self.change_everywhere(&operator, &action, rule).await
    }

    async fn revoke(
        &self,
        request: Request<v1::RevokeRequest>,
    ) -> Result<Response<v1::RevokeResponse>, Status> {
        let operator = operator_name(&request)?;
        let target = parse_target(request.into_inner()).map_err(invalid)?;
        let action = format!("revoke {target}");
        let rule = move |transaction: &mut _| rules::revoke(transaction, &target);
        self.change_everywhere(&operator, &action, rule).await
    }

    async fn list_tunnels(
        &self,
        request: Request<v1::ListTunnelsRequest>,
    ) -> Result<Response<Self::ListTunnelsStream>, Status> {
        operator_name(&request)?;
        let state = self.0.state();
        let names: Vec<Name> = state
            .tunnels()
            .map(|sealed| sealed.header().name.clone())
            .collect();
        let answers = names
            .into_iter()
            .filter_map(move |name| state.tunnel(&name).map(encode_header));
        Ok(stream(answers))
    }

    async fn get_tunnel(
        &self,
        request: Request<v1::GetTunnelRequest>,
    ) -> Result<Response<v1::Record>, Status> {
        operator_name(&request)?;
        let name: Name = request.into_inner().name.parse().map_err(invalid)?;
        match self.0.state().get(&Key::Tunnel(name.clone())) {
            Some(entry) if matches!(entry.record.body, Body::Tunnel(_)) => {
                Ok(Response::new((&entry.record).into()))
            }
            _ => Err(Refusal::NoTunnel(name).into()),
        }
    }

    async fn list_sas(
        &self,
        request: Request<v1::ListSasRequest>,
    ) -> Result<Response<Self::ListSasStream>, Status> {
        operator_name(&request)?;
        let tunnel = request.into_inner().tunnel;
        let state = self.0.state();
        let spis: Vec<u64> = if tunnel.is_empty() {
            state.ike_sas().collect()
        } else {
            let tunnel: Name = tunnel.parse().map_err(invalid)?;
            state
                .tunnel(&tunnel)
                .ok_or_else(|| Status::not_found(format!("there is no tunnel {tunnel}")))?;
            state.ike_sas_of(&tunnel).collect()
        };
        let members = self.members(&state);
        Ok(stream(
            spis.into_iter()
                .filter_map(move |spi| ike_sa_status(&state, &members, spi)),
        ))
    }

    async fn fleet_status(
        &self,
        request: Request<v1::FleetStatusRequest>,
    ) -> Result<Response<v1::FleetStatusResponse>, Status> {
        operator_name(&request)?;
        let state = self.0.state();
        let (tunnels, ike_sas, child_sas) = state.sizes();
        Ok(Response::new(v1::FleetStatusResponse {
            revision: state.head(),
            oldest_resumable_revision: state.counters().purged,
            tunnels: count(tunnels),
            ike_sas: count(ike_sas),
            child_sas: count(child_sas),
            edges: self
                .members(&state)
                .iter()
                .map(|(edge, member)| edge_status(edge, member))
                .collect(),
        }))
    }
}

impl OperatorService {
    /// Makes an operator's change and waits for the edges to apply it. `action` goes into the audit entry: what was decided.
    async fn change(
        &self,
        operator: &Name,
        action: &str,
        rule: impl Fn(&mut Transaction) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<(Outcome, Vec<v1::EdgeProgress>), Status> {
        match self.0.writer.change(rule).await {
            Ok(durable) => {
                tracing::info!(%operator, action, revision = durable.outcome.revision, "an operator's change is made");
                Ok(self.0.applied(durable, self.0.limits.barrier).await)
            }
            Err(error) => {
                tracing::warn!(%operator, action, reason = %error, "an operator's change is not made");
                Err(error.into())
            }
        }
    }

    /// Removes something, and tells of every known edge whether it has done so. One whose lease has run out may forward
    /// until the leases of its SAs end, so it is shown too.
    async fn change_everywhere(
        &self,
        operator: &Name,
        action: &str,
        rule: impl Fn(&mut Transaction) -> Result<(), Refusal> + Send + 'static,
    ) -> Result<Response<v1::RevokeResponse>, Status> {
        let (outcome, mut edges) = self.change(operator, action, rule).await?;
        let Outcome {
            revision,
            ike_sas,
            child_sas,
        } = outcome;
        let listed: BTreeSet<u32> = edges.iter().map(|edge| edge.slot).collect();
        let state = self.0.state();
        let silent = state
            .edges()
            .map(|edge| edge.slot)
            .filter(|slot| !listed.contains(&slot.get().into()));
        edges.extend(silent.filter_map(|slot| self.0.progress(&state, revision, slot, None)));
        Ok(Response::new(v1::RevokeResponse {
            revision,
            ike_sas,
            child_sas,
            edges,
        }))
    }

    /// Every known edge as it stands, by name.
    fn members(&self, state: &State) -> Vec<(Edge, Member)> {
        let now = self.0.now();
        let standing = |edge: &Edge| Some((edge.clone(), self.0.fleet.member(edge.slot, now)?));
        state.edges().filter_map(standing).collect()
    }
}

fn operator_name<T>(request: &Request<T>) -> Result<Name, Status> {
    Caller::of(request)?.operator().cloned()
}

fn stream<T: Send + 'static>(answers: impl Iterator<Item = T> + Send + 'static) -> Response<Answers<T>> {
    Response::new(Box::pin(tokio_stream::iter(answers.map(Ok))))
}

fn parse_target(request: v1::RevokeRequest) -> Result<Target, Invalid> {
    match request.target.ok_or_else(|| Invalid::missing("target"))? {
        revoke_request::Target::Tunnel(name) => name.parse().map(Target::Tunnel),
        revoke_request::Target::IkeSa(spi) => Ok(Target::IkeSa(spi)),
        revoke_request::Target::ChildSa(spi) => InboundSpi::try_from(spi).map(Target::ChildSa),
    }
}

fn count(number: usize) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}
