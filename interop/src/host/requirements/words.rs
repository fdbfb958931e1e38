//! The words that `docs/glossary.md` refuses, in code and documents.

use super::Fault;
use super::sources::Sources;

const FILE: &str = "docs/glossary.md";

/// What is refused, and what to say.
struct Refused {
    /// As it stands in the glossary.
    shown: String,
    /// In lower case, one behind the other.
    words: Vec<String>,
    /// Only as the name of a function.
    is_call: bool,
    instead: String,
}

/// Where a word may stand all the same.
struct Exception {
    /// `*` for any.
    word: String,
    /// A file, or a folder with all that is in it.
    place: String,
}

pub(super) fn check(sources: &Sources, faults: &mut Vec<Fault>) {
    let Some(glossary) = sources.get(FILE) else {
        faults.push(Fault::new(FILE, 1, "there is no such file"));
        return;
    };
    let (refused, exceptions) = parse(&glossary.text);
    for exception in &exceptions {
        if !sources.root.join(&exception.place).exists() {
            let what = format!("an exception for {}, which is not there", exception.place);
            faults.push(Fault::new(FILE, 1, what));
        }
    }
    let files = [".rs", ".proto", ".md"]
        .into_iter()
        .flat_map(|end| sources.ending(end));
    for file in files {
        let excepted = |refused: &&Refused| {
            let is_for = |exception: &&Exception| {
                (exception.word == "*" || exception.word == refused.shown)
                    && file.path.starts_with(&exception.place)
            };
            !exceptions.iter().any(|exception| is_for(&exception))
        };
        let refused: Vec<&Refused> = refused.iter().filter(excepted).collect();
        for (index, line) in file.text.lines().enumerate() {
            let words = split(line);
            for refused in refused.iter().filter(|refused| refused.is_in(&words)) {
                let what = format!(
                    "`{}` is refused by {FILE}: say {}",
                    refused.shown, refused.instead
                );
                faults.push(Fault::new(&file.path, index + 1, what));
            }
        }
    }
}

impl Refused {
    fn is_in(&self, words: &[Word]) -> bool {
        words.windows(self.words.len()).any(|window| {
            let is_same = window
                .iter()
                .zip(&self.words)
                .all(|(word, refused)| word.text == *refused);
            is_same && (!self.is_call || window.last().is_some_and(|last| last.is_called))
        })
    }
}

/// The tables "Refused words" and "Exceptions".
fn parse(glossary: &str) -> (Vec<Refused>, Vec<Exception>) {
    let (mut refused, mut exceptions) = (Vec::new(), Vec::new());
    let mut heading = "";
    for line in glossary.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            heading = title;
        }
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let code = |cell: &str| {
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        match (heading, cells.as_slice()) {
            ("Refused words", [left, instead]) => {
                refused.extend(code(left).into_iter().map(|shown| Refused {
                    words: split(&shown).into_iter().map(|word| word.text).collect(),
                    is_call: shown.ends_with("()"),
                    instead: (*instead).to_owned(),
                    shown,
                }))
            }
            ("Exceptions", [word, place, _]) => {
                let pairs = code(word).into_iter().zip(code(place));
                exceptions.extend(pairs.map(|(word, place)| Exception { word, place }));
            }
            _ => {}
        }
    }
    (refused, exceptions)
}

/// A word of a text or of an identifier, in lower case.
#[derive(Debug, PartialEq, Eq)]
struct Word {
    text: String,
    /// An opening parenthesis follows.
    is_called: bool,
}

/// `PlayBall`, `play_ball` and "play ball" are the same words.
fn split(line: &str) -> Vec<Word> {
    let letters: Vec<char> = line.chars().collect();
    let mut words: Vec<Word> = Vec::new();
    let mut is_open = false;
    for (index, letter) in letters.iter().enumerate() {
        if !letter.is_alphanumeric() {
            if let Some(last) = words.last_mut().filter(|_| is_open) {
                last.is_called = *letter == '(';
            }
            is_open = false;
            continue;
        }
        let is_lower = |at: usize| letters.get(at).is_some_and(|letter| letter.is_lowercase());
        let begins = letter.is_uppercase() && (index > 0 && is_lower(index - 1) || is_lower(index + 1));
        if !is_open || begins {
            words.push(Word {
                text: String::new(),
                is_called: false,
            });
            is_open = true;
        }
        if let Some(last) = words.last_mut() {
            last.text.extend(letter.to_lowercase());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::requirements::sources::Source;

    const GLOSSARY: &str = "## Refused words\n\n| refused | say |\n|---|---|\n| `bury`, `play ball` | delete |\n| `words()` | Display |\n\n\
        ## Exceptions\n\n| word | where | why |\n|---|---|---|\n| `bury` | `b` | a reason |\n| `*` | `docs/glossary.md` | itself |\n";

    #[test]
    fn names_are_words_too() {
        let texts = |line| split(line).into_iter().map(|word| word.text).collect::<Vec<_>>();
        assert_eq!(
            texts("fn play_ball(IkeSA2)"),
            ["fn", "play", "ball", "ike", "sa2"]
        );
        assert_eq!(
            texts("PlayBall, the fleet's"),
            ["play", "ball", "the", "fleet", "s"]
        );
        assert!(split("words()").last().unwrap().is_called);
    }

    #[test]
    fn refused_words_are_found_but_where_they_are_allowed() {
        let root = std::env::temp_dir().join(format!("words-{}", std::process::id()));
        std::fs::create_dir_all(root.join("b")).unwrap();
        std::fs::create_dir_all(root.join("docs")).unwrap();
        std::fs::write(root.join("docs/glossary.md"), GLOSSARY).unwrap();
        let file = |path: &str, text: &str| Source {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let sources = Sources {
            root: root.clone(),
            files: vec![
                file(
                    "a.rs",
                    "fn is_buried() {}\nlet bury = words;\n// They cannot play ball.\nwords(a)\n",
                ),
                file("b/c.md", "bury, PlayBall\n"),
                file("docs/glossary.md", GLOSSARY),
            ],
        };
        let mut faults = Vec::new();
        check(&sources, &mut faults);
        std::fs::remove_dir_all(&root).unwrap();
        let places: Vec<_> = faults
            .iter()
            .map(|fault| (fault.file.as_str(), fault.line))
            .collect();
        assert_eq!(
            places,
            [("a.rs", 2), ("a.rs", 3), ("a.rs", 4), ("b/c.md", 1)],
            "{faults:?}"
        );
    }
}
