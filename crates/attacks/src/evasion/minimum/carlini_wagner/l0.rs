//! The L0 attack of Carlini and Wagner.
//!
//! Carlini, Wagner. *Towards Evaluating the Robustness of Neural Networks.* S&P 2017, §VI-B, and the
//! authors' code. <https://arxiv.org/abs/1608.04644>
use burn::prelude::*;
use duress_core::search::{Gradients, search_gradients};
use duress_core::{
    Access, Algorithm, Asker, GradientAttack, GradientJob, Halt, Loss, Norm, Reach, Result, Search,
    Searching, Setting,
};
use serde::{Deserialize, Serialize};

use super::space::{DECAY, SHRINK, TINY};
use crate::losses::LossKind;
use crate::table::{Entry, defaults, gradient};

/// Runs the L2 attack on ever fewer features: after each success those that matter least for the
/// misclassification, `|δᵢ gᵢ|` smallest, go back to their clean values for good. Ends where the
/// rest no longer suffices, however large the constant.
///
/// The L2 attack starts from the last success and ends at its first adversarial point. Features
/// count one by one, as in the L0 distance: the channels of a pixel are three.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CarliniWagnerL0 {
    /// Steps of Adam for each set of features and constant.
    pub steps: usize,
    /// Step size of Adam in `w`.
    pub learning_rate: f64,
    /// First constant.
    pub initial_constant: f64,
    /// A sample ends where its constant reaches this.
    pub largest_constant: f64,
    /// Factor from one constant to the next.
    pub constant_factor: f64,
}

impl CarliniWagnerL0 {
    /// The authors': 1000 steps of 0.01, c from 0.001 to 2·10⁶ by doubling.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            steps: 1000,
            learning_rate: 0.01,
            initial_constant: 1e-3,
            largest_constant: 2e6,
            constant_factor: 2.0,
        }
    }
}

impl Default for CarliniWagnerL0 {
    fn default() -> Self {
        Self::paper()
    }
}

/// A feature within this share of its side of the clean value did not change.
const UNCHANGED: f64 = 1e-4;

/// A round gives back up to this times the root of the number of changed features,
const SHARE: f64 = 0.3;

/// and stops after one that mattered more than this, in units of the logits.
const MATTERS: f64 = 0.01;

pub(crate) const ENTRY: Entry = Entry {
    name: "carlini-wagner-l0",
    summary: "the L2 attack on ever fewer features",
    reference: "arXiv:1608.04644",
    norms: &[Norm::L0],
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<CarliniWagnerL0>,
    parse: gradient::<CarliniWagnerL0>,
};

impl Algorithm for CarliniWagnerL0 {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn reach(&self) -> Reach {
        Reach::Nearest
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        ENTRY.at_least_one("steps", self.steps as u64)?;
        ENTRY.positive("learning_rate", self.learning_rate)?;
        ENTRY.positive("initial_constant", self.initial_constant)?;
        ENTRY.positive("largest_constant", self.largest_constant)?;
        let grows = self.constant_factor.is_finite() && self.constant_factor > 1.0;
        ENTRY.expect(grows, "constant_factor", "above 1", self.constant_factor)?;
        LossKind::Margin.check(setting.classes, setting.targeted)
    }
}

impl GradientAttack for CarliniWagnerL0 {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        search_gradients(job, self)
    }
}

impl Search<Gradients> for CarliniWagnerL0 {
    fn search<'s>(&'s self, asker: &'s mut Asker<Gradients>) -> Searching<'s> {
        Box::pin(self.shrink(asker))
    }

    fn loss(&self) -> Option<&dyn Loss> {
        Some(&LossKind::Margin)
    }
}

/// An adversarial row and the gradient of the margin there.
struct Found {
    row: Vec<f32>,
    gradient: Vec<f32>,
}

impl CarliniWagnerL0 {
    async fn shrink(&self, asker: &mut Asker<Gradients>) -> Result<(), Halt> {
        let sides = asker.upper().iter().zip(asker.lower());
        let sides: Vec<f64> = sides.map(|(&high, &low)| f64::from(high) - f64::from(low)).collect();
        let mut free: Vec<bool> = sides.iter().map(|&side| side > 0.0).collect();
        let mut start = asker.clean().to_vec();
        let mut constant = self.initial_constant;
        while free.contains(&true) {
            let Some(found) = self.reach(asker, &free, &start, &mut constant).await? else {
                break;
            };
            for (feature, free) in free.iter_mut().enumerate() {
                let change = (found.row[feature] - asker.clean()[feature]).abs();
                *free &= f64::from(change) > UNCHANGED * sides[feature];
            }
            give_back(&mut free, &found, asker.clean());
            start = found.row;
        }
        Ok(())
    }

    /// The L2 attack on the free features, from `start`, with constants from `constant` on.
    async fn reach(
        &self,
        asker: &mut Asker<Gradients>,
        free: &[bool],
        start: &[f32],
        constant: &mut f64,
    ) -> Result<Option<Found>, Halt> {
        while *constant < self.largest_constant {
            let mut point = Point::new(asker, start);
            for taken in 0..self.steps {
                let row = point.row(asker, free);
                let slopes = asker.gradient(row.clone(), Vec::new()).await?;
                let margin = slopes.loss.first().copied().unwrap_or_default();
                if margin > 0.0 {
                    return Ok(Some(Found { row, gradient: slopes.gradient }));
                }
                let weight = *constant;
                let by_rows = |feature: usize| {
                    let delta = f64::from(row[feature]) - f64::from(asker.clean()[feature]);
                    2.0 * delta - weight * f64::from(slopes.gradient[feature])
                };
                point.step(free, by_rows, taken, self.learning_rate);
                if taken + 1 == self.steps {
                    asker.settle(&row);
                }
            }
            *constant *= self.constant_factor;
        }
        Ok(None)
    }
}

/// Takes the features that matter least out of the free ones.
fn give_back(free: &mut [bool], found: &Found, clean: &[f32]) {
    let mut changed: Vec<(f64, usize)> = (0..free.len())
        .filter(|&feature| free[feature])
        .map(|feature| {
            let delta = f64::from(found.row[feature]) - f64::from(clean[feature]);
            ((delta * f64::from(found.gradient[feature])).abs(), feature)
        })
        .collect();
    changed.sort_by(|one, other| one.0.total_cmp(&other.0));
    let most = SHARE * (changed.len() as f64).sqrt();
    for (given, (matters, feature)) in changed.into_iter().enumerate() {
        free[feature] = false;
        if matters > MATTERS || (given + 1) as f64 >= most {
            break;
        }
    }
}

/// A point in `tanh` space and Adam's state there, in f64.
struct Point {
    variable: Vec<f64>,
    /// Middle and half side of each feature's interval.
    sides: Vec<[f64; 2]>,
    mean: Vec<f64>,
    square: Vec<f64>,
}

impl Point {
    fn new(asker: &Asker<Gradients>, start: &[f32]) -> Self {
        let bounds = asker.lower().iter().zip(asker.upper());
        let sides: Vec<[f64; 2]> = bounds
            .map(|(&low, &high)| {
                [f64::from(high) + f64::from(low), f64::from(high) - f64::from(low)]
            })
            .map(|sums| sums.map(|sum| sum / 2.0))
            .collect();
        let variable = start.iter().zip(&sides).map(|(&value, [middle, half])| {
            let place = (f64::from(value) - middle) / half.max(f64::MIN_POSITIVE);
            (place.clamp(-1.0, 1.0) * SHRINK).atanh()
        });
        let zeros = vec![0.0; start.len()];
        Self { variable: variable.collect(), sides, mean: zeros.clone(), square: zeros }
    }

    /// The row, with the clean values where it is not free.
    fn row(&self, asker: &Asker<Gradients>, free: &[bool]) -> Vec<f32> {
        let mut row = asker.clean().to_vec();
        for (feature, value) in row.iter_mut().enumerate().filter(|(feature, _)| free[*feature]) {
            let [middle, half] = self.sides[feature];
            *value = (middle + half * self.variable[feature].tanh()) as f32;
        }
        asker.clip(&mut row);
        row
    }

    /// Adam's step down the gradient by the rows.
    fn step(&mut self, free: &[bool], by_rows: impl Fn(usize) -> f64, taken: usize, rate: f64) {
        let [slow, slower] = DECAY;
        let unbias = |decay: f64| 1.0 - decay.powf((taken + 1) as f64);
        let (slow_unbias, slower_unbias) = (unbias(slow), unbias(slower));
        for feature in (0..free.len()).filter(|&feature| free[feature]) {
            let slope = self.sides[feature][1] * (1.0 - self.variable[feature].tanh().powi(2));
            let gradient = by_rows(feature) * slope;
            let mean = slow * self.mean[feature] + (1.0 - slow) * gradient;
            let square = slower * self.square[feature] + (1.0 - slower) * gradient * gradient;
            (self.mean[feature], self.square[feature]) = (mean, square);
            let spread = (square / slower_unbias).sqrt() + TINY;
            self.variable[feature] -= rate * (mean / slow_unbias) / spread;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nine changed features: 0.3 · 3 = 0.9, so one goes; a hundred: three.
    #[test]
    fn a_round_gives_back_about_a_third_of_the_root_of_the_changed_features() {
        for (count, expected) in [(9, 1), (100, 3)] {
            let found = Found {
                row: (0..count).map(|feature| 1.5e-3 + 1e-5 * feature as f32).collect(),
                gradient: vec![1.0; count],
            };
            let mut free = vec![true; count];
            give_back(&mut free, &found, &vec![0.0; count]);
            let gone: Vec<usize> = (0..count).filter(|&feature| !free[feature]).collect();
            assert_eq!(gone, (0..expected).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_feature_that_matters_ends_the_round() {
        let found = Found { row: vec![0.5; 100], gradient: vec![1.0; 100] };
        let mut free = vec![true; 100];
        give_back(&mut free, &found, &[0.0; 100]);
        assert_eq!(free.iter().filter(|&&free| !free).count(), 1);
    }
}
