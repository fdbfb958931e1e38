//! Who may do what, and what is refused.

use std::time::Duration;

use bytes::Bytes;
use distributor::CustomerLimits;
use distributor_client::tls_remedy;
use proto::v1::fleet_client::FleetClient;
use proto::v1::operator_client::OperatorClient;
use proto::v1::{self, FleetStatusRequest};
use proto::{Change, ChildSa, Commit, Key, Sealed, limits};
use tokio::net::TcpSocket;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};
use tonic::{Code, Status};

use crate::support::authority::connect;
use crate::support::{
    Authority, Edge, Lab, child_key, child_sa, commit, handshake, ike_sa, role, sealed, spi,
};

/// Whether a caller with these means gets any answer out of the distributor.
async fn is_served(lab: &Lab, tls: ClientTlsConfig) -> bool {
    // TLS 1.3 lets the client finish before the server has looked at its certificate: only a call shows.
    match connect(tls, lab.address()).await {
        Ok(channel) => {
            let answer = OperatorClient::new(channel)
                .fleet_status(FleetStatusRequest {})
                .await;
            answer.is_ok_and(|answer| answer.into_inner().revision == 0)
        }
        Err(_) => false,
    }
}

/// The caller does not accept the distributor's certificate.
fn assert_not_trusted(error: &tonic::transport::Error) {
    let remedy = tls_remedy(error).unwrap_or_else(|| panic!("{error:?}"));
    assert!(remedy.contains("on this side"), "{remedy}");
}

#[tokio::test]
async fn only_the_fleets_own_certificates_get_in() {
    let lab = Lab::start().await;
    let ours = || ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&lab.authority.pem));
    let identity = |credentials: crate::support::Credentials| {
        Identity::from_pem(credentials.certificate, credentials.key)
    };
    assert!(
        is_served(
            &lab,
            ours().identity(identity(lab.authority.issue(&role("operator", "ann"))))
        )
        .await
    );

    assert!(!is_served(&lab, ours()).await, "no certificate");
    let stranger = Authority::new().issue(&role("operator", "ann"));
    assert!(
        !is_served(&lab, ours().identity(identity(stranger))).await,
        "another authority"
    );
    let nobody = lab.authority.issue_uri("https://ann.example");
    assert!(
        !is_served(&lab, ours().identity(identity(nobody))).await,
        "no role"
    );
}

#[tokio::test]
async fn strangers_that_never_finish_their_handshake_keep_nobody_out() {
    let lab = Lab::start().await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
        silent.push(socket.connect(lab.address()).await.unwrap());
    }
    // The silent ones are given up after five seconds.
    let operator = tokio::time::timeout(Duration::from_secs(3), lab.operator());
    operator.await.expect("a place for somebody else");
}

#[tokio::test]
async fn a_distributor_with_another_authority_is_not_trusted() {
    let lab = Lab::start().await;
    let stranger = Authority::new();
    let credentials = lab.authority.issue(&role("operator", "ann"));
    let error = credentials
        .connect(&stranger.pem, lab.address())
        .await
        .unwrap_err();
    assert_not_trusted(&error);
}

#[tokio::test]
async fn each_role_has_its_own_service() {
    let lab = Lab::start().await.with_tunnel().await;
    let edge = lab.channel("edge", "e1").await;
    let operator = lab.channel("operator", "ann").await;
    let other = lab.channel("distributor", "d2").await;
    let denied = |status: Status| assert_eq!(status.code(), Code::PermissionDenied, "{status}");

    for channel in [edge, other.clone()] {
        let mut client = OperatorClient::new(channel);
        let tunnel = Some((&sealed(crate::support::tunnel("mine", 2))).into());
        denied(
            client
                .put_tunnel(v1::PutTunnelRequest {
                    tunnel,
                    replace: false,
                    replaced_revision: 0,
                })
                .await
                .unwrap_err(),
        );
        denied(
            client
                .remove_tunnel(v1::RemoveTunnelRequest { name: "acme".into() })
                .await
                .unwrap_err(),
        );
        denied(client.list_tunnels(v1::ListTunnelsRequest {}).await.unwrap_err());
        denied(client.list_sas(v1::ListSasRequest::default()).await.unwrap_err());
        denied(client.fleet_status(FleetStatusRequest {}).await.unwrap_err());
        let target = Some(v1::revoke_request::Target::Tunnel("acme".into()));
        denied(client.revoke(v1::RevokeRequest { target }).await.unwrap_err());
    }
    for channel in [operator, other] {
        denied(
            Edge::connect(channel.clone(), Default::default(), None)
                .await
                .map(drop)
                .unwrap_err(),
        );
        denied(
            FleetClient::new(channel)
                .commit(v1::CommitRequest::default())
                .await
                .unwrap_err(),
        );
    }
}

#[tokio::test]
async fn an_edge_publishes_only_what_is_its_own() {
    let lab = Lab::start().await.with_tunnel().await;
    let (e1, mut e2) = (lab.edge("e1").await, lab.edge("e2").await);
    let (mine, others) = (e2.slot(), e1.slot());
    let established = e1.commit(handshake(others, 1));
    let e1 = e1.run();
    let established = tokio::spawn(established);
    e2.catch_up_until(|heard| heard.records.contains_key(&child_key(others, 1)))
        .await;
    established.await.unwrap().unwrap();

    let my_ike = ike_sa(mine, 2);
    let mut foreign_spi = child_sa(&my_ike, 9);
    foreign_spi.inbound_spi = spi(others, 9);
    let mut foreign_parent = child_sa(&ike_sa(others, 1), 9);
    foreign_parent.inbound_spi = spi(mine, 9);
    let put_mine = Change::PutIkeSa(sealed(my_ike));
    for (what, changes) in [
        (
            "an IKE SA with another's slot",
            vec![Change::PutIkeSa(sealed(ike_sa(others, 7)))],
        ),
        (
            "another's IKE SA",
            vec![Change::PutIkeSa(sealed(ike_sa(mine, 1)))],
        ),
        (
            "an SPI of another's",
            vec![put_mine.clone(), Change::PutChildSa(sealed(foreign_spi))],
        ),
        (
            "a child of another's IKE SA",
            vec![Change::PutChildSa(sealed(foreign_parent))],
        ),
        (
            "the end of another's child",
            vec![Change::RemoveChildSa(spi(others, 1))],
        ),
        (
            "the end of another's IKE SA",
            vec![put_mine, Change::RemoveIkeSa(1)],
        ),
    ] {
        let refused = e2.commit(changes).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{what}: {refused}");
    }
    let fresh = lab.edge("e3").await;
    assert!(
        !fresh.heard.records.contains_key(&Key::IkeSa(2)),
        "a refused commit leaves nothing behind"
    );
    e1.abort();
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_name() {
    let lab = Lab::start().await.with_tunnel().await;
    let mut edge = lab.edge("e1").await;
    let slot = edge.slot();
    let gone = vec![Change::RemoveIkeSa(1)];
    for changes in [handshake(slot, 1), gone] {
        let commit = tokio::spawn(edge.commit(changes));
        edge.catch_up().await;
        commit.await.unwrap().unwrap();
    }
    let mut no_tunnel = ike_sa(slot, 3);
    no_tunnel.tunnel = "nobody".parse().unwrap();
    for (code, changes) in [
        (Code::AlreadyExists, handshake(slot, 1)),
        (Code::NotFound, vec![Change::PutIkeSa(sealed(no_tunnel))]),
        (
            Code::NotFound,
            vec![Change::PutChildSa(sealed(child_sa(&ike_sa(slot, 4), 4)))],
        ),
    ] {
        let refused = edge.commit(changes).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
    }
    let harmless = vec![Change::RemoveIkeSa(99), Change::RemoveChildSa(spi(slot, 99))];
    edge.commit(harmless)
        .await
        .expect("what is not there can be removed");
}

/// With a tunnel that may have 3 IKE SAs, with 2 child SAs each.
async fn frugal_lab() -> Lab {
    let limits = distributor::Limits {
        customer: CustomerLimits {
            ike_sas: 3,
            child_sas: 2,
        },
        ..Default::default()
    };
    Lab::start_with(limits).await.with_tunnel().await
}

#[tokio::test]
async fn a_customer_that_makes_ever_more_sas_loses_the_oldest() {
    let lab = frugal_lab().await;
    let mut edge = lab.edge("e1").await;
    let slot = edge.slot();
    for number in 1..=5 {
        commit(&mut edge, handshake(slot, number)).await;
    }
    for number in 1..=5 {
        let is_gone = edge.heard.is_deleted(&Key::IkeSa(number.into()));
        assert_eq!(is_gone, number <= 2, "IKE SA {number}");
        assert_eq!(edge.heard.is_deleted(&child_key(slot, number)), is_gone);
    }

    // The oldest of three is rekeyed: its child moves before it has to go.
    let (replacement, child) = (ike_sa(slot, 6), child_sa(&ike_sa(slot, 3), 3));
    let moved = ChildSa {
        ike: replacement.spis,
        ..child
    };
    let rekey = vec![
        Change::PutIkeSa(sealed(replacement)),
        Change::PutChildSa(sealed(moved)),
    ];
    commit(&mut edge, rekey).await;
    assert!(edge.heard.is_deleted(&Key::IkeSa(3)));
    assert!(!edge.heard.is_deleted(&child_key(slot, 3)));
}

#[tokio::test]
async fn a_customer_gets_no_more_child_sas_than_it_may_have() {
    let lab = frugal_lab().await;
    let mut edge = lab.edge("e1").await;
    let slot = edge.slot();
    let ike = ike_sa(slot, 1);
    let put = |number| vec![Change::PutChildSa(sealed(child_sa(&ike, number)))];
    commit(&mut edge, handshake(slot, 1)).await;
    commit(&mut edge, put(2)).await;
    let refused = edge.commit(put(3)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
    commit(&mut edge, vec![Change::RemoveChildSa(spi(slot, 2))]).await;
    commit(&mut edge, put(3)).await;
}

#[tokio::test]
async fn messages_beyond_their_bounds_are_refused_and_the_session_goes_on() {
    let lab = Lab::start().await.with_tunnel().await;
    let mut edge = lab.edge("e1").await;
    let slot = edge.slot();
    let huge = Sealed::new(ike_sa(slot, 1), |_| Bytes::from(vec![0; limits::SECRET + 1]));
    let many = (1..=limits::CHANGES as u64 + 1)
        .map(Change::RemoveIkeSa)
        .collect();
    for changes in [vec![Change::PutIkeSa(huge)], many, vec![]] {
        let refused = edge.commit(changes).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    }
    let flood = Sealed::new(ike_sa(slot, 1), |_| Bytes::from(vec![0; limits::MESSAGE + 1]));
    let commit = Commit {
        changes: vec![Change::PutIkeSa(flood)],
        deadline: None,
        incarnation: edge.lease.incarnation,
    };
    assert_eq!(edge.commit_as(commit).await.unwrap_err().code(), Code::OutOfRange);

    let zeros = v1::Sealed {
        header: Bytes::from(vec![0xff; 100]),
        secret: Bytes::from_static(b"x"),
    };
    let change = v1::Change {
        change: Some(v1::change::Change::PutChildSa(zeros)),
    };
    let incarnation = edge.lease.incarnation;
    let request = v1::CommitRequest {
        changes: vec![change],
        deadline_ms: 0,
        incarnation,
    };
    assert_eq!(
        edge.client.commit(request).await.unwrap_err().code(),
        Code::InvalidArgument
    );

    let commit = tokio::spawn(edge.commit(handshake(slot, 1)));
    edge.catch_up().await;
    commit.await.unwrap().expect("the same connection still serves");
}

#[tokio::test]
async fn a_changed_authority_is_used_without_a_restart() {
    let limits = distributor::Limits {
        reload: Duration::from_millis(20),
        ..Default::default()
    };
    let lab = Lab::start_with(limits).await;
    let next = Authority::new();
    let credentials = next.issue(&role("operator", "ann"));
    let connect = async || credentials.connect(&next.pem, lab.address()).await;
    let error = connect().await.unwrap_err();
    assert_not_trusted(&error);
    lab.install(&next);
    let connected = async {
        loop {
            match connect().await {
                Ok(channel) => break channel,
                Err(error) => assert_not_trusted(&error),
            }
        }
    };
    let channel = tokio::time::timeout(Duration::from_secs(60), connected)
        .await
        .expect("the new files are read every 20 ms");
    OperatorClient::new(channel)
        .fleet_status(FleetStatusRequest {})
        .await
        .unwrap();
}
