//! The text of an RFC: its sections, without what pages and lines have done to it.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};

/// What makes a sentence a rule (RFC 2119).
const KEYWORDS: [&str; 5] = ["MUST", "SHALL", "SHOULD", "REQUIRED", "RECOMMENDED"];

/// By section, the sentences that stand directly in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rfc(BTreeMap<String, Vec<String>>);

impl Rfc {
    pub(super) fn sentences(&self, section: &str) -> &[String] {
        self.0.get(section).map_or(&[], Vec::as_slice)
    }

    /// Those that demand or recommend something.
    pub(super) fn normative(&self, section: &str) -> impl Iterator<Item = &str> {
        let sentences = self.sentences(section).iter().map(String::as_str);
        sentences.filter(|sentence| {
            sentence
                .split(|c: char| !c.is_alphabetic())
                .any(|word| KEYWORDS.contains(&word))
        })
    }

    fn parse(text: &str) -> Self {
        let mut sections = BTreeMap::new();
        let (mut section, mut paragraph) = (String::new(), String::new());
        for line in lines(text) {
            let heading = heading(line);
            if line.trim().is_empty() || heading.is_some() {
                add(&mut sections, &section, &std::mem::take(&mut paragraph));
            }
            match heading {
                Some(number) => section = number,
                None => join(&mut paragraph, line.trim()),
            }
        }
        add(&mut sections, &section, &paragraph);
        Self(sections)
    }
}

/// `None` if there is no such file.
pub(super) fn read(texts: &Path, number: u32) -> Result<Option<Rfc>> {
    let path = texts.join(format!("rfc{number}.txt"));
    match fs::read(&path) {
        Ok(text) => Ok(Some(Rfc::parse(&String::from_utf8_lossy(&text)))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// The lines without what a page ends and begins with, which may stand in the middle of a sentence.
fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = Vec::new();
    let mut is_page_top = false;
    for line in text.lines() {
        let line = line.trim_end().trim_start_matches('\u{c}');
        let is_footer = line.ends_with(']') && line.contains("[Page ");
        let is_header = line.starts_with("RFC ") && line.ends_with(|c: char| c.is_ascii_digit());
        if is_footer {
            while lines.last().is_some_and(|last| last.is_empty()) {
                lines.pop();
            }
            is_page_top = true;
        } else if !(is_page_top && (is_header || line.is_empty())) {
            is_page_top = false;
            lines.push(line);
        }
    }
    lines
}

/// The number of the section that begins here: `2.8.1.  Simultaneous Child SA Rekeying`.
fn heading(line: &str) -> Option<String> {
    let (number, title) = line.strip_prefix("Appendix ").unwrap_or(line).split_once(' ')?;
    let number = number.trim_end_matches('.');
    let mut parts = number.split('.');
    let first = parts.next()?;
    let is_first = first.parse::<u8>().is_ok() || matches!(first.as_bytes(), [b'A'..=b'Z']);
    let is_number = is_first && parts.all(|part| part.parse::<u8>().is_ok());
    let is_title = title
        .trim_start()
        .starts_with(|c: char| c.is_ascii_alphanumeric());
    // A table of contents has dots between the title and its page.
    (is_number && is_title && !title.contains(" . ") && !title.contains("....")).then(|| number.to_owned())
}

/// A word that is divided at a hyphen goes on without a space.
fn join(paragraph: &mut String, line: &str) {
    if !paragraph.is_empty() && !line.is_empty() && !paragraph.ends_with('-') {
        paragraph.push(' ');
    }
    let mut words = line.split_whitespace();
    if let Some(first) = words.next() {
        paragraph.push_str(first);
    }
    words.for_each(|word| {
        paragraph.push(' ');
        paragraph.push_str(word);
    });
}

fn add(sections: &mut BTreeMap<String, Vec<String>>, section: &str, paragraph: &str) {
    let sentences = sections.entry(section.to_owned()).or_default();
    let mut rest = paragraph;
    while !rest.is_empty() {
        let end = rest
            .match_indices(". ")
            .map(|(at, _)| at)
            .find(|at| is_end(&rest[..*at], &rest[at + 2..]))
            .map_or(rest.len(), |at| at + 1);
        sentences.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
}

fn is_end(before: &str, behind: &str) -> bool {
    let last = before
        .rsplit(' ')
        .next()
        .unwrap_or_default()
        .trim_start_matches('(');
    let is_abbreviation = ["i.e", "e.g", "cf", "vs", "al", "etc"].contains(&last);
    !is_abbreviation && behind.starts_with(|c: char| c.is_uppercase() || "\"([".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
RFC 1                            Example                    October 2014

   1.  Introduction ....................................................1
   2.1.  Rules . . . . . . . . . . . . . . . . . . . . . . . . . . . .  2

2.  Rules

   A proposal, e.g. This one, is usual.  It MUST NOT come first and may
   be multi-
   homed, and SHOULD

Author                       Standards Track                    [Page 1]
\u{c}
RFC 1                            Example                    October 2014

   listen.

2.1.  More

   Nothing.
Appendix A.  Notes

   The end.
";

    #[test]
    fn pages_and_lines_leave_no_trace() {
        let rfc = Rfc::parse(TEXT);
        let expected = [
            "A proposal, e.g. This one, is usual.",
            "It MUST NOT come first and may be multi-homed, and SHOULD listen.",
        ];
        assert_eq!(rfc.sentences("2"), expected);
        assert_eq!(rfc.sentences("2.1"), ["Nothing."]);
        assert_eq!(rfc.sentences("A"), ["The end."]);
        assert_eq!(rfc.sentences("3"), Vec::<String>::new());
    }

    #[test]
    fn rules_are_the_sentences_with_a_keyword() {
        let rfc = Rfc::parse(TEXT);
        assert_eq!(rfc.normative("2").count(), 1);
        assert_eq!(rfc.normative("2.1").count(), 0);
    }
}
