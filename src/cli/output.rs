//! What commands print: tables for people, JSON for programs.

use std::io::{self, ErrorKind, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::failure::Failure;

/// Prints lines of text.
pub(super) fn text(text: impl std::fmt::Display) -> Result<(), Failure> {
    match writeln!(io::stdout().lock(), "{text}") {
        // A reader such as `head` that has seen enough is no failure.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Prints one JSON document.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    text(serde_json::to_string_pretty(value).map_err(io::Error::from)?)
}

/// Prints a table; a cell may have several lines.
pub(super) fn table<Row: IntoIterator<Item = String>>(
    header: &[&str],
    rows: impl IntoIterator<Item = Row>,
) -> Result<(), Failure> {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(header)
        .add_rows(rows);
    table.set_content_arrangement(ContentArrangement::Disabled);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    text(table.trim_fmt())
}
