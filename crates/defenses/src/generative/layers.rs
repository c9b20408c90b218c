//! Convolutions that halve and double a picture.
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::prelude::*;
use duress_core::{Domain, Error, Result};

use super::space::picture;

/// Smallest side of a picture that is halved twice.
const LEAST_SIDE: usize = 4;

/// Largest width of a network: a description from a file must not make a size overflow.
pub(crate) const MOST_WIDTH: usize = 4096;

/// 4 × 4 of stride 2: a side `s` becomes `⌊s / 2⌋`.
pub(crate) fn halving(inputs: usize, outputs: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([inputs, outputs], [4, 4])
        .with_stride([2, 2])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .init(device)
}

/// 4 × 4 transposed of stride 2: a side `s` becomes `2 s`.
pub(crate) fn doubling(inputs: usize, outputs: usize, device: &Device) -> ConvTranspose2d {
    ConvTranspose2dConfig::new([inputs, outputs], [4, 4])
        .with_stride([2, 2])
        .with_padding([1, 1])
        .init(device)
}

/// 3 × 3 of stride 1 or 2: a side `s` becomes `⌈s / stride⌉`.
pub(crate) fn three(inputs: usize, outputs: usize, stride: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([inputs, outputs], [3, 3])
        .with_stride([stride; 2])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .init(device)
}

/// The upper left corner of maps, `[N, C, H', W'] → [N, C, height, width]`.
pub(crate) fn cropped(maps: Tensor<4>, height: usize, width: usize) -> Tensor<4> {
    maps.narrow(2, 0, height).narrow(3, 0, width)
}

/// Refuses pictures with a side too short for two halvings.
pub(crate) fn large_enough(algorithm: &'static str, domain: &Domain) -> Result<()> {
    match picture(domain) {
        Some([_, height, width]) if height.min(width) < LEAST_SIDE => Err(Error::Layout {
            algorithm,
            expected: "a picture of at least 4 by 4 pixels, or rows of another kind",
            got: domain.layout(),
        }),
        _ => Ok(()),
    }
}
