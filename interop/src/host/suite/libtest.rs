//! What a test program says of its tests. Its format for people is the stable one.

use super::step::{Outcome, Tally};

/// Lines shown of a program that ended without saying which test failed.
const TAIL: usize = 60;

/// Reads the output of one test program, or of several in a row, which `ended_well` when its exit code was 0.
///
/// A program that fails without a failed test, or says nothing, has crashed or was stopped. That counts as a failure too: the
/// tests which it did not come to are in nobody's count.
pub(super) fn outcome(output: &str, ended_well: bool) -> Outcome {
    let summaries: Vec<Tally> = output.lines().filter_map(summary).collect();
    let mut tally = Tally::default();
    for summary in &summaries {
        tally += *summary;
    }
    if tally.failed > 0 {
        let said = failures(output);
        return Outcome::counted(tally, said);
    }
    if summaries.is_empty() || !ended_well {
        tally.failed = 1;
        let said = tail(output);
        return Outcome::counted(tally, said);
    }
    Outcome::counted(tally, "")
}

/// From `test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.02s`.
fn summary(line: &str) -> Option<Tally> {
    // A program may have left a line of its own unfinished.
    let (_, result) = line.split_once("test result: ")?;
    let count = |what: &str| {
        let (before, _) = result.split_once(what)?;
        before.trim_end().rsplit(' ').next()?.parse().ok()
    };
    Some(Tally {
        passed: count(" passed;")?,
        failed: count(" failed;")?,
        skipped: count(" ignored;")?,
    })
}

/// Everything from the first account of a failed test on, which leaves out the list of those that passed.
fn failures(output: &str) -> String {
    let heading = output.find("\nfailures:\n").map_or(0, |at| at + 1);
    output[heading..].to_owned()
}

fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u32, failed: u32) -> Tally {
        let skipped = 0;
        Tally {
            passed,
            failed,
            skipped,
        }
    }

    const PASSED: &str = "\nrunning 2 tests\ntest a ... ok\ntest b ... ok\n\n\
        test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\n";

    const FAILED: &str = "\nrunning 2 tests\ntest a ... ok\ntest b ... FAILED\n\nfailures:\n\n---- b stdout ----\n\
        assertion failed: left == right\n\n\nfailures:\n    b\n\n\
        test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\n";

    #[test]
    fn passing_tests_are_counted_and_not_shown() {
        let outcome = outcome(PASSED, true);
        assert_eq!(outcome.tally, tally(2, 0));
        assert_eq!(outcome.said, "");
    }

    #[test]
    fn failing_tests_are_counted_and_only_they_are_shown() {
        let outcome = outcome(FAILED, false);
        assert_eq!(outcome.tally, tally(1, 1));
        assert!(outcome.said.contains("left == right"));
        assert!(!outcome.said.contains("test a ... ok"));
    }

    #[test]
    fn programs_in_a_row_add_up() {
        let outcome = outcome(&format!("{PASSED}{FAILED}{PASSED}"), false);
        assert_eq!(outcome.tally, tally(5, 1));
    }

    #[test]
    fn a_program_without_tests_counts_nothing() {
        let empty = "\nrunning 0 tests\n\n\
            test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n";
        assert_eq!(outcome(empty, true).tally, Tally::default());
    }

    #[test]
    fn a_crash_is_a_failure_and_its_last_words_are_shown() {
        let outcome = outcome(
            "\nrunning 2 tests\ntest a ... ok\nmemory allocation failed\n",
            false,
        );
        assert_eq!(outcome.tally, tally(0, 1));
        assert!(outcome.said.contains("memory allocation failed"));
    }

    #[test]
    fn a_crash_after_the_last_test_is_a_failure() {
        assert_eq!(outcome(PASSED, false).tally, tally(2, 1));
    }

    #[test]
    fn a_program_that_says_nothing_has_failed() {
        assert_eq!(outcome("", true).tally, tally(0, 1));
    }

    #[test]
    fn a_summary_behind_an_unfinished_line_is_found() {
        let output = format!("waiting ...{}", PASSED.trim_start().replace('\n', " "));
        assert_eq!(outcome(&output, true).tally, tally(2, 0));
    }
}
