//! Rotations and translations.
//!
//! Engstrom, Tran, Tsipras, Schmidt, Madry. *Exploring the Landscape of Spatial Robustness.*
//! ICML 2019, §3. <https://arxiv.org/abs/1712.02779>
use burn::prelude::*;
use duress_core::search::{Labels, search_labels};
use duress_core::{
    Access, Algorithm, Asker, LabelAttack, LabelJob, Norm, Reach, Result, Search, Searching,
    Setting,
};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::image::picture::Picture;
use crate::table::{Entry, defaults, label};

/// Which of the transformations are tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpatialSearch {
    /// All combinations of evenly spaced angles and shifts.
    #[default]
    Grid,
    /// Draws, uniform in the same range (the paper's worst-of-k, with k = 10).
    Random,
}

/// The first rotation and translation that meets the goal: bilinear, black where nothing is shown.
///
/// A try is one query of one sample; a sample that is solved asks no more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Spatial {
    /// Which transformations are tried.
    pub search: SpatialSearch,
    /// Largest angle to either side, in degrees.
    pub rotation: f64,
    /// Largest shift to either side as a share of the picture's side, rounded to whole pixels:
    /// 3 pixels of 28 or 32 at 0.1, as in the paper, and 22 of 224, where it has 24.
    pub translation: f64,
    /// Angles of the grid.
    pub angles: u32,
    /// Shifts of the grid along each side.
    pub shifts: u32,
    /// Draws of the random search.
    pub draws: u32,
}

impl Spatial {
    /// The paper's: a grid of 31 angles to ±30° and 5 × 5 shifts to ±10 %.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            search: SpatialSearch::Grid,
            rotation: 30.0,
            translation: 0.1,
            angles: 31,
            shifts: 5,
            draws: 10,
        }
    }

    /// The paper's worst of ten draws.
    #[must_use]
    pub fn worst_of_ten() -> Self {
        Self { search: SpatialSearch::Random, ..Self::paper() }
    }
}

impl Default for Spatial {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "spatial",
    summary: "rotations and translations, on a grid or drawn",
    reference: "arXiv:1712.02779",
    norms: &Norm::ALL,
    access: Access::Labels,
    targeted: true,
    defaults: defaults::<Spatial>,
    parse: label::<Spatial>,
};

impl Algorithm for Spatial {
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
        let turn = (0.0..=180.0).contains(&self.rotation);
        ENTRY.expect(turn, "rotation", "between 0 and 180 degrees", self.rotation)?;
        ENTRY.share("translation", self.translation)?;
        ENTRY.at_least_one("angles", u64::from(self.angles))?;
        ENTRY.at_least_one("shifts", u64::from(self.shifts))?;
        ENTRY.at_least_one("draws", u64::from(self.draws))
    }
}

impl LabelAttack for Spatial {
    fn perturb(&self, job: &mut LabelJob<'_>) -> Result<Tensor<2>> {
        search_labels(job, self)
    }
}

impl Search<Labels> for Spatial {
    fn search<'s>(&'s self, asker: &'s mut Asker<Labels>) -> Searching<'s> {
        Box::pin(async move {
            let picture = Picture::of(asker.clean(), asker.domain())?;
            for (degrees, down, right) in self.transformations(asker, picture.shape) {
                let mut row = picture.moved(degrees, down, right).row(asker.domain());
                asker.clip(&mut row);
                asker.settle(&row);
                asker.meets(&row).await?;
            }
            Ok(())
        })
    }
}

impl Spatial {
    /// Angles in degrees, shifts down and right in pixels.
    fn transformations(
        &self,
        asker: &Asker<Labels>,
        [_, height, width]: [usize; 3],
    ) -> Vec<(f64, f64, f64)> {
        let down = (self.translation * height as f64).round();
        let right = (self.translation * width as f64).round();
        if self.search == SpatialSearch::Random {
            let draw = |step: u32| {
                let mut rng = asker.generator(step);
                let mut within = |most: f64| most * rng.random_range(-1.0..=1.0);
                (within(self.rotation), within(down), within(right))
            };
            return (0..self.draws).map(draw).collect();
        }
        let mut all = Vec::new();
        for degrees in spaced(self.rotation, self.angles) {
            for down in spaced(down, self.shifts) {
                for right in spaced(right, self.shifts) {
                    all.push((degrees, down, right));
                }
            }
        }
        all
    }
}

/// `count` evenly spaced values from `−most` to `most`; zero alone.
fn spaced(most: f64, count: u32) -> Vec<f64> {
    let last = f64::from(count) - 1.0;
    let value = |index: u32| most * (2.0 * f64::from(index) / last - 1.0);
    if count == 1 { vec![0.0] } else { (0..count).map(value).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaced_values_reach_both_ends_and_hold_the_middle() {
        assert_eq!(spaced(3.0, 5), [-3.0, -1.5, 0.0, 1.5, 3.0]);
        assert_eq!(spaced(3.0, 1), [0.0]);
        assert!((spaced(30.0, 31)[16] - 2.0).abs() < 1e-12);
    }
}
