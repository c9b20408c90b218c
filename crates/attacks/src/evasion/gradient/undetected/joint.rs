//! PGD on the classifier's margin and the detector's together, with a searched weight.
//!
//! Carlini, Wagner. *Adversarial Examples Are Not Easily Detected: Bypassing Ten Detection
//! Methods.* `AISec` 2017, §3.3 (the joint loss); the weight is searched for each sample as the
//! constant of their attacks is. <https://arxiv.org/abs/1705.07263>
use burn::prelude::*;
use duress_core::{
    Access, Algorithm, GradientAttack, GradientJob, Norm, Objective, Result, Setting,
};
use serde::{Deserialize, Serialize};

use super::super::keep_solved;
use crate::losses::{Joint, misclassification};
use crate::table::{Entry, defaults, gradient};

/// Projected ascent on `min(m, κ) + λ min(p, κ)`, where `m` is the margin of misclassification and
/// `p` that of not being detected.
///
/// After each round of steps, `λ` of a sample that is misclassified and detected rises (tenfold,
/// then to the middle of what was tried), and falls for one that is classified correctly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JointPgd {
    /// Gradient steps of each round.
    pub steps: usize,
    /// Length of a step, as a fraction of the radius.
    pub step_size: f64,
    /// Start each round at a uniform draw from the ball instead of at the clean row.
    pub random_start: bool,
    /// Rounds, each with another weight.
    pub search_steps: usize,
    /// The first weight `λ`.
    pub initial_weight: f64,
    /// The margin `κ` beyond which nothing is gained.
    pub confidence: f64,
    /// Attempts on each sample.
    pub restarts: u32,
}

impl Default for JointPgd {
    /// Six weights from 1 on, a hundred steps each.
    fn default() -> Self {
        Self {
            steps: 100,
            step_size: 0.05,
            random_start: true,
            search_steps: 6,
            initial_weight: 1.0,
            confidence: 0.1,
            restarts: 1,
        }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "joint-pgd",
    summary: "on a classifier and its detector: PGD on a weighted sum, searched weight",
    reference: "arXiv:1705.07263",
    norms: &[Norm::L2, Norm::Linf],
    access: Access::Gradients,
    targeted: false,
    defaults: defaults::<JointPgd>,
    parse: gradient::<JointPgd>,
};

impl Algorithm for JointPgd {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn restarts(&self) -> u32 {
        self.restarts
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        ENTRY.at_least_one("search_steps", self.search_steps as u64)?;
        ENTRY.positive("initial_weight", self.initial_weight)?;
        ENTRY.positive("confidence", self.confidence)?;
        super::check(&ENTRY, (self.steps, self.step_size, self.restarts), setting)
    }
}

/// No weight above it was tried yet.
const UNBOUNDED: f64 = 1e20;

/// By how much a weight rises that is too small while none is known to be too large.
const RISE: f64 = 10.0;

impl GradientAttack for JointPgd {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let loss = Joint { confidence: self.confidence };
        // Without a detector there is no weight to search.
        let rounds = if job.aim().refusal().is_some() { self.search_steps } else { 1 };
        let mut rows = job.clean();
        let mut weight = job.region().radius().zeros_like() + self.initial_weight;
        let mut low = weight.zeros_like();
        let mut high = weight.zeros_like() + UNBOUNDED;
        let mut solved: Option<Tensor<1, Bool>> = None;
        for round in 0..rounds {
            if job.active() == 0 || job.queries_left() == Some(0) {
                break;
            }
            let start =
                if self.random_start { job.random_point(round as u32) } else { job.clean() };
            rows = keep_solved(start, rows, solved.as_ref());
            for step in 1..=self.steps {
                if job.active() == 0 || job.queries_left() == Some(0) {
                    break;
                }
                let aim = job.aim().clone().with_reference(weight.clone());
                let at = job.gradient_towards(rows.clone(), &aim, &loss)?;
                let checkpoint = job.checkpoint(step)?;
                if checkpoint {
                    job.ensure_finite(at.gradient.clone())?;
                }
                let met = (job.objective() == Objective::Succeed).then(|| job.aim().met(at.logits));
                let length = job.region().radius() * self.step_size;
                let next = job.region().ascend(rows.clone(), at.gradient, length);
                rows = keep_solved(next, rows, met.as_ref());
                if let Some(met) = met
                    && checkpoint
                {
                    job.retire(met, &mut rows, &mut [&mut weight, &mut low, &mut high])?;
                }
            }
            if round + 1 == rounds || job.active() == 0 || job.queries_left() == Some(0) {
                break;
            }
            let logits = job.logits(rows.clone())?;
            solved = (job.objective() == Objective::Succeed).then(|| job.aim().met(logits.clone()));
            // What is not solved yet is misclassified and detected, or classified correctly.
            let wrong = misclassification(logits, job.aim()).greater_elem(0.0).unsqueeze_dim(1);
            low = low.mask_where(wrong.clone(), weight.clone());
            high = weight.clone().mask_where(wrong, high);
            let middle = (low.clone() + high.clone()) * 0.5;
            let unbounded = high.clone().greater_equal_elem(UNBOUNDED);
            weight = middle.mask_where(unbounded, weight * RISE);
        }
        Ok(rows)
    }
}
