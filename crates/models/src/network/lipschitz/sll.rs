//! SDP-based residual layers.
use burn::module::{Initializer, Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::relu;

/// Keeps a column of zeros finite.
const TINY: f64 = 1e-20;

/// `x ↦ x − 2 relu(x W + b) T⁻¹ Wᵀ` with `Tᵢᵢ = Σⱼ |WᵀW|ᵢⱼ qⱼ / qᵢ` and free `q > 0`.
#[derive(Module, Debug)]
pub struct Sll {
    linear: Linear,
    /// `ln q`, `[W]`.
    scale: Param<Tensor<1>>,
}

impl Sll {
    pub(super) fn new(width: usize, device: &Device) -> Self {
        Self {
            linear: LinearConfig::new(width, width).init(device),
            scale: Initializer::Zeros.init([width], device),
        }
    }

    /// The diagonal of `T`, `[1, W]`.
    fn diagonal(&self) -> Tensor<2> {
        let weight = self.linear.weight.val();
        let gram = weight.clone().transpose().matmul(weight).abs();
        let scale = self.scale.val().exp().unsqueeze::<2>();
        let sums = (gram * scale.clone()).sum_dim(1).transpose();
        (sums / scale).clamp_min(TINY)
    }

    pub(super) fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let back = (self.linear.weight.val() / self.diagonal()).transpose() * -2.0;
        rows.clone() + relu(self.linear.forward(rows)).matmul(back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    /// W = [[1, 1], [0, 1]]: `|WᵀW|` = [[1, 1], [1, 2]]; with q = (1, 2) T = (1 + 2, ½ + 2). At
    /// (1, 1) the rectifiers see (1, 2) and `2 W T⁻¹ (1, 2)` is (2/3 + 8/5, 8/5).
    #[test]
    fn the_layer_by_hand() {
        let device = Device::flex();
        let mut layer = Sll::new(2, &device);
        layer.linear.weight = Param::from_data([[1.0, 1.0], [0.0, 1.0]], &device);
        layer.linear.bias = Some(Param::from_data([0.0, 0.0], &device));
        layer.scale = Param::from_data([0.0, 2.0_f32.ln()], &device);
        for (got, expected) in floats(layer.diagonal()).unwrap().iter().zip([3.0, 2.5]) {
            assert!((got - expected).abs() < 1e-5, "{got} {expected}");
        }
        let got = floats(layer.forward(Tensor::<2>::from_data([[1.0, 1.0]], &device))).unwrap();
        for (got, expected) in got.iter().zip([1.0 - 2.0 / 3.0 - 1.6, 1.0 - 1.6]) {
            assert!((got - expected).abs() < 1e-5, "{got} {expected}");
        }
    }
}
