//! The Linf attack of Carlini and Wagner.
//!
//! Carlini, Wagner. *Towards Evaluating the Robustness of Neural Networks.* S&P 2017, §VI-C.
//! <https://arxiv.org/abs/1608.04644>
use burn::prelude::*;
use duress_core::{
    Access, Algorithm, GradientAttack, GradientJob, Loss, Norm, Reach, Result, Setting,
};
use serde::{Deserialize, Serialize};

use super::super::nearest::Nearest;
use super::space::{Adam, rows_of, variable_of};
use crate::losses::LossKind;
use crate::table::{Entry, defaults, gradient};

/// Minimises `Σ max(|δ| − τ, 0) + c · max(−margin, 0)` in `tanh` space under a threshold `τ` that
/// falls below the distance reached each time the minimum is adversarial; where it is not, `c`
/// doubles.
///
/// Each sample has its own threshold, constant and Adam, starts from its last success, and leaves
/// once its constant or its threshold has run out. Every adversarial iterate counts, not only the
/// last of an optimisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CarliniWagnerLinf {
    /// Steps of Adam for each threshold and constant.
    pub steps: usize,
    /// Step size of Adam in `w`.
    pub learning_rate: f64,
    /// First constant.
    pub initial_constant: f64,
    /// A sample ends where its constant reaches this.
    pub largest_constant: f64,
    /// Factor from one constant to the next.
    pub constant_factor: f64,
    /// Factor by which the threshold falls below the distance reached.
    pub decrease_factor: f64,
    /// A sample ends where its threshold is below this share of the longest side of the box; the
    /// first threshold is that side.
    pub least_threshold: f64,
}

impl CarliniWagnerLinf {
    /// The authors': 1000 steps of 0.005, c from 10⁻⁵ to 20 by doubling, τ from 1 to 1/256 by 0.9.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            steps: 1000,
            learning_rate: 5e-3,
            initial_constant: 1e-5,
            largest_constant: 20.0,
            constant_factor: 2.0,
            decrease_factor: 0.9,
            least_threshold: 1.0 / 256.0,
        }
    }
}

impl Default for CarliniWagnerLinf {
    fn default() -> Self {
        Self::paper()
    }
}

/// Share of the constant below which the loss counts as zero.
const ZERO: f64 = 1e-4;

pub(crate) const ENTRY: Entry = Entry {
    name: "carlini-wagner-linf",
    summary: "falling threshold and a hinge in tanh space",
    reference: "arXiv:1608.04644",
    norms: &[Norm::Linf],
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<CarliniWagnerLinf>,
    parse: gradient::<CarliniWagnerLinf>,
};

impl Algorithm for CarliniWagnerLinf {
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
        let falls = 0.0 < self.decrease_factor && self.decrease_factor < 1.0;
        ENTRY.expect(falls, "decrease_factor", "between 0 and 1", self.decrease_factor)?;
        ENTRY.positive("least_threshold", self.least_threshold)?;
        LossKind::Margin.check(setting.classes, setting.targeted)
    }
}

/// Where each sample stands; `[N, 1]` where not said otherwise.
struct State {
    variable: Tensor<2>,
    /// `w` of the last success, `[N, F]`.
    start: Tensor<2>,
    adam: Adam,
    /// Steps made towards the present threshold with the present constant.
    taken: Tensor<2>,
    constant: Tensor<2>,
    threshold: Tensor<2>,
    least: Tensor<2>,
    /// One where the constant or the threshold has run out.
    ended: Tensor<2>,
}

impl GradientAttack for CarliniWagnerLinf {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        if job.active() == 0 {
            return Ok(job.clean());
        }
        let mut nearest = Nearest::none(job);
        let mut state = self.begin(job);
        for step in 1.. {
            if job.active() == 0 || job.queries_left() == Some(0) {
                break;
            }
            let [rows, slope] = rows_of(job.region(), &state.variable);
            let at = job.gradient(rows.clone(), &LossKind::Margin)?;
            let checkpoint = job.checkpoint(step)?;
            if checkpoint {
                job.ensure_finite(at.gradient.clone())?;
            }
            let met = job.aim().met(at.logits).unsqueeze_dim::<2>(1);
            let open = state.ended.clone().equal_elem(0.0);
            let counts = met.clone().bool_and(open).squeeze_dim(1);
            nearest.offer(job.region(), rows.clone(), counts);

            let delta = rows - job.clean();
            let over = delta.clone().abs() - state.threshold.clone();
            let beyond = over.clone().greater_elem(0.0).float();
            let missing = (-at.loss.unsqueeze_dim::<2>(1)).clamp_min(0.0);
            let pull = state.constant.clone() * missing.clone().greater_elem(0.0).float();
            let loss = over.clamp_min(0.0).sum_dim(1) + state.constant.clone() * missing;
            let success = met.bool_and(loss.lower(state.constant.clone() * ZERO));
            let by_rows = delta.clone().sign() * beyond - at.gradient * pull;
            let taken = state.taken.clone();
            let change = state.adam.step(by_rows * slope, taken, self.learning_rate);
            self.advance(&mut state, success, Norm::Linf.of(delta), change);
            if checkpoint {
                let ended = state.ended.clone().greater_elem(0.0).squeeze_dim(1);
                let done = nearest.solved().bool_or(ended);
                nearest.leave(done, job, &mut state.all())?;
            }
        }
        if job.active() == 0 {
            return Ok(nearest.rows);
        }
        let [last, _] = rows_of(job.region(), &state.variable);
        Ok(nearest.or(last))
    }
}

impl CarliniWagnerLinf {
    fn begin(&self, job: &GradientJob<'_>) -> State {
        let region = job.region();
        let variable = variable_of(region, region.center());
        let side = (region.upper() - region.lower()).max_dim(1);
        State {
            start: variable.clone(),
            adam: Adam::new(&variable),
            taken: side.zeros_like(),
            constant: side.full_like(self.initial_constant),
            least: side.clone() * self.least_threshold,
            ended: side.zeros_like(),
            threshold: side,
            variable,
        }
    }

    /// A success lowers the threshold and starts over from there; steps that ran out raise the
    /// constant and start over from the last success; all others go on by `change`.
    fn advance(
        &self,
        state: &mut State,
        success: Tensor<2, Bool>,
        distance: Tensor<2>,
        change: Tensor<2>,
    ) {
        let wide = state.variable.dims();
        let after = state.taken.clone() + 1.0;
        let failure = after.clone().greater_equal_elem(self.steps as f32);
        let failure = failure.bool_and(success.clone().bool_not());
        let lower = state.threshold.clone().min_pair(distance) * self.decrease_factor;
        state.threshold = state.threshold.clone().mask_where(success.clone(), lower);
        let higher = state.constant.clone() * self.constant_factor;
        state.constant = state.constant.clone().mask_where(failure.clone(), higher);
        let spent = state.constant.clone().greater_equal_elem(self.largest_constant);
        let fine = state.threshold.clone().lower(state.least.clone());
        state.ended = state.ended.clone().mask_fill(spent.bool_or(fine), 1.0);

        let success = success.expand(wide);
        state.start = state.start.clone().mask_where(success.clone(), state.variable.clone());
        let over = success.bool_or(failure.expand(wide));
        let ahead = state.variable.clone() + change;
        state.variable = ahead.mask_where(over.clone(), state.start.clone());
        state.adam.restart(&over);
        state.taken = after.mask_fill(over.narrow(1, 0, 1), 0.0);
    }
}

impl State {
    /// What shrinks with the batch.
    fn all(&mut self) -> [&mut Tensor<2>; 9] {
        [
            &mut self.variable,
            &mut self.start,
            &mut self.adam.mean,
            &mut self.adam.square,
            &mut self.taken,
            &mut self.constant,
            &mut self.threshold,
            &mut self.least,
            &mut self.ended,
        ]
    }
}
