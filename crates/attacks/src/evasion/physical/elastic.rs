//! Random elastic deformations.
//!
//! Simard, Steinkraus, Platt. *Best Practices for Convolutional Neural Networks Applied to Visual
//! Document Analysis.* ICDAR 2003, §2. <https://doi.org/10.1109/ICDAR.2003.1227801>
use burn::prelude::*;
use duress_core::search::{Labels, search_labels};
use duress_core::{
    Access, Algorithm, Asker, LabelAttack, LabelJob, Norm, Reach, Result, Search, Searching,
    Setting,
};
use serde::{Deserialize, Serialize};

use crate::image::noise::displacement;
use crate::image::picture::Picture;
use crate::image::warp::Outside;
use crate::table::{Entry, defaults, label};

/// The first of some random deformations that meets the goal: each pixel moves by a field uniform
/// in `[−1, 1]`, smoothed by a Gaussian and scaled; bilinear, black beyond the border.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Elastic {
    /// Factor of the smoothed field, in pixels; the paper's 34 on 29 × 29 digits.
    pub alpha: f64,
    /// Standard deviation of the Gaussian, in pixels; the paper's 4.
    pub sigma: f64,
    /// Deformations tried on each sample, one query each; the paper deforms for training and has
    /// no such number.
    pub draws: u32,
}

impl Elastic {
    /// The paper's fields; the worst of ten.
    #[must_use]
    pub fn paper() -> Self {
        Self { alpha: 34.0, sigma: 4.0, draws: 10 }
    }
}

impl Default for Elastic {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "elastic",
    summary: "random elastic deformations",
    reference: "doi:10.1109/ICDAR.2003.1227801",
    norms: &Norm::ALL,
    access: Access::Labels,
    targeted: true,
    defaults: defaults::<Elastic>,
    parse: label::<Elastic>,
};

impl Algorithm for Elastic {
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
        ENTRY.positive("alpha", self.alpha)?;
        ENTRY.positive("sigma", self.sigma)?;
        ENTRY.at_least_one("draws", u64::from(self.draws))
    }
}

impl LabelAttack for Elastic {
    fn perturb(&self, job: &mut LabelJob<'_>) -> Result<Tensor<2>> {
        search_labels(job, self)
    }
}

impl Search<Labels> for Elastic {
    fn search<'s>(&'s self, asker: &'s mut Asker<Labels>) -> Searching<'s> {
        Box::pin(async move {
            let picture = Picture::of(asker.clean(), asker.domain())?;
            let [_, height, width] = picture.shape;
            for draw in 0..self.draws {
                let mut rng = asker.generator(draw);
                let field = displacement(&mut rng, [height, width], self.alpha, self.sigma);
                let warped = picture.warp(Outside::Black, |y, x| {
                    let (down, right) = field[y * width + x];
                    (y as f64 + down, x as f64 + right)
                });
                let mut row = warped.row(asker.domain());
                asker.clip(&mut row);
                asker.settle(&row);
                asker.meets(&row).await?;
            }
            Ok(())
        })
    }
}
