//! Several rounds of one figure.

use std::fmt;

use serde::Serialize;

/// The median, and how far the rounds lie apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Spread {
    /// Of one figure a round. Without rounds there is nothing to tell: NaN.
    pub(super) fn of(rounds: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = rounds.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let last = sorted.len().saturating_sub(1);
        Self {
            median: (at(last / 2) + at(last.div_ceil(2))) / 2.0,
            min: at(0),
            max: at(last),
        }
    }
}

/// `12.3 (11.9-14.0)`, with as many decimals as asked for.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(2);
        let Self { median, min, max } = self;
        write!(f, "{median:.decimals$} ({min:.decimals$}-{max:.decimals$})")
    }
}

/// What we want of a figure, and whether it is so.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Mark {
    mark: f64,
    is_met: bool,
}

impl Mark {
    pub(super) fn at_least(mark: f64, figure: f64) -> Self {
        let is_met = figure >= mark;
        Self { mark, is_met }
    }

    pub(super) fn at_most(mark: f64, figure: f64) -> Self {
        let is_met = figure <= mark;
        Self { mark, is_met }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let met = if self.is_met { "met" } else { "missed" };
        write!(f, "{} {met}", self.mark)
    }
}

/// Samples of the same case, in the order of their rounds; the cases in the order in which they come first.
pub(super) fn by_case<T, K: PartialEq>(samples: &[T], case: impl Fn(&T) -> K) -> Vec<(K, Vec<&T>)> {
    let mut cases: Vec<(K, Vec<&T>)> = Vec::new();
    for sample in samples {
        let key = case(sample);
        match cases.iter_mut().find(|(known, _)| *known == key) {
            Some((_, rounds)) => rounds.push(sample),
            None => cases.push((key, vec![sample])),
        }
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_the_middle() {
        let spread = |median, min, max| Spread { median, min, max };
        assert_eq!(Spread::of([3.0, 1.0, 8.0]), spread(3.0, 1.0, 8.0));
        assert_eq!(Spread::of([3.0, 1.0, 8.0, 4.0]), spread(3.5, 1.0, 8.0));
        assert_eq!(Spread::of([7.0]).to_string(), "7.00 (7.00-7.00)");
    }

    #[test]
    fn a_figure_that_is_none_misses_its_mark() {
        assert_eq!(Mark::at_least(8.0, 8.0).to_string(), "8 met");
        assert_eq!(Mark::at_least(0.7, 0.69).to_string(), "0.7 missed");
        assert_eq!(Mark::at_most(4096.0, 4097.0).to_string(), "4096 missed");
        assert_eq!(Mark::at_most(4096.0, f64::NAN).to_string(), "4096 missed");
    }

    #[test]
    fn rounds_of_a_case_stay_in_order() {
        let samples = [(10, 'a'), (1, 'b'), (10, 'c')];
        let cases = by_case(&samples, |sample| sample.0);
        assert_eq!(cases, [(10, vec![&(10, 'a'), &(10, 'c')]), (1, vec![&(1, 'b')])]);
    }
}
