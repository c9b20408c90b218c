//! From a latent vector to a row.
use burn::module::Module;
use burn::nn::conv::ConvTranspose2d;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::{relu, sigmoid};
use duress_core::Domain;

use crate::generative::layers::{cropped, doubling};
use crate::generative::space::Space;

/// A differentiable map from latent vectors `[N, Z]` to rows `[N, F]` of a domain.
///
/// What Defense-GAN searches in and the latent attack attacks: a trained [`Generator`], or any other.
pub trait LatentMap: std::fmt::Debug + Send + Sync {
    /// Length of a latent vector `Z`.
    fn latent(&self) -> usize;

    /// The input space of the rows.
    fn domain(&self) -> &Domain;

    /// The rows of latent vectors, on the tape if these are, each depending on its vector alone.
    fn generate(&self, latent: Tensor<2>) -> Tensor<2>;
}

/// A generator whose rows lie in the box of its domain.
///
/// Pictures: linear → batch norm → relu → 4 × 4 transposed convolution of stride 2 → batch norm →
/// relu → the same → sigmoid, from maps of `⌈H/4⌉ × ⌈W/4⌉`, cropped to the picture (Radford, Metz,
/// Chintala. *Unsupervised Representation Learning with DCGAN.* ICLR 2016, §3, with two doublings
/// in place of four and a sigmoid to the box in place of tanh <https://arxiv.org/abs/1511.06434>).
/// Rows of another kind: three fully connected layers.
#[derive(Module, Debug)]
pub struct Generator {
    body: GeneratorBody,
    latent: usize,
    #[module(skip)]
    space: Space,
}

/// The layers of a [`Generator`].
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a process holds a handful of them")]
enum GeneratorBody {
    Picture(PictureGenerator),
    Row(Vec<Linear>),
}

#[derive(Module, Debug)]
struct PictureGenerator {
    project: Linear,
    norm1: BatchNorm,
    up1: ConvTranspose2d,
    norm2: BatchNorm,
    up2: ConvTranspose2d,
}

impl Generator {
    pub(super) fn blank(domain: &Domain, latent: usize, width: usize, device: &Device) -> Self {
        let space = Space::of(domain);
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        let body = if let Some([channels, height, across]) = space.picture() {
            let first = 2 * width * height.div_ceil(4) * across.div_ceil(4);
            GeneratorBody::Picture(PictureGenerator {
                project: linear(latent, first),
                norm1: BatchNormConfig::new(2 * width).init(device),
                up1: doubling(2 * width, width, device),
                norm2: BatchNormConfig::new(width).init(device),
                up2: doubling(width, channels, device),
            })
        } else {
            GeneratorBody::Row(vec![
                linear(latent, 2 * width),
                linear(2 * width, 2 * width),
                linear(2 * width, domain.features()),
            ])
        };
        Self { body, latent, space }
    }

    /// Rows of latent vectors, `[N, Z] → [N, F]`, in the box.
    #[must_use]
    pub fn forward(&self, latent: Tensor<2>) -> Tensor<2> {
        let count = latent.dims()[0];
        let shares = match (&self.body, self.space.picture()) {
            (GeneratorBody::Picture(parts), Some([channels, height, width])) => {
                let (down, across) = (height.div_ceil(4), width.div_ceil(4));
                let maps = parts.project.forward(latent);
                let maps = maps.reshape([count, parts.up1.channels[0], down, across]);
                let maps = parts.up1.forward(relu(parts.norm1.forward(maps)));
                let maps = parts.up2.forward(relu(parts.norm2.forward(maps)));
                cropped(maps, height, width).reshape([count, channels * height * width])
            }
            (GeneratorBody::Row(layers), _) => {
                let mut values = layers[0].forward(latent);
                for layer in &layers[1..] {
                    values = layer.forward(relu(values));
                }
                values
            }
            (GeneratorBody::Picture(_), None) => unreachable!("convolutions are made for pictures"),
        };
        self.space.rows(sigmoid(shares))
    }
}

impl LatentMap for Generator {
    fn latent(&self) -> usize {
        self.latent
    }

    fn domain(&self) -> &Domain {
        self.space.domain()
    }

    fn generate(&self, latent: Tensor<2>) -> Tensor<2> {
        self.forward(latent)
    }
}
