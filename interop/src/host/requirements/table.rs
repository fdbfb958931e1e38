//! `docs/requirements.md`: which rule is kept by which test.
//!
//! ```text
//! - RFC 7296 2.7, 3.3.6; RFC 5282: what the rule says.
//!   Tests: `a_test`, `module::another`. Lab: `a-scenario`.
//! ```

use std::collections::BTreeSet;

use super::quotes::Quote;
use super::sources::Sources;
use super::test_names::TestNames;
use super::{Fault, Section};
use crate::scenarios;

const FILE: &str = "docs/requirements.md";

/// One item of the list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rule {
    line: usize,
    pub(super) sections: Vec<Section>,
    pub(super) tests: Vec<String>,
    pub(super) scenarios: Vec<String>,
}

pub(super) fn read(sources: &Sources, faults: &mut Vec<Fault>) -> Vec<Rule> {
    match sources.get(FILE) {
        Some(file) => parse(&file.text),
        None => {
            faults.push(Fault::new(FILE, 1, "there is no such file"));
            Vec::new()
        }
    }
}

fn parse(text: &str) -> Vec<Rule> {
    let mut items: Vec<(usize, String)> = Vec::new();
    let mut is_open = false;
    for (index, line) in text.lines().enumerate() {
        if let Some(item) = line.strip_prefix("- ") {
            items.push((index + 1, item.to_owned()));
            is_open = true;
        } else if let Some((_, item)) = items.last_mut().filter(|_| is_open && line.starts_with("  ")) {
            item.push(' ');
            item.push_str(line.trim());
        } else {
            is_open = false;
        }
    }
    items.into_iter().map(|(line, item)| rule(line, &item)).collect()
}

fn rule(line: usize, item: &str) -> Rule {
    let (head, scenarios) = item.rsplit_once("Lab: ").unwrap_or((item, ""));
    let (head, tests) = head.rsplit_once("Tests: ").unwrap_or((head, ""));
    let sections = head.split(": ").next().map(sections).unwrap_or_default();
    Rule {
        line,
        sections,
        tests: code(tests),
        scenarios: code(scenarios),
    }
}

/// What stands between backticks.
fn code(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// `RFC 7296 2.7, 3.3.6; RFC 5282`. Text that names no section names none.
fn sections(head: &str) -> Vec<Section> {
    let mut sections = Vec::new();
    for part in head.split("RFC ").skip(1) {
        let mut words = part.split([' ', ',', ';']).filter(|word| !word.is_empty());
        let Some(Ok(rfc)) = words.next().map(str::parse) else {
            continue;
        };
        let numbers = words.take_while(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        sections.extend(numbers.map(|number| (rfc, number.to_owned())));
    }
    sections
}

/// Each rule has a test, each test is there, and each section that is quoted has a rule.
pub(super) fn check(rules: &[Rule], quotes: &[Quote], sources: &Sources, faults: &mut Vec<Fault>) {
    let names = TestNames::find(sources);
    for rule in rules {
        let mut fault = |what: String| faults.push(Fault::new(FILE, rule.line, what));
        if rule.tests.is_empty() && rule.scenarios.is_empty() {
            fault("a rule without a test".to_owned());
        }
        rule.tests
            .iter()
            .filter_map(|test| names.check(test).err())
            .for_each(&mut fault);
        let missing = rule
            .scenarios
            .iter()
            .filter(|name| scenarios::find(name).is_err());
        missing.for_each(|name| fault(format!("there is no scenario {name}")));
    }
    let listed: BTreeSet<&Section> = rules.iter().flat_map(|rule| &rule.sections).collect();
    for quote in quotes {
        let is_listed = |section: &String| listed.contains(&(quote.rfc, section.clone()));
        if !quote.sections.iter().any(is_listed) {
            let what = format!("{} is quoted, and no rule of {FILE} names it", quote.source());
            faults.push(quote.fault(what));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "# Title\n\n- RFC 7296 2.7, 3.3.6; RFC 5282 3: a rule, with `code`: so.\n  Tests: `a`,\n  `m::b`. Lab: `story`.\n\
        - in a fleet: another.\n  Tests: `c`.\n\nText with RFC 7296 9.9: nothing.\n";

    #[test]
    fn rules_have_sections_tests_and_scenarios() {
        let section = |rfc: u32, section: &str| (rfc, section.to_owned());
        let expected = [
            Rule {
                line: 3,
                sections: vec![section(7296, "2.7"), section(7296, "3.3.6"), section(5282, "3")],
                tests: vec!["a".to_owned(), "m::b".to_owned()],
                scenarios: vec!["story".to_owned()],
            },
            Rule {
                line: 6,
                tests: vec!["c".to_owned()],
                ..Rule::default()
            },
        ];
        assert_eq!(parse(LIST), expected);
    }

    #[test]
    fn what_is_not_there_is_told() {
        let sources = Sources {
            root: ".".into(),
            files: Vec::new(),
        };
        let quote = Quote {
            file: "a.rs".to_owned(),
            line: 2,
            rfc: 7296,
            sections: vec!["2.8".to_owned()],
            words: "a".to_owned(),
        };
        let rules = parse("- RFC 7296 2.7: a.\n  Tests: `gone`. Lab: `gone-too`.\n- RFC 7296 2.9: b.\n");
        let mut faults = Vec::new();
        check(&rules, &[quote], &sources, &mut faults);
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        let expected = [
            "docs/requirements.md:1: there is no test gone",
            "docs/requirements.md:1: there is no scenario gone-too",
            "docs/requirements.md:3: a rule without a test",
            "a.rs:2: RFC 7296 section 2.8 is quoted, and no rule of docs/requirements.md names it",
        ];
        assert_eq!(faults, expected);
    }
}
