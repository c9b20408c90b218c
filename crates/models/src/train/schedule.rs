//! Learning-rate schedules, one factor a step.
use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The factor on the base learning rate. With `T` steps in all and `t` the step, from 0:
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// 1.
    Constant {},
    /// `(t + 1) / w` in the `w` steps of the warm-up, then `½ (1 + cos(π (t − w) / (T − w)))`.
    ///
    /// Loshchilov, Hutter. *SGDR.* ICLR 2017, eq. (5), one cycle down to 0.
    /// <https://arxiv.org/abs/1608.03983>
    Cosine {
        /// Epochs of linear warm-up (0).
        #[serde(default)]
        warmup_epochs: u32,
    },
    /// `factor ^ m`, where `m` milestones have been reached.
    Piecewise {
        /// Epochs, ascending, at whose start the rate is multiplied.
        milestones: Vec<u32>,
        /// The multiplier (0.1).
        #[serde(default = "tenth")]
        factor: f64,
    },
    /// Linear from 0 up to 1 at the fraction `peak` of the training, then linear down to 0,
    /// evaluated at `(t + 1) / T`.
    ///
    /// Wong, Rice, Kolter. *Fast is Better than Free.* ICLR 2020, §5.
    /// <https://arxiv.org/abs/2001.03994>
    OneCycle {
        /// Where the peak is, in `(0, 1)` (0.4).
        #[serde(default = "two_fifths")]
        peak: f64,
    },
}

fn tenth() -> f64 {
    0.1
}

fn two_fifths() -> f64 {
    0.4
}

impl Schedule {
    /// The factor of step `step` (from 0, over the whole training).
    #[must_use]
    pub fn factor(&self, step: u64, steps_per_epoch: u64, epochs: u32) -> f64 {
        let total = steps_per_epoch.saturating_mul(u64::from(epochs)).max(1);
        match self {
            Schedule::Constant {} => 1.0,
            Schedule::Cosine { warmup_epochs } => {
                let warmup = steps_per_epoch.saturating_mul(u64::from(*warmup_epochs));
                if step < warmup {
                    return (step + 1) as f64 / warmup as f64;
                }
                let rest = total.saturating_sub(warmup).max(1);
                0.5 * (1.0 + (PI * (step - warmup) as f64 / rest as f64).cos())
            }
            Schedule::Piecewise { milestones, factor } => {
                let epoch = step / steps_per_epoch.max(1);
                let reached = milestones.iter().filter(|&&at| u64::from(at) <= epoch).count();
                factor.powi(i32::try_from(reached).unwrap_or(i32::MAX))
            }
            Schedule::OneCycle { peak } => {
                let at = (step + 1) as f64 / total as f64;
                if at <= *peak { at / peak } else { (1.0 - at) / (1.0 - peak) }
            }
        }
    }

    /// Checks the parameters for a training of `epochs` epochs.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn check(&self, epochs: u32) -> Result<()> {
        let fault = |field, expected: String, got: String| {
            Err(Error::Parameter { what: "schedule", field, expected, got })
        };
        match self {
            Schedule::Cosine { warmup_epochs } if *warmup_epochs > epochs => fault(
                "warmup_epochs",
                format!("at most the {epochs} epochs"),
                warmup_epochs.to_string(),
            ),
            Schedule::Piecewise { milestones, .. } if !milestones.is_sorted() => {
                fault("milestones", "ascending".into(), format!("{milestones:?}"))
            }
            Schedule::Piecewise { factor, .. } if !(factor.is_finite() && *factor > 0.0) => {
                fault("factor", "finite and positive".into(), factor.to_string())
            }
            Schedule::OneCycle { peak } if !(*peak > 0.0 && *peak < 1.0) => {
                fault("peak", "in (0, 1)".into(), peak.to_string())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factors(schedule: &Schedule, steps_per_epoch: u64, epochs: u32) -> Vec<f64> {
        let total = steps_per_epoch * u64::from(epochs);
        (0..total).map(|step| schedule.factor(step, steps_per_epoch, epochs)).collect()
    }

    fn close(got: &[f64], expected: &[f64]) {
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-12, "{got} is not {expected}");
        }
    }

    /// Two steps of warm-up, then cosines of 0, π/4, π/2 and 3π/4.
    #[test]
    fn cosine_warms_up_and_falls_by_half_a_cosine() {
        let half = 0.5_f64.sqrt();
        let expected = [0.5, 1.0, 1.0, 0.5 + 0.5 * half, 0.5, 0.5 - 0.5 * half];
        close(&factors(&Schedule::Cosine { warmup_epochs: 1 }, 2, 3), &expected);
    }

    #[test]
    fn piecewise_multiplies_at_each_milestone() {
        let schedule = Schedule::Piecewise { milestones: vec![1, 3], factor: 0.5 };
        close(&factors(&schedule, 2, 4), &[1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25]);
    }

    #[test]
    fn one_cycle_rises_to_its_peak_and_falls_to_zero() {
        let schedule = Schedule::OneCycle { peak: 0.4 };
        close(&factors(&schedule, 1, 5), &[0.5, 1.0, 2.0 / 3.0, 1.0 / 3.0, 0.0]);
    }

    #[test]
    fn parameters_out_of_range_are_rejected() {
        assert!(Schedule::OneCycle { peak: 1.0 }.check(3).is_err());
        assert!(Schedule::Cosine { warmup_epochs: 4 }.check(3).is_err());
        assert!(Schedule::Piecewise { milestones: vec![2, 1], factor: 0.1 }.check(3).is_err());
        assert!(Schedule::Piecewise { milestones: vec![1, 2], factor: 0.0 }.check(3).is_err());
        assert!(Schedule::Constant {}.check(3).is_ok());
    }
}
