//! JPEG compression of the input.
//!
//! Dziugaite, Ghahramani, Roy. *A study of the effect of JPG compression on adversarial images.*
//! 2016. <https://arxiv.org/abs/1608.00853>
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Activation, Classifier, Domain, Error, Result, host};
use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::{DynamicImage, ExtendedColorType};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Backward, Transformation};
use crate::table::{Entry, defaults, transformation};

/// Compresses each image and hands the decompressed one on.
///
/// The codec runs on the host: a pass through the defence reads the rows back from the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jpeg {
    /// Quality of the codec, 1 to 100.
    pub quality: u8,
    /// What an attack sees of it.
    pub backward: Backward,
}

impl Default for Jpeg {
    fn default() -> Self {
        Self { quality: 75, backward: Backward::Identity }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "jpeg",
    summary: "JPEG compression of the input, differentiated as the identity (BPDA)",
    reference: "arXiv:1608.00853",
    defaults: defaults::<Jpeg>,
    parse: transformation::<Jpeg>,
};

impl Transformation for Jpeg {
    fn wrap(&self, base: Arc<dyn Classifier>) -> Result<Box<dyn Classifier>> {
        let expect = |field, expected, got: String| {
            Err(Error::Parameter { algorithm: ENTRY.name, field, expected, got })
        };
        if !(1..=100).contains(&self.quality) {
            return expect("quality", "between 1 and 100", self.quality.to_string());
        }
        let [channels, height, width] = base.domain().image_shape()?;
        if !matches!(channels, 1 | 3) {
            return expect("channels", "1 or 3", channels.to_string());
        }
        if height.max(width) > usize::from(u16::MAX) {
            return expect("side", "at most 65535", height.max(width).to_string());
        }
        Ok(Box::new(Compressed { base, jpeg: self.clone() }))
    }
}

/// A classifier of compressed images.
struct Compressed {
    base: Arc<dyn Classifier>,
    jpeg: Jpeg,
}

impl Classifier for Compressed {
    fn domain(&self) -> &Domain {
        self.base.domain()
    }

    fn classes(&self) -> usize {
        self.base.classes()
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        self.base.forward(self.compressed(rows))
    }

    fn activations(&self, rows: Tensor<2>) -> Vec<Activation> {
        self.base.activations(self.compressed(rows))
    }
}

impl Compressed {
    /// What the base gets to see of rows `[N, F]`.
    fn compressed(&self, rows: Tensor<2>) -> Tensor<2> {
        let plain = rows.clone().inner();
        let compressed = self.jpeg.compress(plain.clone(), self.domain());
        match self.jpeg.backward {
            // The difference is off the tape: forward the compressed rows, backward the identity.
            Backward::Identity if rows.is_autodiff() => rows + (compressed - plain),
            Backward::Identity | Backward::None => compressed,
        }
    }
}

impl Jpeg {
    /// Rows `[N, F]` after compression and decompression, as 8-bit values of the box.
    fn compress(&self, rows: Tensor<2>, domain: &Domain) -> Tensor<2> {
        let (dims, device) = (rows.dims(), rows.device());
        let mut values = host::floats(rows).expect("the device hands back its rows");
        let codec = |row: &mut [f32]| self.round_trip(row, domain);
        values.par_chunks_mut(dims[1]).for_each(codec);
        Tensor::from_data(TensorData::new(values, dims), &device)
    }

    fn round_trip(&self, row: &mut [f32], domain: &Domain) {
        let [channels, height, width] = domain.image_shape().expect("checked when wrapped");
        let pixels = height * width;
        let byte = |feature: usize, value: f32| {
            let (low, high) = (domain.lower().at(feature), domain.upper().at(feature));
            let share = (value - low) / (high - low).max(f32::MIN_POSITIVE);
            (share.clamp(0.0, 1.0) * 255.0).round() as u8
        };
        // Planes to interleaved pixels.
        let mut bytes = vec![0; row.len()];
        for (feature, &value) in row.iter().enumerate() {
            bytes[(feature % pixels) * channels + feature / pixels] = byte(feature, value);
        }
        let kind = if channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
        let mut file = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut file, self.quality);
        let written = encoder.encode(&bytes, width as u32, height as u32, kind);
        written.expect("an image of checked shape is encodable");
        let picture = JpegDecoder::new(std::io::Cursor::new(file))
            .and_then(DynamicImage::from_decoder)
            .expect("the encoder's output is a JPEG file");
        let bytes = if channels == 1 {
            picture.into_luma8().into_raw()
        } else {
            picture.into_rgb8().into_raw()
        };
        for (feature, value) in row.iter_mut().enumerate() {
            let (low, high) = (domain.lower().at(feature), domain.upper().at(feature));
            let byte = bytes[(feature % pixels) * channels + feature / pixels];
            *value = low + (high - low) * f32::from(byte) / 255.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Evaluation, Goal, Loss, Passes};

    /// Two logits: the sum of the pixels, and zero.
    struct Sum(Domain);

    impl Classifier for Sum {
        fn domain(&self) -> &Domain {
            &self.0
        }

        fn classes(&self) -> usize {
            2
        }

        fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
            let sum = rows.sum_dim(1);
            Tensor::cat(vec![sum.clone(), sum * 0.0], 1)
        }
    }

    fn wrapped(jpeg: &Jpeg, channels: usize) -> Result<Box<dyn Classifier>> {
        jpeg.wrap(Arc::new(Sum(Domain::image(channels, 8, 8).unwrap())))
    }

    fn gradient(jpeg: &Jpeg) -> Result<Evaluation> {
        let device = Device::flex();
        let passes = Passes::new(&device).unwrap();
        let rows = Tensor::full([2, 64], 0.5, &device);
        let aim = Goal::Targeted(vec![0, 0]).aim(&device);
        let margin = duress_attacks::LossKind::Margin;
        assert_eq!(margin.name(), "margin");
        passes.gradient(wrapped(jpeg, 1).unwrap().as_ref(), rows, &aim, &margin)
    }

    /// A flat image has one coefficient: quality 100 keeps it to the byte.
    #[test]
    fn a_flat_image_survives_the_codec() {
        for channels in [1, 3] {
            let domain = Domain::image(channels, 8, 8).unwrap();
            let jpeg = Jpeg { quality: 100, ..Jpeg::default() };
            let rows = Tensor::full([1, 64 * channels], 128.0 / 255.0, &Device::flex());
            let got = host::floats(jpeg.compress(rows, &domain)).unwrap();
            for value in got {
                assert!((value - 128.0 / 255.0).abs() < 1.5 / 255.0, "{value}");
            }
        }
    }

    #[test]
    fn lower_quality_changes_a_picture_more() {
        let domain = Domain::image(1, 8, 8).unwrap();
        let picture: Vec<f32> = (0..64).map(|i| ((i * 37) % 64) as f32 / 63.0).collect();
        let change = |quality| {
            let mut row = picture.clone();
            Jpeg { quality, ..Jpeg::default() }.round_trip(&mut row, &domain);
            row.iter().zip(&picture).map(|(a, b)| (a - b).powi(2)).sum::<f32>()
        };
        assert!(change(5) > 10.0 * change(95), "{} {}", change(5), change(95));
    }

    #[test]
    fn the_gradient_passes_as_through_the_identity_or_not_at_all() {
        let got = host::floats(gradient(&Jpeg::default()).unwrap().gradient).unwrap();
        assert!(got.iter().all(|&value| (value - 1.0).abs() < 1e-6));
        let none = Jpeg { backward: Backward::None, ..Jpeg::default() };
        assert!(matches!(gradient(&none), Err(Error::NoGradient)));
    }

    #[test]
    fn two_channels_and_quality_zero_are_refused() {
        assert!(wrapped(&Jpeg::default(), 2).is_err());
        assert!(wrapped(&Jpeg { quality: 0, ..Jpeg::default() }, 1).is_err());
    }
}
