//! The sentences of RFCs that are quoted: `docs/requirements/rfcNNNN.txt`.
//!
//! ```text
//! RFC 7296: what comments quote of it, by section.
//!
//! 2.8
//!     A sentence, in lines of any length.
//!
//!     Sentences that are quoted as one stand together. So this is the second paragraph.
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::quotes::Quote;
use super::rfc::Rfc;
use super::sources::Sources;
use super::{Fault, Section};

const FOLDER: &str = "docs/requirements";
const WIDTH: usize = 110;

/// A paragraph, and the line it begins in.
type Paragraph = (usize, String);

/// All files.
#[derive(Default)]
pub(super) struct Extracts(BTreeMap<Section, Vec<Paragraph>>);

impl Extracts {
    pub(super) fn read(sources: &Sources, faults: &mut Vec<Fault>) -> Self {
        let mut extracts = Self::default();
        for file in sources.ending(".txt") {
            let Some(name) = file.path.strip_prefix(FOLDER) else {
                continue;
            };
            let number = name.trim_start_matches("/rfc").trim_end_matches(".txt").parse();
            match number {
                Ok(number) => extracts.parse(number, &file.text),
                Err(_) => faults.push(Fault::new(&file.path, 1, "not called like an RFC: rfcNNNN.txt")),
            }
        }
        extracts
    }

    fn parse(&mut self, rfc: u32, text: &str) {
        let mut section = None;
        let mut is_new = true;
        for (index, line) in text.lines().enumerate().skip(1) {
            if line.trim().is_empty() {
                is_new = true;
            } else if !line.starts_with(' ') {
                section = Some((rfc, line.trim().to_owned()));
                is_new = true;
            } else if let Some(section) = &section {
                let paragraphs = self.0.entry(section.clone()).or_default();
                match paragraphs.last_mut().filter(|_| !is_new) {
                    Some((_, paragraph)) => {
                        paragraph.push(' ');
                        paragraph.push_str(line.trim());
                    }
                    None => paragraphs.push((index + 1, line.trim().to_owned())),
                }
                is_new = false;
            }
        }
    }

    /// Each quote stands in the extract of its section, and nothing stands there that nobody quotes.
    pub(super) fn check(&self, quotes: &[Quote], faults: &mut Vec<Fault>) {
        let mut used = BTreeSet::new();
        for quote in quotes {
            let mut is_found = false;
            for section in &quote.sections {
                let key = (quote.rfc, section.clone());
                let paragraphs = self.0.get(&key).map_or(&[][..], Vec::as_slice);
                let (whole, starts) = joined(paragraphs);
                if let Some((start, end)) = quote.span_in(&whole) {
                    is_found = true;
                    let touched = |index: &usize| starts[*index] < end && start < starts[index + 1];
                    used.extend(
                        (0..paragraphs.len())
                            .filter(touched)
                            .map(|index| (key.clone(), index)),
                    );
                }
            }
            if !is_found {
                let what = format!("{} does not say \"{}\"", quote.source(), quote.words);
                faults.push(quote.fault(what));
            }
        }
        for (key, paragraphs) in &self.0 {
            for (index, (line, _)) in paragraphs.iter().enumerate() {
                if !used.contains(&(key.clone(), index)) {
                    faults.push(Fault::new(&path(key.0), *line, "no comment quotes this"));
                }
            }
        }
    }

    /// Compares the file with what it would be if it were written now.
    pub(super) fn compare(&self, rfc: u32, needed: &Needed, faults: &mut Vec<Fault>) {
        for (section, sentences) in needed {
            let key = (rfc, section.clone());
            let paragraphs = self.0.get(&key).map_or(&[][..], Vec::as_slice);
            for sentence in sentences {
                if !paragraphs.iter().any(|(_, paragraph)| paragraph == sentence) {
                    let what = format!("section {section} lacks: {sentence}");
                    faults.push(Fault::new(&path(rfc), 1, what));
                }
            }
            for (line, paragraph) in paragraphs {
                if !sentences.contains(paragraph) {
                    let what = format!("section {section} of the RFC does not have it so: {paragraph}");
                    faults.push(Fault::new(&path(rfc), *line, what));
                }
            }
        }
    }
}

/// The paragraphs as one text, and where each begins; the last number is where the text ends.
fn joined(paragraphs: &[Paragraph]) -> (String, Vec<usize>) {
    let (mut whole, mut starts) = (String::new(), Vec::new());
    for (_, paragraph) in paragraphs {
        starts.push(whole.len());
        whole.push_str(paragraph);
        whole.push('\n');
    }
    starts.push(whole.len());
    (whole, starts)
}

fn path(rfc: u32) -> String {
    format!("{FOLDER}/rfc{rfc}.txt")
}

/// By section, the paragraphs of an extract.
pub(super) type Needed = BTreeMap<String, Vec<String>>;

/// The sentences that hold the quotes of one RFC, in the order of the RFC.
pub(super) fn needed(quotes: &[&Quote], rfc: &Rfc, faults: &mut Vec<Fault>) -> Needed {
    let mut marked: BTreeMap<String, BTreeMap<usize, bool>> = BTreeMap::new();
    for quote in quotes {
        let mut is_found = false;
        for section in &quote.sections {
            let sentences = rfc.sentences(section);
            let (mut whole, mut starts) = (String::new(), Vec::new());
            for sentence in sentences {
                starts.push(whole.len());
                whole.push_str(sentence);
                whole.push(' ');
            }
            let Some((start, end)) = quote.span_in(&whole) else {
                continue;
            };
            is_found = true;
            let first = starts.partition_point(|at| *at <= start) - 1;
            let last = starts.partition_point(|at| *at < end) - 1;
            let marks = marked.entry(section.clone()).or_default();
            // With something left out only the ends are needed.
            let is_run = quote.parts().count() == 1;
            for index in [first, last]
                .into_iter()
                .chain(is_run.then_some(first..last).into_iter().flatten())
            {
                let continues = is_run && index > first;
                *marks.entry(index).or_default() |= continues;
            }
        }
        if !is_found {
            let what = format!("{} does not say \"{}\"", quote.source(), quote.words);
            faults.push(quote.fault(what));
        }
    }
    let paragraphs = |(section, marks): (String, BTreeMap<usize, bool>)| {
        let sentences = rfc.sentences(&section);
        let mut paragraphs: Vec<String> = Vec::new();
        for (index, continues) in marks {
            match paragraphs.last_mut().filter(|_| continues) {
                Some(last) => {
                    last.push(' ');
                    last.push_str(&sentences[index]);
                }
                None => paragraphs.push(sentences[index].clone()),
            }
        }
        (section, paragraphs)
    };
    marked.into_iter().map(paragraphs).collect()
}

/// Writes the file of one RFC.
pub(super) fn write(workspace: &Path, rfc: u32, needed: &Needed) -> Result<()> {
    let mut text = format!(
        "RFC {rfc}: what comments quote of it, by section. Compared with the RFC by `interop requirements --rfc DIR`.\n"
    );
    let mut sections: Vec<_> = needed.iter().collect();
    sections.sort_by_key(|(section, _)| order(section));
    for (section, paragraphs) in sections {
        text += &format!("\n{section}\n");
        let paragraphs: Vec<String> = paragraphs.iter().map(|paragraph| wrapped(paragraph)).collect();
        text += &paragraphs.join("\n");
    }
    let path = workspace.join(path(rfc));
    fs::write(&path, text).with_context(|| path.display().to_string())
}

/// 2.10 comes behind 2.9, and appendices behind all of them.
fn order(section: &str) -> Vec<u32> {
    let number = |part: &str| part.parse().unwrap_or(u32::MAX);
    section.split('.').map(number).collect()
}

fn wrapped(paragraph: &str) -> String {
    let (mut lines, mut line) = (String::new(), String::from("   "));
    for word in paragraph.split(' ') {
        if line.len() + word.len() >= WIDTH {
            lines += &line;
            lines.push('\n');
            line = String::from("   ");
        }
        line.push(' ');
        line.push_str(word);
    }
    lines + &line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXTRACT: &str = "RFC 1: what comments quote.\n\n2.8\n    It MUST\n    end. Then more.\n\n    It may not.\n\n2.9\n    Other.\n";

    fn extracts() -> Extracts {
        let mut extracts = Extracts::default();
        extracts.parse(1, EXTRACT);
        extracts
    }

    fn quote(section: &str, words: &str) -> Quote {
        Quote {
            file: "a.rs".to_owned(),
            line: 7,
            rfc: 1,
            sections: vec![section.to_owned()],
            words: words.to_owned(),
        }
    }

    fn checked(quotes: &[Quote]) -> Vec<String> {
        let mut faults = Vec::new();
        extracts().check(quotes, &mut faults);
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_quote_and_every_extract_has_its_other_half() {
        let all = [
            quote("2.8", "MUST end"),
            quote("2.8", "may not"),
            quote("2.9", "other"),
        ];
        assert_eq!(checked(&all), Vec::<String>::new());
        let faults = checked(&all[..2]);
        assert_eq!(faults, ["docs/requirements/rfc1.txt:10: no comment quotes this"]);
    }

    #[test]
    fn a_wrong_quote_is_told_with_its_place() {
        let quotes = [
            quote("2.8", "MUST [...] may not"),
            quote("2.9", "Other"),
            quote("2.9", "It MUST"),
            quote("2.7", "Other"),
        ];
        let faults = checked(&quotes);
        let expected = [
            "a.rs:7: RFC 1 section 2.9 does not say \"It MUST\"",
            "a.rs:7: RFC 1 section 2.7 does not say \"Other\"",
        ];
        assert_eq!(faults, expected);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = std::env::temp_dir().join(format!("extracts-{}", std::process::id()));
        fs::create_dir_all(folder.join(FOLDER)).unwrap();
        let long = "word ".repeat(60).trim_end().to_owned();
        let needed = Needed::from([("2.10".to_owned(), vec![long.clone(), "Short.".to_owned()])]);
        write(&folder, 3, &needed).unwrap();
        let mut read = Extracts::default();
        read.parse(3, &fs::read_to_string(folder.join(path(3))).unwrap());
        fs::remove_dir_all(&folder).unwrap();
        let paragraphs: Vec<_> = read.0[&(3, "2.10".to_owned())]
            .iter()
            .map(|(_, text)| text)
            .collect();
        assert_eq!(paragraphs, [&long, "Short."]);
        let mut faults = Vec::new();
        read.compare(3, &needed, &mut faults);
        assert_eq!(faults, []);
    }
}
