//! A sticker: any pixels, in one rectangle.
//!
//! Karmon, Zoran, Goldberg. *`LaVAN`: Localized and Visible Adversarial Noise.* ICML 2018, §3.
//! <https://arxiv.org/abs/1801.02608>
use burn::prelude::*;
use duress_core::search::{Gradients, search_gradients};
use duress_core::{
    Access, Algorithm, Asker, GradientAttack, GradientJob, Halt, Loss, Norm, Reach, Result, Search,
    Searching, Setting,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::losses::LossKind;
use crate::table::{Entry, defaults, gradient};

/// Gradient ascent on the pixels of a fixed rectangle of each picture, anywhere in the box; no
/// other pixel changes.
///
/// The setting is the paper's; the steps are signs, not its raw gradients, so that their size does
/// not depend on how sure the model is. A query is one gradient; a solved sample asks no more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sticker {
    /// Upper side of the rectangle, as a share of the picture's height.
    pub top: f64,
    /// Left side, as a share of the width.
    pub left: f64,
    /// Height of the rectangle, as a share of the picture's; at least a pixel.
    pub height: f64,
    /// Width of the rectangle, as a share of the picture's; at least a pixel.
    pub width: f64,
    /// Gradient steps on each sample and restart; the paper stops at a confidence instead.
    pub steps: usize,
    /// Length of a step as a share of the box's side.
    pub step_size: f64,
    /// Start with uniform pixels in the rectangle instead of the clean ones.
    pub random_start: bool,
    /// Attempts on each sample that is not broken yet.
    pub restarts: u32,
    /// What the steps increase.
    pub loss: LossKind,
}

impl Sticker {
    /// The paper's area, 42 × 42 pixels of 299 × 299 (2 %), in the upper left corner.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            top: 0.0,
            left: 0.0,
            height: 42.0 / 299.0,
            width: 42.0 / 299.0,
            steps: 100,
            step_size: 0.05,
            random_start: true,
            restarts: 1,
            loss: LossKind::CrossEntropy,
        }
    }

    /// The features of the rectangle in a picture of `[channels, height, width]`.
    fn features(&self, [channels, height, width]: [usize; 3]) -> Vec<usize> {
        let span = |start: f64, length: f64, size: usize| {
            let first = ((start * size as f64).round() as usize).min(size - 1);
            let past = (((start + length) * size as f64).round() as usize).clamp(first + 1, size);
            first..past
        };
        let (rows, columns) =
            (span(self.top, self.height, height), span(self.left, self.width, width));
        let mut features = Vec::new();
        for channel in 0..channels {
            for y in rows.clone() {
                features.extend(columns.clone().map(|x| (channel * height + y) * width + x));
            }
        }
        features
    }
}

impl Default for Sticker {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "sticker",
    summary: "any pixels in a fixed rectangle",
    reference: "arXiv:1801.02608",
    norms: &Norm::ALL,
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<Sticker>,
    parse: gradient::<Sticker>,
};

impl Algorithm for Sticker {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn reach(&self) -> Reach {
        Reach::Box
    }

    fn restarts(&self) -> u32 {
        self.restarts
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        setting.domain.image_shape()?;
        ENTRY.share("top", self.top)?;
        ENTRY.share("left", self.left)?;
        ENTRY.positive("height", self.height)?;
        ENTRY.positive("width", self.width)?;
        let fits = |start: f64, length: f64| start + length <= 1.0 + ROUNDING;
        ENTRY.expect(fits(self.top, self.height), "height", "at most 1 less `top`", self.height)?;
        ENTRY.expect(fits(self.left, self.width), "width", "at most 1 less `left`", self.width)?;
        ENTRY.at_least_one("steps", self.steps as u64)?;
        ENTRY.positive("step_size", self.step_size)?;
        ENTRY.at_least_one("restarts", u64::from(self.restarts))?;
        self.loss.check(setting.classes, setting.targeted)
    }
}

/// How far the sum of two shares may round beyond 1.
const ROUNDING: f64 = 1e-12;

impl GradientAttack for Sticker {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        search_gradients(job, self)
    }
}

impl Search<Gradients> for Sticker {
    fn search<'s>(&'s self, asker: &'s mut Asker<Gradients>) -> Searching<'s> {
        Box::pin(self.climb(asker))
    }

    fn loss(&self) -> Option<&dyn Loss> {
        Some(&self.loss)
    }
}

impl Sticker {
    async fn climb(&self, asker: &mut Asker<Gradients>) -> Result<(), Halt> {
        let features = self.features(asker.domain().image_shape()?);
        let (lower, upper) = (asker.lower().to_vec(), asker.upper().to_vec());
        let mut row = asker.clean().to_vec();
        if self.random_start {
            let mut rng = asker.generator(0);
            for &feature in &features {
                let place = rng.random::<f32>();
                row[feature] = lower[feature] + place * (upper[feature] - lower[feature]);
            }
            asker.clip(&mut row);
        }
        for _ in 0..self.steps {
            asker.settle(&row);
            let gradient = asker.gradient(row.clone(), Vec::new()).await?.gradient;
            for &feature in &features {
                let slope = gradient[feature];
                let sign = f32::from(i8::from(slope > 0.0) - i8::from(slope < 0.0));
                row[feature] += sign * self.step_size as f32 * (upper[feature] - lower[feature]);
            }
            asker.clip(&mut row);
        }
        asker.settle(&row);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rectangle_is_counted_in_pixels_of_each_plane() {
        let sticker = Sticker { top: 0.5, left: 0.25, height: 0.5, width: 0.5, ..Sticker::paper() };
        assert_eq!(sticker.features([2, 2, 4]), [5, 6, 13, 14]);
        assert_eq!(Sticker::paper().features([3, 299, 299]).len(), 3 * 42 * 42);
        assert_eq!(Sticker::paper().features([1, 1, 1]), [0]);
        let corner = Sticker { top: 1.0, left: 1.0, ..sticker };
        assert_eq!(corner.features([1, 3, 3]), [8]);
    }
}
