//! What a composite perturbation is made of.
use burn::prelude::*;
use duress_core::{Domain, Result};
use serde::{Deserialize, Serialize};

use crate::image::{rotate, rotate_hue, scale_saturation};

/// One way to change a picture, with one number a sample; for [`Component::Linf`], with one a
/// pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Component {
    /// Turns the hue.
    Hue,
    /// Multiplies the saturation.
    Saturation,
    /// Turns the picture about its centre; zeros come in at the corners.
    Rotation,
    /// Adds to each pixel.
    Brightness,
    /// Multiplies each pixel.
    Contrast,
    /// Adds to each pixel what its gradient says.
    Linf,
}

impl Component {
    /// Whether it needs red, green and blue.
    pub(super) fn needs_colour(self) -> bool {
        matches!(self, Component::Hue | Component::Saturation)
    }

    /// The pictures with values in `[0, 1]`, `[N, F]`, changed by `by` `[N, 1]`. What leaves
    /// `[0, 1]` is not cut yet; without effect for [`Component::Linf`].
    fn apply(self, rows: Tensor<2>, shape: [usize; 3], by: Tensor<2>) -> Tensor<2> {
        match self {
            Component::Hue => rotate_hue(rows, by),
            Component::Saturation => scale_saturation(rows, by),
            Component::Rotation => rotate(rows, shape, by.deg2rad()),
            Component::Brightness => rows + by,
            Component::Contrast => rows * by,
            Component::Linf => rows,
        }
    }
}

/// The pictures' shape and box.
pub(super) struct Space {
    shape: [usize; 3],
    /// Lower end and length of each feature's interval, `[1, F]`.
    lower: Tensor<2>,
    side: Tensor<2>,
    /// The length, where it is zero one.
    divisor: Tensor<2>,
}

impl Space {
    pub(super) fn of(domain: &Domain, device: &Device) -> Result<Self> {
        let (lower, upper) = domain.bounds(device);
        let side = upper - lower.clone();
        let none = side.clone().lower_equal_elem(0.0);
        let divisor = side.clone().mask_fill(none, 1.0);
        Ok(Self { shape: domain.image_shape()?, lower, side, divisor })
    }

    /// Rows `[N, F]` as `component` changes them by `by` `[N, 1]`, in the units of the rows.
    pub(super) fn change(&self, component: Component, rows: Tensor<2>, by: Tensor<2>) -> Tensor<2> {
        let unit = (rows - self.lower.clone()) / self.divisor.clone();
        component.apply(unit, self.shape, by) * self.side.clone() + self.lower.clone()
    }

    /// Rows `[N, F]` moved by `length` along `direction`, at most `radius` from `base` in each
    /// feature; both in lengths of the box.
    pub(super) fn move_pixels(
        &self,
        base: Tensor<2>,
        rows: Tensor<2>,
        direction: Tensor<2>,
        (length, radius): (f64, f64),
    ) -> Tensor<2> {
        let moved = (rows - base.clone()) / self.divisor.clone() + direction * length;
        base + moved.clamp(-radius, radius) * self.side.clone()
    }
}

/// Rows `[N, F]` cut to the box and the features that may change.
pub(super) fn cut(rows: Tensor<2>, lower: &Tensor<2>, upper: &Tensor<2>) -> Tensor<2> {
    rows.max_pair(lower.clone()).min_pair(upper.clone())
}
