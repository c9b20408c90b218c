//! Elastic-net attack.
//!
//! Chen, Sharma, Zhang, Yi, Hsieh. *EAD: Elastic-Net Attacks to Deep Neural Networks via
//! Adversarial Examples.* AAAI 2018, eq. 7 and algorithm 1. <https://arxiv.org/abs/1709.04114>
use burn::prelude::*;
use duress_core::{
    Access, Algorithm, GradientAttack, GradientJob, Loss, Norm, Reach, Region, Result, Setting,
};
use serde::{Deserialize, Serialize};

use super::constant::{ConstantSearch, Plan};
use super::nearest::Nearest;
use crate::losses::LossKind;
use crate::table::{Entry, defaults, gradient};

/// Which of the adversarial iterates is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// The one of least `β‖δ‖₁ + ‖δ‖₂²`.
    #[default]
    ElasticNet,
    /// The one of least `‖δ‖₁`.
    L1,
}

/// Minimises `c · max(κ − margin, 0) + β‖δ‖₁ + ‖δ‖₂²` in the box by FISTA, and searches for `c` as
/// Carlini and Wagner do.
///
/// The gradient is taken at the accelerated point `y`, success is tested at the iterate `x`: two
/// queries a step. The shrinkage threshold is `β`, as in eq. 7, not `β` times the step. Under a
/// fixed radius any iterate inside the ball solves its sample, whatever the decision rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ead {
    /// Searches for the constant, each an optimisation from the clean row. From 10 on, the last
    /// repeats the best.
    pub search_steps: usize,
    /// Steps of FISTA in each search.
    pub steps: usize,
    /// First step size; it falls as `√(1 − k/steps)`.
    pub learning_rate: f64,
    /// First constant; it grows tenfold until a search succeeds and is bisected then.
    pub initial_constant: f64,
    /// Weight β of the L1 distance, and the threshold of the shrinkage, in raw units.
    pub beta: f64,
    /// Margin κ that the logits must have.
    pub confidence: f64,
    /// End a sample's search where its loss fell by less than 0.01 % in a tenth of the steps.
    pub abort_early: bool,
    /// Which iterate is kept.
    pub decision: Decision,
}

impl Ead {
    /// The paper's: 9 searches of 1000 steps of 0.01 from c = 0.001, β = 0.001, κ = 0.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            search_steps: 9,
            steps: 1000,
            learning_rate: 0.01,
            initial_constant: 1e-3,
            beta: 1e-3,
            confidence: 0.0,
            abort_early: true,
            decision: Decision::ElasticNet,
        }
    }
}

impl Default for Ead {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "ead",
    summary: "elastic-net distance by FISTA, searched constant",
    reference: "arXiv:1709.04114",
    norms: &[Norm::L1, Norm::L2],
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<Ead>,
    parse: gradient::<Ead>,
};

impl Algorithm for Ead {
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
        ENTRY.at_least_one("search_steps", self.search_steps as u64)?;
        ENTRY.at_least_one("steps", self.steps as u64)?;
        ENTRY.positive("learning_rate", self.learning_rate)?;
        ENTRY.positive("initial_constant", self.initial_constant)?;
        ENTRY.not_negative("beta", self.beta)?;
        ENTRY.not_negative("confidence", self.confidence)?;
        LossKind::Margin.check(setting.classes, setting.targeted)
    }
}

impl GradientAttack for Ead {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        if job.active() == 0 {
            return Ok(job.clean());
        }
        let mut nearest = Nearest::none(job);
        // The iterate that the rule keeps, and its score.
        let (mut kept, mut score) = (job.clean(), nearest.distance.clone());
        let plan =
            Plan { searches: self.search_steps, steps: self.steps, abort_early: self.abort_early };
        let mut search = ConstantSearch::new(plan, &score, self.initial_constant);
        let (mut rows, mut ahead) = (job.clean(), job.clean());
        for step in 1..=self.search_steps * self.steps {
            if job.active() == 0 || job.queries_left().is_some_and(|left| left < 2) {
                break;
            }
            let at = job.gradient(ahead.clone(), &LossKind::Margin)?;
            let checkpoint = job.checkpoint(step)?;
            if checkpoint {
                job.ensure_finite(at.gradient.clone())?;
            }
            let missing = self.missing(at.loss);
            let pull = search.constant.clone() * missing.greater_elem(0.0).float();
            let slope = (ahead.clone() - job.clean()) * 2.0 - at.gradient * pull;
            let taken = search.taken.clone();
            let rate = (-taken.clone() / self.steps as f64 + 1.0).clamp_min(0.0).sqrt()
                * self.learning_rate;
            let next = shrink(job.region(), ahead - slope * rate, self.beta);
            let weight = taken.clone() / (taken + 3.0);
            ahead = next.clone() + (next.clone() - rows) * weight;
            rows = next;

            let logits = job.logits(rows.clone())?;
            let margin = margin(&logits, job);
            let missing = self.missing(margin);
            let met = job.aim().met(logits).unsqueeze_dim::<2>(1);
            let success = met.bool_and(missing.clone().lower_equal_elem(0.0));
            let counts = success.clone().bool_and(search.open());
            nearest.offer(job.region(), rows.clone(), counts.clone().squeeze_dim(1));
            let delta = rows.clone() - job.clean();
            let length = Norm::L1.of(delta.clone());
            let elastic = length.clone() * self.beta + delta.square().sum_dim(1);
            let rank = if self.decision == Decision::L1 { length } else { elastic.clone() };
            let better = counts.bool_and(rank.clone().lower(score.clone()));
            kept = kept.mask_where(better.clone().expand(rows.dims()), rows.clone());
            score = score.mask_where(better, rank);

            let loss = elastic + search.constant.clone() * missing;
            let over = search.advance(success, loss).expand(rows.dims());
            rows = rows.mask_where(over.clone(), job.clean());
            ahead = ahead.mask_where(over, job.clean());
            if checkpoint {
                let solved = nearest.solved();
                nearest.prefer(kept.clone(), &score);
                let done = solved.bool_or(search.open().bool_not().squeeze_dim(1));
                let mut state = vec![&mut rows, &mut ahead, &mut kept, &mut score];
                state.extend(search.state());
                nearest.leave(done, job, &mut state)?;
            }
        }
        nearest.prefer(kept, &score);
        Ok(nearest.or(rows))
    }
}

impl Ead {
    /// `max(κ − margin, 0)`, `[N] → [N, 1]`.
    fn missing(&self, margin: Tensor<1>) -> Tensor<2> {
        (-margin.unsqueeze_dim::<2>(1) + self.confidence).clamp_min(0.0)
    }
}

/// The margin of logits `[N, K] → [N]`, positive where the goal is met.
fn margin(logits: &Tensor<2>, job: &GradientJob<'_>) -> Tensor<1> {
    LossKind::Margin.per_sample(logits.clone(), job.aim())
}

/// `S_β` of eq. 7: towards the clean row by `beta`, no farther than there, and into the box.
fn shrink(region: &Region, rows: Tensor<2>, beta: f64) -> Tensor<2> {
    let delta = rows - region.center();
    let shrunk = delta.clone().sign() * (delta.abs() - beta).clamp_min(0.0);
    region.clip(region.center() + shrunk)
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Domain, Threat, host::floats};

    /// Clean ½: inside the threshold nothing moves, beyond it all move back by β, then the box.
    #[test]
    fn shrinkage_by_hand() {
        let device = Device::flex();
        let domain = Domain::image(1, 1, 4).unwrap();
        let clean = Tensor::<2>::full([1, 4], 0.5, &device);
        let region = Region::new(clean, &Threat::new(Norm::L1, 1.0).unwrap(), &domain).unwrap();
        let rows = Tensor::<2>::from_data([[0.55, 0.8, 0.1, 1.7]], &device);
        let got = floats(shrink(&region, rows, 0.1)).unwrap();
        for (got, expected) in got.into_iter().zip([0.5, 0.7, 0.2, 1.0]) {
            assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        }
    }
}
