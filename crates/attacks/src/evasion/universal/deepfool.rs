//! Universal adversarial perturbations.
//!
//! Moosavi-Dezfooli, Fawzi, Fawzi, Frossard. *Universal Adversarial Perturbations.* CVPR 2017,
//! algorithm 1. <https://arxiv.org/abs/1610.08401>
//!
//! The step from one sample is `DeepFool`'s: Moosavi-Dezfooli, Fawzi, Frossard. *`DeepFool`: a simple
//! and accurate method to fool deep neural networks.* CVPR 2016, algorithm 2.
//! <https://arxiv.org/abs/1511.04599>
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::prelude::*;
use duress_core::search::{Gradients, search_gradients};
use duress_core::{
    Access, Algorithm, Asker, Domain, Error, GradientAttack, GradientJob, Halt, Loss, Norm, Result,
    Search, Searching, Setting, arg_max, host,
};
use serde::{Deserialize, Serialize};

use super::into_ball;
use super::turns::Turns;
use crate::losses::RivalLogit;
use crate::table::{Entry, defaults, gradient};

/// One perturbation `v` for the batch: pass over the samples; where `x + v` still has the
/// prediction of `x`, add the nearest step that changes it, and move `v` back into the ball if it
/// left it.
///
/// A sample counts as fooled when its prediction *changed*, whatever its label. `v` is never
/// enlarged to fill the ball. Points are asked about inside the box, where `v` is cut per sample,
/// and features at a face of the box take no part in a step that points out of it (the paper has no
/// box; without this, steps from black pictures stall). A sample with a smaller radius than the largest gets `v` scaled down to its own.
///
/// A sample spends one query at its clean row, and in each pass one at its turn and one for the
/// fooling rate; each `DeepFool` step costs `candidates + 1` more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UniversalDeepFool {
    /// Share δ of samples that need not be fooled: passes end at a fooling rate of `1 − δ`.
    pub delta: f64,
    /// Most passes over the batch; the paper sets no limit.
    pub passes: usize,
    /// Most `DeepFool` steps from one sample; the perturbation stays if they do not suffice.
    pub steps: usize,
    /// Classes that `DeepFool` considers, those with the largest logits, the predicted one included;
    /// the authors take 10.
    pub candidates: usize,
    /// How far beyond the boundary a `DeepFool` step goes, relative.
    pub overshoot: f64,
}

impl UniversalDeepFool {
    /// The paper's: δ = 0.2, ten `DeepFool` steps with an overshoot of 0.02; ten passes.
    #[must_use]
    pub fn paper() -> Self {
        Self { delta: 0.2, passes: 10, steps: 10, candidates: 10, overshoot: 0.02 }
    }
}

impl Default for UniversalDeepFool {
    fn default() -> Self {
        Self::paper()
    }
}

/// Added to the difference of two logits, so that a step leaves an exact tie.
const BEYOND: f64 = 1e-6;

pub(crate) const ENTRY: Entry = Entry {
    name: "universal-deepfool",
    summary: "one perturbation for all samples, from DeepFool steps",
    reference: "arXiv:1610.08401",
    norms: &[Norm::L2, Norm::Linf],
    access: Access::Gradients,
    targeted: false,
    defaults: defaults::<UniversalDeepFool>,
    parse: gradient::<UniversalDeepFool>,
};

impl Algorithm for UniversalDeepFool {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn joint(&self) -> bool {
        true
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        ENTRY.share("delta", self.delta)?;
        ENTRY.at_least_one("passes", self.passes as u64)?;
        ENTRY.at_least_one("steps", self.steps as u64)?;
        ENTRY.expect(self.candidates >= 2, "candidates", "at least 2", self.candidates)?;
        ENTRY.not_negative("overshoot", self.overshoot)?;
        if setting.classes < 2 {
            return Err(Error::Classes { loss: ENTRY.name, needed: 2, classes: setting.classes });
        }
        ENTRY.expect(!setting.targeted, "goal", "untargeted", "targeted")
    }
}

impl GradientAttack for UniversalDeepFool {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let clean = job.clean();
        let ([count, features], device) = (clean.dims(), clean.device());
        let radii = host::floats(job.region().radius())?;
        let largest = radii.iter().copied().fold(0.0, f32::max);
        let pass = Pass {
            attack: self,
            radius: f64::from(largest),
            turns: Turns::new(count, features, 1.0 - self.delta, self.passes),
            seats: AtomicUsize::new(0),
        };
        search_gradients(job, &pass)?;
        let shared = pass.turns.lock();
        let (clean, lower) = (host::floats(clean)?, host::floats(job.region().lower())?);
        let upper = host::floats(job.region().upper())?;
        let mut values = Vec::with_capacity(clean.len());
        for (sample, &radius) in radii.iter().enumerate() {
            let mut own = shared.perturbation.clone();
            into_ball(&mut own, job.norm(), f64::from(radius));
            let start = sample * features;
            values.extend(own.iter().enumerate().map(|(feature, by)| {
                let at = start + feature;
                moved(clean[at], *by).clamp(lower[at], upper[at])
            }));
        }
        Ok(Tensor::from_data(TensorData::new(values, [count, features]), &device))
    }
}

/// `x + by`, rounded once.
fn moved(value: f32, by: f64) -> f32 {
    (f64::from(value) + by) as f32
}

/// A run on one batch.
struct Pass<'a> {
    attack: &'a UniversalDeepFool,
    /// The largest radius of the batch.
    radius: f64,
    turns: Turns,
    seats: AtomicUsize,
}

impl Search<Gradients> for Pass<'_> {
    fn search<'s>(&'s self, asker: &'s mut Asker<Gradients>) -> Searching<'s> {
        // Called once a sample, in the order of the batch.
        let sample = self.seats.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let ended = self.take_part(sample, asker).await;
            self.turns.leave(sample);
            ended
        })
    }

    fn loss(&self) -> Option<&dyn Loss> {
        Some(&RivalLogit)
    }
}

impl Pass<'_> {
    async fn take_part(&self, sample: usize, asker: &mut Asker<Gradients>) -> Result<(), Halt> {
        let clean = asker.clean().to_vec();
        let home = asker.logits(clean).await.map(|logits| arg_max(&logits))?;
        loop {
            self.turns.mine(sample).await;
            let current = self.turns.lock().perturbation.clone();
            if let Some(step) = self.step(asker, home, &current).await? {
                let mut next = current;
                next.iter_mut().zip(step).for_each(|(value, by)| *value += by);
                into_ball(&mut next, asker.norm(), self.radius);
                self.turns.lock().perturbation = next;
            }
            self.turns.done(sample).await;
            let mut own = self.turns.lock().perturbation.clone();
            into_ball(&mut own, asker.norm(), asker.radius());
            let row = in_box(asker, &own);
            let fooled = unchanged(asker, home, row).await?.is_none();
            if !self.turns.measured(sample, fooled).await {
                return Ok(());
            }
        }
    }

    /// `DeepFool` from `x + current`: the step that changes the prediction, if it has not changed
    /// there already and the steps suffice.
    async fn step(
        &self,
        asker: &mut Asker<Gradients>,
        home: usize,
        current: &[f64],
    ) -> Result<Option<Vec<f64>>, Halt> {
        let features = current.len();
        let row = in_box(asker, current);
        let Some(logits) = unchanged(asker, home, row).await? else { return Ok(None) };
        let mut classes = ranked(&logits);
        classes.truncate(self.attack.candidates);
        let mut total = vec![0.0; features];
        for _ in 0..self.attack.steps {
            let row = in_box(asker, &self.ahead(current, &total));
            let rows = row.repeat(classes.len());
            let free = |feature: usize, slope: f64| can_move(asker.domain(), &row, feature, slope);
            let free: Vec<[bool; 2]> =
                (0..features).map(|f| [free(f, -1.0), free(f, 1.0)]).collect();
            let Some(at) = known(asker.gradient(rows, classes.clone()).await)? else {
                return Ok(Some(self.ahead(&vec![0.0; features], &total)));
            };
            let logits = &at.logits[..asker.classes()];
            let own = &at.gradient[..features];
            let rivals = classes.iter().enumerate().skip(1).map(|(place, &class)| {
                let gap = (f64::from(logits[class]) - f64::from(logits[home])).abs() + BEYOND;
                let other = &at.gradient[place * features..][..features];
                let normal: Vec<f64> = (0..features)
                    .map(|f| {
                        let slope = f64::from(other[f]) - f64::from(own[f]);
                        if free[f][usize::from(slope > 0.0)] { slope } else { 0.0 }
                    })
                    .collect();
                let length = Norm::L2.of_slice(&normal);
                (gap / length, gap, normal, length)
            });
            let nearest = rivals.min_by(|a, b| a.0.total_cmp(&b.0));
            let Some((distance, gap, normal, length)) = nearest else { return Ok(None) };
            if !distance.is_finite() {
                return Ok(None);
            }
            let factor = gap / (length * length);
            total.iter_mut().zip(normal).for_each(|(value, by)| *value += factor * by);
            let row = in_box(asker, &self.ahead(current, &total));
            if unchanged(asker, home, row).await?.is_none() {
                return Ok(Some(self.ahead(&vec![0.0; features], &total)));
            }
        }
        Ok(None)
    }

    /// `current + (1 + overshoot) · total`.
    fn ahead(&self, current: &[f64], total: &[f64]) -> Vec<f64> {
        let factor = 1.0 + self.attack.overshoot;
        current.iter().zip(total).map(|(value, by)| value + factor * by).collect()
    }
}

/// The logits at a row, unless its prediction is another than `home`: one query.
async fn unchanged(
    asker: &mut Asker<Gradients>,
    home: usize,
    row: Vec<f32>,
) -> Result<Option<Vec<f32>>, Halt> {
    let logits = known(asker.logits(row).await)?;
    Ok(logits.filter(|logits| arg_max(logits) == home))
}

/// An answer, or `None` where it solved the sample: its prediction left the label, which the clean
/// row had. The search goes on, since the perturbation belongs to all samples.
fn known<T>(answer: Result<T, Halt>) -> Result<Option<T>, Halt> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Halt::Solved) => Ok(None),
        Err(halt) => Err(halt),
    }
}

/// The clean row plus a perturbation, in the box (the ball is the perturbation's own affair).
fn in_box(asker: &Asker<Gradients>, by: &[f64]) -> Vec<f32> {
    let domain = asker.domain();
    let value = |(feature, (&value, &by)): (usize, (&f32, &f64))| {
        moved(value, by).clamp(domain.lower().at(feature), domain.upper().at(feature))
    };
    asker.clean().iter().zip(by).enumerate().map(value).collect()
}

/// Whether a feature of a row may move in the direction of `slope`: neither the mask holds it nor a
/// face of the box.
fn can_move(domain: &Domain, row: &[f32], feature: usize, slope: f64) -> bool {
    let inside = if slope > 0.0 {
        row[feature] < domain.upper().at(feature)
    } else {
        row[feature] > domain.lower().at(feature)
    };
    inside && domain.immutable().binary_search(&feature).is_err()
}

/// The classes by falling logit, the lower class first where they tie.
fn ranked(logits: &[f32]) -> Vec<usize> {
    let mut classes: Vec<usize> = (0..logits.len()).collect();
    // Answers are finite; zeros of either sign tie.
    let order = |a: f32, b: f32| b.partial_cmp(&a).unwrap_or(std::cmp::Ordering::Equal);
    classes.sort_by(|&a, &b| order(logits[a], logits[b]));
    classes
}
