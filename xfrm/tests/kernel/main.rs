//! Tests against a real kernel: need root, ESP and xfrm interfaces. Each makes its own network namespaces.

mod adoption;
mod events;
mod failures;
mod forwarding;
mod lifetime;
mod namespaces;
mod rekey;
mod scale;
mod world;
