//! What every message needs to read its fields.

use crate::Invalid;

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
