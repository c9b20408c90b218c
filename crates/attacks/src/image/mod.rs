//! Geometry and colour of pictures held as rows `[N, C · H · W]`, planes first.
//!
//! Everything here is differentiable in the pixels and in the parameters, and each sample has
//! parameters of its own (`[N, 1]`). A pixel's centre has whole coordinates: the first is (0, 0).
//! What needs no gradient (displacement, procedural noise) works on one picture on the host.
mod affine;
mod colour;
mod gaussian;
pub(crate) mod noise;
pub(crate) mod picture;
mod resize;
mod sampling;
pub(crate) mod warp;

pub use affine::{Affine, rotate, warp_affine};
pub use colour::{rotate_hue, scale_saturation};
pub use gaussian::{gaussian_filter, gaussian_kernel};
pub use resize::{Placement, place_resized, resize_bilinear, zero_pad};
pub use sampling::sample_bilinear;

use burn::prelude::*;

/// Row and column of each pixel of a picture, both `[1, height · width]`.
fn grid([height, width]: [usize; 2], device: &Device) -> (Tensor<2>, Tensor<2>) {
    let values = |of: &dyn Fn(usize) -> usize| {
        let values: Vec<f32> = (0..height * width).map(|index| of(index) as f32).collect();
        Tensor::from_data(TensorData::new(values, [1, height * width]), device)
    };
    (values(&|index| index / width), values(&|index| index % width))
}
