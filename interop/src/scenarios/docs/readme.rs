//! What README tells people to type.

use anyhow::{Result, anyhow, ensure};

const README: &str = include_str!("../../../../README.md");

const SECTION: &str = "## A real fleet of three servers\n";

/// Where people are to type, in the order in which README leads them there.
const PLACES: [&str; 6] = [
    "On the machine where you build and operate",
    "On the first server",
    "On each server",
    "On your machine again",
    "On the customer's router",
    "See it, and end it:",
];

/// What is to be typed at each of [`PLACES`], word for word.
///
/// # Errors
/// README leads elsewhere, or not to all of them.
pub(crate) fn commands() -> Result<[String; PLACES.len()]> {
    let (places, commands): (Vec<_>, Vec<_>) = blocks(README).into_iter().unzip();
    ensure!(places == PLACES, "README has commands for {places:?}");
    commands.try_into().map_err(|commands| anyhow!("{commands:?}"))
}

/// Each fenced block of the section, with the bold words that open the paragraph before it.
fn blocks(readme: &str) -> Vec<(&str, String)> {
    let section = readme.split_once(SECTION).map_or("", |(_, rest)| rest);
    let section = section.split("\n## ").next().unwrap_or_default();
    let mut blocks = Vec::new();
    let mut place = "";
    let mut lines = section.lines();
    while let Some(line) = lines.next() {
        if let Some((bold, _)) = line.strip_prefix("**").and_then(|rest| rest.split_once("**")) {
            place = bold;
        } else if line.starts_with("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((place, block.join("\n")));
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readme_leads_to_every_place() {
        assert!(commands().is_ok_and(|commands| commands.iter().all(|block| !block.is_empty())));
    }

    #[test]
    fn a_block_belongs_to_the_bold_words_before_it() {
        let text = format!(
            "# x\n```\nno\n```\n{SECTION}Text.\n\n**Here**, now:\n\n```sh\na\n\nb\n```\n\n\
             **There:**\n```\nc\n```\n\n## Next\n```\nno\n```\n"
        );
        let found = blocks(&text);
        assert_eq!(found, [("Here", "a\n\nb".to_owned()), ("There:", "c".to_owned())]);
    }
}
