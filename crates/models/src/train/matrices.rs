//! Weights seen as matrices: what a constraint does to them, and steps relative to their length.
use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::prelude::*;

use crate::Trainable;

/// Changes each weight of rank two or more, seen as a matrix `[n, m]` off the tape: linear layers
/// are `[in, out]`, convolutions `[out, in · height · width]`.
///
/// `change` gets the number of the weight in the order of the module. Biases, scales and running
/// statistics stay; what was on the tape is on it again, as a leaf.
#[must_use]
pub fn map_matrices<M: Module>(network: M, change: impl FnMut(u64, Tensor<2>) -> Tensor<2>) -> M {
    network.map(&mut Change { change, ordinal: 0 })
}

struct Change<F> {
    change: F,
    ordinal: u64,
}

impl<F: FnMut(u64, Tensor<2>) -> Tensor<2>> ModuleMapper for Change<F> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if D < 2 {
            return param;
        }
        let (ordinal, change) = (self.ordinal, &mut self.change);
        self.ordinal += 1;
        param.map(|weight| {
            let (shape, on_tape) = (weight.dims(), weight.is_autodiff());
            let leaf = weight.is_require_grad();
            let matrix = weight.inner().reshape([shape[0] as i64, -1]);
            let changed = change(ordinal, matrix).reshape(shape);
            if on_tape { changed.autodiff().set_require_grad(leaf) } else { changed }
        })
    }
}

/// `network` at weights moved up the gradient of a loss: each weight of rank two or more by
/// `gamma · ‖w‖ · g / ‖g‖`, the layer's own length setting the scale.
///
/// `loss` is on the tape of `copy`, a copy of `network` (see [`training_copy`]). The result shares
/// the running statistics of `network`, and its weights are `w + constant` on the tape of `w`: a
/// gradient that is taken at the moved weights arrives at those of `network`, which themselves
/// never change.
///
/// Wu, Xia, Wang. *Adversarial Weight Perturbation Helps Robust Generalization.* `NeurIPS` 2020,
/// eq. (9) and (10), one step. <https://arxiv.org/abs/2004.05884>
#[must_use]
pub fn perturbed<M: Trainable>(network: &M, copy: &M, loss: &Tensor<1>, gamma: f64) -> M {
    let gradients = GradientsParams::from_grads(loss.backward(), copy);
    let mut moves = Moves { gradients, gamma, by_id: HashMap::new() };
    copy.visit(&mut moves);
    network.clone().map(&mut Shift { moves: moves.by_id })
}

/// A copy of `network` in training mode, on the tape, with running statistics of its own.
#[must_use]
pub fn training_copy<M: Trainable>(network: &M) -> M {
    network.valid().train()
}

struct Moves {
    gradients: GradientsParams,
    gamma: f64,
    by_id: HashMap<ParamId, Tensor<1>>,
}

impl ModuleVisitor for Moves {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if D < 2 {
            return;
        }
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            let weight = param.val().inner();
            let count = weight.shape().num_elements();
            let gradient = gradient.inner().reshape([count]);
            let length = |tensor: &Tensor<1>| tensor.clone().square().sum().sqrt();
            let weight = weight.reshape([count]);
            let scale = length(&weight) / length(&gradient).clamp_min(TINY) * self.gamma;
            self.by_id.insert(param.id, gradient * scale);
        }
    }
}

/// Keeps the length of a zero gradient off zero.
const TINY: f64 = 1e-20;

struct Shift {
    moves: HashMap<ParamId, Tensor<1>>,
}

impl ModuleMapper for Shift {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(by) = self.moves.remove(&param.id) else { return param };
        param.map(|weight| {
            let by = by.reshape(weight.dims()).autodiff();
            weight + by
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::conv::{Conv2d, Conv2dConfig};
    use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
    use burn::tensor::activation::relu;
    use duress_core::host::floats;

    #[derive(Module, Debug)]
    struct Net {
        conv: Conv2d,
        norm: BatchNorm,
        linear: Linear,
    }

    impl Net {
        fn new() -> Self {
            let device = Device::flex().autodiff();
            Self {
                conv: Conv2dConfig::new([1, 2], [2, 2]).init(&device),
                norm: BatchNormConfig::new(2).init(&device),
                linear: LinearConfig::new(2, 3).init(&device),
            }
        }
    }

    impl Trainable for Net {
        fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
            let count = rows.dims()[0];
            let maps = self.conv.forward(rows.reshape([count, 1, 2, 2]));
            self.linear.forward(relu(self.norm.forward(maps)).reshape([count, 2]))
        }
    }

    fn rows() -> Tensor<2> {
        let values: Vec<f32> = (0..20_i16).map(|index| f32::from(index * 7 % 11) / 11.0).collect();
        Tensor::from_data(TensorData::new(values, [5, 4]), &Device::flex())
    }

    fn of<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        floats(tensor).unwrap()
    }

    #[test]
    fn a_change_sees_matrices_in_order_and_leaves_the_rest() {
        let net = Net::new();
        let mut seen = Vec::new();
        let changed = map_matrices(net.clone(), |ordinal, matrix| {
            seen.push((ordinal, matrix.dims()));
            matrix * 2.0
        });
        assert_eq!(seen, [(0, [2, 4]), (1, [2, 3])]);
        let twice: Vec<f32> = of(net.conv.weight.val()).iter().map(|value| 2.0 * value).collect();
        assert_eq!(of(changed.conv.weight.val()), twice);
        assert_eq!(of(changed.norm.gamma.val()), of(net.norm.gamma.val()));
        assert!(changed.linear.weight.val().is_require_grad(), "still a leaf of the tape");
    }

    /// The move of each weight is `γ ‖w‖` long and points along the gradient.
    #[test]
    fn weights_move_by_their_own_length_along_the_gradient_and_stay_as_they_were() {
        let (net, gamma) = (Net::new(), 0.125);
        let before = of(net.linear.weight.val());
        let loss_of = |copy: &Net| copy.forward(rows().autodiff()).square().mean();
        let other = training_copy(&net);
        let gradients = GradientsParams::from_grads(loss_of(&other).backward(), &other);
        let gradient = of(gradients.get::<2>(net.linear.weight.id).unwrap());
        let copy = training_copy(&net);
        let loss = loss_of(&copy);
        let moved = perturbed(&net, &copy, &loss, gamma);
        let after = of(moved.linear.weight.val());
        let norm =
            |values: &[f32]| values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        let scale = gamma * norm(&before) / norm(&gradient);
        for ((after, before), gradient) in after.iter().zip(&before).zip(&gradient) {
            let expected = f64::from(*before) + scale * f64::from(*gradient);
            assert!((f64::from(*after) - expected).abs() < 1e-6, "{after} {expected}");
        }
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(of(net.linear.weight.val())), bits(before));
        assert_eq!(of(moved.norm.gamma.val()), of(net.norm.gamma.val()));
    }

    /// The gradient at the moved weights is found under the weights that did not move, and only the
    /// pass through the moved network changes the running statistics.
    #[test]
    fn a_gradient_at_moved_weights_belongs_to_the_weights_themselves() {
        let net = Net::new();
        let copy = training_copy(&net);
        let loss = copy.forward(rows().autodiff()).square().mean();
        let mean = |net: &Net| of(net.valid().norm.running_mean.value());
        assert_eq!(mean(&net), [0.0, 0.0], "the copy has statistics of its own");
        let moved = perturbed(&net, &copy, &loss, 0.25);
        let at = |network: &Net, of_net: &Net| {
            let loss = network.forward(rows().autodiff()).square().mean();
            let gradients = GradientsParams::from_grads(loss.backward(), of_net);
            of(gradients.get::<2>(net.linear.weight.id).unwrap())
        };
        let got = at(&moved, &net);
        assert_ne!(mean(&net), [0.0, 0.0], "the step itself moves the statistics");
        let fresh = moved.valid().train();
        let expected = at(&fresh, &fresh);
        for (got, expected) in got.iter().zip(&expected) {
            assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        }
        let unmoved = training_copy(&net);
        assert_ne!(got, at(&unmoved, &unmoved));
    }
}
