//! Why a change is not made.

use std::net::IpAddr;

use ipnet::IpNet;
use proto::{Key, Name, Slot};
use tonic::{Code, Status};

/// A change that the rules do not allow. Nothing of it was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{key} does not carry the caller's slot, {slot}")]
    AnothersSlot { key: Key, slot: Slot },
    #[error("{0} belongs to another edge")]
    AnothersSa(Key),
    #[error("{0} is or was in use")]
    KeyTaken(Key),
    #[error("there is no tunnel {0}")]
    NoTunnel(Name),
    #[error("there is no {0}")]
    NoSuchRecord(Key),
    #[error("{child} does not fit its IKE SA: its {field} differs")]
    Mismatch { child: Key, field: &'static str },
    #[error("{ike} has {most} child SAs, as many as it may")]
    TooManyChildren { ike: Key, most: usize },
    #[error("{key} is at epoch {at}, not {asked}")]
    Epoch { key: Key, at: u64, asked: u64 },
    #[error("another process of edge {0} has begun a session, or none has")]
    NotTheNewestProcess(Name),
    #[error("tunnel {0} exists already; `--replace` puts this one in its place")]
    TunnelExists(Name),
    #[error("somebody else has changed tunnel {0} meanwhile: try again")]
    TunnelChanged(Name),
    #[error("tunnel {other} has the same {same}")]
    TunnelClash { other: Name, same: String },
    #[error(
        "tunnel {other} has remote_ts {prefix} in the same network namespace, which can route it into one of them only: \
         give each a namespace of its own (--netns), or other prefixes"
    )]
    SameRoute { other: Name, prefix: IpNet },
    #[error(
        "the address {address} of tunnel {of} is routed to tunnel {to}, which has a narrower remote_ts in the same network \
         namespace: give another address, or each tunnel a namespace of its own (--netns)"
    )]
    StrayAddress { address: IpAddr, of: Name, to: Name },
    #[error("tunnel {name} has id {id} and keeps it")]
    TunnelId { name: Name, id: u16 },
    #[error("all 1023 slots are in use")]
    NoSlot,
    #[error("all incarnations have been given away")]
    NoIncarnation,
}

impl Refusal {
    fn code(&self) -> Code {
        match self {
            Self::AnothersSlot { .. } | Self::AnothersSa(_) | Self::TooManyChildren { .. } => {
                Code::PermissionDenied
            }
            Self::KeyTaken(_)
            | Self::TunnelExists(_)
            | Self::TunnelClash { .. }
            | Self::SameRoute { .. }
            | Self::StrayAddress { .. } => Code::AlreadyExists,
            Self::NoTunnel(_) | Self::NoSuchRecord(_) => Code::NotFound,
            Self::Mismatch { .. } => Code::InvalidArgument,
            Self::Epoch { .. } | Self::NotTheNewestProcess(_) | Self::TunnelId { .. } => {
                Code::FailedPrecondition
            }
            Self::TunnelChanged(_) => Code::Aborted,
            Self::NoSlot | Self::NoIncarnation => Code::ResourceExhausted,
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
    }
}
