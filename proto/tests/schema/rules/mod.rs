//! Every rule of the schema, broken once: the error names the field, what it holds, and the rule.

mod child_sas;
mod identities;
mod secrets;
mod sessions;
mod tunnels;

use proto::*;

/// A good message, and messages that each break one rule.
struct Rules<W> {
    good: W,
    broken: Vec<(&'static str, W, String)>,
}

impl<W: Clone> Rules<W> {
    fn of(good: W) -> Self {
        Self {
            good,
            broken: Vec::new(),
        }
    }

    /// `break_it` makes a good message break the rule `name`, which `error` tells.
    fn rule(self, name: &'static str, break_it: impl FnOnce(&mut W), error: &str) -> Self {
        let mut message = self.good.clone();
        break_it(&mut message);
        self.broken(name, message, error)
    }

    /// `message` breaks the rule `name`.
    fn broken(mut self, name: &'static str, message: W, error: &str) -> Self {
        self.broken.push((name, message, error.to_owned()));
        self
    }

    /// Tries them all; a failure names every rule that does not hold.
    #[track_caller]
    fn check<T: TryFrom<W, Error = Invalid>>(self) {
        assert_eq!(read::<W, T>(self.good), "accepted", "the unbroken one");
        let broken = self.broken.into_iter().filter_map(|(name, message, error)| {
            let found = read::<W, T>(message);
            (found != error).then(|| format!("{name}:\n  expected: {error}\n     found: {found}"))
        });
        let broken: Vec<_> = broken.collect();
        assert!(
            broken.is_empty(),
            "rules that do not hold:\n{}",
            broken.join("\n")
        );
    }
}

fn read<W, T: TryFrom<W, Error = Invalid>>(message: W) -> String {
    T::try_from(message).map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
}

#[test]
fn long_values_are_shown_in_part() {
    let error = "x".repeat(10_000).parse::<Name>().unwrap_err().to_string();
    assert!(error.len() < 200, "{error}");
}
