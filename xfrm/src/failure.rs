//! What the kernel refused, why, and what an operator can do about it.

use std::fmt::{self, Write};
use std::io;

use crate::TunnelId;
use crate::netlink::Refusal;

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
    /// `action` says what could not be done.
    pub(crate) fn new(
        subject: Subject,
        action: &(impl fmt::Display + ?Sized),
        refusal: &Refusal,
        remedy: Option<&str>,
    ) -> Self {
        let errno = refusal.errno.raw_os_error();
        let mut text = format!("cannot {action}: {}", io::Error::from(refusal.errno));
        if let Some(reason) = &refusal.text {
            let _ = write!(text, ": {reason}");
        }
        if let Some(remedy) = remedy {
            let _ = write!(text, "; {remedy}");
        }
        Self { subject, errno, text }
    }
}
