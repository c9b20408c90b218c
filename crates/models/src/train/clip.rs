//! Gradient clipping by the norm over all weights.
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::prelude::*;

/// Scales the gradients by `min(1, most / (norm + 10⁻⁶))`, where `norm` is the Euclidean norm over
/// all weights together, on the device.
///
/// Pascanu, Mikolov, Bengio. *On the Difficulty of Training Recurrent Neural Networks.* ICML
/// 2013, Alg. 1.
pub(super) fn clip<M: Module>(
    gradients: GradientsParams,
    module: &M,
    most: f64,
) -> GradientsParams {
    let mut squares = Squares { gradients, sums: Vec::new() };
    module.visit(&mut squares);
    let Squares { gradients, sums } = squares;
    if sums.is_empty() {
        return gradients;
    }
    let norm = Tensor::cat(sums, 0).sum().sqrt();
    let factor = (norm + 1e-6).recip().mul_scalar(most).clamp_max(1.0);
    let mut scale = Scale { gradients, factor };
    module.visit(&mut scale);
    scale.gradients
}

struct Squares {
    gradients: GradientsParams,
    sums: Vec<Tensor<1>>,
}

impl ModuleVisitor for Squares {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.sums.push(gradient.square().sum());
        }
    }
}

struct Scale {
    gradients: GradientsParams,
    factor: Tensor<1>,
}

impl ModuleVisitor for Scale {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            let factor = self.factor.clone().reshape([1; D]);
            self.gradients.register(param.id, gradient * factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::LinearConfig;
    use duress_core::host;

    /// The gradient is (3, 4) over two tensors, of norm 5.
    #[test]
    fn the_norm_is_taken_over_all_tensors_together() {
        let device = Device::flex();
        let layer = LinearConfig::new(1, 1).init(&device);
        let bias = layer.bias.as_ref().unwrap().id;
        let clipped = |most| {
            let mut gradients = GradientsParams::new();
            gradients.register(layer.weight.id, Tensor::<2>::from_data([[3.0]], &device));
            gradients.register(bias, Tensor::<1>::from_data([4.0], &device));
            let mut gradients = clip(gradients, &layer, most);
            let weight = gradients.remove::<2>(layer.weight.id).unwrap();
            let bias = gradients.remove::<1>(bias).unwrap();
            [host::floats(weight).unwrap()[0], host::floats(bias).unwrap()[0]]
        };
        let got = clipped(2.5);
        assert!((got[0] - 1.5).abs() < 1e-5 && (got[1] - 2.0).abs() < 1e-5, "{got:?}");
        assert_eq!(clipped(10.0).to_vec(), [3.0, 4.0]);
    }
}
