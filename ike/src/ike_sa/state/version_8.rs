//! The layout before the present one: what the peer has made beside our exchange was a part of that exchange.
//!
//! Types that both layouts have in common are those of today. The files in `golden` see to it that they stay as they are.

use serde::Deserialize;

use super::{Parameters, PeerReplacement, ReplacementSa, State};
use crate::ike_sa::child_sas::Children;
use crate::ike_sa::create_child_sa::followup::FollowUp;
use crate::ike_sa::create_child_sa::pending::{AwaitedResponse, Exchange, Subject};
use crate::ike_sa::create_child_sa::rekeying::RekeyState;
use crate::ike_sa::liveness::message_id::NextMessageId;
use crate::ike_sa::mobility::PeerAddress;
use crate::message::channel::Channel;
use crate::message::window::Window;
use crate::negotiation::nat::{Nat, Outer};
use crate::{Identity, IkeSuite, Path, Secret, Side};

pub(super) const VERSION: u8 = 8;

#[derive(Deserialize)]
struct StateV8 {
    suite: IkeSuite,
    sk_d: Secret,
    channel: Channel,
    tunnel: String,
    remote_id: Identity,
    path: Path,
    nat: Nat,
    outer: Outer,
    mobike: bool,
    unchecked: bool,
    follows_redirects: bool,
    follows_up: bool,
    peer_token: Option<Secret>,
    window: Window,
    next_request: NextMessageId,
    children: Children,
    made: u64,
    exchange: Option<Box<ExchangeV8>>,
    follow_up: Option<Box<FollowUp>>,
    replaced: Option<Side>,
}

#[derive(Deserialize)]
struct ExchangeV8 {
    subject: Subject,
    awaited: AwaitedResponse,
    message_id: u32,
    octets: Vec<u8>,
    rival: Option<RivalV8>,
}

#[derive(Deserialize)]
struct RivalV8 {
    lowest_nonce: Vec<u8>,
    sa: RivalSaV8,
}

#[derive(Deserialize)]
enum RivalSaV8 {
    Child(u32),
    Ike(Box<StateV8>),
}

/// The state, and the octets behind it.
pub(super) fn read(octets: &[u8]) -> postcard::Result<(State, &[u8])> {
    let (state, rest) = postcard::take_from_bytes::<StateV8>(octets)?;
    Ok((state.into(), rest))
}

impl From<StateV8> for State {
    fn from(old: StateV8) -> Self {
        let (exchange, rival) = match old.exchange.map(|exchange| *exchange) {
            None => (None, None),
            Some(ExchangeV8 {
                subject,
                awaited,
                message_id,
                octets,
                rival,
            }) => {
                let exchange = Exchange::new(subject, awaited, (message_id, octets));
                (Some(exchange), rival)
            }
        };
        Self {
            parameters: Parameters {
                suite: old.suite,
                sk_d: old.sk_d,
                tunnel: old.tunnel.into(),
                remote_id: old.remote_id.into(),
                follows_redirects: old.follows_redirects,
                made: old.made,
            },
            channel: old.channel,
            window: old.window,
            next_request: old.next_request,
            address: PeerAddress::recorded((old.path, old.nat), old.outer, old.mobike, old.unchecked),
            children: old.children,
            rekeys: RekeyState::recorded(exchange, old.follow_up, old.follows_up, old.replaced),
            peer_replacement: rival.map(PeerReplacement::from).map(Box::new),
            peer_token: old.peer_token,
        }
    }
}

impl From<RivalV8> for PeerReplacement {
    fn from(old: RivalV8) -> Self {
        Self {
            lowest_nonce: old.lowest_nonce,
            sa: match old.sa {
                RivalSaV8::Child(spi) => ReplacementSa::Child(spi),
                RivalSaV8::Ike(state) => ReplacementSa::Ike(Box::new((*state).into())),
            },
        }
    }
}
