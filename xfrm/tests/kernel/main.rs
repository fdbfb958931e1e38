//! Tests against a real kernel: need root, ESP and xfrm interfaces. Each makes its own network namespaces.

mod forwarding;
mod world;
