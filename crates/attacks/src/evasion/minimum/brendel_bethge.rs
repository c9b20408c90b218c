//! Brendel and Bethge's attack: along the decision boundary towards the clean row.
//!
//! Brendel, Rauber, Kümmerer, Ustyuzhaninov, Bethge. *Accurate, reliable and fast robustness
//! evaluation.* Advances in Neural Information Processing Systems 32, 2019, algorithm 1.
//! <https://arxiv.org/abs/1907.01003>
use burn::prelude::*;
use duress_core::search::{Gradients, search_gradients};
use duress_core::{
    Access, Algorithm, Asker, Error, GradientAttack, GradientJob, Halt, Loss, Norm, Reach, Result,
    Search, Searching, Setting,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::trust_region::TrustRegion;
use crate::losses::LossKind;
use crate::table::{Entry, defaults, gradient};

/// From a point that meets the goal to the boundary, then steps that each solve
/// `min ‖x₀ − x − δ‖` in the box, on the linearised boundary and in a trust region `‖δ‖₂² ≤ r`.
///
/// The start is the first of uniform draws from the box that meets the goal, one query each; without
/// one the attack has nothing to follow and fails, which a goal that names its class makes likely.
/// The boundary's normal is that of the margin, averaged over the steps. In L0 a feature goes back
/// to the clean row in one step or not at all: the trust region must be wide enough for that, which
/// `step_size` makes it from 1000 features on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrendelBethge {
    /// Steps along the boundary; the paper's is 1000.
    pub steps: usize,
    /// First trust region: the mean square of a step's components, in squares of the box's sides.
    /// The authors' code has 1e-3 of the features of the whole batch, so that a sample's result
    /// depends on its neighbours; here it is a matter of each sample.
    pub step_size: f64,
    /// Factor by which the trust region shrinks; the authors' code has 0.5.
    pub step_decay: f64,
    /// How often it shrinks, at equal intervals; the authors' code has 20.
    pub decays: usize,
    /// Weight of the former normals in the average; the authors' code has 0.8.
    pub momentum: f64,
    /// A step aims this much less one times the present margin past the boundary: 1 is the boundary
    /// itself, the authors' code has 1.1.
    pub overshoot: f64,
    /// Draws for a start, at most; the authors' code has 1000.
    pub start_draws: u32,
    /// Halvings of the segment from the clean row to the start; the authors' code has 10.
    pub start_halvings: u32,
}

impl BrendelBethge {
    /// The paper's 1000 steps with the settings of the authors' code.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            steps: 1000,
            step_size: 1e-3,
            step_decay: 0.5,
            decays: 20,
            momentum: 0.8,
            overshoot: 1.1,
            start_draws: 1000,
            start_halvings: 10,
        }
    }

    /// `‖δ‖₂` of step `step`, at most, in units of the box's diagonal.
    fn radius(&self, step: usize) -> f64 {
        let interval = (self.steps / self.decays.max(1)).max(1);
        (self.step_size * self.step_decay.powf((step / interval) as f64)).sqrt()
    }

    /// A point next to the boundary that meets the goal.
    async fn start(&self, asker: &mut Asker<Gradients>) -> Result<Option<Vec<f32>>, Halt> {
        let mut far = None;
        for draw in 0..self.start_draws {
            let mut generator = asker.generator(draw);
            let sides = asker.lower().iter().zip(asker.upper());
            let row: Vec<f32> =
                sides.map(|(&low, &high)| low + (high - low) * generator.random::<f32>()).collect();
            asker.settle(&row);
            if asker.meets(&row).await? {
                far = Some(row);
                break;
            }
        }
        let Some(mut far) = far else { return Ok(None) };
        let mut near = asker.clean().to_vec();
        for _ in 0..self.start_halvings {
            let middle: Vec<f32> = near.iter().zip(&far).map(|(a, b)| 0.5 * (a + b)).collect();
            if asker.meets(&middle).await? {
                far = middle;
            } else {
                near = middle;
            }
        }
        Ok(Some(far))
    }

    /// The next row, from one with this margin and the averaged normal.
    fn ahead(
        &self,
        asker: &Asker<Gradients>,
        row: &[f32],
        normal: &[f64],
        (margin, step): (f64, usize),
    ) -> Vec<f32> {
        let from = |target: &[f32]| -> Vec<f64> {
            let pairs = target.iter().zip(row);
            pairs.map(|(&target, &now)| f64::from(target) - f64::from(now)).collect()
        };
        let (to_clean, low, high) = (from(asker.clean()), from(asker.lower()), from(asker.upper()));
        let diagonal = high.iter().zip(&low).map(|(high, low)| (high - low).powi(2)).sum::<f64>();
        let slope = normal.iter().map(|slope| slope * slope).sum::<f64>().sqrt();
        let aim = (self.overshoot - 1.0) * margin.abs();
        let aim = aim.max(RESOLUTION * slope * diagonal.sqrt());
        let delta = TrustRegion {
            norm: asker.norm(),
            to_clean: &to_clean,
            normal,
            low: &low,
            high: &high,
            offset: aim - margin,
            radius: self.radius(step) * diagonal.sqrt(),
        }
        .solve();
        let mut next: Vec<f32> =
            row.iter().zip(&delta).map(|(&now, delta)| (f64::from(now) + delta) as f32).collect();
        for (index, value) in next.iter_mut().enumerate() {
            // A restored feature has the bits of the clean one.
            if delta[index].to_bits() == to_clean[index].to_bits() {
                *value = asker.clean()[index];
            }
        }
        asker.clip(&mut next);
        next
    }
}

/// How far past the boundary a step aims at least, in units of the box's diagonal: an f32 row on the
/// boundary itself is on either side of it, and one that fails there would never leave it.
const RESOLUTION: f64 = 1e-6;

impl Default for BrendelBethge {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "brendel-bethge",
    summary: "along the decision boundary by exact trust-region steps",
    reference: "arXiv:1907.01003",
    norms: &Norm::ALL,
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<BrendelBethge>,
    parse: gradient::<BrendelBethge>,
};

impl Algorithm for BrendelBethge {
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
        ENTRY.at_least_one("start_draws", u64::from(self.start_draws))?;
        ENTRY.positive("step_size", self.step_size)?;
        ENTRY.positive("step_decay", self.step_decay)?;
        ENTRY.share("momentum", self.momentum)?;
        if !(1.0..=2.0).contains(&self.overshoot) {
            return Err(Error::Parameter {
                algorithm: ENTRY.name,
                field: "overshoot",
                expected: "between 1 and 2",
                got: self.overshoot.to_string(),
            });
        }
        LossKind::Margin.check(setting.classes, setting.targeted)
    }
}

impl GradientAttack for BrendelBethge {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        search_gradients(job, self)
    }
}

impl Search<Gradients> for BrendelBethge {
    fn search<'s>(&'s self, asker: &'s mut Asker<Gradients>) -> Searching<'s> {
        Box::pin(async move {
            let Some(mut row) = self.start(asker).await? else { return Ok(()) };
            let mut normal: Option<Vec<f64>> = None;
            for step in 0..self.steps {
                let slopes = asker.gradient(row.clone(), Vec::new()).await?;
                let new = slopes.gradient.iter().map(|&slope| f64::from(slope));
                let averaged: Vec<f64> = match normal {
                    Some(old) => {
                        let pairs = old.iter().zip(new);
                        let mix = |(old, new)| self.momentum * old + (1.0 - self.momentum) * new;
                        pairs.map(mix).collect()
                    }
                    None => new.collect(),
                };
                let margin = f64::from(slopes.loss[0]);
                row = self.ahead(asker, &row, &averaged, (margin, step));
                normal = Some(averaged);
            }
            asker.meets(&row).await?;
            Ok(())
        })
    }

    fn loss(&self) -> Option<&dyn Loss> {
        Some(&LossKind::Margin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1000 steps shrink the trust region twenty times, after each fifty.
    #[test]
    fn the_trust_region_shrinks_at_equal_intervals() {
        let attack = BrendelBethge { step_size: 1.0, ..BrendelBethge::paper() };
        for (step, expected) in
            [(0, 1.0), (49, 1.0), (50, 0.5), (100, 0.25), (999, 0.5_f64.powi(19))]
        {
            assert!((attack.radius(step).powi(2) / expected - 1.0).abs() < 1e-12, "{step}");
        }
        let short = BrendelBethge { steps: 3, step_size: 1.0, ..BrendelBethge::paper() };
        assert!((short.radius(2).powi(2) - 0.25).abs() < 1e-12);
    }
}
