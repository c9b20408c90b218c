//! Adversarial patches.
//!
//! Brown, Mané, Roy, Abadi, Gilmer. *Adversarial Patch.* Machine Learning and Computer Security
//! Workshop, 2017, §2. <https://arxiv.org/abs/1712.09665>
use burn::prelude::*;
use duress_core::{
    Access, Algorithm, Domain, GradientAttack, GradientJob, Loss, Norm, Reach, Result, Setting,
    pull_back,
};
use serde::{Deserialize, Serialize};

use super::placement::{Maps, PatchShape, Placements};
use crate::losses::LossKind;
use crate::table::{Entry, defaults, gradient};

/// One patch for the whole batch, trained on expectation over places, scales, angles and
/// brightness; each sample comes back with the patch at a placement drawn for it alone.
///
/// `p ← argmax E[loss(paste(p, x, placement))]` by Adam; the patch, not the picture, is clipped to
/// the box. The placement of the result is one that training has not seen. A step spends `draws`
/// queries of each sample, the whole attack `steps · draws`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdversarialPatch {
    /// Outline of the patch.
    pub shape: PatchShape,
    /// Width of the patch at scale 1, as a share of the picture's shorter side.
    pub size: f64,
    /// Smallest scale.
    pub scale_min: f64,
    /// Largest scale.
    pub scale_max: f64,
    /// Largest angle to either side, in degrees.
    pub rotation: f64,
    /// Largest relative change of the patch's brightness; the paper varies none.
    pub brightness: f64,
    /// Steps of the patch.
    pub steps: usize,
    /// Placements of each sample in a step.
    pub draws: u32,
    /// Length of a step of Adam, as a share of the box's side; the paper names no optimiser.
    pub step_size: f64,
    /// What the steps increase; the paper's is the log-probability of the target.
    pub loss: LossKind,
}

impl AdversarialPatch {
    /// A disc of 0.1 to 1 times the picture's side, turned by up to 22.5°, 500 steps: the ranges in
    /// common use. The paper states none.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            shape: PatchShape::Circle,
            size: 1.0,
            scale_min: 0.1,
            scale_max: 1.0,
            rotation: 22.5,
            brightness: 0.0,
            steps: 500,
            draws: 1,
            step_size: 5.0 / 255.0,
            loss: LossKind::CrossEntropy,
        }
    }
}

impl Default for AdversarialPatch {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "adversarial-patch",
    summary: "one printable patch for all samples, anywhere on the picture",
    reference: "arXiv:1712.09665",
    norms: &Norm::ALL,
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<AdversarialPatch>,
    parse: gradient::<AdversarialPatch>,
};

impl Algorithm for AdversarialPatch {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn reach(&self) -> Reach {
        Reach::Box
    }

    fn joint(&self) -> bool {
        true
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        setting.domain.image_shape()?;
        ENTRY.positive("size", self.size)?;
        ENTRY.share("size", self.size)?;
        ENTRY.positive("scale_min", self.scale_min)?;
        ENTRY.share("scale_max", self.scale_max)?;
        let ordered = self.scale_min <= self.scale_max;
        ENTRY.expect(ordered, "scale_min", "at most `scale_max`", self.scale_min)?;
        let turn = (0.0..=180.0).contains(&self.rotation);
        ENTRY.expect(turn, "rotation", "between 0 and 180 degrees", self.rotation)?;
        ENTRY.share("brightness", self.brightness)?;
        ENTRY.at_least_one("steps", self.steps as u64)?;
        ENTRY.at_least_one("draws", u64::from(self.draws))?;
        let all = (self.steps as u64).saturating_mul(u64::from(self.draws));
        let counted = all < u64::from(LAST_DRAW);
        ENTRY.expect(counted, "steps", "at most 4294967294 over all draws", self.steps)?;
        ENTRY.positive("step_size", self.step_size)?;
        self.loss.check(setting.classes, setting.targeted)
    }
}

/// Decay of Adam's mean gradient and mean square.
const DECAY: [f64; 2] = [0.9, 0.999];

/// Keeps Adam's division finite.
const TINY: f64 = 1e-8;

/// The draw that places the patch on the returned rows.
const LAST_DRAW: u32 = u32::MAX;

impl GradientAttack for AdversarialPatch {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        if job.active() == 0 {
            return Ok(job.clean());
        }
        let domain = job.domain().clone();
        let [_, height, width] = domain.image_shape()?;
        let side = self.size * height.min(width) as f64;
        let resolution = (side.round() as usize).max(1);
        let placements = Placements {
            shape: self.shape,
            width: side,
            scale: [self.scale_min, self.scale_max],
            rotation: self.rotation,
            brightness: self.brightness,
            picture: [height, width],
            resolution,
        };
        let canvas = Canvas::new(&domain, resolution, &job.clean().device())?;
        let range = canvas.high.clone() - canvas.low.clone();
        let mut patch = (canvas.low.clone() + canvas.high.clone()) * 0.5;
        patch = patch.repeat_dim(1, resolution * resolution);
        let (mut mean, mut square) = (patch.zeros_like(), patch.zeros_like());
        for step in 0..self.steps {
            if job.queries_left().is_some_and(|left| left < u64::from(self.draws)) {
                break;
            }
            let mut slope = patch.zeros_like();
            for draw in 0..self.draws {
                let maps = placements.maps(job, step as u32 * self.draws + draw);
                let (rows, free) = canvas.paste(job, &patch, &maps);
                let gradient = job.gradient(rows, &self.loss)?.gradient;
                if draw == 0 && job.checkpoint(step)? {
                    job.ensure_finite(gradient.clone())?;
                }
                slope = slope + canvas.pull_back(&patch, &maps, gradient * free)?;
            }
            let slope = slope / (job.active() as f64 * f64::from(self.draws));
            mean = mean * DECAY[0] + slope.clone() * (1.0 - DECAY[0]);
            square = square * DECAY[1] + slope.square() * (1.0 - DECAY[1]);
            let power = (step + 1) as i32;
            let unbiased = mean.clone() / (1.0 - DECAY[0].powi(power));
            let spread = (square.clone() / (1.0 - DECAY[1].powi(power))).sqrt();
            let ahead = patch + unbiased / (spread + TINY) * range.clone() * self.step_size;
            patch = ahead.max_pair(canvas.low.clone()).min_pair(canvas.high.clone());
        }
        let maps = placements.maps(job, LAST_DRAW);
        Ok(canvas.paste(job, &patch, &maps).0)
    }
}

/// The pixels of the patch and of the pictures it is pasted on.
struct Canvas {
    resolution: usize,
    /// Least and largest value of a channel of the patch, `[C, 1]`.
    low: Tensor<2>,
    high: Tensor<2>,
}

impl Canvas {
    fn new(domain: &Domain, resolution: usize, device: &Device) -> Result<Self> {
        let [channels, height, width] = domain.image_shape()?;
        let bound = |of: &dyn Fn(usize) -> f32, join: fn(f32, f32) -> f32| {
            let plane = |channel: usize| channel * height * width..(channel + 1) * height * width;
            let values: Vec<f32> = (0..channels)
                .map(|channel| plane(channel).map(of).reduce(join).unwrap_or_default())
                .collect();
            Tensor::from_data(TensorData::new(values, [channels, 1]), device)
        };
        Ok(Self {
            resolution,
            low: bound(&|feature| domain.lower().at(feature), f32::min),
            high: bound(&|feature| domain.upper().at(feature), f32::max),
        })
    }

    /// The samples with the patch on them `[N, F]`, and one where a feature follows the patch.
    fn paste(
        &self,
        job: &GradientJob<'_>,
        patch: &Tensor<2>,
        maps: &Maps,
    ) -> (Tensor<2>, Tensor<2>) {
        let [count, features] = job.clean().dims();
        let channels = patch.dims()[0];
        let brightness = maps.brightness.clone().unsqueeze_dim::<3>(1);
        let low = self.low.clone().unsqueeze_dim::<3>(0);
        let shown = maps.sample(patch.clone(), self.resolution);
        let shown = low.clone() + (shown - low) * brightness;
        let inside = maps.inside.clone().unsqueeze_dim::<3>(1).repeat_dim(1, channels);
        let (shown, inside) = (shown.reshape([count, features]), inside.reshape([count, features]));
        let (lower, upper) = (job.region().lower(), job.region().upper());
        let within = shown.clone().greater_equal(lower.clone());
        let within = within.bool_and(shown.clone().lower_equal(upper.clone()));
        let movable = upper.clone().greater(lower.clone());
        let free = within.bool_and(movable).float() * inside.clone();
        let clipped = shown.max_pair(lower).min_pair(upper);
        let covered = inside.greater_elem(0.5);
        (job.clean().mask_where(covered, clipped), free)
    }

    /// The slope of `⟨cotangent, pasted rows⟩` by the patch, `[N, F] → [C, R·R]`.
    fn pull_back(&self, patch: &Tensor<2>, maps: &Maps, cotangent: Tensor<2>) -> Result<Tensor<2>> {
        let [count, pixels] = maps.row.dims();
        let channels = patch.dims()[0];
        let factor = maps.brightness.clone().unsqueeze_dim::<3>(1);
        let cotangent = cotangent.reshape([count, channels, pixels]) * factor;
        let cotangent = cotangent.reshape([count, channels * pixels]);
        let through = |patch: Tensor<2>| {
            maps.sample(patch, self.resolution).reshape([count, channels * pixels])
        };
        pull_back(patch.clone(), through, cotangent)
    }
}
