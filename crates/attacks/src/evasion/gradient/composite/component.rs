//! What a composite perturbation is made of.
use burn::prelude::*;
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
    pub(super) fn apply(self, rows: Tensor<2>, shape: [usize; 3], by: Tensor<2>) -> Tensor<2> {
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
