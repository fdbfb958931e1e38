//! The one error of every value that comes from elsewhere.

use std::fmt;

/// Characters of a value that are shown: it came from another machine and may be long.
const SHOWN: usize = 64;

/// A value that breaks a rule: which field, what it holds, and the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    field: String,
    value: String,
    rule: String,
}

impl Invalid {
    /// `rule` goes on where the value ends: "is not a port".
    pub fn new(field: &str, value: impl fmt::Debug, rule: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            value: shorten(format!("{value:?}")),
            rule: rule.into(),
        }
    }

    /// A field that must be there and is not.
    pub fn missing(field: &str) -> Self {
        Self {
            field: field.to_owned(),
            value: "nothing".to_owned(),
            rule: "where a value is needed".to_owned(),
        }
    }

    /// The same fault seen from what holds the field: `port` becomes `peer.port`.
    pub fn within(mut self, outer: impl fmt::Display) -> Self {
        self.field = format!("{outer}.{}", self.field);
        self
    }

    /// The path of the field, such as `child_sa.peer.port`.
    pub fn field(&self) -> &str {
        &self.field
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.field, self.value, self.rule)
    }
}

impl std::error::Error for Invalid {}

fn shorten(text: String) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
