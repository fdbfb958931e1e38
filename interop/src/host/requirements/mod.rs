//! What the project says of itself, checked against what it is: quotes of RFCs beside the code, the tests that
//! `docs/requirements.md` names, paths and links in documents, and the words that `docs/glossary.md` refuses.
//!
//! RFCs themselves are not in the project. `docs/requirements/rfcNNNN.txt` holds the sentences that are quoted, by section;
//! [`compare`] checks these against the RFCs' texts and adds those that new quotes need.

mod comments;
mod documents;
mod extracts;
mod quotes;
mod rfc;
mod sources;
mod table;
mod test_names;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use anyhow::Result;

use self::extracts::Extracts;
use self::quotes::Quote;
use self::sources::Sources;
use self::table::Rule;

/// Something that is not so, and where that is said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fault {
    file: String,
    /// From 1.
    line: usize,
    what: String,
}

impl Fault {
    fn new(file: &str, line: usize, what: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            what: what.into(),
        }
    }
}

/// In the form that editors take.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// A section of an RFC.
type Section = (u32, String);

/// What came of reading the project.
#[derive(Debug, Default)]
pub struct Findings {
    /// What there is, a line each.
    pub said: Vec<String>,
    /// What is not so, a line each with its place; empty if all is well.
    pub faults: Vec<String>,
}

/// Checks the whole project, and says how many quotes, rules and tests there are for each RFC.
///
/// # Errors
/// A file cannot be read.
pub fn check() -> Result<Findings> {
    let sources = Sources::read(&super::workspace())?;
    let mut faults = Vec::new();
    let quotes = quotes::find(&sources, &mut faults);
    Extracts::read(&sources, &mut faults).check(&quotes, &mut faults);
    let rules = table::read(&sources, &mut faults);
    table::check(&rules, &quotes, &sources, &mut faults);
    documents::check(&sources, &mut faults);
    words::check(&sources, &mut faults);
    let said = summary(&quotes, &rules);
    let faults = lines(faults);
    Ok(Findings { said, faults })
}

fn lines(mut faults: Vec<Fault>) -> Vec<String> {
    faults.sort();
    faults.iter().map(ToString::to_string).collect()
}

#[derive(Default)]
struct Covered<'a> {
    quotes: usize,
    sections: BTreeSet<&'a str>,
    rules: usize,
    tests: BTreeSet<&'a str>,
}

fn summary(quotes: &[Quote], rules: &[Rule]) -> Vec<String> {
    let mut by_rfc: BTreeMap<u32, Covered<'_>> = BTreeMap::new();
    for quote in quotes {
        let covered = by_rfc.entry(quote.rfc).or_default();
        covered.quotes += 1;
        covered.sections.extend(quote.sections.iter().map(String::as_str));
    }
    for rule in rules {
        let rfcs: BTreeSet<u32> = rule.sections.iter().map(|(rfc, _)| *rfc).collect();
        for (rfc, section) in &rule.sections {
            by_rfc.entry(*rfc).or_default().sections.insert(section);
        }
        for rfc in rfcs {
            let covered = by_rfc.entry(rfc).or_default();
            covered.rules += 1;
            let names = rule.tests.iter().chain(&rule.scenarios);
            covered.tests.extend(names.map(String::as_str));
        }
    }
    let line = |(rfc, covered): (&u32, &Covered<'_>)| {
        format!(
            "RFC {rfc}: {} sections, {} rules kept by {} tests and scenarios, {} quotes",
            covered.sections.len(),
            covered.rules,
            covered.tests.len(),
            covered.quotes
        )
    };
    by_rfc.iter().map(line).collect()
}

/// Compares the extracts with the RFCs' texts in `texts` (`rfc7296.txt` and so on), and writes those that the quotes
/// need if `write` says so. Says, of the `sections` that are asked for (`7296:2.8`), which sentences there have MUST or SHOULD
/// and are not quoted.
///
/// # Errors
/// A file cannot be read or written.
pub fn compare(texts: &Path, write: bool, sections: &[String]) -> Result<Findings> {
    let workspace = super::workspace();
    let sources = Sources::read(&workspace)?;
    let mut faults = Vec::new();
    let quotes = quotes::find(&sources, &mut faults);
    let extracts = Extracts::read(&sources, &mut faults);
    let rfcs: BTreeSet<u32> = quotes.iter().map(|quote| quote.rfc).collect();
    let mut said = Vec::new();
    for number in rfcs {
        let of_rfc: Vec<&Quote> = quotes.iter().filter(|quote| quote.rfc == number).collect();
        let Some(text) = rfc::read(texts, number)? else {
            said.push(format!("RFC {number}: not compared, there is no rfc{number}.txt"));
            continue;
        };
        let needed = extracts::needed(&of_rfc, &text, &mut faults);
        if write {
            extracts::write(&workspace, number, &needed)?;
        } else {
            extracts.compare(number, &needed, &mut faults);
        }
        let open = sections
            .iter()
            .filter_map(|asked| asked.strip_prefix(&format!("{number}:")));
        for section in open {
            for sentence in text.normative(section) {
                if !of_rfc.iter().any(|quote| quote.is_in(sentence)) {
                    said.push(format!("RFC {number} section {section}: {sentence}"));
                }
            }
        }
    }
    let faults = lines(faults);
    Ok(Findings { said, faults })
}
