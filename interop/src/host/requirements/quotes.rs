//! Quotes of RFCs in comments.
//!
//! A paragraph that names an RFC and has text between `"` quotes it. Each quote belongs to the first source behind it,
//! `"..." and "..." (RFC 7296 section 2.8)`, or to the one right before it with a colon, `RFC 7296 section 2.8: "..."`. A source may
//! name several sections (`sections 1.3.1 and 1.3.2`), or none of an RFC that was named before in the paragraph (`section 1.3.2`).
//! `[...]` stands for what is left out. Between backticks nothing is quoted.

use super::Fault;
use super::comments::{Paragraph, paragraphs};
use super::sources::Sources;

/// Words of an RFC.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Quote {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) rfc: u32,
    /// It stands in one of these.
    pub(super) sections: Vec<String>,
    pub(super) words: String,
}

impl Quote {
    /// The parts between `[...]`, without the punctuation that the sentence around them may have brought.
    pub(super) fn parts(&self) -> impl Iterator<Item = &str> {
        self.words
            .split("[...]")
            .map(|part| part.trim().trim_end_matches(['.', ',', ';', ':']))
    }

    /// Whether `text` has all parts, in their order. A sentence may begin with a capital or, quoted in the middle of
    /// another, without.
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.span_in(text).is_some()
    }

    /// From where to where in `text` the quote goes.
    pub(super) fn span_in(&self, text: &str) -> Option<(usize, usize)> {
        let (mut start, mut end) = (None, 0);
        for part in self.parts() {
            let rest = text.get(end..)?;
            let at = rest.find(part).or_else(|| rest.find(&with_other_case(part)))?;
            start = start.or(Some(end + at));
            end += at + part.len();
        }
        Some((start?, end))
    }

    pub(super) fn fault(&self, what: impl Into<String>) -> Fault {
        Fault::new(&self.file, self.line, what)
    }

    /// `RFC 7296 section 2.8`.
    pub(super) fn source(&self) -> String {
        format!("RFC {} section {}", self.rfc, self.sections.join(" or "))
    }
}

fn with_other_case(part: &str) -> String {
    let mut letters = part.chars();
    let first = letters.next().map(|first| {
        if first.is_uppercase() {
            first.to_ascii_lowercase()
        } else {
            first.to_ascii_uppercase()
        }
    });
    first.into_iter().chain(letters).collect()
}

/// All quotes in comments, and those without a source as faults.
pub(super) fn find(sources: &Sources, faults: &mut Vec<Fault>) -> Vec<Quote> {
    let mut quotes = Vec::new();
    let files = sources.ending(".rs").chain(sources.ending(".proto"));
    for file in files {
        for paragraph in paragraphs(&file.text) {
            of_paragraph(&file.path, &paragraph, &mut quotes, faults);
        }
    }
    quotes
}

fn of_paragraph(file: &str, paragraph: &Paragraph, quotes: &mut Vec<Quote>, faults: &mut Vec<Fault>) {
    let text = without_code(&paragraph.text);
    let named = references(&text);
    if named.is_empty() {
        return;
    }
    let marks: Vec<usize> = text.match_indices('"').map(|(at, _)| at).collect();
    let (pairs, unpaired) = marks.as_chunks::<2>();
    if let [at] = unpaired {
        let what = "a quotation mark without its other one, in a paragraph that names an RFC";
        faults.push(Fault::new(file, paragraph.line_of(*at), what));
    }
    for &[open, close] in pairs {
        let line = paragraph.line_of(open);
        let before = named
            .iter()
            .find(|reference| text.get(reference.end..open) == Some(": "));
        let behind = named.iter().find(|reference| reference.start > close);
        match before.or(behind) {
            None => {
                let what = "a quote that no source follows; put code between backticks";
                faults.push(Fault::new(file, line, what));
            }
            Some(reference) if reference.sections.is_empty() => {
                let what = format!("a quote of RFC {} without its section", reference.rfc);
                faults.push(Fault::new(file, line, what));
            }
            Some(reference) => quotes.push(Quote {
                file: file.to_owned(),
                line,
                rfc: reference.rfc,
                sections: reference.sections.clone(),
                words: text[open + 1..close].to_owned(),
            }),
        }
    }
}

/// The text with what is between backticks made blank.
fn without_code(text: &str) -> String {
    let mut is_code = false;
    let blank = |letter: char| {
        is_code ^= letter == '`';
        if is_code && letter.is_ascii() { ' ' } else { letter }
    };
    text.chars().map(blank).collect()
}

/// An RFC that is named, perhaps with sections.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reference {
    start: usize,
    end: usize,
    pub(super) rfc: u32,
    pub(super) sections: Vec<String>,
}

/// `RFC 7296`, `RFC 7296 section 2.8`, `RFC 7296, sections 1.3.1 and 1.3.2`, or after one of these `section 2.9`.
pub(super) fn references(text: &str) -> Vec<Reference> {
    let mut found: Vec<Reference> = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let is_start = !text[..at].ends_with(|before: char| before.is_alphanumeric());
        let last = found.last().map(|reference| reference.rfc);
        let reference = is_start.then(|| reference(rest, last)).flatten();
        let len = match reference {
            Some((rfc, sections, len)) => {
                found.push(Reference {
                    start: at,
                    end: at + len,
                    rfc,
                    sections,
                });
                len
            }
            None => rest.chars().next().map_or(1, char::len_utf8),
        };
        at += len;
    }
    found
}

/// The reference that `text` begins with, and its length.
fn reference(text: &str, last: Option<u32>) -> Option<(u32, Vec<String>, usize)> {
    if let Some(rest) = text.strip_prefix("RFC ") {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let rfc = rest[..digits].parse().ok()?;
        let behind = &rest[digits..];
        let of = behind.strip_prefix(',').unwrap_or(behind).strip_prefix(' ');
        let (sections, behind) = of.and_then(sections).unwrap_or((Vec::new(), behind));
        return Some((rfc, sections, text.len() - behind.len()));
    }
    let (sections, behind) = sections(text)?;
    Some((last?, sections, text.len() - behind.len()))
}

/// The numbers behind `section` or `sections`, and what comes after them.
fn sections(text: &str) -> Option<(Vec<String>, &str)> {
    let mut rest = text
        .strip_prefix("sections ")
        .or_else(|| text.strip_prefix("section "))?;
    let mut sections = Vec::new();
    loop {
        let number = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.')
                .len();
        let section = rest[..number].trim_end_matches('.');
        if !section.contains(|c: char| c.is_ascii_digit()) {
            break;
        }
        sections.push(section.to_owned());
        rest = &rest[section.len()..];
        let more = [", ", " and ", " or "]
            .into_iter()
            .find_map(|joint| rest.strip_prefix(joint));
        match more.filter(|more| more.starts_with(|c: char| c.is_ascii_digit())) {
            Some(more) => rest = more,
            None => break,
        }
    }
    (!sections.is_empty()).then_some((sections, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC, sections, words.
    type Found = (u32, Vec<String>, String);

    fn quotes_of(comment: &str) -> (Vec<Found>, Vec<String>) {
        let (mut quotes, mut faults) = (Vec::new(), Vec::new());
        for paragraph in paragraphs(comment) {
            of_paragraph("a.rs", &paragraph, &mut quotes, &mut faults);
        }
        let quotes = quotes
            .into_iter()
            .map(|quote| (quote.rfc, quote.sections, quote.words));
        (quotes.collect(), faults.iter().map(ToString::to_string).collect())
    }

    fn quote(rfc: u32, sections: &[&str], words: &str) -> Found {
        let sections = sections.iter().map(ToString::to_string).collect();
        (rfc, sections, words.to_owned())
    }

    #[test]
    fn a_quote_belongs_to_the_source_behind_it() {
        let (quotes, faults) = quotes_of(
            "// It \"MUST\n// do\" and \"may\" (RFC 7296 section 2.8), and \"more\" (section 1.3.2).\n",
        );
        let expected = [
            quote(7296, &["2.8"], "MUST do"),
            quote(7296, &["2.8"], "may"),
            quote(7296, &["1.3.2"], "more"),
        ];
        assert_eq!(quotes, expected);
        assert_eq!(faults, Vec::<String>::new());
    }

    #[test]
    fn or_to_the_one_right_before_it() {
        let (quotes, faults) = quotes_of("// RFC 7296 section 2.25: \"a\", and not RFC 4555 section 3.8.\n");
        assert_eq!(quotes, [quote(7296, &["2.25"], "a")]);
        assert_eq!(faults, Vec::<String>::new());
    }

    #[test]
    fn a_source_may_name_several_sections() {
        let (quotes, _) = quotes_of("// \"a\" (RFC 7296 sections 1.3.1, 1.3.2 and 2.8). More.\n");
        assert_eq!(quotes, [quote(7296, &["1.3.1", "1.3.2", "2.8"], "a")]);
    }

    #[test]
    fn code_and_other_comments_quote_nothing() {
        let (quotes, faults) = quotes_of("// `\"a\"` is RFC 7296.\n\n// \"b\" is a word.\n");
        assert_eq!((quotes.len(), faults.len()), (0, 0));
    }

    #[test]
    fn a_quote_without_a_section_is_a_fault_and_its_line_is_told() {
        let (_, faults) =
            quotes_of("// RFC 7296 has\n// \"a\".\n\n// \"b\" (RFC 7296).\n\n// A \" in RFC 7296.\n");
        let lines: Vec<_> = faults
            .iter()
            .filter_map(|fault| fault.split(": ").next())
            .collect();
        assert_eq!(lines, ["a.rs:2", "a.rs:4", "a.rs:6"], "{faults:?}");
    }

    #[test]
    fn a_quote_is_found_in_spite_of_its_first_letter_and_its_end() {
        let quote = |words: &str| Quote {
            file: String::new(),
            line: 1,
            rfc: 1,
            sections: Vec::new(),
            words: words.to_owned(),
        };
        let text = "If so, it MUST end. Then it begins.";
        assert!(quote("It MUST end.").is_in(text));
        assert!(quote("if so [...] begins").is_in(text));
        assert!(!quote("begins [...] if so").is_in(text));
        assert!(!quote("it must end").is_in(text));
    }
}
