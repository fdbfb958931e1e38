//! Documents: lines that fit a window, links that lead somewhere, and paths of the project that exist.

use std::path::{Component, Path, PathBuf};

use super::Fault;
use super::sources::{Source, Sources};

/// Columns.
const WIDTH: usize = 130;

/// What the project's own paths begin with.
const TOP: [&str; 9] = [
    "distributor/",
    "docs/",
    "ike/",
    "interop/",
    "packaging/",
    "proto/",
    "src/",
    "tests/",
    "xfrm/",
];

pub(super) fn check(sources: &Sources, faults: &mut Vec<Fault>) {
    for file in sources.ending(".md") {
        for (index, line) in file.text.lines().enumerate() {
            let mut fault = |what: String| faults.push(Fault::new(&file.path, index + 1, what));
            let columns = line.chars().count();
            if columns > WIDTH {
                fault(format!("{columns} columns, where {WIDTH} are the most"));
            }
            for path in paths(line) {
                if !sources.root.join(path).exists() {
                    fault(format!("there is no {path}"));
                }
            }
            for link in links(line) {
                if let Err(what) = follow(sources, file, link) {
                    fault(what);
                }
            }
        }
    }
}

/// Between backticks, what begins like a path of the project. A command's arguments do not belong to it, and a pattern is
/// none.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split('`').skip(1).step_by(2);
    let words = code.filter_map(|code| code.split([' ', ':']).next());
    words.filter(|word| {
        TOP.iter().any(|top| word.starts_with(top))
            && !word.contains(['*', '<', '{'])
            && !word.contains("NNNN")
    })
}

/// The targets of `[text](target)` that are not elsewhere.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:"))
}

/// To a file, and to a heading in it.
fn follow(sources: &Sources, from: &Source, link: &str) -> Result<(), String> {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let folder = Path::new(&from.path).parent().unwrap_or(Path::new(""));
    let target = if path.is_empty() {
        PathBuf::from(&from.path)
    } else {
        folder.join(path)
    };
    let target = plain(&target);
    if !sources.root.join(&target).exists() {
        return Err(format!("a link to {}, which is not there", target.display()));
    }
    let text = sources
        .get(&target.to_string_lossy())
        .map(|file| file.text.as_str());
    let has = |text: &str| {
        text.lines()
            .filter(|line| line.starts_with('#'))
            .any(|line| slug(line) == anchor)
    };
    if !anchor.is_empty() && !text.is_some_and(has) {
        return Err(format!("a link to {link}, and there is no such heading"));
    }
    Ok(())
}

/// Without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// What a heading is called in a link.
fn slug(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let letters = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    letters.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_nowhere_is_told() {
        let file = |path: &str, text: String| Source {
            path: path.to_owned(),
            text,
        };
        let text =
            "`docs/none.md`, `src/*.rs`, `docs/a.md: 3`\n[a](a.md#one-two) [b](../none.md) [c](a.md#three)\n";
        let root = std::env::temp_dir().join(format!("documents-{}", std::process::id()));
        std::fs::create_dir_all(root.join("docs")).unwrap();
        std::fs::write(root.join("docs/a.md"), "").unwrap();
        let sources = Sources {
            root: root.clone(),
            files: vec![
                file("docs/a.md", "# One, two\n".to_owned()),
                file("docs/b.md", text.to_owned() + &"x".repeat(131)),
            ],
        };
        let mut faults = Vec::new();
        check(&sources, &mut faults);
        std::fs::remove_dir_all(&root).unwrap();
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        let expected = [
            "docs/b.md:1: there is no docs/none.md",
            "docs/b.md:2: a link to none.md, which is not there",
            "docs/b.md:2: a link to a.md#three, and there is no such heading",
            "docs/b.md:3: 131 columns, where 130 are the most",
        ];
        assert_eq!(faults, expected);
    }
}
