//! An IKE SA is replaced by another, which inherits its child SAs (RFC 7296 section 2.18).

use proto::{Change, ChildSa, IkeSa, Key};
use tonic::Code;

use crate::support::{Lab, child_key, child_sa, commit, handshake, ike_sa, put_tunnel, sealed, tunnel};

/// The child SA as one of `replacement`.
fn moved(child: ChildSa, replacement: &IkeSa) -> Change {
    Change::PutChildSa(sealed(ChildSa {
        ike: replacement.spis,
        ..child
    }))
}

#[tokio::test]
async fn a_child_sa_outlives_the_ike_sa_it_came_from_and_not_its_replacement() {
    let lab = Lab::start().await.with_tunnel().await;
    let mut edge = lab.edge("e1").await;
    let slot = edge.slot();
    commit(&mut edge, handshake(slot, 1)).await;

    let replacement = ike_sa(slot, 2);
    let child = child_sa(&ike_sa(slot, 1), 1);
    let inherit = vec![
        Change::PutIkeSa(sealed(replacement.clone())),
        moved(child, &replacement),
    ];
    commit(&mut edge, inherit).await;
    commit(&mut edge, vec![Change::RemoveIkeSa(1)]).await;
    assert!(edge.heard.is_deleted(&Key::IkeSa(1)));
    assert!(!edge.heard.is_deleted(&child_key(slot, 1)));

    commit(&mut edge, vec![Change::RemoveIkeSa(2)]).await;
    assert!(edge.heard.is_deleted(&child_key(slot, 1)));
}

#[tokio::test]
async fn a_child_sa_stays_with_its_tunnel_and_its_edge() {
    let lab = Lab::start().await.with_tunnel().await;
    let mut e1 = lab.edge("e1").await;
    let slot = e1.slot();
    let put = tokio::spawn(async move {
        let mut operator = lab.operator().await;
        put_tunnel(&mut operator, tunnel("beta", 2), false).await.unwrap();
        lab
    });
    e1.catch_up().await;
    let lab = put.await.unwrap();
    commit(&mut e1, handshake(slot, 1)).await;
    let child = child_sa(&ike_sa(slot, 1), 1);

    let betas = IkeSa {
        tunnel: "beta".parse().unwrap(),
        ..ike_sa(slot, 2)
    };
    let to_beta = ChildSa {
        tunnel: betas.tunnel.clone(),
        ..child.clone()
    };
    let changes = vec![Change::PutIkeSa(sealed(betas.clone())), moved(to_beta, &betas)];
    let refused = e1.commit(changes).await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists, "{refused}");

    let e2 = lab.edge("e2").await;
    let theirs = ike_sa(e2.slot(), 3);
    let changes = vec![Change::PutIkeSa(sealed(theirs.clone())), moved(child, &theirs)];
    let refused = e2.commit(changes).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
}
