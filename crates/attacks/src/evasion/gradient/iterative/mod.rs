//! The iterative fast gradient method, and what makes its examples transfer between models.
//!
//! One loop; each attack of this folder is the loop with some of its parts at work. All parts
//! combine: `kernel_size = 15` turns `di-fgsm` with momentum into TI-DIM.
mod bim;
mod di;
mod mi;
mod ni;
mod probe;
mod si_ni;
mod ti;
mod vmi;
mod vni;

pub(crate) use bim::ENTRY as BIM;
pub(crate) use di::ENTRY as DI_FGSM;
pub(crate) use mi::ENTRY as MI_FGSM;
pub(crate) use ni::ENTRY as NI_FGSM;
pub(crate) use si_ni::ENTRY as SI_NI_FGSM;
pub(crate) use ti::ENTRY as TI_FGSM;
pub(crate) use vmi::ENTRY as VMI_FGSM;
pub(crate) use vni::ENTRY as VNI_FGSM;

use burn::prelude::*;
use duress_core::{
    Algorithm, Attack, GradientAttack, GradientJob, Loss, Norm, Objective, Result, Setting,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::{keep_solved, momentum};
use crate::image::{gaussian_filter, gaussian_kernel};
use crate::losses::LossKind;
use crate::table::Entry;
use probe::{Probe, probe};

/// Steps up a gradient that is taken, changed and accumulated as the parts below say.
///
/// In each step: a gradient at the point (`look_ahead`: at the one ahead), its mean over `scales`
/// and under random resizing (`diversity`); plus the variance of the step before (`neighbors`);
/// smoothed (`kernel_size`); accumulated (`momentum`); then a step along the steepest direction of
/// the norm, and the projection onto ball and box.
///
/// A step costs `scales · (1 + neighbors)` gradient passes (the last step asks no neighbours), and
/// one forward pass more where success counts and no gradient is taken at the point itself. A step
/// that the budget does not cover is not begun. A sample that meets its goal stops there, unless
/// the job is to maximise the loss, as it is where another model judges.
///
/// ```
/// # use duress_attacks::IterativeFgsm;
/// let ti_dim = IterativeFgsm { kernel_size: 15, momentum: 1.0, ..IterativeFgsm::diverse() };
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IterativeFgsm {
    /// Name in reports: that of the table's entry with these defaults, unless changed.
    #[serde(skip)]
    pub name: &'static str,
    /// Steps on each sample.
    pub steps: usize,
    /// Length of a step, as a fraction of the radius.
    pub step_size: f64,
    /// Decay μ of the accumulated gradient; 0 forgets.
    pub momentum: f64,
    /// Take the gradient where the momentum leads instead of at the point.
    pub look_ahead: bool,
    /// Copies of the point, each half as bright as the one before, that share a gradient; 1 is the
    /// point alone.
    pub scales: u32,
    /// Probability with which a copy is resized and padded at random before its pass.
    pub diversity: f64,
    /// Size of the padded picture over the size of the clean one, above 1.
    pub diversity_ratio: f64,
    /// Pixels along a side of the Gaussian kernel that smooths the gradient, odd; 1 is none.
    pub kernel_size: usize,
    /// Standard deviations from the kernel's centre to its border.
    pub kernel_sigmas: f64,
    /// Points around the current one whose mean gradient tunes the next step; 0 for none.
    pub neighbors: u32,
    /// Half the side of the cube they are drawn from, as a multiple of the radius.
    pub neighborhood: f64,
    /// What the steps increase.
    pub loss: LossKind,
}

impl IterativeFgsm {
    /// The loop with none of the parts: 10 steps of a tenth of the radius.
    fn plain(name: &'static str) -> Self {
        Self {
            name,
            steps: 10,
            step_size: 0.1,
            momentum: 0.0,
            look_ahead: false,
            scales: 1,
            diversity: 0.0,
            diversity_ratio: 330.0 / 299.0,
            kernel_size: 1,
            kernel_sigmas: 3.0,
            neighbors: 0,
            neighborhood: 1.5,
            loss: LossKind::CrossEntropy,
        }
    }

    /// Whether the first gradient of a step is that at the point itself, whose logits then tell
    /// of success.
    fn asks_at_the_point(&self) -> bool {
        !self.look_ahead && self.diversity <= 0.0
    }

    /// Queries of one sample in a step.
    fn cost(&self, last: bool, checks: bool) -> u64 {
        let neighbors = if last { 0 } else { u64::from(self.neighbors) };
        u64::from(self.scales) * (1 + neighbors) + u64::from(checks)
    }

    /// How far the look-ahead goes for a velocity measured in L1: a gradient of components of one
    /// size leads a whole step ahead.
    ///
    /// The authors of the method divide by the mean magnitude. Divided by the sum, as their text
    /// has it, the look-ahead of a picture is a step over its number of features: none at all.
    fn reach(job: &GradientJob<'_>) -> f64 {
        let features = job.region().mutable().len() as f64;
        if job.norm() == Norm::L2 { features.sqrt() } else { features }
    }

    /// The mean over the neighbours minus `center` `[N, F]`, the gradient at `at`.
    fn variance(
        &self,
        job: &mut GradientJob<'_>,
        at: &Tensor<2>,
        center: Tensor<2>,
        step: usize,
    ) -> Result<Tensor<2>> {
        let side = job.region().radius() * self.neighborhood;
        let mut total = center.zeros_like();
        for neighbor in 1..=self.neighbors {
            let draw = self.draw(step, neighbor);
            let noise = job.draw(2 * draw, |rng, row| {
                row.fill_with(|| rng.random_range(-1.0..=1.0));
            });
            let Probe { gradient, .. } =
                probe(self, job, at.clone() + noise * side.clone(), 2 * draw + 1)?;
            total = total + gradient;
        }
        Ok(total / f64::from(self.neighbors) - center)
    }

    /// A number of its own for each point of each step.
    fn draw(&self, step: usize, point: u32) -> u32 {
        (step as u32 - 1) * (self.neighbors + 1) + point
    }
}

impl Default for IterativeFgsm {
    fn default() -> Self {
        Self::momentum()
    }
}

/// Where the attacks of this folder are defined.
const NORMS: &[Norm] = &[Norm::L2, Norm::Linf];

/// The hyperparameters as a table.
fn table_of(attack: &IterativeFgsm) -> toml::Table {
    // A struct of numbers and names always has a table form.
    toml::Table::try_from(attack).unwrap_or_default()
}

/// `given` over the defaults of an entry.
fn parse(defaults: IterativeFgsm, given: toml::Table) -> Result<Attack, toml::de::Error> {
    let mut table = table_of(&defaults);
    table.extend(given);
    let attack: IterativeFgsm = table.try_into()?;
    Ok(Attack::Gradient(Box::new(IterativeFgsm { name: defaults.name, ..attack })))
}

impl Algorithm for IterativeFgsm {
    fn name(&self) -> &'static str {
        self.name
    }

    fn norms(&self) -> &[Norm] {
        NORMS
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        let entry = Entry { name: self.name, ..MI_FGSM };
        entry.at_least_one("steps", self.steps as u64)?;
        entry.positive("step_size", self.step_size)?;
        entry.share("momentum", self.momentum)?;
        entry.at_least_one("scales", u64::from(self.scales))?;
        entry.share("diversity", self.diversity)?;
        let ratio = self.diversity_ratio;
        entry.expect(ratio.is_finite() && ratio > 1.0, "diversity_ratio", "above 1", ratio)?;
        entry.expect(
            !self.kernel_size.is_multiple_of(2),
            "kernel_size",
            "odd",
            self.kernel_size,
        )?;
        entry.positive("kernel_sigmas", self.kernel_sigmas)?;
        entry.positive("neighborhood", self.neighborhood)?;
        if self.diversity > 0.0 || self.kernel_size > 1 {
            setting.domain.image_shape()?;
        }
        self.loss.check(setting.classes, setting.targeted)
    }
}

impl GradientAttack for IterativeFgsm {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let mut rows = job.clean();
        let mut velocity = rows.zeros_like();
        let mut variance = rows.zeros_like();
        let mutable = job.domain().mutable_mask(&rows.device());
        let kernel = gaussian_kernel(self.kernel_size, self.kernel_sigmas);
        let success = job.objective() == Objective::Succeed;
        let checks = success && !self.asks_at_the_point();
        for step in 1..=self.steps {
            let last = step == self.steps;
            let affords = |left| left >= self.cost(last, checks);
            if job.active() == 0 || !job.queries_left().is_none_or(affords) {
                break;
            }
            let mut solved = None;
            if checks {
                let logits = job.logits(rows.clone())?;
                solved = Some(job.aim().met(logits));
            }
            let length = job.region().radius() * self.step_size;
            let mut at = rows.clone();
            if self.look_ahead {
                let reach = self.momentum * Self::reach(job);
                at = at + velocity.clone() * length.clone() * reach;
            }
            let Probe { gradient: raw, logits } =
                probe(self, job, at.clone(), 2 * self.draw(step, 0) + 1)?;
            if success && !checks {
                solved = Some(job.aim().met(logits));
            }
            let checkpoint = job.checkpoint(step)?;
            if checkpoint {
                job.ensure_finite(raw.clone())?;
            }
            let mut gradient = raw.clone();
            if self.neighbors > 0 {
                gradient = gradient + variance;
                variance = if last { raw } else { self.variance(job, &at, raw, step)? };
            }
            if self.kernel_size > 1 {
                gradient = gaussian_filter(gradient, job.domain().image_shape()?, &kernel);
            }
            if let Some(mutable) = &mutable {
                gradient = gradient * mutable.clone();
            }
            velocity = momentum::accumulate(velocity, gradient, self.momentum);

            let next = job.region().ascend(rows.clone(), velocity.clone(), length);
            rows = keep_solved(next, rows, solved.as_ref());
            if let Some(solved) = solved
                && checkpoint
            {
                job.retire(solved, &mut rows, &mut [&mut velocity, &mut variance])?;
            }
        }
        Ok(rows)
    }
}
