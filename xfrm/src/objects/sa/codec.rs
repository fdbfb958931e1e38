//! SAs: `struct xfrm_usersa_info` and its attributes (linux/xfrm.h).

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the packet crates' enums grow with the kernel: what is unknown is passed over"
)]

use netlink_packet_core::{DefaultNla, NlaBuffer, NlasIterator, Parseable, parse_u32};
use netlink_packet_xfrm::constants::{
    IPPROTO_ESP, XFRM_INF, XFRM_MODE_TUNNEL, XFRM_STATE_AF_UNSPEC, XFRMA_ENCAP, XFRMA_IF_ID,
    XFRMA_MTIMER_THRESH,
};
use netlink_packet_xfrm::state::{DelGetMessage, GetDumpMessage, ModifyMessage};
use netlink_packet_xfrm::{Address, EncapTmpl, UserSaInfo, XFRM_USER_SA_INFO_LEN, XfrmAttrs, XfrmMessage};

use super::{Ports, Sa, SaId, cipher};
use crate::netlink::Request;
use crate::objects::address::{family, ip};
use crate::{Subject, TunnelId};

/// UDP_ENCAP_ESPINUDP (linux/udp.h).
const ESP_IN_UDP: u16 = 2;

/// The kernel tells of each packet from an unexpected port, until the SA has the port; of one in so many seconds with this.
const MAPPING_SECONDS: u32 = 1;

/// `now` in seconds of Unix time: the lifetime counts from when the kernel adds the SA.
pub(crate) fn add(id: SaId, sa: &Sa, now: u64) -> Request {
    modify(XfrmMessage::AddSa, id, sa, now)
}

/// Takes limits and ports over into the SA that is there; counters, sequence number and keys stay.
pub(crate) fn update(id: SaId, sa: &Sa) -> Request {
    modify(XfrmMessage::UpdateSa, id, sa, sa.added)
}

pub(crate) fn remove(id: SaId) -> Request {
    let mut message = DelGetMessage::default();
    message.user_sa_id.daddr = Address::from_ip(&id.destination);
    message.user_sa_id.family = family(id.destination);
    message.user_sa_id.spi = id.spi;
    message.user_sa_id.proto = IPPROTO_ESP;
    Request::new(0, &XfrmMessage::DeleteSa(message))
}

pub(crate) fn dump() -> Request {
    Request::new(0, &XfrmMessage::GetDumpSa(GetDumpMessage::default()))
}

fn modify(kind: fn(ModifyMessage) -> XfrmMessage, id: SaId, sa: &Sa, added: u64) -> Request {
    let mut info = UserSaInfo::default();
    info.destination(&id.destination);
    info.source(&sa.source);
    info.id.spi = id.spi;
    info.id.proto = IPPROTO_ESP;
    info.mode = XFRM_MODE_TUNNEL;
    info.reqid = sa.tunnel.if_id();
    // Any family inside, whatever the one outside.
    info.flags = XFRM_STATE_AF_UNSPEC;
    // RFC 4303 section 2.2: no anti-replay where many senders share an SA.
    info.replay_window = 0;
    info.lifetime_cfg.hard_packet_limit = sa.packet_limit.unwrap_or(XFRM_INF);
    info.lifetime_cfg.soft_packet_limit = sa.soft_packet_limit.unwrap_or(XFRM_INF);
    info.lifetime_cfg.soft_byte_limit = sa.soft_byte_limit.unwrap_or(XFRM_INF);
    info.lifetime_cfg.hard_add_expires_seconds = sa
        .expires
        .map_or(0, |expires| expires.saturating_sub(added).max(1));

    let mut nlas = vec![XfrmAttrs::IfId(sa.tunnel.if_id())];
    if let Some(cipher) = &sa.cipher {
        nlas.extend(cipher::attributes(cipher));
    }
    if let Some(ports) = sa.encap {
        if sa.is_inbound(id) {
            let seconds = MAPPING_SECONDS.to_ne_bytes().to_vec();
            nlas.push(XfrmAttrs::Other(DefaultNla::new(XFRMA_MTIMER_THRESH, seconds)));
        }
        nlas.push(XfrmAttrs::EncapsulationTemplate(EncapTmpl {
            encap_type: ESP_IN_UDP,
            encap_sport: ports.source,
            encap_dport: ports.destination,
            encap_oa: Address::default(),
        }));
    }
    let message = kind(ModifyMessage {
        user_sa_info: info,
        nlas,
    });
    let request = Request::new(0, &message);
    wipe(message);
    request
}

fn wipe(message: XfrmMessage) {
    if let XfrmMessage::AddSa(mut message) | XfrmMessage::UpdateSa(mut message) = message {
        cipher::wipe(&mut message.nlas);
    }
}

/// Reads XFRM_MSG_NEWSA. `None` for an SA that is not ours, or not understood and therefore not ours.
pub(crate) fn parse(payload: &[u8]) -> Option<(SaId, Sa)> {
    let info = UserSaInfo::parse(payload).ok()?;
    let tunnel = TunnelId::from_if_id(info.reqid)?;
    if info.id.proto != IPPROTO_ESP {
        return None;
    }
    let id = SaId {
        destination: ip(&info.id.daddr, info.family)?,
        spi: info.id.spi,
    };
    let mut sa = Sa {
        owner: Subject::Tunnel(tunnel),
        tunnel,
        source: ip(&info.saddr, info.family)?,
        encap: None,
        cipher: None,
        added: info.lifetime_cur.add_time,
        expires: None,
        packet_limit: limit(info.lifetime_cfg.hard_packet_limit),
        soft_packet_limit: limit(info.lifetime_cfg.soft_packet_limit),
        soft_byte_limit: limit(info.lifetime_cfg.soft_byte_limit),
    };
    if info.lifetime_cfg.hard_add_expires_seconds != 0 {
        sa.expires = Some(
            sa.added
                .saturating_add(info.lifetime_cfg.hard_add_expires_seconds),
        );
    }
    let (mut if_id, mut ciphers) = (0, cipher::Found::default());
    for nla in NlasIterator::new(payload.get(XFRM_USER_SA_INFO_LEN..)?) {
        let nla = nla.ok()?;
        match nla.kind() {
            XFRMA_ENCAP => sa.encap = Some(parse_encap(&nla)?),
            XFRMA_IF_ID => if_id = parse_u32(nla.value()).ok()?,
            kind => ciphers.read(kind, nla.value())?,
        }
    }
    if if_id != tunnel.if_id() {
        return None;
    }
    let is_our_form = info.mode == XFRM_MODE_TUNNEL
        && info.replay_window == 0
        && info.flags == XFRM_STATE_AF_UNSPEC
        && info.lifetime_cfg.hard_byte_limit == XFRM_INF;
    if is_our_form {
        sa.cipher = ciphers.cipher();
    }
    Some((id, sa))
}

fn limit(limit: u64) -> Option<u64> {
    (limit != XFRM_INF).then_some(limit)
}

fn parse_encap(nla: &NlaBuffer<&[u8]>) -> Option<Ports> {
    match XfrmAttrs::parse(nla).ok()? {
        XfrmAttrs::EncapsulationTemplate(encap) => Some(Ports {
            source: encap.encap_sport,
            destination: encap.encap_dport,
        }),
        _ => None,
    }
}
