//! Natural evolution strategies: projected descent on gradients estimated from antithetic pairs.
//!
//! Ilyas, Engstrom, Athalye, Lin. *Black-box Adversarial Attacks with Limited Queries and
//! Information.* ICML 2018, algorithm 1 and §3.1. <https://arxiv.org/abs/1804.08598>
use burn::prelude::*;
use duress_core::search::{Scores, search_scores};
use duress_core::{
    Access, Algorithm, Asker, Norm, Result, ScoreAttack, ScoreJob, Search, Searching, Setting,
};
use serde::{Deserialize, Serialize};

use super::probes::{descend, normal, slope};
use super::{can_move, log_probability_loss};
use crate::table::{Entry, defaults, score};

/// Steps along the sign of a smoothed gradient estimate (in L2 along itself), each projected onto
/// ball and box; the loss is the cross-entropy.
///
/// A step takes `samples` queries for the gradient and one that looks at the new point. A sample
/// that meets its goal stops; a job that maximises the loss goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nes {
    /// Most queries on each sample.
    pub queries: u64,
    /// Probes of a gradient estimate, two for each random direction: even.
    pub samples: usize,
    /// Standard deviation σ of the probes, in raw units.
    pub sigma: f64,
    /// Length of a step, as a fraction of the radius.
    pub step_size: f64,
    /// Share μ of the last gradient in the next: `g ← μ g + (1 − μ) ĝ`.
    pub momentum: f64,
    /// Steps over which the loss must fall, or the step is divided by `plateau_drop`.
    pub plateau: usize,
    /// Divisor of the step on a plateau.
    pub plateau_drop: f64,
    /// Smallest step, as a fraction of the radius.
    pub smallest_step: f64,
}

impl Nes {
    /// The paper's with its official code: a million queries, σ = 0.001, 50 probes a step, steps
    /// from 0.01 to 0.00005 at ε = 0.05, halved on plateaus of 5, momentum 0.9.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            queries: 1_000_000,
            samples: 50,
            sigma: 0.001,
            step_size: 0.2,
            momentum: 0.9,
            plateau: 5,
            plateau_drop: 2.0,
            smallest_step: 0.001,
        }
    }
}

impl Default for Nes {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "nes",
    summary: "descent on gradients estimated by evolution strategies",
    reference: "arXiv:1804.08598",
    norms: &[Norm::L2, Norm::Linf],
    access: Access::Scores,
    targeted: true,
    defaults: defaults::<Nes>,
    parse: score::<Nes>,
};

impl Algorithm for Nes {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn check(&self, _: &Setting<'_>) -> Result<()> {
        ENTRY.at_least_one("queries", self.queries)?;
        let even = self.samples >= 2 && self.samples.is_multiple_of(2);
        ENTRY.expect(even, "samples", "even and at least 2", self.samples)?;
        ENTRY.positive("sigma", self.sigma)?;
        ENTRY.positive("step_size", self.step_size)?;
        ENTRY.share("momentum", self.momentum)?;
        ENTRY.expect(self.plateau >= 2, "plateau", "at least 2", self.plateau)?;
        ENTRY.expect(self.plateau_drop >= 1.0, "plateau_drop", "at least 1", self.plateau_drop)?;
        ENTRY.positive("smallest_step", self.smallest_step)
    }
}

impl ScoreAttack for Nes {
    fn perturb(&self, job: &mut ScoreJob<'_>) -> Result<Tensor<2>> {
        search_scores(job, self)
    }
}

impl Search<Scores> for Nes {
    fn search<'s>(&'s self, asker: &'s mut Asker<Scores>) -> Searching<'s> {
        Box::pin(async move {
            if !can_move(asker) {
                return Ok(());
            }
            let mut rng = asker.generator(0);
            let mut row = asker.clean().to_vec();
            let mut gradient = vec![0.0; row.len()];
            let mut step_size = self.step_size;
            let mut recent = Vec::new();
            let mut least = f64::INFINITY;
            for _ in 0..self.queries / (self.samples as u64 + 1) {
                let sizes = (self.samples / 2, self.sigma);
                let at = slope(asker, &row, sizes, (&mut rng, normal), log_probability_loss);
                let at = at.await?;
                for (kept, new) in gradient.iter_mut().zip(at.gradient) {
                    *kept = self.momentum * *kept + (1.0 - self.momentum) * new;
                }
                step_size = self.next_step(step_size, &mut recent, at.loss);
                let length = step_size * asker.radius();
                descend(&mut row, &gradient, length, asker.norm() == Norm::L2);
                asker.project(&mut row);
                let logits = asker.logits(row.clone()).await?;
                let loss = log_probability_loss(asker, &logits);
                if loss < least {
                    least = loss;
                    asker.settle(&row);
                }
            }
            Ok(())
        })
    }
}

impl Nes {
    /// Shrinks the step when the loss has risen over the last `plateau` steps.
    fn next_step(&self, step_size: f64, recent: &mut Vec<f64>, loss: f64) -> f64 {
        if recent.len() == self.plateau {
            recent.remove(0);
        }
        recent.push(loss);
        if recent.len() < self.plateau || loss <= recent[0] {
            return step_size;
        }
        recent.clear();
        (step_size / self.plateau_drop).max(self.smallest_step.min(step_size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_is_halved_on_a_plateau_and_not_before() {
        let nes = Nes { plateau: 3, smallest_step: 0.06, ..Nes::paper() };
        let (mut recent, mut steps, mut step) = (Vec::new(), Vec::new(), 0.2);
        for loss in [5.0, 6.0, 4.0, 6.5, 7.0, 1.0, 2.0, 3.0, 4.0] {
            step = nes.next_step(step, &mut recent, loss);
            steps.push((step * 1000.0).round());
        }
        // 6, 4, 6.5 rises over three; then 7, 1, 2 and 1, 2, 3: the floor at 0.06.
        assert_eq!(steps, [200.0, 200.0, 200.0, 100.0, 100.0, 100.0, 100.0, 60.0, 60.0]);
    }
}
