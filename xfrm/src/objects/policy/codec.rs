//! Policies: `struct xfrm_userpolicy_info` and its attributes (linux/xfrm.h).

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the packet crates' enums grow with the kernel: what is unknown is passed over"
)]

use ipnet::IpNet;
use netlink_packet_core::{NlaBuffer, NlasIterator, Parseable, parse_u32};
use netlink_packet_xfrm::constants::{
    IPPROTO_ESP, XFRM_MODE_TUNNEL, XFRM_POLICY_ALLOW, XFRM_POLICY_FWD, XFRM_POLICY_IN, XFRM_POLICY_OUT,
    XFRMA_IF_ID, XFRMA_TMPL,
};
use netlink_packet_xfrm::policy::{DelGetMessage, ModifyMessage};
use netlink_packet_xfrm::{
    Address, Selector as KernelSelector, UserPolicyInfo, UserTemplate, XFRM_USER_POLICY_INFO_LEN, XfrmAttrs,
    XfrmMessage,
};

use super::{Direction, Policy, PolicyId, Template};
use crate::netlink::Request;
use crate::objects::address::{family, ip};
use crate::{PortMask, Selector, Subject, TunnelId};

/// Adds the policy or replaces the one with its id, with no packet judged by neither.
pub(crate) fn put(id: PolicyId, policy: &Policy) -> Request {
    let info = UserPolicyInfo {
        selector: encode_selector(id.direction, id.selector),
        priority: policy.priority,
        direction: encode_direction(id.direction),
        action: XFRM_POLICY_ALLOW,
        ..UserPolicyInfo::default()
    };
    let mut nlas = vec![XfrmAttrs::IfId(id.tunnel.if_id())];
    if let Some(template) = policy.template {
        let mut user = UserTemplate::default();
        user.source(&template.source);
        user.destination(&template.destination);
        user.id.proto = IPPROTO_ESP;
        user.id.spi = template.spi;
        user.mode = XFRM_MODE_TUNNEL;
        user.reqid = id.tunnel.if_id();
        nlas.push(XfrmAttrs::Template(vec![user]));
    }
    Request::new(
        0,
        &XfrmMessage::UpdatePolicy(ModifyMessage {
            user_policy_info: info,
            nlas,
        }),
    )
}

pub(crate) fn remove(id: PolicyId) -> Request {
    let mut message = DelGetMessage::default();
    message.user_policy_id.selector = encode_selector(id.direction, id.selector);
    message.user_policy_id.direction = encode_direction(id.direction);
    message.nlas.push(XfrmAttrs::IfId(id.tunnel.if_id()));
    Request::new(0, &XfrmMessage::DeletePolicy(message))
}

pub(crate) fn dump() -> Request {
    Request::new(0, &XfrmMessage::GetPolicy(DelGetMessage::default()))
}

/// Reads XFRM_MSG_NEWPOLICY. `None` for a policy that is not ours, or not understood and therefore not ours.
pub(crate) fn parse(payload: &[u8]) -> Option<(PolicyId, Policy)> {
    let info = UserPolicyInfo::parse(payload).ok()?;
    let mut if_id = 0;
    let mut templates = Vec::new();
    for nla in NlasIterator::new(payload.get(XFRM_USER_POLICY_INFO_LEN..)?) {
        let nla = nla.ok()?;
        match nla.kind() {
            XFRMA_IF_ID => if_id = parse_u32(nla.value()).ok()?,
            XFRMA_TMPL => templates = parse_templates(&nla)?,
            _ => {}
        }
    }
    let tunnel = TunnelId::from_if_id(if_id)?;
    let direction = decode_direction(info.direction)?;
    let id = PolicyId {
        tunnel,
        direction,
        selector: decode_selector(direction, &info.selector)?,
    };
    let template = match templates.as_slice() {
        [template] if info.action == XFRM_POLICY_ALLOW => decode_template(tunnel, template),
        _ => None,
    };
    Some((
        id,
        Policy {
            owner: Subject::Tunnel(tunnel),
            priority: info.priority,
            template,
        },
    ))
}

fn parse_templates(nla: &NlaBuffer<&[u8]>) -> Option<Vec<UserTemplate>> {
    match XfrmAttrs::parse(nla).ok()? {
        XfrmAttrs::Template(templates) => Some(templates),
        _ => None,
    }
}

fn decode_template(tunnel: TunnelId, template: &UserTemplate) -> Option<Template> {
    let is_our_form = template.id.proto == IPPROTO_ESP
        && template.mode == XFRM_MODE_TUNNEL
        && template.reqid == tunnel.if_id()
        && template.optional == 0;
    if !is_our_form {
        return None;
    }
    Some(Template {
        source: ip(&template.saddr, template.family)?,
        destination: ip(&template.id.daddr, template.family)?,
        spi: template.id.spi,
    })
}

fn encode_direction(direction: Direction) -> u8 {
    match direction {
        Direction::In => XFRM_POLICY_IN,
        Direction::Forward => XFRM_POLICY_FWD,
        Direction::Out => XFRM_POLICY_OUT,
    }
}

fn decode_direction(direction: u8) -> Option<Direction> {
    match direction {
        XFRM_POLICY_IN => Some(Direction::In),
        XFRM_POLICY_FWD => Some(Direction::Forward),
        XFRM_POLICY_OUT => Some(Direction::Out),
        _ => None,
    }
}

/// The kernel's selector is of a packet with its source and destination; ours of a tunnel with its two sides.
fn encode_selector(direction: Direction, selector: Selector) -> KernelSelector {
    let local = (selector.local, selector.local_ports);
    let remote = (selector.remote, selector.remote_ports);
    let ((source, source_ports), (destination, destination_ports)) = match direction {
        Direction::Out => (local, remote),
        Direction::In | Direction::Forward => (remote, local),
    };
    // Not by the crate's `source_prefix`, which makes 0.0.0.0/8 into 0.0.0.0/0.
    KernelSelector {
        saddr: Address::from_ip(&source.addr()),
        prefixlen_s: source.prefix_len(),
        sport: source_ports.port(),
        sport_mask: source_ports.mask(),
        daddr: Address::from_ip(&destination.addr()),
        prefixlen_d: destination.prefix_len(),
        dport: destination_ports.port(),
        dport_mask: destination_ports.mask(),
        family: family(source.addr()),
        proto: selector.protocol,
        ..KernelSelector::default()
    }
}

fn decode_selector(direction: Direction, kernel: &KernelSelector) -> Option<Selector> {
    let prefix = |address, length| IpNet::new(ip(address, kernel.family)?, length).ok();
    let source = prefix(&kernel.saddr, kernel.prefixlen_s)?;
    let destination = prefix(&kernel.daddr, kernel.prefixlen_d)?;
    let source_ports = PortMask::new(kernel.sport, kernel.sport_mask);
    let destination_ports = PortMask::new(kernel.dport, kernel.dport_mask);
    let ((local, local_ports), (remote, remote_ports)) = match direction {
        Direction::Out => ((source, source_ports), (destination, destination_ports)),
        Direction::In | Direction::Forward => ((destination, destination_ports), (source, source_ports)),
    };
    Some(Selector {
        local,
        remote,
        protocol: kernel.proto,
        local_ports,
        remote_ports,
    })
}
