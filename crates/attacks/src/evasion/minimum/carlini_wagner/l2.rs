//! The L2 attack of Carlini and Wagner.
//!
//! Carlini, Wagner. *Towards Evaluating the Robustness of Neural Networks.* S&P 2017, §VI-A.
//! <https://arxiv.org/abs/1608.04644>
use burn::prelude::*;
use duress_core::{
    Access, Algorithm, GradientAttack, GradientJob, Loss, Norm, Reach, Result, Setting,
};
use serde::{Deserialize, Serialize};

use super::super::constant::{ConstantSearch, Plan};
use super::super::nearest::Nearest;
use super::space::{Adam, rows_of, variable_of};
use crate::losses::LossKind;
use crate::table::{Entry, defaults, gradient};

/// Minimises `‖x − x₀‖² + c · max(κ − margin, 0)` over `w`, where `x = m + h tanh w` and the margin
/// is `max_{i≠y} z_i − z_y` (towards a target `z_t − max_{i≠t} z_i`), and searches for `c`.
///
/// The other class is a masked maximum, so that a shift of all logits changes nothing. Each sample
/// has its own constant, its own Adam and its own early end. A point counts if its margin is `κ` at
/// least.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CarliniWagnerL2 {
    /// Searches for the constant, each an optimisation from the clean row. From 10 on, the last
    /// repeats the best.
    pub search_steps: usize,
    /// Steps of Adam in each search.
    pub steps: usize,
    /// Step size of Adam in `w`.
    pub learning_rate: f64,
    /// First constant; it grows tenfold until a search succeeds and is bisected then. The paper's
    /// suits a box of side 1.
    pub initial_constant: f64,
    /// Margin κ that the logits must have.
    pub confidence: f64,
    /// End a sample's search where its loss fell by less than 0.01 % in a tenth of the steps.
    pub abort_early: bool,
}

impl CarliniWagnerL2 {
    /// The authors': 9 searches of 10,000 steps of 0.01 from c = 0.001, κ = 0.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            search_steps: 9,
            steps: 10_000,
            learning_rate: 0.01,
            initial_constant: 1e-3,
            confidence: 0.0,
            abort_early: true,
        }
    }
}

impl Default for CarliniWagnerL2 {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "carlini-wagner-l2",
    summary: "least squares and a hinge in tanh space, searched constant",
    reference: "arXiv:1608.04644",
    norms: &[Norm::L2],
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<CarliniWagnerL2>,
    parse: gradient::<CarliniWagnerL2>,
};

impl Algorithm for CarliniWagnerL2 {
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
        ENTRY.not_negative("confidence", self.confidence)?;
        LossKind::Margin.check(setting.classes, setting.targeted)
    }
}

impl GradientAttack for CarliniWagnerL2 {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let mut nearest = Nearest::none(job);
        let plan =
            Plan { searches: self.search_steps, steps: self.steps, abort_early: self.abort_early };
        let mut search = ConstantSearch::new(plan, &nearest.distance, self.initial_constant);
        let mut start = variable_of(job.region(), job.clean());
        let mut variable = start.clone();
        let mut adam = Adam::new(&variable);
        for step in 1..=self.search_steps * self.steps {
            if job.active() == 0 || job.queries_left() == Some(0) {
                break;
            }
            let [rows, slope] = rows_of(job.region(), &variable);
            let at = job.gradient(rows.clone(), &LossKind::Margin)?;
            let checkpoint = job.checkpoint(step)?;
            if checkpoint {
                job.ensure_finite(at.gradient.clone())?;
            }
            let missing = (-at.loss.unsqueeze_dim::<2>(1) + self.confidence).clamp_min(0.0);
            let short = missing.clone().greater_elem(0.0);
            let met = job.aim().met(at.logits).unsqueeze_dim::<2>(1);
            let success = met.bool_and(short.clone().bool_not());
            let counts = success.clone().bool_and(search.open());
            nearest.offer(job.region(), rows.clone(), counts.squeeze_dim(1));

            let delta = rows - job.clean();
            let loss = delta.clone().square().sum_dim(1) + search.constant.clone() * missing;
            let pull = search.constant.clone() * short.float();
            let by_rows = delta * 2.0 - at.gradient * pull;
            let change = adam.step(by_rows * slope, search.taken.clone(), self.learning_rate);
            let over = search.advance(success, loss).expand(variable.dims());
            variable = (variable + change).mask_where(over.clone(), start.clone());
            adam.restart(&over);
            if checkpoint {
                let done = nearest.solved().bool_or(search.open().bool_not().squeeze_dim(1));
                let mut state = vec![&mut variable, &mut start, &mut adam.mean, &mut adam.square];
                state.extend(search.state());
                nearest.leave(done, job, &mut state)?;
            }
        }
        if job.active() == 0 {
            return Ok(nearest.rows);
        }
        let [last, _] = rows_of(job.region(), &variable);
        Ok(nearest.or(last))
    }
}
