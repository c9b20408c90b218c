use super::*;
use crate::he_normal;
use duress_core::host::floats;
use duress_core::{Seed, Use};
use rand::RngExt;

const KINDS: [LipschitzLayer; 3] =
    [LipschitzLayer::Aol, LipschitzLayer::Cayley, LipschitzLayer::Sll];

fn network(layer: LipschitzLayer) -> Lipschitz {
    he_normal(Lipschitz::new([7, 12, 3], 3, layer, &Device::flex()), Seed(4))
}

/// W = [[1, 1], [0, 1]]: the columns have `1 + 1` and `1 + 2` in common with all.
#[test]
fn almost_orthogonal_weights_by_hand() {
    let weight = Tensor::<2>::from_data([[1.0, 1.0], [0.0, 1.0]], &Device::flex());
    let got = floats(aol::rescaled(weight)).unwrap();
    let (two, three) = (2.0_f32.sqrt().recip(), 3.0_f32.sqrt().recip());
    for (got, expected) in got.iter().zip([two, three, 0.0, three]) {
        assert!((got - expected).abs() < 1e-6, "{got} {expected}");
    }
}

/// U = [[0, t], [0, 0]]: A = t J, and (I + tJ)⁻¹ (I − tJ) turns by `2 atan t`: for t = 1 by 90°.
#[test]
fn the_cayley_transform_by_hand() {
    let weight = Tensor::<2>::from_data([[0.3, 1.0], [0.0, -2.0]], &Device::flex());
    let got = floats(cayley::orthogonal(weight)).unwrap();
    for (got, expected) in got.iter().zip([0.0, -1.0, 1.0, 0.0]) {
        assert!((got - expected).abs() < 1e-5, "{got} {expected}");
    }
}

#[test]
fn cayley_weights_are_orthogonal_to_1e_5_in_each_shape() {
    for (inputs, outputs) in [(9, 9), (17, 6), (6, 17), (40, 32)] {
        let layer = he_normal(
            Dense::new(inputs, outputs, LipschitzLayer::Cayley, &Device::flex()),
            Seed(8),
        );
        let weight = layer.weight();
        let gram = if inputs < outputs {
            weight.clone().matmul(weight.transpose())
        } else {
            weight.clone().transpose().matmul(weight)
        };
        let size = inputs.min(outputs);
        let error = gram - Tensor::<2>::eye(size, &Device::flex());
        let most = floats(error).unwrap().into_iter().fold(0.0_f32, |most, e| most.max(e.abs()));
        assert!(most < 1e-5, "{inputs} {outputs}: {most}");
    }
}

/// The derivative on the tape against the difference of values.
#[test]
fn the_gradient_of_the_cayley_transform_is_that_of_its_values() {
    let values = [[0.2, 0.5], [-0.4, 0.1], [0.3, -0.6]];
    let device = Device::flex().autodiff();
    let value = |shift: f32| {
        let mut values = values;
        values[2][1] += shift;
        let weight = Tensor::<2>::from_data(values, &device).require_grad();
        let weights = Tensor::<2>::from_data([[1.0, 2.0], [0.5, -1.0], [3.0, 0.25]], &device);
        ((cayley::orthogonal(weight.clone()) * weights).sum(), weight)
    };
    let (loss, weight) = value(0.0);
    let slope = floats(weight.grad(&loss.backward()).unwrap()).unwrap()[5];
    let at = |shift| floats(value(shift).0).unwrap()[0];
    let difference = (at(1e-2) - at(-1e-2)) / 2e-2;
    assert!((slope - difference).abs() < 2e-3 && slope.abs() > 0.1, "{slope} {difference}");
}

#[test]
fn no_pair_of_a_thousand_is_further_apart_behind_the_network() {
    let device = Device::flex();
    for layer in KINDS {
        let network = network(layer);
        let mut rng = Seed(2).stream(0, 0, 0, Use::Noise);
        let mut draw = |size: f32| -> Tensor<2> {
            let values: Vec<f32> = (0..7000).map(|_| rng.random_range(-size..size)).collect();
            Tensor::from_data(TensorData::new(values, [1000, 7]), &device)
        };
        let left = draw(2.0);
        let right = left.clone() + draw(0.5);
        let apart =
            |a: Tensor<2>, b: Tensor<2>| floats((a - b).square().sum_dim(1).sqrt()).unwrap();
        let logits = |rows: Tensor<2>| network.rest(network.first(rows), &mut Trace::off());
        let before = apart(left.clone(), right.clone());
        let after = apart(logits(left), logits(right));
        let mut most = 0.0_f32;
        for (after, before) in after.iter().zip(before) {
            assert!(*after <= before * (1.0 + 1e-5), "{layer:?}: {after} {before}");
            most = most.max(after / before);
        }
        assert!(most > 0.01, "{layer:?} answers next to nothing: {most}");
    }
}

#[test]
fn max_min_sorts_pairs() {
    let rows = Tensor::<2>::from_data([[1.0, 5.0, 2.0, 3.0]], &Device::flex());
    assert_eq!(floats(max_min(rows)).unwrap(), [2.0, 5.0, 1.0, 3.0]);
}
