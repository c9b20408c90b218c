//! CERTIFY for any noise: select the class on some draws, bound probabilities on others.
//!
//! Cohen, Rosenfeld, Kolter. *Certified Adversarial Robustness via Randomized Smoothing.*
//! ICML 2019, §3.2.2. <https://arxiv.org/abs/1902.02918>
use duress_core::{Error, Result, Use};

use super::sampling::{Sampler, most_frequent, runner_up};
use super::{probability_lower_bound, probability_upper_bound};
use crate::table::Certificate;

/// The radius that follows from a lower bound of the top class's probability and an upper bound of
/// every other's, rounded down; `None` to abstain.
pub(super) type Radius<'a> = &'a dyn Fn(f64, f64) -> Option<f64>;

/// What all smoothing certificates with a fixed number of draws share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Protocol {
    pub(super) algorithm: &'static str,
    pub(super) selection_draws: u64,
    pub(super) estimation_draws: u64,
    pub(super) alpha: f64,
    pub(super) batch: usize,
    pub(super) bound_runner_up: bool,
}

impl Protocol {
    pub(super) fn check(&self) -> Result<()> {
        let draws = 1..=u64::from(u32::MAX);
        let (selection, estimation) = (self.selection_draws, self.estimation_draws);
        let most = "between 1 and 2^32 - 1";
        self.expect(draws.contains(&selection), "selection_draws", most, selection)?;
        self.expect(draws.contains(&estimation), "estimation_draws", most, estimation)?;
        let alpha = 0.0 < self.alpha && self.alpha < 1.0;
        self.expect(alpha, "alpha", "inside (0, 1)", self.alpha)?;
        self.expect(self.batch >= 1, "batch", "at least 1", self.batch)
    }

    /// `Ok` if `holds`, else the fault of a field.
    pub(super) fn expect(
        &self,
        holds: bool,
        field: &'static str,
        expected: &'static str,
        got: impl std::fmt::Display,
    ) -> Result<()> {
        let (algorithm, got) = (self.algorithm, got.to_string());
        if holds { Ok(()) } else { Err(Error::Parameter { algorithm, field, expected, got }) }
    }

    /// The class and the radius of the smoothed classifier at the sampler's row.
    pub(super) fn certify(&self, sampler: &Sampler<'_>, radius: Radius<'_>) -> Result<Certificate> {
        self.check()?;
        let selected = sampler.counts(0..self.selection_draws, Use::Noise)?;
        let class = most_frequent(&selected);
        let both = self.bound_runner_up && self.two_bounds_pay(&selected, class, radius)?;
        let counts = sampler.counts(0..self.estimation_draws, Use::Estimate)?;
        let (top, other) = self.bounds(counts[class], runner_up(&counts, class), both)?;
        let radius = radius(top, other);
        Ok(Certificate {
            prediction: radius.map(|_| class),
            radius: radius.unwrap_or(0.0),
            failure_probability: self.alpha,
            forwards: self.selection_draws + self.estimation_draws,
        })
    }

    /// A lower bound of the probability of one class, an upper bound of every other's, which hold
    /// together with probability at least `1 − alpha`.
    ///
    /// With one bound the others have what is left. With both, each gets `alpha / 2`; the second
    /// needs no further union over classes: its count is the largest of the others, so at least
    /// that of the class that is likeliest among them, and the bound rises with the count.
    fn bounds(&self, top: u64, second: u64, both: bool) -> Result<(f64, f64)> {
        let draws = self.estimation_draws;
        if !both {
            let top = probability_lower_bound(top, draws, self.alpha)?;
            return Ok((top, 1.0 - top));
        }
        let top = probability_lower_bound(top, draws, 0.5 * self.alpha)?;
        let second = probability_upper_bound(second, draws, 0.5 * self.alpha)?;
        Ok((top, second.min(1.0 - top)))
    }

    /// Whether two bounds would give the larger radius if the estimation draws split as the
    /// selection draws did. Nothing else may decide: who looks at the estimation draws and then
    /// takes the better of two statements has made both.
    fn two_bounds_pay(&self, selected: &[u64], class: usize, radius: Radius<'_>) -> Result<bool> {
        let share = self.estimation_draws as f64 / self.selection_draws as f64;
        let scaled = |count: u64| ((count as f64 * share) as u64).min(self.estimation_draws);
        let (top, second) = (scaled(selected[class]), scaled(runner_up(selected, class)));
        let with = |both| self.bounds(top, second, both).map(|(top, other)| radius(top, other));
        Ok(with(true)? > with(false)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smoothing::gaussian_radius;
    use duress_core::Seed;
    use rand::RngExt;

    fn protocol(bound_runner_up: bool) -> Protocol {
        let (selection_draws, estimation_draws) = (100, 1000);
        let (algorithm, alpha, batch) = ("smoothing", 0.01, 64);
        Protocol { algorithm, selection_draws, estimation_draws, alpha, batch, bound_runner_up }
    }

    #[test]
    fn two_bounds_share_alpha_and_one_leaves_the_rest_to_the_others() {
        let bounds = |top, second, both| protocol(true).bounds(top, second, both).unwrap();
        let top = probability_lower_bound(600, 1000, 0.01).unwrap();
        assert_eq!([bounds(600, 100, false)], [(top, 1.0 - top)]);
        let top = probability_lower_bound(600, 1000, 0.005).unwrap();
        let other = probability_upper_bound(100, 1000, 0.005).unwrap();
        assert_eq!([bounds(600, 100, true)], [(top, other)]);
        // What is left bounds the others too.
        let top = probability_lower_bound(900, 1000, 0.005).unwrap();
        assert_eq!([bounds(900, 100, true)], [(top, 1.0 - top)]);
    }

    /// 4000 simulated runs of four classes, of which three tie behind the first: the count of whichever
    /// came second bounds all three, and either bound fails in at most α = 0.1 of the runs. Bounds
    /// at 2α each fail more often than that.
    #[test]
    fn the_largest_of_the_other_counts_bounds_all_of_them() {
        let (probability, draws, alpha, runs) = ([0.4, 0.2, 0.2, 0.2], 60, 0.1, 4000_u64);
        let mut failures = [0.0; 2];
        let lower = |alpha| -> Vec<f64> {
            (0..=draws).map(|count| probability_lower_bound(count, draws, alpha).unwrap()).collect()
        };
        let upper = |alpha| -> Vec<f64> {
            (0..=draws).map(|count| probability_upper_bound(count, draws, alpha).unwrap()).collect()
        };
        let bounds = [0.5 * alpha, 2.0 * alpha].map(|alpha| (lower(alpha), upper(alpha)));
        for run in 0..runs {
            let mut rng = Seed(3).stream(run, 0, 0, Use::Noise);
            let mut counts = [0_u64; 4];
            for _ in 0..draws {
                let mut left: f64 = rng.random();
                let class = probability.iter().position(|share| {
                    left -= share;
                    left < 0.0
                });
                counts[class.unwrap_or(3)] += 1;
            }
            let (top, second) = (counts[0] as usize, runner_up(&counts, 0) as usize);
            for (failures, (lower, upper)) in failures.iter_mut().zip(&bounds) {
                let wrong = lower[top] > probability[0] || upper[second] < probability[1];
                *failures += f64::from(u8::from(wrong)) / runs as f64;
            }
        }
        assert!(failures[0] > 0.0 && failures[0] <= alpha, "{failures:?}");
        assert!(failures[1] > alpha, "{failures:?}");
    }

    /// Three classes at 0.55, 0.25, 0.2: bounding the second pays; two classes: it cannot.
    #[test]
    fn the_selection_draws_decide_whether_two_bounds_pay() {
        let radius = |top, other| gaussian_radius(top, other, 1.0);
        let pays = |counts: &[u64]| protocol(true).two_bounds_pay(counts, 0, &radius).unwrap();
        assert!(pays(&[55, 25, 20]));
        assert!(!pays(&[80, 20, 0]));
        assert!(!pays(&[100, 0, 0]));
    }
}
