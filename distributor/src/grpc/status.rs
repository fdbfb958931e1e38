//! What an operator is shown of SAs and edges.

use proto::v1::{self, edge_status};
use proto::{Edge, Failure, Header, InboundSpi, Key, Sealed};

use crate::fleet::Member;
use crate::fleet::lease::Standing;
use crate::grpc::context::SHOWN_FAILURES;
use crate::log::state::State;

/// An IKE SA and its children; `None` when it has ended meanwhile.
pub(super) fn ike_sa_status(state: &State, members: &[(Edge, Member)], spi: u64) -> Option<v1::IkeSaStatus> {
    let sealed = state.ike_sa(spi)?;
    let owner = state
        .edge_in(sealed.header().slot)
        .map(|edge| String::from(&edge.name));
    Some(v1::IkeSaStatus {
        ike_sa: Some(encode_header(sealed)),
        owner: owner.unwrap_or_default(),
        children: state
            .children_of(spi)
            .filter_map(|spi| child_sa_status(state, members, spi))
            .collect(),
    })
}

fn child_sa_status(state: &State, members: &[(Edge, Member)], spi: InboundSpi) -> Option<v1::ChildSaStatus> {
    let key = Key::ChildSa(spi);
    let revision = state.get(&key)?.record.revision;
    let install = |(edge, member): &(Edge, Member)| {
        let failure = member.report.failures.iter().find(|failure| failure.key == key);
        v1::EdgeInstall {
            name: String::from(&edge.name),
            installed: member.applied >= revision && failure.is_none(),
            failure: failure.map(v1::Failure::from),
        }
    };
    Some(v1::ChildSaStatus {
        child_sa: Some(encode_header(state.child_sa(spi)?)),
        revision,
        edges: members.iter().map(install).collect(),
    })
}

/// An edge as it stands.
pub(super) fn edge_status(edge: &Edge, member: &Member) -> v1::EdgeStatus {
    use edge_status::State;
    let (state, remaining) = match member.standing {
        Standing::Attached(remaining) if member.is_lagging => (State::Lagging, remaining),
        Standing::Attached(remaining) => (State::Live, remaining),
        Standing::CutOff(remaining) => (State::CutOff, remaining),
        Standing::Expired => (State::Expired, Default::default()),
    };
    let failures: &[Failure] = &member.report.failures;
    v1::EdgeStatus {
        name: String::from(&edge.name),
        slot: edge.slot.get().into(),
        state: state.into(),
        applied_revision: member.applied,
        lease_remaining_ms: remaining.as_millis().try_into().unwrap_or(u32::MAX),
        forward: edge.forward.to_string(),
        failures: failures
            .iter()
            .take(SHOWN_FAILURES)
            .map(v1::Failure::from)
            .collect(),
        failures_total: member.report.failures_total,
        incarnation: edge.incarnation,
        rivals: member.rivals.iter().map(ToString::to_string).collect(),
    }
}

/// What is not secret of a record.
pub(super) fn encode_header<H: Header>(sealed: &Sealed<H>) -> H::Wire {
    H::Wire::from(sealed.header())
}
