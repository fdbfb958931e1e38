//! Comments as paragraphs: lines of one kind, one behind the other.

/// A paragraph of a comment, its lines joined by spaces.
pub(super) struct Paragraph {
    pub(super) text: String,
    /// Where each line begins in the text, and its number in the file.
    starts: Vec<(usize, usize)>,
}

impl Paragraph {
    /// The line of the file in which `offset` of the text is.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        let behind = self.starts.partition_point(|(start, _)| *start <= offset);
        self.starts[behind.saturating_sub(1)].1
    }
}

/// The paragraphs of all comments in Rust or protobuf. An empty comment line ends one, and so does code.
pub(super) fn paragraphs(source: &str) -> Vec<Paragraph> {
    let mut paragraphs: Vec<Paragraph> = Vec::new();
    let mut kind_before = None;
    for (index, line) in source.lines().enumerate() {
        let comment = comment(line).filter(|(_, text)| !text.is_empty());
        let kind = comment.map(|(kind, _)| kind);
        let Some((_, text)) = comment else {
            kind_before = None;
            continue;
        };
        if kind != kind_before || paragraphs.is_empty() {
            paragraphs.push(Paragraph {
                text: String::new(),
                starts: Vec::new(),
            });
        }
        kind_before = kind;
        let Some(paragraph) = paragraphs.last_mut() else {
            continue;
        };
        if !paragraph.text.is_empty() {
            paragraph.text.push(' ');
        }
        paragraph.starts.push((paragraph.text.len(), index + 1));
        paragraph.text.push_str(text);
    }
    paragraphs
}

/// What introduces a comment that has its line for itself, and its text.
fn comment(line: &str) -> Option<(&'static str, &str)> {
    let line = line.trim_start();
    ["///", "//!", "//"]
        .into_iter()
        .find_map(|kind| Some((kind, line.strip_prefix(kind)?.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str =
        "//! One\n//! two.\n\nuse a;\n/// Three\n///\n/// four\n// five\nfn f() {}\n    // six\n";

    #[test]
    fn lines_of_one_kind_are_one_paragraph() {
        let texts: Vec<_> = paragraphs(CODE).into_iter().map(|p| p.text).collect();
        assert_eq!(texts, ["One two.", "Three", "four", "five", "six"]);
    }

    #[test]
    fn each_part_knows_its_line() {
        let paragraphs = paragraphs(CODE);
        assert_eq!(paragraphs[0].line_of(0), 1);
        assert_eq!(paragraphs[0].line_of(4), 2);
        assert_eq!(paragraphs[4].line_of(0), 10);
    }
}
