//! A JPEG codec that has a gradient.
//!
//! Shin, Song. *JPEG-resistant Adversarial Images.* NIPS 2017 Workshop on Machine Learning and
//! Computer Security, §3: the rounding of a coefficient becomes `⌊x⌉ + (x − ⌊x⌉)³`. The tables are
//! those of ITU-T T.81, Annex K, scaled by quality as the codec scales them. All planes keep their
//! resolution.
use burn::prelude::*;
use duress_core::{Domain, Result};

/// Side of a block.
const SIDE: usize = 8;

/// Steps of brightness, line by line.
const BRIGHTNESS: [u16; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113,
    92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];

/// Steps of colour.
const COLOUR: [u16; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
];

/// Red, green and blue to brightness and two colour differences (ITU-T T.871), row-major.
const TO_YCC: [[f32; 3]; 3] =
    [[0.299, 0.587, 0.114], [-0.168_735_9, -0.331_264_1, 0.5], [0.5, -0.418_687_6, -0.081_312_4]];

/// The way back.
const TO_RGB: [[f32; 3]; 3] =
    [[1.0, 0.0, 1.402], [1.0, -0.344_136_3, -0.714_136_3], [1.0, 1.772, 0.0]];

/// The codec for pictures of one size.
#[derive(Clone, Debug)]
pub(super) struct Codec {
    domain: Domain,
    shape: [usize; 3],
    /// Lines and columns filled up to whole blocks.
    filled: [usize; 2],
    /// Where each feature of the filled picture comes from.
    border: Vec<i64>,
    /// A step a plane and coefficient.
    steps: Vec<f32>,
}

impl Codec {
    pub(super) fn new(domain: &Domain, quality: u8) -> Result<Self> {
        let shape @ [channels, height, width] = domain.image_shape()?;
        let filled = [height, width].map(|side| side.next_multiple_of(SIDE));
        let [tall, wide] = filled;
        let from = |place: usize| {
            let (channel, y, x) = (place / (tall * wide), place / wide % tall, place % wide);
            ((channel * height + y.min(height - 1)) * width + x.min(width - 1)) as i64
        };
        let border = (0..channels * tall * wide).map(from).collect();
        let scale = match u32::from(quality) {
            low @ ..50 => 5000 / low.max(1),
            high => 200 - 2 * high,
        };
        let step = |step: &u16| ((u32::from(*step) * scale + 50) / 100).clamp(1, 255) as f32;
        let table = |channel| if channel == 0 { &BRIGHTNESS } else { &COLOUR };
        let steps = (0..channels).flat_map(|channel| table(channel).iter().map(step)).collect();
        Ok(Self { domain: domain.clone(), shape, filled, border, steps })
    }

    /// Rows `[N, F]` there and back, differentiable.
    pub(super) fn apply(&self, rows: Tensor<2>) -> Tensor<2> {
        let device = rows.device().inner();
        let ([channels, height, width], [tall, wide]) = (self.shape, self.filled);
        let [count, features] = rows.dims();
        let (lower, upper) = self.domain.bounds(&device);
        let span = upper.clone() - lower.clone();
        // A feature with one value has no share; any divisor will do.
        let divisor = span.clone().mask_fill(span.clone().equal_elem(0.0), 1.0);
        let levels = (rows - lower.clone()) / divisor * 255.0 - 128.0;

        let from = TensorData::new(self.border.clone(), [self.border.len()]);
        let from = Tensor::<1, Int>::from_data(from, &device);
        let filled = levels.select(1, from).reshape([count, channels, tall * wide]);
        let planes = mixed(filled, &TO_YCC);
        let (down, across) = (tall / SIDE, wide / SIDE);
        let blocks = planes
            .reshape([count * channels, down, SIDE, across, SIDE])
            .swap_dims(2, 3)
            .reshape([count, channels, down * across, SIDE, SIDE]);

        let cosines = cosines(&device);
        let steps = TensorData::new(self.steps.clone(), [1, channels, 1, SIDE, SIDE]);
        let steps = Tensor::<5>::from_data(steps, &device);
        let scaled = transformed(blocks, &cosines) / steps.clone();
        let whole = scaled.clone().detach().inner().round();
        let rest = scaled - whole.clone();
        let coefficients = (rest.clone() * rest.clone() * rest + whole) * steps;
        let blocks = transformed(coefficients, &cosines.transpose());

        let planes = blocks
            .reshape([count * channels, down, across, SIDE, SIDE])
            .swap_dims(2, 3)
            .reshape([count, channels, tall * wide]);
        let colours = mixed(planes, &TO_RGB).reshape([count, channels, tall, wide]);
        let inside = colours.narrow(2, 0, height).narrow(3, 0, width).reshape([count, features]);
        ((inside + 128.0).clamp(0.0, 255.0) / 255.0) * span + lower
    }
}

/// Planes `[N, C, P]` mixed by a matrix, where there are three.
fn mixed(planes: Tensor<3>, matrix: &[[f32; 3]; 3]) -> Tensor<3> {
    if planes.dims()[1] != 3 {
        return planes;
    }
    let plane = |index: usize| planes.clone().narrow(1, index, 1);
    let [red, green, blue] = [plane(0), plane(1), plane(2)];
    let mix = |[a, b, c]: [f32; 3]| red.clone() * a + green.clone() * b + blue.clone() * c;
    Tensor::cat(matrix.iter().map(|line| mix(*line)).collect(), 1)
}

/// `cosines · block · cosinesᵀ` for each block.
fn transformed(blocks: Tensor<5>, cosines: &Tensor<2>) -> Tensor<5> {
    let dims @ [count, channels, blocks_each, ..] = blocks.dims();
    let lines = count * channels * blocks_each * SIDE;
    // Columns, then lines, each as one product of matrices.
    let right = blocks.reshape([lines, SIDE]).matmul(cosines.clone().transpose()).reshape(dims);
    let turned = right.swap_dims(3, 4).reshape([lines, SIDE]);
    turned.matmul(cosines.clone().transpose()).reshape(dims).swap_dims(3, 4)
}

/// The orthonormal cosine transform of a line, `[8, 8]`.
fn cosines(device: &Device) -> Tensor<2> {
    let value = |cell: usize| {
        let (frequency, place) = ((cell / SIDE) as f64, (cell % SIDE) as f64);
        let scale = if cell < SIDE { 0.125_f64 } else { 0.25 };
        let angle = (2.0 * place + 1.0) * frequency * std::f64::consts::PI / 16.0;
        (scale.sqrt() * angle.cos()) as f32
    };
    let values: Vec<f32> = (0..SIDE * SIDE).map(value).collect();
    Tensor::from_data(TensorData::new(values, [SIDE, SIDE]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transformation::Jpeg;
    use duress_core::host::floats;

    fn picture(features: usize) -> Vec<f32> {
        (0..features).map(|at| 0.5 + 0.4 * ((at as f32) * 0.07).sin()).collect()
    }

    /// The cubic is within 1/8 of the rounding, so coefficients differ by at most an eighth of a
    /// step; the transform is orthonormal, and steps are of the order of 60 levels at quality 50,
    /// of 12 at 90.
    #[test]
    fn the_stand_in_is_near_the_codec_for_grey_and_colour_and_any_size() {
        for [channels, height, width] in [[1, 8, 8], [3, 16, 8], [3, 11, 13], [1, 5, 20]] {
            let domain = Domain::image(channels, height, width).unwrap();
            let features = domain.features();
            let data = || TensorData::new(picture(features), [1, features]);
            let rows = || Tensor::<2>::from_data(data(), &Device::flex());
            for (quality, most) in [(50, 5.0), (90, 3.0)] {
                let soft = floats(Codec::new(&domain, quality).unwrap().apply(rows())).unwrap();
                let jpeg = Jpeg { quality, ..Jpeg::default() };
                let hard = floats(jpeg.compress(rows(), &domain)).unwrap();
                let square: f32 = soft.iter().zip(&hard).map(|(a, b)| (a - b).powi(2)).sum();
                let error = (square / features as f32).sqrt();
                assert!(error < most / 255.0, "{channels} {height} {width} {quality}: {error}");
            }
        }
    }

    #[test]
    fn the_cosine_transform_is_orthonormal_and_flat_blocks_have_one_coefficient() {
        let device = Device::flex();
        let cosines = cosines(&device);
        let product = floats(cosines.clone().matmul(cosines.clone().transpose())).unwrap();
        for (cell, value) in product.iter().enumerate() {
            let expected = if cell % 9 == 0 { 1.0 } else { 0.0 };
            assert!((value - expected).abs() < 1e-6);
        }
        let flat = Tensor::<5>::ones([1, 1, 1, 8, 8], &device);
        let got = floats(transformed(flat, &cosines)).unwrap();
        assert!((got[0] - 8.0).abs() < 1e-5 && got[1..].iter().all(|value| value.abs() < 1e-5));
    }
}
