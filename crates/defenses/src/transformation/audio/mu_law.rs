//! Quantisation on a logarithmic scale.
//!
//! ITU-T G.711; as a defence: Hussain et al. *`WaveGuard`: Understanding and Mitigating Audio
//! Adversarial Examples.* USENIX Security 2021 (quantisation). <https://arxiv.org/abs/2103.03344>
use burn::prelude::*;
use duress_core::{Domain, Result};
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::{UnitBox, by_row};
use crate::transformation::mapping::{in_range, waveform_shape, wrong};
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// Rounds each sample to one of `levels` values that lie the closer the quieter they are: evenly
/// spaced on the scale `sgn(x) ln(1 + μ|x|) / ln(1 + μ)`.
///
/// An even number of levels, as in telephony, has none at silence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MuLaw {
    /// The constant μ, above 0.
    pub mu: f64,
    /// Number of values, 2 to 65536.
    pub levels: u32,
}

impl Default for MuLaw {
    fn default() -> Self {
        Self { mu: 255.0, levels: 256 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "mu-law",
    summary: "quantisation of samples on a logarithmic scale",
    reference: "arXiv:2103.03344",
    defaults: defaults::<MuLaw>,
    parse: transformation::<MuLaw>,
};

impl Transformation for MuLaw {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Identity
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        waveform_shape(ENTRY.name, domain)?;
        in_range(ENTRY.name, "mu", self.mu, f64::MIN_POSITIVE.., "above 0")?;
        if (2..=65_536).contains(&self.levels) {
            return Ok(());
        }
        wrong(ENTRY.name, "levels", "between 2 and 65536", self.levels)
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        Ok(Box::new(Companded { within: UnitBox::of(domain), settings: self.clone() }))
    }
}

struct Companded {
    within: UnitBox,
    settings: MuLaw,
}

impl Mapping for Companded {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        by_row(rows, draws, |row, _| {
            self.within.within(row, |row| {
                for share in row {
                    let sample = 2.0 * f64::from(*share) - 1.0;
                    *share = (0.5 * (self.settings.nearest(sample) + 1.0)) as f32;
                }
            });
        })
    }
}

impl MuLaw {
    /// The nearest level of a sample in `[−1, 1]`.
    fn nearest(&self, sample: f64) -> f64 {
        let steps = f64::from(self.levels - 1);
        let folded = (self.mu * sample.abs()).ln_1p() / self.mu.ln_1p();
        let place = 0.5 * (folded.copysign(sample) + 1.0);
        let level = (place * steps).round() / steps * 2.0 - 1.0;
        ((level.abs() * self.mu.ln_1p()).exp_m1() / self.mu).copysign(level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_their_own_nearest_and_lie_closer_near_silence() {
        let law = MuLaw::default();
        for level in [-1.0, -0.3, 0.0, 0.001, 0.5, 1.0] {
            let once = law.nearest(level);
            assert!((law.nearest(once) - once).abs() < 1e-12, "{level}");
            // Half a step of the scale, 1/255, times its slope there.
            let slope = (1.0 + 255.0 * level.abs()) * 256.0_f64.ln() / 255.0;
            assert!((once - level).abs() <= 1.02 / 255.0 * slope, "{level} {once}");
        }
        assert!((law.nearest(1.0) - 1.0).abs() < 1e-12);
    }

    /// With three levels: −1, 0, 1; the border is where the scale reads ½, `(√256 − 1) / 255`.
    #[test]
    fn three_levels_split_at_a_seventeenth() {
        let law = MuLaw { mu: 255.0, levels: 3 };
        assert!(law.nearest(1.0 / 17.0 - 1e-4).abs() < 1e-12);
        assert!((law.nearest(1.0 / 17.0 + 1e-4) - 1.0).abs() < 1e-12);
        assert!((law.nearest(-0.9) + 1.0).abs() < 1e-12);
    }
}
