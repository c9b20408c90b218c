//! Common corruptions: what weather, lenses and codecs do to a picture.
//!
//! Hendrycks, Dietterich. *Benchmarking Neural Network Robustness to Common Corruptions and
//! Perturbations.* ICLR 2019, §3.1 and the parameters of CIFAR-10-C.
//! <https://arxiv.org/abs/1903.12261>
mod blur;
mod digital;
mod jpeg;
mod noise;
mod weather;

use burn::prelude::*;
use duress_core::search::{Labels, search_labels};
use duress_core::{
    Access, Algorithm, Asker, LabelAttack, LabelJob, Norm, Reach, Result, Search, Searching,
    Setting,
};
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::image::picture::Picture;
use crate::table::{Entry, defaults, label};

/// The corruptions by name. Frost is left out: it is made of photographs of ice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CorruptionKind {
    /// Each in turn, in the order below, until one meets the goal.
    #[default]
    All,
    /// Normal noise.
    GaussianNoise,
    /// Poisson noise.
    ShotNoise,
    /// Values set to black or white.
    ImpulseNoise,
    /// A disc as kernel.
    DefocusBlur,
    /// Pixels swapped with near ones.
    GlassBlur,
    /// A line as kernel.
    MotionBlur,
    /// The mean of enlargements.
    ZoomBlur,
    /// Falling flakes.
    Snow,
    /// Clouds in front.
    Fog,
    /// More light.
    Brightness,
    /// Less contrast.
    Contrast,
    /// An elastic deformation.
    Elastic,
    /// Fewer pixels.
    Pixelate,
    /// Compression.
    Jpeg,
}

impl CorruptionKind {
    /// All single corruptions, in the order of the paper.
    pub const EACH: [CorruptionKind; 14] = [
        CorruptionKind::GaussianNoise,
        CorruptionKind::ShotNoise,
        CorruptionKind::ImpulseNoise,
        CorruptionKind::DefocusBlur,
        CorruptionKind::GlassBlur,
        CorruptionKind::MotionBlur,
        CorruptionKind::ZoomBlur,
        CorruptionKind::Snow,
        CorruptionKind::Fog,
        CorruptionKind::Brightness,
        CorruptionKind::Contrast,
        CorruptionKind::Elastic,
        CorruptionKind::Pixelate,
        CorruptionKind::Jpeg,
    ];

    fn kinds(self) -> Vec<CorruptionKind> {
        if self == CorruptionKind::All { Self::EACH.to_vec() } else { vec![self] }
    }

    /// The corrupted picture at level 0 to 4; its values may lie beyond `[0, 1]`.
    fn apply(self, picture: &Picture, level: usize, rng: &mut impl Rng) -> Picture {
        match self {
            CorruptionKind::All => picture.clone(),
            CorruptionKind::GaussianNoise => noise::gaussian(picture, level, rng),
            CorruptionKind::ShotNoise => noise::shot(picture, level, rng),
            CorruptionKind::ImpulseNoise => noise::impulse(picture, level, rng),
            CorruptionKind::DefocusBlur => blur::defocus(picture, level),
            CorruptionKind::GlassBlur => blur::glass(picture, level, rng),
            CorruptionKind::MotionBlur => blur::motion(picture, level, rng),
            CorruptionKind::ZoomBlur => blur::zoom(picture, level),
            CorruptionKind::Snow => weather::snow(picture, level, rng),
            CorruptionKind::Fog => weather::fog(picture, level, rng),
            CorruptionKind::Brightness => weather::brightness(picture, level),
            CorruptionKind::Contrast => digital::contrast(picture, level),
            CorruptionKind::Elastic => digital::elastic(picture, level, rng),
            CorruptionKind::Pixelate => digital::pixelate(picture, level),
            CorruptionKind::Jpeg => jpeg::compress(picture, level),
        }
    }
}

/// Corruptions of one severity, each drawn once for each sample: a query a corruption, and a
/// sample that is solved asks no more.
///
/// The parameters are those published for 32 × 32 pictures. Lengths in pixels (radii, widths of
/// blurs, reach of swaps) grow with the picture's shorter side over 32; noise levels, contrasts and
/// factors do not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Corruption {
    /// Which corruption, or all.
    pub kind: CorruptionKind,
    /// Severity from 1 to 5.
    pub severity: u32,
}

impl Corruption {
    /// All corruptions at the largest severity; the paper reports the mean over all five.
    #[must_use]
    pub fn paper() -> Self {
        Self { kind: CorruptionKind::All, severity: 5 }
    }
}

impl Default for Corruption {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "corruption",
    summary: "common corruptions: noise, blur, weather, compression",
    reference: "arXiv:1903.12261",
    norms: &Norm::ALL,
    access: Access::Labels,
    targeted: true,
    defaults: defaults::<Corruption>,
    parse: label::<Corruption>,
};

impl Algorithm for Corruption {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn reach(&self) -> Reach {
        Reach::Box
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        setting.domain.image_shape()?;
        let known = (1..=5).contains(&self.severity);
        ENTRY.expect(known, "severity", "between 1 and 5", self.severity)
    }
}

impl LabelAttack for Corruption {
    fn perturb(&self, job: &mut LabelJob<'_>) -> Result<Tensor<2>> {
        search_labels(job, self)
    }
}

impl Search<Labels> for Corruption {
    fn search<'s>(&'s self, asker: &'s mut Asker<Labels>) -> Searching<'s> {
        Box::pin(async move {
            let picture = Picture::of(asker.clean(), asker.domain())?;
            for kind in self.kind.kinds() {
                // A kind has its own stream, so that it draws the same alone and among all.
                let mut rng = asker.generator(kind as u32);
                let corrupted = kind.apply(&picture, self.severity as usize - 1, &mut rng);
                let mut row = corrupted.clipped().row(asker.domain());
                asker.clip(&mut row);
                asker.settle(&row);
                asker.meets(&row).await?;
            }
            Ok(())
        })
    }
}

/// How much larger than 32 × 32 a picture is: its shorter side over 32.
fn enlargement(picture: &Picture) -> f64 {
    picture.shape[1].min(picture.shape[2]) as f64 / 32.0
}

#[cfg(test)]
mod tests;
