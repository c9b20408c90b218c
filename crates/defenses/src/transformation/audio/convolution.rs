//! Convolution of waveforms with a fixed kernel.
use burn::prelude::*;
use burn::tensor::module::conv1d;
use burn::tensor::ops::ConvOptions;

/// Each channel of rows `[N, C · S]` convolved with `kernel`, whose element `origin` stands at the
/// sample itself: `y[i] = Σ kernel[k] · x[i + origin − k]`. Silence beyond the ends.
pub(super) fn convolve(
    rows: Tensor<2>,
    channels: usize,
    kernel: &[f32],
    origin: usize,
) -> Tensor<2> {
    let ([count, features], device) = (rows.dims(), rows.device().inner());
    let samples = features / channels;
    let silence = |length| Tensor::<3>::zeros([count * channels, 1, length], &device);
    let (before, after) = (kernel.len() - 1 - origin, origin);
    let mut parts = vec![rows.reshape([count * channels, 1, samples])];
    if before > 0 {
        parts.insert(0, silence(before));
    }
    if after > 0 {
        parts.push(silence(after));
    }
    // The product of burn is a correlation: the kernel is turned.
    let turned: Vec<f32> = kernel.iter().rev().copied().collect();
    let weight = Tensor::<3>::from_data(TensorData::new(turned, [1, 1, kernel.len()]), &device);
    let options = ConvOptions::new([1], [0], [1], 1);
    conv1d(Tensor::cat(parts, 2), weight, None, options).reshape([count, features])
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    #[test]
    fn a_click_becomes_the_kernel_from_its_origin_in_its_own_channel() {
        let rows =
            Tensor::<2>::from_data([[0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0]], &Device::flex());
        let causal = floats(convolve(rows.clone(), 2, &[3.0, 2.0, 1.0], 0)).unwrap();
        assert_eq!(causal, [0.0, 3.0, 2.0, 1.0, 0.0, 0.0, 0.0, 6.0]);
        let centred = floats(convolve(rows, 2, &[3.0, 2.0, 1.0], 1)).unwrap();
        assert_eq!(centred, [3.0, 2.0, 1.0, 0.0, 0.0, 0.0, 6.0, 4.0]);
    }
}
