//! Exponential moving average of the weights.
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::prelude::*;

/// The decay of update number `updates` (from 0): `min(decay, (1 + updates) / (10 + updates))`,
/// which forgets the initial weights early.
#[must_use]
pub fn effective_decay(decay: f64, updates: u64) -> f64 {
    decay.min((1.0 + updates as f64) / (10.0 + updates as f64))
}

/// `average ← d · average + (1 − d) · weights` for each float tensor, batch-norm statistics
/// included, with `d` of [`effective_decay`].
///
/// Izmailov et al. *Averaging Weights Leads to Wider Optima.* UAI 2018, and Gowal et al.
/// *Uncovering the Limits of Adversarial Training.* 2020, §3.3, <https://arxiv.org/abs/2010.03593>.
#[derive(Clone, Debug)]
pub(super) struct Average<M> {
    pub(super) network: M,
    pub(super) updates: u64,
    decay: f64,
}

impl<M: Module> Average<M> {
    /// Starts at the weights of `network`, which it copies.
    pub(super) fn new(network: &M, decay: f64) -> Self {
        Self { network: network.valid(), updates: 0, decay }
    }

    /// An average that was saved.
    pub(super) fn resume(network: &M, updates: u64, decay: f64) -> Self {
        Self { network: network.valid(), updates, decay }
    }

    /// Moves towards the weights of `network`.
    pub(super) fn update(mut self, network: &M) -> Self {
        let decay = effective_decay(self.decay, self.updates);
        let mut source = Source { tensors: Vec::new() };
        network.valid().visit(&mut source);
        let mut mix = Mix { decay, tensors: source.tensors.into_iter() };
        self.network = self.network.map(&mut mix);
        self.updates += 1;
        self
    }
}

/// The tensors of a module, flattened, in its order.
struct Source {
    tensors: Vec<Tensor<1>>,
}

impl ModuleVisitor for Source {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let count = tensor.shape().num_elements();
        self.tensors.push(tensor.reshape([count]));
    }
}

struct Mix {
    decay: f64,
    tensors: std::vec::IntoIter<Tensor<1>>,
}

impl ModuleMapper for Mix {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        // Both modules are of one type and one origin: same tensors, same order.
        let Some(source) = self.tensors.next() else { return param };
        param.map(|average| {
            let shape = average.dims();
            average * self.decay + source.reshape(shape) * (1.0 - self.decay)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::{BatchNorm, BatchNormConfig};
    use duress_core::host;

    fn with_scale(value: f32) -> BatchNorm {
        let mut norm = BatchNormConfig::new(1).init(&Device::flex());
        norm.gamma = Param::from_data([value], &Device::flex());
        norm
    }

    /// From 1: `0.1 · 1 + 0.9 · 2 = 1.9`, then `2/11 · 1.9 + 9/11 · 4`, then decay ½ at last.
    #[test]
    fn the_average_follows_the_weights_as_worked_by_hand() {
        let mut average = Average::new(&with_scale(1.0), 0.2);
        let mut expected = 1.0_f64;
        for (weight, decay) in [(2.0, 0.1), (4.0, 2.0 / 11.0), (8.0, 0.2), (8.0, 0.2)] {
            average = average.update(&with_scale(weight));
            expected = decay * expected + (1.0 - decay) * f64::from(weight);
            let got = host::floats(average.network.gamma.val()).unwrap()[0];
            assert!((f64::from(got) - expected).abs() < 1e-5, "{got} is not {expected}");
        }
        assert_eq!(average.updates, 4);
    }

    #[test]
    fn averaging_leaves_the_network_alone_even_its_running_statistics() {
        let network = with_scale(1.0);
        network.running_mean.update(Tensor::from_data([3.0], &Device::flex()));
        let average = Average::new(&network, 0.0);
        let moved = with_scale(2.0);
        moved.running_mean.update(Tensor::from_data([5.0], &Device::flex()));
        let average = average.update(&moved);
        let mean = |norm: &BatchNorm| host::floats(norm.valid().running_mean.value()).unwrap()[0];
        let close = |got: f32, expected: f32| assert!((got - expected).abs() < 1e-6, "{got}");
        close(mean(&average.network), 5.0);
        close(mean(&network), 3.0);
        close(mean(&moved), 5.0);
    }
}
