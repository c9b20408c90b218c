//! How the radius grows during a training.
use duress_models::train::Step;
use duress_models::{Error, Layered, Network, Recipe, Result};
use serde::{Deserialize, Serialize};

/// The share of the final radius as a function of the progress `t` through the ramp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ramp {
    /// `t`. Gowal et al. 2018, §4, <https://arxiv.org/abs/1810.12715>.
    Linear,
    /// `(256/13) t⁴` up to `t = 1/4`, from there a line to 1 with the same slope.
    ///
    /// Xu et al. *Automatic Perturbation Analysis for Scalable Certified Robustness and Beyond.*
    /// `NeurIPS` 2020, in the authors' code (`SmoothedScheduler`: power 4, joint at ¼).
    /// <https://arxiv.org/abs/2002.12920>
    #[default]
    Smooth,
}

impl Ramp {
    /// The share at progress `t`, which is taken into `[0, 1]`.
    #[must_use]
    pub fn share(self, t: f64) -> f64 {
        let t = t.clamp(0.0, 1.0);
        match self {
            Ramp::Linear => t,
            Ramp::Smooth if t <= 0.25 => 256.0 / 13.0 * t.powi(4),
            Ramp::Smooth => 1.0 - 16.0 / 13.0 * (1.0 - t),
        }
    }
}

/// Epochs at radius 0, epochs in which it grows, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    pub(super) warmup_epochs: u32,
    pub(super) ramp_epochs: u32,
    pub(super) ramp: Ramp,
}

impl Schedule {
    /// Checks that the radius is reached within so many epochs.
    ///
    /// # Errors
    /// [`Error::Objective`] if the recipe ends before.
    pub(super) fn check(&self, objective: &str, epochs: u32) -> Result<()> {
        let needed = u64::from(self.warmup_epochs) + u64::from(self.ramp_epochs);
        if needed <= u64::from(epochs) {
            return Ok(());
        }
        let reason = format!(
            "the radius is reached after `warmup_epochs` and `ramp_epochs`, {needed} epochs \
             together, and the recipe has {epochs}: shorten them or give the recipe more"
        );
        Err(Error::Objective { objective: objective.into(), reason })
    }

    /// The share of the final radius at `step`.
    ///
    /// # Errors
    /// As [`Schedule::check`].
    pub(super) fn share(&self, objective: &str, step: &Step<'_>) -> Result<f64> {
        self.check(objective, step.epochs)?;
        let done = f64::from(step.epoch) + step.step as f64 / step.steps.max(1) as f64;
        let since = done - f64::from(self.warmup_epochs);
        if self.ramp_epochs == 0 {
            return Ok(if since >= 0.0 { 1.0 } else { 0.0 });
        }
        Ok(self.ramp.share(since / f64::from(self.ramp_epochs)))
    }
}

/// Checks what a certified training needs before it begins: epochs enough for its schedule, and a
/// network whose layers bounds are propagated through.
pub(super) fn fits(
    objective: &str,
    schedule: Schedule,
    recipe: &Recipe,
    network: &Network,
) -> Result<()> {
    schedule.check(objective, recipe.epochs)?;
    network.layers().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::prelude::Device;
    use duress_core::{Domain, Passes, Seed, Silent};

    #[test]
    fn the_smooth_ramp_joins_its_pieces_in_value_and_slope() {
        let smooth = |t| Ramp::Smooth.share(t);
        let close = |got: f64, expected: f64| assert!((got - expected).abs() < 1e-12, "{got}");
        close(smooth(-1.0), 0.0);
        close(smooth(0.125), 1.0 / 208.0);
        close(smooth(0.25), 1.0 / 13.0);
        close(smooth(0.625), 7.0 / 13.0);
        close(smooth(1.0), 1.0);
        close(smooth(2.0), 1.0);
        let slope = |t: f64| (smooth(t + 1e-6) - smooth(t - 1e-6)) / 2e-6;
        assert!((slope(0.25 - 2e-6) - slope(0.25 + 2e-6)).abs() < 1e-3);
        close(Ramp::Linear.share(0.3), 0.3);
    }

    fn share(schedule: Schedule, epoch: u32, step: u64) -> Result<f64> {
        let domain = Domain::image(1, 1, 1).unwrap();
        let passes = Passes::with_batch(&Device::flex(), 1);
        let at = Step {
            epoch,
            step,
            steps: 4,
            epochs: 5,
            seed: Seed(0),
            label_smoothing: 0.0,
            domain: &domain,
            classes: 2,
            passes: &passes,
            progress: &Silent,
        };
        schedule.share("test", &at)
    }

    #[test]
    fn the_radius_waits_grows_step_by_step_and_stays() {
        let schedule = Schedule { warmup_epochs: 1, ramp_epochs: 2, ramp: Ramp::Linear };
        for (epoch, step, expected) in
            [(0, 3, 0.0), (1, 0, 0.0), (1, 1, 0.125), (2, 2, 0.75), (3, 0, 1.0), (4, 3, 1.0)]
        {
            let got = share(schedule, epoch, step).unwrap();
            assert!((got - expected).abs() < 1e-15, "{epoch} {step}: {got}");
        }
        let at_once = Schedule { warmup_epochs: 1, ramp_epochs: 0, ramp: Ramp::Linear };
        assert!(share(at_once, 0, 3).unwrap() < 1e-15);
        assert!(share(at_once, 1, 0).unwrap() > 1.0 - 1e-15);
    }

    #[test]
    fn a_recipe_that_ends_too_early_is_refused() {
        let long = Schedule { warmup_epochs: 2, ramp_epochs: 4, ramp: Ramp::Smooth };
        let message = share(long, 0, 0).unwrap_err().to_string();
        assert!(message.contains("6 epochs together, and the recipe has 5"), "{message}");
        let fits = Schedule { warmup_epochs: 1, ramp_epochs: 4, ramp: Ramp::Smooth };
        assert!(share(fits, 0, 0).is_ok());
    }
}
