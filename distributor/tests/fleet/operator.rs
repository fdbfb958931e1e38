//! What operators do, and what becomes of it at the edges.

use std::time::Duration;

use distributor::Limits;
use proto::v1::operator_client::OperatorClient;
use proto::v1::revoke_request::Target;
use proto::v1::{self, FleetStatusRequest, ListSasRequest, ListTunnelsRequest, RevokeRequest};
use proto::{Body, Change, Identity, IkeSa, Key, Record, Slot};
use tonic::transport::Channel;
use tonic::{Code, Streaming};

use crate::support::{Edge, Lab, child_key, child_sa, commit, handshake, ike_sa, put_tunnel, sealed, tunnel};

async fn all<T>(mut stream: Streaming<T>) -> Vec<T> {
    let mut items = Vec::new();
    while let Some(item) = stream.message().await.unwrap() {
        items.push(item);
    }
    items
}

async fn revoke(
    operator: &mut OperatorClient<Channel>,
    target: Target,
) -> Result<v1::RevokeResponse, tonic::Status> {
    Ok(operator
        .revoke(RevokeRequest { target: Some(target) })
        .await?
        .into_inner())
}

/// Has `edge` commit and apply handshakes with these numbers.
async fn establish(edge: &mut Edge, numbers: impl IntoIterator<Item = u32>) {
    for number in numbers {
        commit(edge, handshake(edge.slot(), number)).await;
    }
}

#[tokio::test]
async fn tunnels_are_added_listed_replaced_and_removed() {
    let lab = Lab::start().await;
    let edge = lab.edge("e1").await.run();
    let mut operator = lab.operator().await;
    for (name, id) in [("beta", 2), ("acme", 1)] {
        let response = put_tunnel(&mut operator, tunnel(name, id), false).await.unwrap();
        assert!(response.edges[0].applied);
    }
    let names = async |operator: &mut OperatorClient<_>| {
        let listed = all(operator
            .list_tunnels(ListTunnelsRequest {})
            .await
            .unwrap()
            .into_inner())
        .await;
        listed
            .into_iter()
            .map(|tunnel| (tunnel.name, tunnel.mtu))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&mut operator).await,
        [("acme".into(), 0), ("beta".into(), 0)]
    );

    let mut changed = tunnel("acme", 1);
    changed.mtu = Some(1400);
    let refused = put_tunnel(&mut operator, changed.clone(), false)
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists);
    put_tunnel(&mut operator, changed, true).await.unwrap();
    assert_eq!(
        names(&mut operator).await,
        [("acme".into(), 1400), ("beta".into(), 0)]
    );

    operator
        .remove_tunnel(v1::RemoveTunnelRequest { name: "acme".into() })
        .await
        .unwrap();
    assert_eq!(names(&mut operator).await, [("beta".into(), 0)]);
    let unknown = operator
        .remove_tunnel(v1::RemoveTunnelRequest { name: "gamma".into() })
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    put_tunnel(&mut operator, tunnel("acme", 1), false)
        .await
        .expect("a removed name can come back");
    edge.abort();
}

/// Two operators read a tunnel, and both change it.
#[tokio::test]
async fn no_operator_undoes_what_another_has_just_done() {
    let lab = Lab::start().await.with_tunnel().await;
    let mut operator = lab.operator().await;
    let request = || v1::GetTunnelRequest { name: "acme".into() };
    let read = operator.get_tunnel(request()).await.unwrap().into_inner();
    let change = |mtu| {
        let mut changed = tunnel("acme", 1);
        changed.mtu = Some(mtu);
        v1::PutTunnelRequest {
            tunnel: Some((&sealed(changed)).into()),
            replace: true,
            replaced_revision: read.revision,
        }
    };
    operator.put_tunnel(change(1400)).await.unwrap();
    let refused = operator.put_tunnel(change(1300)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Aborted);
    let now = operator.get_tunnel(request()).await.unwrap().into_inner();
    let Body::Tunnel(now) = Record::try_from(now).unwrap().body else {
        panic!("no tunnel");
    };
    assert_eq!(now.header().mtu, Some(1400));

    let unknown = operator
        .get_tunnel(v1::GetTunnelRequest { name: "gamma".into() })
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
}

#[tokio::test]
async fn tunnels_must_differ_in_all_that_tells_them_apart() {
    let lab = Lab::start().await.with_tunnel().await;
    let mut operator = lab.operator().await;
    let acme = tunnel("acme", 1);
    let other = tunnel("other", 2);
    let clashes = [
        ("id 1", {
            let mut t = other.clone();
            t.id = acme.id;
            t
        }),
        (
            "remote identity acme.example, by which it is known whose peer calls",
            {
                let mut t = other.clone();
                t.remote_id = Identity::Fqdn("acme.example".into());
                t
            },
        ),
        ("interface sw-1: name another (--interface)", {
            let mut t = other.clone();
            t.interface = acme.interface.clone();
            t
        }),
    ];
    for (same, clash) in clashes {
        let refused = put_tunnel(&mut operator, clash, true).await.unwrap_err();
        assert_eq!(refused.code(), Code::AlreadyExists);
        assert_eq!(refused.message(), format!("tunnel acme has the same {same}"));
    }
    let mut elsewhere = other;
    elsewhere.interface = acme.interface.clone();
    elsewhere.netns = Some("customer".parse().unwrap());
    put_tunnel(&mut operator, elsewhere, false)
        .await
        .expect("another namespace has its own interfaces");

    let mut renumbered = acme;
    renumbered.id = proto::TunnelId::new(9).unwrap();
    let refused = put_tunnel(&mut operator, renumbered, true).await.unwrap_err();
    assert_eq!(
        refused.code(),
        Code::FailedPrecondition,
        "a tunnel keeps its number"
    );
}

#[tokio::test]
async fn a_revoked_sa_is_gone_everywhere() {
    let lab = Lab::start().await.with_tunnel().await;
    let mut e1 = lab.edge("e1").await;
    establish(&mut e1, 1..=3).await;
    let slot = e1.slot();
    let mut e2 = lab.edge("e2").await;
    let (e1, mut operator) = (e1.run(), lab.operator().await);

    let revoked = tokio::spawn(async move {
        let child = revoke(&mut operator, Target::ChildSa(0x0040_0001)).await.unwrap();
        let ike = revoke(&mut operator, Target::IkeSa(2)).await.unwrap();
        let tunnel = revoke(&mut operator, Target::Tunnel("acme".into()))
            .await
            .unwrap();
        let again = revoke(&mut operator, Target::IkeSa(2)).await.unwrap();
        let unknown = revoke(&mut operator, Target::IkeSa(77)).await.unwrap_err();
        ([child, ike, tunnel, again], unknown)
    });
    e2.catch_up_until(|heard| (1..=3).all(|number| heard.is_deleted(&child_key(slot, number))))
        .await;
    let e2 = e2.run();
    let (responses, unknown) = revoked.await.unwrap();
    let counts = responses
        .clone()
        .map(|response| (response.ike_sas, response.child_sas));
    assert_eq!(counts, [(0, 1), (1, 1), (2, 1), (0, 0)]);
    for response in &responses {
        assert_eq!(response.edges.len(), 2);
        assert!(response.edges.iter().all(|edge| edge.applied), "{response:?}");
    }
    assert_eq!(unknown.code(), Code::NotFound);
    assert_eq!(sizes(&lab).await, (1, 0, 0), "the tunnel stays");
    drop((e1, e2));
}

#[tokio::test]
async fn removing_a_tunnel_removes_its_sas_in_the_same_revision() {
    let lab = Lab::start().await.with_tunnel().await;
    let mut e1 = lab.edge("e1").await;
    establish(&mut e1, 1..=2).await;
    let mut operator = lab.operator().await;
    let request = v1::RemoveTunnelRequest { name: "acme".into() };
    let removal = tokio::spawn(async move { operator.remove_tunnel(request).await.unwrap().into_inner() });
    let revision = e1.catch_up().await;
    let response = removal.await.unwrap();
    assert_eq!((response.ike_sas, response.child_sas), (2, 2));
    let deleted = e1
        .heard
        .records
        .values()
        .filter(|record| record.revision == revision);
    assert_eq!(deleted.count(), 5);
    let refused = e1.commit(handshake(e1.slot(), 3)).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
}

#[tokio::test]
async fn a_revocation_names_the_edges_that_nobody_hears_of() {
    let lease = Duration::from_millis(100);
    let lab = Lab::start_with(Limits {
        lease,
        ..Limits::default()
    })
    .await
    .with_tunnel()
    .await;
    let _silent = lab.edge("e1").await;
    let mut operator = lab.operator().await;
    loop {
        let response = revoke(&mut operator, Target::Tunnel("acme".into()))
            .await
            .unwrap();
        let edges: Vec<_> = response.edges.iter().map(|edge| edge.name.as_str()).collect();
        assert_eq!(edges, ["e1"], "before and after its lease has run out");
        let status = operator
            .fleet_status(FleetStatusRequest {})
            .await
            .unwrap()
            .into_inner();
        if status.edges[0].state() == v1::edge_status::State::Expired {
            break;
        }
    }
    let response = revoke(&mut operator, Target::Tunnel("acme".into()))
        .await
        .unwrap();
    assert!(!response.edges[0].applied, "its kernel may still forward");
}

#[tokio::test]
async fn initial_contact_deletes_the_tunnels_other_ike_sas() {
    let lab = Lab::start().await.with_tunnel().await;
    let mut e1 = lab.edge("e1").await;
    establish(&mut e1, 1..=2).await;
    let slot = e1.slot();
    let contact = IkeSa {
        initial_contact: true,
        ..ike_sa(slot, 3)
    };
    let child = child_sa(&contact, 3);
    let changes = vec![
        Change::PutIkeSa(sealed(contact)),
        Change::PutChildSa(sealed(child)),
    ];
    commit(&mut e1, changes.clone()).await;
    assert!((1..=2).all(|number| e1.heard.is_deleted(&Key::IkeSa(number))));
    assert!((1..=2).all(|number| e1.heard.is_deleted(&child_key(slot, number))));

    establish(&mut e1, [4]).await;
    e1.commit(changes).await.unwrap();
    assert_eq!(
        sizes(&lab).await,
        (1, 2, 2),
        "sent again it deletes nothing that came later"
    );
}

#[tokio::test]
async fn sas_are_listed_with_their_owner_and_where_they_are_installed() {
    let lab = Lab::start().await.with_tunnel().await;
    let mut e1 = lab.edge("e1").await;
    establish(&mut e1, 1..=2).await;
    let mut operator = lab.operator().await;
    put_tunnel(&mut operator, tunnel("beta", 2), false).await.unwrap();
    let mut list = async |tunnel: &str| {
        let request = ListSasRequest {
            tunnel: tunnel.to_owned(),
        };
        Ok::<_, tonic::Status>(all(operator.list_sas(request).await?.into_inner()).await)
    };
    let listed = list("acme").await.unwrap();
    assert_eq!(listed, list("").await.unwrap());
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0].owner, "e1");
    assert_eq!(
        listed[0].children[0].child_sa.as_ref().unwrap().inbound_spi,
        spi_of(e1.slot(), 1)
    );
    assert!(listed[0].children[0].edges[0].installed);
    assert!(list("beta").await.unwrap().is_empty());
    assert_eq!(list("gamma").await.unwrap_err().code(), Code::NotFound);
}

fn spi_of(slot: Slot, number: u32) -> u32 {
    crate::support::spi(slot, number).get()
}

/// Tunnels, IKE SAs and child SAs.
async fn sizes(lab: &Lab) -> (u32, u32, u32) {
    let status = lab
        .operator()
        .await
        .fleet_status(FleetStatusRequest {})
        .await
        .unwrap()
        .into_inner();
    (status.tunnels, status.ike_sas, status.child_sas)
}
