//! The network of a diffusion: which noise is in a row.
use burn::module::Module;
use burn::nn::conv::{Conv2d, ConvTranspose2d};
use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::silu;
use duress_core::Domain;
use duress_models::Trainable;

use crate::generative::layers::{cropped, doubling, three};
use crate::generative::space::Space;

/// Sines and as many cosines of a step's place, from slow to fast.
const WAVES: usize = 8;

/// Predicts the noise in rows of a diffusion, in units where the box is `[−1, 1]`.
///
/// Pictures: a U-Net of one level (3 × 3 convolutions; down by stride 2, up by a transposed
/// convolution, beside it the maps of the full size; Ronneberger, Fischer, Brox, MICCAI 2015
/// <https://arxiv.org/abs/1505.04597>). Rows of another kind: four fully connected layers. The
/// place of the step, as sines and cosines (Vaswani et al., `NeurIPS` 2017, §3.5), is added to the
/// hidden values of each level. The rectifiers are smooth (`SiLU`), so that the purifier's gradient
/// is, too.
#[derive(Module, Debug)]
pub struct Denoiser {
    time: Linear,
    deep_time: Linear,
    body: DenoiserBody,
    #[module(skip)]
    space: Space,
}

/// The layers of a [`Denoiser`].
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a process holds a handful of them")]
enum DenoiserBody {
    Picture(PictureDenoiser),
    Row(Vec<Linear>),
}

#[derive(Module, Debug)]
struct PictureDenoiser {
    enter: Conv2d,
    down: Conv2d,
    deep: Conv2d,
    up: ConvTranspose2d,
    join: Conv2d,
    leave: Conv2d,
}

impl Denoiser {
    pub(super) fn blank(domain: &Domain, width: usize, device: &Device) -> Self {
        let space = Space::of(domain);
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        let body = if let Some([channels, ..]) = space.picture() {
            DenoiserBody::Picture(PictureDenoiser {
                enter: three(channels, width, 1, device),
                down: three(width, 2 * width, 2, device),
                deep: three(2 * width, 2 * width, 1, device),
                up: doubling(2 * width, width, device),
                join: three(2 * width, width, 1, device),
                leave: three(width, channels, 1, device),
            })
        } else {
            let features = domain.features();
            DenoiserBody::Row(vec![
                linear(features, width),
                linear(width, 2 * width),
                linear(2 * width, width),
                linear(width, features),
            ])
        };
        let time = linear(2 * WAVES, width);
        Self { time, deep_time: linear(2 * WAVES, 2 * width), body, space }
    }

    /// The box as this network sees it: rows as values in `[−1, 1]`.
    pub(crate) fn centred(&self, rows: Tensor<2>) -> Tensor<2> {
        self.space.shares(rows) * 2.0 - 1.0
    }

    /// Values in `[−1, 1]` as rows, none outside the box.
    pub(crate) fn rows(&self, centred: Tensor<2>) -> Tensor<2> {
        self.space.rows((centred + 1.0) * 0.5)
    }

    /// The noise in centred values `[N, F]` at places `[N, 1]` of the diffusion, in `[0, 1]`.
    #[must_use]
    pub fn predict(&self, centred: Tensor<2>, places: Tensor<2>) -> Tensor<2> {
        let [count, features] = centred.dims();
        let waves = waves(places);
        let (time, deep) = (self.time.forward(waves.clone()), self.deep_time.forward(waves));
        match (&self.body, self.space.picture()) {
            (DenoiserBody::Picture(parts), Some([channels, height, width])) => {
                let spread = |values: Tensor<2>| {
                    let maps = values.dims()[1];
                    values.reshape([count, maps, 1, 1])
                };
                let maps = centred.reshape([count, channels, height, width]);
                let full = silu(parts.enter.forward(maps) + spread(time));
                let small = silu(parts.down.forward(full.clone()) + spread(deep));
                let small = silu(parts.deep.forward(small.clone())) + small;
                let back = silu(cropped(parts.up.forward(small), height, width));
                let joined = silu(parts.join.forward(Tensor::cat(vec![full, back], 1)));
                parts.leave.forward(joined).reshape([count, features])
            }
            (DenoiserBody::Row(layers), _) => {
                let hidden = silu(layers[0].forward(centred) + time);
                let deep = silu(layers[1].forward(hidden.clone()) + deep);
                layers[3].forward(silu(layers[2].forward(deep)) + hidden)
            }
            (DenoiserBody::Picture(_), None) => unreachable!("convolutions are made for pictures"),
        }
    }
}

impl Trainable for Denoiser {
    /// The noise in rows that are taken for the first step's, `[N, F] → [N, F]`.
    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let places = Tensor::zeros([rows.dims()[0], 1], &rows.device().inner());
        self.predict(self.centred(rows), places)
    }
}

/// `sin(2ᵏ π/2 · place)` and the cosines, `k` from 0 to 7, `[N, 1] → [N, 16]`.
fn waves(places: Tensor<2>) -> Tensor<2> {
    let factors: Vec<f32> =
        (0..WAVES).map(|k| std::f32::consts::FRAC_PI_2 * 2.0_f32.powi(k as i32)).collect();
    let device = places.device().inner();
    let factors = Tensor::<2>::from_data(TensorData::new(factors, [1, WAVES]), &device);
    let angles = places * factors;
    Tensor::cat(vec![angles.clone().sin(), angles.cos()], 1)
}
