//! What the kernel refused, in words an operator can act on.

use crate::TunnelId;

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
