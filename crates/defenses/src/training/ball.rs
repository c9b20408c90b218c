//! The ball of an inner maximisation, and how it grows over the first epochs.
use duress_core::{Epsilon, Error, Norm, Result, Threat};
use duress_models::train::Step;

use super::check::Check;
use super::inner::ramp;

/// Norm, radius and steps that recipes of adversarial training have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ball {
    pub(super) norm: Norm,
    pub(super) epsilon: Epsilon,
    pub(super) steps: usize,
    pub(super) step_size: f64,
    pub(super) warmup_epochs: u32,
    pub(super) steps_warmup_epochs: u32,
}

impl Ball {
    /// The threat model of `step`: the radius rises linearly over `warmup_epochs`.
    pub(super) fn threat_at(&self, step: &Step<'_>) -> Result<Threat> {
        Threat::new(self.norm, self.epsilon.get() * ramp(step, self.warmup_epochs))
    }

    /// The number of inner steps at `step`: it rises from 1 over `steps_warmup_epochs`.
    pub(super) fn steps_at(&self, step: &Step<'_>) -> usize {
        steps_at(self.steps, step, self.steps_warmup_epochs)
    }

    /// The threat model at its full radius.
    pub(super) fn threat(&self) -> Option<Threat> {
        Threat::new(self.norm, self.epsilon.get()).ok()
    }

    /// Checks the fields for the recipe `name`, which is defined for `norms`.
    pub(super) fn check(&self, name: &'static str, norms: &[Norm]) -> Result<()> {
        let norm = self.norm;
        if !norms.contains(&norm) {
            let supported = norms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(Error::UnsupportedNorm { algorithm: name, norm, supported });
        }
        let check = Check(name);
        check.holds(self.steps >= 1, "steps", "at least 1", self.steps)?;
        check.positive("step_size", self.step_size)
    }
}

/// `steps`, reached from 1 over the first `warmup_epochs`.
pub(super) fn steps_at(steps: usize, step: &Step<'_>, warmup_epochs: u32) -> usize {
    ((steps as f64 * ramp(step, warmup_epochs)).ceil() as usize).clamp(1, steps.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::prelude::Device;
    use duress_core::{Domain, Passes, Seed, Silent};

    /// Halfway through two epochs of warm-up: half the radius, four of seven steps.
    #[test]
    fn radius_and_steps_rise_over_the_warm_up() {
        let domain = Domain::image(1, 1, 1).unwrap();
        let passes = Passes::with_batch(&Device::flex(), 1);
        let at = |epoch, step| Step {
            epoch,
            step,
            steps: 4,
            epochs: 9,
            seed: Seed(1),
            label_smoothing: 0.0,
            domain: &domain,
            classes: 2,
            passes: &passes,
            progress: &Silent,
        };
        let ball = Ball {
            norm: Norm::Linf,
            epsilon: "0.5".parse().unwrap(),
            steps: 7,
            step_size: 0.25,
            warmup_epochs: 2,
            steps_warmup_epochs: 2,
        };
        let steps = [(0, 0, 1), (0, 2, 2), (1, 0, 4), (1, 3, 7), (2, 0, 7), (8, 3, 7)];
        for (epoch, step, expected) in steps {
            assert_eq!(ball.steps_at(&at(epoch, step)), expected, "{epoch} {step}");
        }
        let radius = |epoch| ball.threat_at(&at(epoch, 0)).unwrap().radii(1).unwrap()[0];
        assert_eq!(
            [radius(0), radius(1), radius(2)].map(f64::to_bits),
            [0.0, 0.25, 0.5].map(f64::to_bits)
        );
        let message = ball.check("trades", &[Norm::L2]).unwrap_err().to_string();
        assert!(message.contains("does not support the linf norm (it supports l2)"), "{message}");
        assert!(Ball { step_size: f64::NAN, ..ball }.check("trades", &[Norm::Linf]).is_err());
    }
}
