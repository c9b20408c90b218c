//! Gradients from differences of the loss along random directions.
use duress_core::search::Scores;
use duress_core::{Asker, Halt};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use super::{may_change, rows_at_once};

/// Estimate of a loss around a row.
#[derive(Clone, Debug)]
pub(crate) struct Slope {
    /// Its gradient by each feature.
    pub(crate) gradient: Vec<f64>,
    /// Its mean over the probes.
    pub(crate) loss: f64,
}

/// A loss of the logits of one row.
pub(crate) type RowLoss = fn(&Asker<Scores>, &[f32]) -> f64;

/// `1/(2nσ) Σ (l(x + σuᵢ) − l(x − σuᵢ)) uᵢ` over `n` pairs: `2n` queries. Unbiased for a linear loss
/// if the components of `u` are independent, of mean zero and variance one.
///
/// Features that may not change are not probed. The probes may lie outside ball and box, as in the
/// papers: cut at the box, they would halve the slope of a feature that lies in its corner.
pub(crate) async fn slope<R: Rng>(
    asker: &mut Asker<Scores>,
    row: &[f32],
    (pairs, width): (usize, f64),
    (rng, draw): (&mut R, fn(&mut R) -> f32),
    loss: RowLoss,
) -> Result<Slope, Halt> {
    let (features, classes) = (row.len(), asker.classes());
    let movable: Vec<bool> = (0..features).map(|feature| may_change(asker, feature)).collect();
    let mut estimate = Slope { gradient: vec![0.0; features], loss: 0.0 };
    let at_once = (rows_at_once(features) / 2).max(1);
    let weight = 1.0 / (2.0 * pairs as f64);
    for start in (0..pairs).step_by(at_once) {
        let count = at_once.min(pairs - start);
        let directions: Vec<f32> = (0..count * features)
            .map(|index| {
                let drawn = draw(rng);
                if movable[index % features] { drawn } else { 0.0 }
            })
            .collect();
        let mut rows = Vec::with_capacity(2 * count * features);
        for direction in directions.chunks_exact(features) {
            for signed in [width, -width] {
                let moved = row.iter().zip(direction);
                rows.extend(
                    moved.map(|(&at, &by)| (f64::from(at) + signed * f64::from(by)) as f32),
                );
            }
        }
        let logits = asker.probe(rows).await?;
        for (pair, direction) in
            logits.chunks_exact(2 * classes).zip(directions.chunks_exact(features))
        {
            let (ahead, behind) = pair.split_at(classes);
            let (ahead, behind) = (loss(asker, ahead), loss(asker, behind));
            estimate.loss += (ahead + behind) * weight;
            let rise = (ahead - behind) / width * weight;
            for (slope, &by) in estimate.gradient.iter_mut().zip(direction) {
                *slope += rise * f64::from(by);
            }
        }
    }
    Ok(estimate)
}

/// A component of a Gaussian direction.
pub(crate) fn normal<R: Rng>(rng: &mut R) -> f32 {
    rng.sample(StandardNormal)
}

/// A component of a Rademacher direction.
pub(crate) fn sign<R: Rng>(rng: &mut R) -> f32 {
    if rng.random() { 1.0 } else { -1.0 }
}

/// A step of `length` down a gradient: along its signs, or (`straight`) along itself.
pub(crate) fn descend(row: &mut [f32], gradient: &[f64], length: f64, straight: bool) {
    let norm = gradient.iter().map(|slope| slope * slope).sum::<f64>().sqrt();
    for (value, &slope) in row.iter_mut().zip(gradient) {
        let direction = if straight {
            if norm > 0.0 { slope / norm } else { 0.0 }
        } else if slope > 0.0 {
            1.0
        } else if slope < 0.0 {
            -1.0
        } else {
            0.0
        };
        *value = (f64::from(*value) - length * direction) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evasion::score::margin_loss;
    use burn::prelude::*;
    use duress_core::{
        Algorithm, Attack, Classifier, Domain, Goal, Norm, Oracle, Passes, Problem, Result,
        ScoreAttack, ScoreJob, Search, Searching, Setting, Threat, WhiteBox,
    };
    use std::sync::{Arc, Mutex};

    /// Logits `(⟨w, x⟩ + 9, 0)` over a row with a corner value and an immutable feature.
    struct Plane(Domain);

    const WEIGHTS: [f32; 4] = [3.0, -1.0, 2.0, 5.0];
    const PAIRS: usize = 60_000;

    impl Classifier for Plane {
        fn domain(&self) -> &Domain {
            &self.0
        }

        fn classes(&self) -> usize {
            2
        }

        fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
            let weights = Tensor::<1>::from_floats(WEIGHTS, &rows.device()).unsqueeze();
            let margin = (rows * weights).sum_dim(1) + 9.0;
            Tensor::cat(vec![margin.clone(), margin * 0.0], 1)
        }
    }

    /// Estimates the slope at the clean row and keeps it.
    #[derive(Debug)]
    struct Estimate {
        rademacher: bool,
        got: Arc<Mutex<Option<Slope>>>,
    }

    impl Algorithm for Estimate {
        fn name(&self) -> &'static str {
            "estimate"
        }

        fn norms(&self) -> &[Norm] {
            &Norm::ALL
        }

        fn check(&self, _: &Setting<'_>) -> Result<()> {
            Ok(())
        }
    }

    impl ScoreAttack for Estimate {
        fn perturb(&self, job: &mut ScoreJob<'_>) -> Result<Tensor<2>> {
            duress_core::search::search_scores(job, self)
        }
    }

    impl Search<Scores> for Estimate {
        fn search<'s>(&'s self, asker: &'s mut Asker<Scores>) -> Searching<'s> {
            Box::pin(async move {
                let (clean, mut rng) = (asker.clean().to_vec(), asker.generator(0));
                let sizes = (PAIRS, 0.01);
                let got = if self.rademacher {
                    slope(asker, &clean, sizes, (&mut rng, sign), margin_loss).await?
                } else {
                    slope(asker, &clean, sizes, (&mut rng, normal), margin_loss).await?
                };
                *self.got.lock().unwrap() = Some(got);
                Ok(())
            })
        }
    }

    /// The mean of `⟨w, u⟩u` is `w`; a component's variance is `‖w‖² + w²` for a Gaussian and
    /// `‖w‖² − w²` for signs. Five standard deviations, and what f32 rounds.
    #[test]
    fn the_estimate_of_a_linear_loss_is_unbiased_at_a_corner_too() {
        let device = Device::flex();
        let passes = Passes::new(&device).unwrap();
        let model = Plane(Domain::image(1, 1, 4).unwrap().with_immutable(vec![3]).unwrap());
        let oracle = WhiteBox::new(&model, &passes);
        for rademacher in [false, true] {
            let got = Arc::default();
            let attack = Attack::Score(Box::new(Estimate { rademacher, got: Arc::clone(&got) }));
            let problem = Problem::new(
                Oracle::Scores(&oracle),
                Tensor::from_floats([[0.0, 1.0, 0.5, 0.5]], &device),
                Goal::Untargeted(vec![0]),
                Threat::new(Norm::Linf, 0.1).unwrap(),
            );
            let outcome = duress_core::run(&attack, &problem).unwrap();
            assert_eq!(outcome.samples[0].forwards, 2 * PAIRS as u64);
            let got = got.lock().unwrap().clone().unwrap();
            let square = 14.0;
            for (slope, weight) in got.gradient.iter().zip(WEIGHTS).take(3) {
                let weight = f64::from(weight);
                let own = weight * weight * if rademacher { -1.0 } else { 1.0 };
                let deviation = ((square + own) / PAIRS as f64).sqrt();
                assert!((slope - weight).abs() < 5.0 * deviation + 1e-3, "{slope} {weight}");
            }
            assert!(got.gradient[3].abs() < 1e-12, "an immutable feature is not probed");
            // ⟨w, x⟩ + 9 = 3·0 − 1 + 1 + 2.5 + 9.
            assert!((got.loss - 11.5).abs() < 1e-3, "{}", got.loss);
        }
    }

    #[test]
    fn a_step_down_follows_signs_or_the_gradient_itself() {
        let close = |got: [f32; 3], expected: [f32; 3]| {
            assert!(got.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{got:?}");
        };
        let mut row = [0.5; 3];
        descend(&mut row, &[3.0, 0.0, -4.0], 0.1, false);
        close(row, [0.4, 0.5, 0.6]);
        descend(&mut row, &[3.0, 0.0, -4.0], 0.1, true);
        close(row, [0.34, 0.5, 0.68]);
        descend(&mut row, &[0.0; 3], 0.1, true);
        close(row, [0.34, 0.5, 0.68]);
    }
}
