//! The one error of every conversion from the wire.

use std::fmt;

/// Octets of a value that are shown: it came from another machine and may be long.
const SHOWN: usize = 64;

/// A message that breaks a rule of the schema: which field, what it holds, and the rule.
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

    /// The same fault seen from the message that holds the field's message: `port` becomes `peer.port`.
    pub(crate) fn within(mut self, outer: impl fmt::Display) -> Self {
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

/// Takes a message's field that must be there.
pub(crate) fn required<T>(field: &str, value: Option<T>) -> Result<T, Invalid> {
    value.ok_or_else(|| Invalid::missing(field))
}

/// Converts a list, refusing one that is longer than `most` before looking at it.
pub(crate) fn list<W, T>(
    field: &str,
    items: Vec<W>,
    most: usize,
    convert: impl Fn(W) -> Result<T, Invalid>,
) -> Result<Vec<T>, Invalid> {
    if items.len() > most {
        return Err(Invalid::new(
            field,
            items.len(),
            format!("items are more than {most}"),
        ));
    }
    let numbered = items.into_iter().enumerate();
    numbered
        .map(|(index, item)| convert(item).map_err(|e| e.within(format_args!("{field}[{index}]"))))
        .collect()
}
