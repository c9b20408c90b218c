//! Saliency maps over pairs of features.
//!
//! Papernot, `McDaniel`, Jha, Fredrikson, Celik, Swami. *The Limitations of Deep Learning in
//! Adversarial Settings.* `EuroS&P` 2016, algorithms 2 and 3. <https://arxiv.org/abs/1511.07528>
use burn::prelude::*;
use duress_core::search::{Gradients, search_gradients};
use duress_core::{
    Access, Aim, Algorithm, Asker, GradientAttack, GradientJob, Halt, Loss, Norm, Reach, Result,
    Search, Searching, Setting, arg_max,
};
use serde::{Deserialize, Serialize};

use super::ranked_others;
use crate::table::{Entry, defaults, gradient};

/// Moves, again and again, the two features that together raise the target's logit and lower the
/// others' most.
///
/// Of all pairs with `α = Σ ∂z_t > 0` and `β = Σ Σ_{j≠t} ∂z_j < 0` the one with the largest `−αβ` is
/// moved by θ; a feature at the end of its interval is dropped. The search ends at the goal, without
/// such a pair, or when the share γ of the features has been moved. Derivatives are of the logits, as
/// in the paper: those of probabilities sum to zero.
///
/// Untargeted, each class but the label is the target of one search from the clean row, the likeliest
/// first; any other class is a success, and the nearest point counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jsma {
    /// Change θ of a feature, in sides of the box; negative to lower features. The paper's is 1.
    pub theta: f64,
    /// Largest share γ of the features that one search moves; the paper reports 0.145, the usual
    /// setting is 0.1.
    pub gamma: f64,
}

impl Jsma {
    /// θ = 1, γ = 0.1.
    #[must_use]
    pub fn paper() -> Self {
        Self { theta: 1.0, gamma: 0.1 }
    }

    /// One search for `target` from the clean row.
    async fn towards(&self, asker: &mut Asker<Gradients>, target: usize) -> Result<(), Halt> {
        let mut row = asker.clean().to_vec();
        let (features, classes) = (row.len(), asker.classes());
        let up = self.theta > 0.0;
        let end = if up { asker.upper() } else { asker.lower() }.to_vec();
        let free = |row: &[f32], feature: usize| {
            if up { row[feature] < end[feature] } else { row[feature] > end[feature] }
        };
        let pairs = (self.gamma * features as f64 / 2.0).floor() as usize;
        for _ in 0..pairs {
            let slopes = asker.gradient(row.repeat(2), vec![target, classes]).await?;
            if asker.is_met(arg_max(&slopes.logits[..classes])) {
                return Ok(());
            }
            let (own, all) = slopes.gradient.split_at(features);
            // With θ below 0 both derivatives change their signs.
            let sign = if up { 1.0 } else { -1.0 };
            let open = (0..features).filter(|&feature| free(&row, feature));
            let points = open.map(|feature| {
                let (own, all) = (f64::from(own[feature]), f64::from(all[feature]));
                Point { feature, gain: sign * own, drop: sign * (own - all) }
            });
            let Some(pair) = most_salient(points.collect()) else {
                asker.settle(&row);
                return Ok(());
            };
            for feature in pair {
                let domain = asker.domain();
                let (low, high) = (domain.lower().at(feature), domain.upper().at(feature));
                let step = self.theta * (f64::from(high) - f64::from(low));
                row[feature] = (f64::from(row[feature]) + step) as f32;
            }
            asker.clip(&mut row);
        }
        asker.settle(&row);
        asker.meets(&row).await?;
        Ok(())
    }
}

impl Default for Jsma {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "jsma",
    summary: "Jacobian saliency maps over pairs of features",
    reference: "arXiv:1511.07528",
    norms: &[Norm::L0],
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<Jsma>,
    parse: gradient::<Jsma>,
};

impl Algorithm for Jsma {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn reach(&self) -> Reach {
        Reach::Nearest
    }

    fn check(&self, _: &Setting<'_>) -> Result<()> {
        ENTRY.positive("theta", self.theta.abs())?;
        ENTRY.share("gamma", self.gamma)
    }
}

impl GradientAttack for Jsma {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        search_gradients(job, self)
    }
}

impl Search<Gradients> for Jsma {
    fn search<'s>(&'s self, asker: &'s mut Asker<Gradients>) -> Searching<'s> {
        Box::pin(async move {
            if asker.is_targeted() {
                let target = asker.label();
                return self.towards(asker, target).await;
            }
            let clean = asker.clean().to_vec();
            let logits = asker.logits(clean).await?;
            for target in ranked_others(&logits, asker.label()) {
                self.towards(asker, target).await?;
            }
            Ok(())
        })
    }

    fn loss(&self) -> Option<&dyn Loss> {
        Some(&LogitOrSum)
    }
}

/// The logit of the rival class; of the class past the last, the sum of all logits. With it two
/// gradients give all that a saliency map needs of the Jacobian.
#[derive(Debug)]
struct LogitOrSum;

impl Loss for LogitOrSum {
    fn name(&self) -> &'static str {
        "logit or sum"
    }

    fn per_sample(&self, logits: Tensor<2>, aim: &Aim) -> Tensor<1> {
        let sum = logits.clone().sum_dim(1);
        let classes = aim.rivals().unwrap_or_else(|| aim.labels());
        Tensor::cat(vec![logits, sum], 1).gather(1, classes.unsqueeze_dim(1)).squeeze_dim(1)
    }
}

/// What a feature does to the target's logit (`∂z_t`) and to the others' (`−Σ_{j≠t} ∂z_j`).
#[derive(Clone, Copy, Debug)]
struct Point {
    feature: usize,
    gain: f64,
    drop: f64,
}

/// The pair with positive sums of gain and drop and the largest product of these sums.
///
/// A feature that two others match or exceed in both values can be replaced by one of them in any
/// pair. What is left after one sweep in the order of falling gain is a handful of features: exact,
/// without the `d²` pairs.
fn most_salient(mut points: Vec<Point>) -> Option<[usize; 2]> {
    points.sort_unstable_by(|a, b| {
        let by_gain = b.gain.total_cmp(&a.gain);
        by_gain.then(b.drop.total_cmp(&a.drop)).then(a.feature.cmp(&b.feature))
    });
    let (mut most, mut second) = (f64::NEG_INFINITY, f64::NEG_INFINITY);
    points.retain(|point| {
        let stays = point.drop > second;
        if point.drop > most {
            (most, second) = (point.drop, most);
        } else if stays {
            second = point.drop;
        }
        stays
    });
    let (mut best, mut pair) = (0.0, None);
    for (index, one) in points.iter().enumerate() {
        for other in &points[index + 1..] {
            let (gain, drop) = (one.gain + other.gain, one.drop + other.drop);
            if gain > 0.0 && drop > 0.0 && gain * drop > best {
                (best, pair) = (gain * drop, Some([one.feature, other.feature]));
            }
        }
    }
    pair
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn points(values: &[(f64, f64)]) -> Vec<Point> {
        let point = |(feature, &(gain, drop))| Point { feature, gain, drop };
        values.iter().enumerate().map(point).collect()
    }

    #[test]
    fn both_sums_must_have_their_signs() {
        assert_eq!(most_salient(points(&[(1.0, -2.0), (-3.0, 1.0)])), None);
        assert_eq!(most_salient(points(&[(1.0, 1.0)])), None, "a pair is two features");
        // (3, −1) + (1, 2): 4 · 1. (3, −1) + (−1, 3): 2 · 2. (1, 2) + (−1, 3): 0.
        let got = most_salient(points(&[(3.0, -1.0), (1.0, 2.0), (-1.0, 3.0)])).unwrap();
        assert!(got == [0, 1] || got == [0, 2]);
    }

    fn product(points: &[Point], pair: Option<[usize; 2]>) -> f64 {
        pair.map_or(0.0, |[one, other]| {
            (points[one].gain + points[other].gain) * (points[one].drop + points[other].drop)
        })
    }

    proptest! {
        #[test]
        fn no_pair_is_more_salient(
            values in prop::collection::vec(
                (prop_oneof![Just(0.0), -2.0..2.0_f64], prop_oneof![Just(0.0), Just(1.0), -2.0..2.0_f64]),
                2..14,
            )
        ) {
            let points = points(&values);
            let got = product(&points, most_salient(points.clone()));
            for one in 0..points.len() {
                for other in 0..one {
                    let gain = points[one].gain + points[other].gain;
                    let drop = points[one].drop + points[other].drop;
                    if gain > 0.0 && drop > 0.0 {
                        prop_assert!(gain * drop <= got + 1e-12);
                    }
                }
            }
        }
    }
}
