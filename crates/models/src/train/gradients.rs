//! Sums of gradients over several backward passes.
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::prelude::*;

/// `first + second`, weight by weight of `module`; a weight that only one has keeps that one's.
pub(super) fn sum<M: Module>(
    first: GradientsParams,
    second: GradientsParams,
    module: &M,
) -> GradientsParams {
    let mut add = Add { first, second };
    module.visit(&mut add);
    add.first
}

struct Add {
    first: GradientsParams,
    second: GradientsParams,
}

impl ModuleVisitor for Add {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let Some(more) = self.second.remove::<D>(param.id) else { return };
        let total = match self.first.remove::<D>(param.id) {
            Some(have) => have + more,
            None => more,
        };
        self.first.register(param.id, total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::LinearConfig;
    use duress_core::host;

    #[test]
    fn gradients_add_up_and_one_that_is_alone_stays() {
        let device = Device::flex();
        let layer = LinearConfig::new(1, 1).init(&device);
        let bias = layer.bias.as_ref().unwrap().id;
        let (mut first, mut second) = (GradientsParams::new(), GradientsParams::new());
        first.register(layer.weight.id, Tensor::<2>::from_data([[3.0]], &device));
        second.register(layer.weight.id, Tensor::<2>::from_data([[4.0]], &device));
        second.register(bias, Tensor::<1>::from_data([5.0], &device));
        let total = sum(first, second, &layer);
        let weight = host::floats(total.get::<2>(layer.weight.id).unwrap()).unwrap();
        let bias = host::floats(total.get::<1>(bias).unwrap()).unwrap();
        assert_eq!((weight, bias), (vec![7.0], vec![5.0]));
    }
}
