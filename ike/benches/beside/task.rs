//! What is asked of the responders.

use std::fmt;

use ike::DhGroup;
use ike::testkit::Initiator;

use crate::case::Case;
use crate::crowd::Crowd;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Handshake(Case),
    /// The customer rekeys its child SA, with a key exchange of this group or without, and deletes the old one.
    RekeyChild(Option<DhGroup>),
    /// It rekeys its IKE SA, and deletes the old one.
    RekeyIke,
}

/// That of all rekeys.
const GROUP: DhGroup = DhGroup::Curve25519;

impl Task {
    /// That of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let handshakes = Case::USUAL.map(Self::Handshake);
        let rekeys = [
            Self::RekeyChild(None),
            Self::RekeyChild(Some(GROUP)),
            Self::RekeyIke,
        ];
        let mut tasks = handshakes.into_iter().chain(rekeys);
        tasks.find(|task| task.to_string() == name)
    }

    /// How its customers connect.
    pub(crate) fn case(self) -> Case {
        match self {
            Self::Handshake(case) => case,
            Self::RekeyChild(_) | Self::RekeyIke => Case::Psk(GROUP),
        }
    }

    /// Lets `count` customers come as far as where the task begins.
    pub(crate) fn prepare(self, crowd: &mut Crowd, count: u64) -> Vec<Initiator> {
        let mut customers = crowd.customers(count);
        if !matches!(self, Self::Handshake(_)) {
            crowd.connect(&mut customers);
        }
        customers
    }

    /// Lets each of them do it.
    pub(crate) fn carry_out(self, crowd: &mut Crowd, customers: &mut [Initiator]) {
        match self {
            Self::Handshake(_) => crowd.connect(customers),
            Self::RekeyChild(group) => crowd.converse(customers, |it| it.rekey_child(group)),
            Self::RekeyIke => crowd.converse(customers, Initiator::rekey_ike),
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake(case) => write!(f, "{case}"),
            Self::RekeyChild(None) => f.write_str("child sa"),
            Self::RekeyChild(Some(group)) => write!(f, "child sa, {group}"),
            Self::RekeyIke => write!(f, "ike sa, {GROUP}"),
        }
    }
}
