//! Random resizing and padding.
//!
//! Xie, Wang, Zhang, Ren, Yuille. *Mitigating Adversarial Effects Through Randomization.*
//! ICLR 2018. <https://arxiv.org/abs/1711.01991>
use burn::prelude::*;
use duress_attacks::image::{Placement, place_resized};
use duress_core::{Domain, Result};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::drawn;
use crate::transformation::mapping::in_range;
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// Shrinks each picture to a random size and puts it at a random place on black.
///
/// The paper enlarges pictures of 299 pixels to at most 331 and has a network of 331. Here the
/// picture keeps its number of pixels, so that it fits the network behind it: the largest size is
/// its own, and the ratio of the sizes is the paper's. Bilinear; both sides by one draw. Pixels
/// around it are zeros in raw units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomResize {
    /// Smallest side as a share of the picture's, rounded down; above 0 and at most 1.
    pub smallest: f64,
}

impl Default for RandomResize {
    fn default() -> Self {
        Self { smallest: 299.0 / 331.0 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "random-resize",
    summary: "a random size at a random place",
    reference: "arXiv:1711.01991",
    defaults: defaults::<RandomResize>,
    parse: transformation::<RandomResize>,
};

impl Transformation for RandomResize {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Exact
    }

    fn is_random(&self) -> bool {
        true
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        domain.image_shape()?;
        let range = (std::ops::Bound::Excluded(0.0), std::ops::Bound::Included(1.0));
        in_range(ENTRY.name, "smallest", self.smallest, range, "above 0 and at most 1")
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        Ok(Box::new(Resize { shape: domain.image_shape()?, smallest: self.smallest }))
    }
}

struct Resize {
    shape: [usize; 3],
    smallest: f64,
}

impl Mapping for Resize {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        let [_, height, width] = self.shape;
        // Sizes of one draw are those of one share: neither side loses more than `smallest` says.
        let least =
            |side: usize| ((side as f64 * self.smallest + 1e-9).floor() as usize).clamp(1, side);
        let placed = drawn(&rows, 4, draws, |generator, place| {
            let share: f64 = generator.random();
            for (axis, side) in [height, width].into_iter().enumerate() {
                let sizes = side - least(side) + 1;
                let size = least(side) + ((share * sizes as f64) as usize).min(sizes - 1);
                place[axis] = size as f32;
                place[2 + axis] = generator.random_range(0..=side - size) as f32;
            }
        });
        let column = |index| placed.clone().narrow(1, index, 1);
        let placement =
            Placement { height: column(0), width: column(1), top: column(2), left: column(3) };
        place_resized(rows, self.shape, [height, width], &placement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    #[test]
    fn sizes_and_places_stay_on_the_canvas_and_all_occur() {
        let domain = Domain::image(1, 4, 6).unwrap();
        let settings = RandomResize { smallest: 0.5 };
        let mapping = settings.prepare(&domain).unwrap();
        let rows = Tensor::<2>::ones([1, 24], &Device::flex());
        let mut areas: Vec<usize> = (0..200)
            .map(|draw| {
                let got = floats(mapping.apply(rows.clone(), &Draws::shared(draw))).unwrap();
                got.iter().filter(|value| **value > 0.5).count()
            })
            .collect();
        areas.sort_unstable();
        areas.dedup();
        // Heights 2, 3, 4 and widths 3, 4, 5, 6 by one share: (2, 3), (2, 4), (3, 4), (3, 5), ….
        assert!(areas.first() == Some(&6) && areas.last() == Some(&24), "{areas:?}");
        assert!(areas.len() >= 4, "{areas:?}");
    }

    #[test]
    fn the_whole_size_is_the_identity() {
        let domain = Domain::image(2, 3, 3).unwrap();
        let mapping = RandomResize { smallest: 1.0 }.prepare(&domain).unwrap();
        let values: Vec<f32> = (0..18).map(|value| value as f32 / 17.0).collect();
        let rows = Tensor::from_data(TensorData::new(values.clone(), [1, 18]), &Device::flex());
        assert_eq!(floats(mapping.apply(rows, &Draws::shared(3))).unwrap(), values);
        for smallest in [0.0, 1.1, f64::NAN] {
            assert!(RandomResize { smallest }.check(&domain).is_err());
        }
    }
}
