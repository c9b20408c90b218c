//! Adversarial training against several balls at once.
//!
//! `max` and `average`: Tramèr, Boneh. *Adversarial Training and Robustness for Multiple
//! Perturbations.* `NeurIPS` 2019, §4.1. <https://arxiv.org/abs/1904.13000>
//!
//! `extreme`: Croce, Hein. *Adversarial Robustness against Multiple and Single lp-Threat Models via
//! Quick Fine-Tuning of Robust Classifiers.* ICML 2022, §4.2. <https://arxiv.org/abs/2105.12508>
use burn::prelude::*;
use duress_attacks::Pgd;
use duress_core::{Algorithm, Epsilon, Norm, Threat, Use, host};
use duress_models::train::{Feedback, LossOutput, Memory, Step, Traced, cross_entropy, snapshot};
use duress_models::{Batch, Network, Objective, Result, Trainable};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::TrainingDefense;
use super::ball::Ball;
use super::check::Check;
use super::inner::{adversarial_rows, logits_at, mean_cross_entropy, parameters};
use crate::table::{Entry, defaults, training};

/// How the points of several balls become one loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Combination {
    /// Of each sample, the point with the largest loss: the worst case of the union.
    #[default]
    Max,
    /// The mean over the losses of all points.
    Average,
    /// One ball a batch (E-AT), drawn in proportion to the share of training points that were
    /// classified wrongly in it so far: about the cost of one ball.
    Extreme,
}

/// One of the balls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NormBall {
    /// Norm.
    pub norm: Norm,
    /// Radius, in units of the raw input.
    pub epsilon: Epsilon,
    /// Gradient steps of the inner attack (10).
    #[serde(default = "ten")]
    pub steps: usize,
    /// Length of a step, as a fraction of the radius (0.25).
    #[serde(default = "quarter")]
    pub step_size: f64,
}

fn ten() -> usize {
    10
}

fn quarter() -> f64 {
    0.25
}

/// Minimises the cross-entropy at points that PGD finds in several balls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MultiNormTraining {
    /// How the balls are combined.
    pub combination: Combination,
    /// Epochs over which the radii rise linearly from 0; 0 starts at the full radii.
    pub warmup_epochs: u32,
    /// Epochs over which the numbers of inner steps rise from 1.
    pub steps_warmup_epochs: u32,
    /// The balls, at least one. The first is the one that a watch measures in.
    pub balls: Vec<NormBall>,
}

impl Default for MultiNormTraining {
    /// The largest and the smallest norm on CIFAR-10: Linf 8/255 and L1 12.
    fn default() -> Self {
        let ball = |norm, epsilon| NormBall { norm, epsilon, steps: ten(), step_size: quarter() };
        Self {
            combination: Combination::Max,
            warmup_epochs: 0,
            steps_warmup_epochs: 0,
            balls: vec![ball(Norm::Linf, Epsilon::EIGHT_255THS), ball(Norm::L1, Epsilon::TWELVE)],
        }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "multi-norm-training",
    summary: "adversarial training against several balls: max, average or E-AT",
    reference: "arXiv:1904.13000, arXiv:2105.12508",
    defaults: defaults::<MultiNormTraining>,
    parse: training::<MultiNormTraining>,
};

/// Names in the memory: `[balls, 2]`, points and wrong ones of each ball so far; the ball of the
/// batch as a column `[balls, 1]` of zeros and a one.
const COUNTS: &str = "counts";
const CHOSEN: &str = "chosen";

impl MultiNormTraining {
    fn ball(&self, of: &NormBall) -> Ball {
        Ball {
            norm: of.norm,
            epsilon: of.epsilon,
            steps: of.steps,
            step_size: of.step_size,
            warmup_epochs: self.warmup_epochs,
            steps_warmup_epochs: self.steps_warmup_epochs,
        }
    }

    fn find<M: Trainable>(
        &self,
        of: &NormBall,
        network: &M,
        batch: &Batch,
        step: &Step<'_>,
    ) -> Result<Tensor<2>> {
        let ball = self.ball(of);
        let attack = Pgd { steps: ball.steps_at(step), step_size: ball.step_size, ..Pgd::paper() };
        adversarial_rows(&attack, &ball.threat_at(step)?, network, batch, step)
    }

    /// Of each sample the point with the largest cross-entropy in evaluation mode.
    fn worst<M: Trainable>(
        &self,
        network: &M,
        batch: &Batch,
        step: &Step<'_>,
    ) -> Result<Tensor<2>> {
        let frozen = snapshot(network, step.domain)?;
        let mut worst: Option<(Tensor<2>, Tensor<2>)> = None;
        for ball in &self.balls {
            let rows = self.find(ball, network, batch, step)?;
            let logits = step.passes.logits(&frozen, rows.clone())?;
            let loss = cross_entropy(logits, batch.targets(), 0.0).unsqueeze_dim::<2>(1);
            worst = Some(match worst {
                None => (rows, loss),
                Some((kept, most)) => {
                    let higher = loss.clone().greater(most.clone());
                    let shape = kept.dims();
                    let kept = kept.mask_where(higher.clone().expand(shape), rows);
                    (kept, most.mask_where(higher, loss))
                }
            });
        }
        Ok(worst.map_or_else(|| batch.rows.clone(), |(rows, _)| rows))
    }

    /// The ball of a batch, drawn by the robust errors so far: evenly until each ball was tried.
    fn draw(&self, counts: Option<Tensor<2>>, step: &Step<'_>) -> Result<usize> {
        let number = u64::from(step.epoch) * step.steps + step.step;
        let place: f64 = step.seed.stream(number, 0, 0, Use::Target).random();
        let counts = match counts {
            Some(counts) => host::floats(counts)?,
            None => vec![0.0; 2 * self.balls.len()],
        };
        Ok(drawn(&counts, place))
    }
}

/// The position in proportion to `wrong / points` of pairs `(points, wrong)`, for a `place` in
/// `[0, 1)`; all alike while one has no point, or none is ever wrong.
fn drawn(counts: &[f32], place: f64) -> usize {
    let tried = counts.chunks_exact(2).all(|pair| pair[0] > 0.0);
    let error = |pair: &[f32]| f64::from(pair[1]) / f64::from(pair[0]);
    let mut errors: Vec<f64> = if tried {
        counts.chunks_exact(2).map(error).collect()
    } else {
        vec![1.0; counts.len() / 2]
    };
    if errors.iter().sum::<f64>() <= 0.0 {
        errors.fill(1.0);
    }
    let mut left = place * errors.iter().sum::<f64>();
    for (index, error) in errors.iter().enumerate() {
        left -= error;
        if left < 0.0 {
            return index;
        }
    }
    errors.len().saturating_sub(1)
}

impl<M: Trainable> Objective<M> for MultiNormTraining {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        parameters(self)
    }

    fn loss(&self, network: &M, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        Ok(self.loss_by(network, batch, step, &mut Memory::default())?.output)
    }

    fn loss_by(
        &self,
        network: &M,
        batch: &Batch,
        step: &Step<'_>,
        memory: &mut Memory<M>,
    ) -> Result<Traced> {
        let points = match self.combination {
            Combination::Max => vec![self.worst(network, batch, step)?],
            Combination::Average => self
                .balls
                .iter()
                .map(|ball| self.find(ball, network, batch, step))
                .collect::<Result<_>>()?,
            Combination::Extreme => {
                let chosen = self.draw(memory.tensor(COUNTS), step)?;
                let found = self.find(&self.balls[chosen], network, batch, step)?;
                let marks: Vec<f32> =
                    (0..self.balls.len()).map(|ball| f32::from(u8::from(ball == chosen))).collect();
                let shape = [marks.len(), 1];
                let device = found.device();
                let marks = Tensor::from_data(TensorData::new(marks, shape), &device);
                memory.keep_tensor(CHOSEN, marks);
                vec![found]
            }
        };
        let share = 1.0 / points.len() as f64;
        let (mut loss, mut logits) = (None, None);
        for rows in points {
            let moved = logits_at(rows, network);
            let term = mean_cross_entropy(moved.clone(), batch, step) * share;
            loss = Some(loss.map_or_else(|| term.clone(), |sum: Tensor<1>| sum + term.clone()));
            logits = Some(moved.inner());
        }
        let Some(loss) = loss else {
            return Err(super::helper::needs(ENTRY.name, "a ball"));
        };
        Ok(LossOutput { loss, logits }.into())
    }

    fn remember(
        &self,
        memory: &mut Memory<M>,
        batch: &Batch,
        _: &Step<'_>,
        feedback: Feedback,
    ) -> Result<()> {
        let (Some(marks), Some(logits)) = (memory.tensor(CHOSEN), feedback.logits) else {
            return Ok(());
        };
        let wrong = logits.argmax(1).squeeze_dim::<1>(1).not_equal(batch.targets());
        let wrong = wrong.float().sum().reshape([1, 1]);
        let points = wrong.zeros_like() + batch.len() as f64;
        let counted = marks * Tensor::cat(vec![points, wrong], 1);
        let counts = memory.tensor(COUNTS).map_or(counted.clone(), |before| before + counted);
        memory.keep_tensor(COUNTS, counts);
        memory.forget_tensor(CHOSEN);
        Ok(())
    }
}

impl TrainingDefense for MultiNormTraining {
    fn objective(&self) -> &dyn Objective<Network> {
        self
    }

    fn threat(&self) -> Option<Threat> {
        self.ball(self.balls.first()?).threat()
    }

    fn check(&self) -> duress_core::Result<()> {
        let number = self.balls.len();
        Check(ENTRY.name).holds(number >= 1, "balls", "at least one", number)?;
        self.balls
            .iter()
            .try_for_each(|ball| self.ball(ball).check(ENTRY.name, Pgd::paper().norms()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors ½ and ⅙: three draws of four fall on the first.
    #[test]
    fn a_ball_is_drawn_in_proportion_to_its_errors() {
        let counts = [10.0, 5.0, 60.0, 10.0];
        let draws: Vec<usize> =
            (0..8).map(|index| drawn(&counts, f64::from(index) / 8.0)).collect();
        assert_eq!(draws, [0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!([drawn(&[0.0; 4], 0.49), drawn(&[0.0; 4], 0.51)], [0, 1], "untried: evenly");
        let flawless = [10.0, 0.0, 10.0, 0.0];
        assert_eq!([drawn(&flawless, 0.49), drawn(&flawless, 0.51)], [0, 1]);
        assert_eq!(drawn(&[10.0, 0.0, 10.0, 1.0], 0.0), 1, "no error, no draw");
    }
}
