//! What the kernel refused, in words an operator can act on.

use std::fmt::{self, Write};
use std::io;

use rustix::io::Errno;

use crate::TunnelId;
use crate::netlink::Refusal;
use crate::objects::diff::{Action, Step};
use crate::objects::{LinkId, PolicyId, Sa};

/// What a failure concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A tunnel's interface or routes.
    Tunnel(TunnelId),
    /// The SAs and policies of the child with this inbound SPI.
    Child(u32),
    /// The kernel's tables as a whole: a dump failed, say.
    Kernel,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tunnel(id) => write!(f, "tunnel {}", id.0),
            Self::Child(spi) => write!(f, "child SA {spi:#010x}"),
            Self::Kernel => f.write_str("the kernel"),
        }
    }
}

/// Something the kernel refuses at present. It is tried again at every [`Agent::reconcile`](crate::Agent::reconcile).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whose it is.
    pub subject: Subject,
    /// As in errno(3); 0 when the failure is not the kernel's.
    pub errno: i32,
    /// What failed, why, and the remedy where one is known. Holds no key.
    pub text: String,
}

impl Failure {
    pub(crate) fn new(step: &Step, refusal: &Refusal) -> Self {
        let errno = refusal.errno.raw_os_error();
        let mut text = format!(
            "cannot {}: {}",
            describe(&step.action),
            io::Error::from(refusal.errno)
        );
        if let Some(reason) = &refusal.text {
            let _ = write!(text, ": {reason}");
        }
        if let Some(remedy) = remedy(&step.action, refusal.errno) {
            let _ = write!(text, "; {remedy}");
        }
        Self {
            subject: step.subject,
            errno,
            text,
        }
    }
}

fn describe(action: &Action) -> String {
    match action {
        Action::CreateLink(id, link) => format!("create the xfrm interface {} in {}", link.name, place(id)),
        Action::MoveLink(id, link) => format!("move the interface {} to {}", link.name, place(id)),
        Action::RaiseLink(id, link) | Action::SetLink(id, link) => {
            format!("set up the interface {} in {}", link.name, place(id))
        }
        Action::RemoveLink(id) => format!(
            "remove the interface of tunnel {} from {}",
            id.tunnel.0,
            place(id)
        ),
        Action::AddRoute(route) => format!("add the route to {} in {}", route.prefix, place(&route.link)),
        Action::RemoveRoute(route) => {
            format!("remove the route to {} in {}", route.prefix, place(&route.link))
        }
        Action::AddSa(id, sa) => format!("add the SA {} with {}", id, algorithm(sa)),
        Action::UpdateSa(id, _) => format!("update the SA {}", id),
        Action::RemoveSa(id) => format!("remove the SA {}", id),
        Action::PutPolicy(id, _) => format!("add the policy for {}", pair(*id)),
        Action::RemovePolicy(id) => format!("remove the policy for {}", pair(*id)),
    }
}

fn place(id: &LinkId) -> String {
    id.netns.as_ref().map_or_else(
        || "the edge's namespace".into(),
        |name| format!("network namespace {name}"),
    )
}

fn algorithm(sa: &Sa) -> String {
    sa.cipher
        .as_ref()
        .map_or_else(|| "no algorithm".into(), ToString::to_string)
}

fn pair(id: PolicyId) -> String {
    format!("{} to {}", id.selector.local, id.selector.remote)
}

/// What the operator can do about it.
fn remedy(action: &Action, errno: Errno) -> Option<String> {
    if let (Errno::NOENT, Some(netns)) = (errno, action.netns()) {
        return Some(format!("create it with `ip netns add {netns}`"));
    }
    let remedy = match (action, errno) {
        (_, Errno::PERM | Errno::ACCESS) => "run with CAP_NET_ADMIN".into(),
        (Action::CreateLink(..), Errno::OPNOTSUPP) => "load the kernel module xfrm_interface".into(),
        (Action::CreateLink(..) | Action::MoveLink(..), Errno::EXIST | Errno::BUSY) => {
            "another interface has the name or the index; remove or rename it".into()
        }
        (Action::AddRoute(_), Errno::EXIST) => {
            "another route to the prefix is there; give overlapping customers a namespace each".into()
        }
        // The crypto API has no such algorithm, or none that its modules can build.
        (Action::AddSa(_, sa), Errno::NOSYS | Errno::NOENT) => {
            format!(
                "load the kernel modules that provide {} ({})",
                algorithm(sa),
                modules(&algorithm(sa))
            )
        }
        (Action::AddSa(id, _), Errno::PROTONOSUPPORT) => {
            format!(
                "load the kernel module {}",
                if id.destination.is_ipv4() { "esp4" } else { "esp6" }
            )
        }
        (Action::AddSa(..), Errno::EXIST) => {
            "another program holds an SA with that SPI and destination; remove it with `ip xfrm state delete`"
                .into()
        }
        _ => return None,
    };
    Some(remedy)
}

fn modules(algorithm: &str) -> &'static str {
    match algorithm {
        "rfc4106(gcm(aes))" => "seqiv, gcm, ctr, ghash_generic and an AES such as aesni_intel",
        "rfc7539esp(chacha20,poly1305)" => "seqiv, chacha20poly1305, chacha_generic and poly1305_generic",
        _ if algorithm.starts_with("cbc(aes) and hmac(sha") => {
            "echainiv, authenc, cbc, hmac, sha256_generic or sha512_generic, and an AES such as aesni_intel"
        }
        _ if algorithm.starts_with("ecb(cipher_null) and hmac(sha") => {
            "authenc, crypto_null, hmac, and sha256_generic or sha512_generic"
        }
        _ => "is the name right?",
    }
}
