//! Multilayer perceptron.
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;
use burn::tensor::activation::relu;

use super::Layer;
use super::count::Count;
use super::trace::Trace;

/// Fully connected layers with rectifiers between them; without hidden layers, softmax regression.
///
/// `[N, F] → hidden[0] → … → [N, K]`. Parameters: `Σ (inputs + 1) · outputs` over the layers.
#[derive(Module, Debug)]
pub struct Mlp {
    layers: Vec<Linear>,
}

impl Mlp {
    pub(super) fn new(features: usize, hidden: &[usize], classes: usize, device: &Device) -> Self {
        let layer = |(inputs, outputs)| LinearConfig::new(inputs, outputs).init(device);
        Self { layers: widths(features, hidden, classes).map(layer).collect() }
    }

    pub(super) fn parameters(features: usize, hidden: &[usize], classes: usize) -> Count {
        let add = |count: Count, (inputs, outputs)| count.linear(inputs, outputs);
        widths(features, hidden, classes).fold(Count::zero(), add)
    }

    /// The layers, first to last.
    #[must_use]
    pub fn layers(&self) -> &[Linear] {
        &self.layers
    }

    pub(super) fn list(&self) -> Vec<Layer<'_>> {
        let mut list = Vec::new();
        for layer in &self.layers {
            if !list.is_empty() {
                list.push(Layer::Relu);
            }
            list.push(Layer::Linear(layer));
        }
        list
    }

    /// Logits, `[N, F] → [N, K]`.
    #[must_use]
    pub fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        self.rest(self.first(rows), &mut Trace::off())
    }

    /// The first layer alone.
    pub(super) fn first(&self, rows: Tensor<2>) -> Tensor<2> {
        self.layers[0].forward(rows)
    }

    /// What follows the first layer.
    pub(super) fn rest(&self, values: Tensor<2>, trace: &mut Trace) -> Tensor<2> {
        let mut values = values;
        for (index, layer) in self.layers[1..].iter().enumerate() {
            values = relu(values);
            trace.flat(format_args!("hidden{}", index + 1), &values);
            values = layer.forward(values);
        }
        values
    }
}

/// Inputs and outputs of each layer.
fn widths(
    features: usize,
    hidden: &[usize],
    classes: usize,
) -> impl Iterator<Item = (usize, usize)> {
    let inputs = std::iter::once(features).chain(hidden.iter().copied());
    let outputs = hidden.iter().copied().chain(std::iter::once(classes));
    inputs.zip(outputs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;
    use duress_core::host;

    /// `logits = relu(x W₁) W₂`, worked by hand.
    #[test]
    fn the_forward_pass_is_linear_rectifier_linear() {
        let device = Device::flex();
        let mut mlp = Mlp::new(2, &[2], 1, &device);
        let weights = [[[1.0, -1.0], [2.0, 1.0]]];
        mlp.layers[0].weight = Param::from_data(weights[0], &device);
        mlp.layers[0].bias = Some(Param::from_data([0.5, 0.0], &device));
        mlp.layers[1].weight = Param::from_data([[3.0], [10.0]], &device);
        mlp.layers[1].bias = Some(Param::from_data([-1.0], &device));
        let rows = Tensor::<2>::from_data([[1.0, 0.0], [0.0, 1.0]], &device);
        // [1.5, −1] → [1.5, 0] → 3.5; [2.5, 1] → 16.5.
        assert_eq!(host::floats(mlp.forward(rows)).unwrap(), [3.5, 16.5]);
    }

    #[test]
    fn parameters_are_counted_layer_by_layer() {
        assert_eq!(Mlp::parameters(64, &[], 10).total(), Some(650));
        let expected = 65 * 128 + 129 * 32 + 33 * 10;
        assert_eq!(Mlp::parameters(64, &[128, 32], 10).total(), Some(expected));
    }
}
