//! Names that operators give, and names that the kernel takes.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::{Invalid, limits};

/// The name of a tunnel or an edge: 1 to 63 letters, digits, `.`, `_` and `-` of ASCII, a letter or digit first.
/// So it can stand in a URI, a path, a log line or a command without quoting.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

/// The name of a network interface, as the kernel's `dev_valid_name` has it, of printable ASCII and without the `%`
/// that would make it a pattern.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceName(Arc<str>);

/// The name of a network namespace: a file name under `/run/netns`, of printable ASCII.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetnsName(Arc<str>);

impl FromStr for Name {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let plain = |c: u8| c.is_ascii_alphanumeric() || b"._-".contains(&c);
        let starts_well = text.bytes().next().is_some_and(|c| c.is_ascii_alphanumeric());
        if starts_well && text.len() <= limits::NAME && text.bytes().all(plain) {
            Ok(Self(text.into()))
        } else {
            Err(Invalid::new(
                "name",
                text,
                "is not 1 to 63 letters, digits, '.', '_', '-', a letter or digit first",
            ))
        }
    }
}

/// Interfaces that every namespace has, and names that stand for all of them.
const INTERFACES_OF_THE_KERNEL: [&str; 3] = ["lo", "all", "default"];

impl FromStr for InterfaceName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if INTERFACES_OF_THE_KERNEL.contains(&text) {
            let reason = "is a name of the kernel's own";
            return Err(Invalid::new("interface", text, reason));
        }
        let allowed = |c: u8| c.is_ascii_graphic() && !b"/:%".contains(&c);
        let fits = (1..=limits::INTERFACE_NAME).contains(&text.len());
        if fits && text.bytes().all(allowed) && !is_dots(text) {
            Ok(Self(text.into()))
        } else {
            Err(Invalid::new(
                "interface",
                text,
                "is not 1 to 15 printable characters without '/', ':' and '%'",
            ))
        }
    }
}

impl FromStr for NetnsName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let allowed = |c: u8| c.is_ascii_graphic() && c != b'/';
        let fits = (1..=limits::NETNS_NAME).contains(&text.len());
        if fits && text.bytes().all(allowed) && !is_dots(text) {
            Ok(Self(text.into()))
        } else {
            Err(Invalid::new(
                "netns",
                text,
                "is not 1 to 255 printable characters without '/'",
            ))
        }
    }
}

/// The two names that every directory has already.
fn is_dots(text: &str) -> bool {
    text == "." || text == ".."
}

/// What all three kinds of names have in common.
macro_rules! string_like {
    ($($name:ident),+) => {$(
        impl $name {
            /// The name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        /// Maps by name can be asked with a plain string.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl From<&$name> for String {
            fn from(name: &$name) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    )+};
}

string_like!(Name, InterfaceName, NetnsName);
