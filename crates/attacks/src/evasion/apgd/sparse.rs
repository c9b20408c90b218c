//! The sparse steps of Auto-PGD in L1.
use burn::prelude::*;
use duress_core::Norm;

/// Factor by which the sparsity falls behind that of the best point, and the step size shrinks.
const SHRINK: f64 = 1.5;

/// The least step size, as a share of the first.
const LEAST: f64 = 0.1;

/// Below this ratio of changed features the best point has become sparser.
const SPARSER: f64 = 0.95;

/// Share of features that the first steps move.
const FIRST_SHARE: f64 = 0.2;

/// How many features move, and how far, `[N, 1]` each.
#[derive(Clone, Debug)]
pub(super) struct Sparsity {
    /// Share of the features that a step moves.
    pub(super) share: Tensor<2>,
    /// Changed features of the best point at the last checkpoint.
    pub(super) changed: Tensor<2>,
    /// L1 length of a step.
    pub(super) length: Tensor<2>,
}

impl Sparsity {
    /// At the start of a run, with steps of `length`; `change` is `x − x₀` of a point to go on from.
    pub(super) fn new(length: Tensor<2>, features: usize, change: Option<Tensor<2>>) -> Self {
        match change {
            None => Self {
                share: length.ones_like() * FIRST_SHARE,
                changed: length.ones_like() * features as f64,
                length,
            },
            Some(change) => {
                let changed = Norm::L0.of(change);
                let share = changed.clone() / (features as f64 * SHRINK);
                Self { share, changed, length }
            }
        }
    }

    /// The step's direction, of L1 length one: the signs of the largest components, shared evenly.
    ///
    /// Their number is rounded down (the official code rounds up), so that few features can shrink
    /// to a single one.
    pub(super) fn direction(&self, gradient: Tensor<2>) -> Tensor<2> {
        let features = gradient.dims()[1];
        let magnitude = gradient.clone().abs();
        let sorted = magnitude.clone().sort(1);
        let moved = (self.share.clone() * features as f64).floor().clamp(1.0, features as f64);
        let place = (-moved + features as f64).int();
        let least = sorted.gather(1, place);
        let sign = gradient.sign() * magnitude.greater_equal(least).float();
        let length = Norm::L1.of(sign.clone()) + 1e-10;
        sign / length
    }

    /// At a checkpoint: `changed` features of the best point `[N, 1]`, the first step's `length`.
    /// Returns the samples that go on from their best point.
    pub(super) fn check(
        &mut self,
        changed: Tensor<2>,
        features: usize,
        length: Tensor<2>,
    ) -> Tensor<2, Bool> {
        let ratio = changed.clone() / self.changed.clone().clamp_min(1.0);
        let sparser = ratio.lower_elem(SPARSER);
        self.share = changed.clone() / (features as f64 * SHRINK);
        let shorter = (self.length.clone() / SHRINK).max_pair(length.clone() * LEAST);
        self.length = shorter.mask_where(sparser.clone(), length);
        self.changed = changed;
        sparser
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::{booleans, floats};

    #[test]
    fn a_step_moves_the_largest_share_and_has_length_one() {
        let device = Device::flex();
        let length = Tensor::<2>::full([1, 1], 2.0, &device);
        let sparsity = Sparsity::new(length, 10, None);
        let slopes: Vec<f32> = vec![0.0, 3.0, -9.0, 1.0, 2.0, 0.5, 7.0, 0.1, 0.2, 0.3];
        let gradient = Tensor::from_data(TensorData::new(slopes, [1, 10]), &device);
        let got = floats(sparsity.direction(gradient)).unwrap();
        // A fifth of ten features.
        let expected = [0.0, 0.0, -0.5, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0];
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        }
    }

    #[test]
    fn a_sparser_best_point_resets_the_step_and_another_shortens_it() {
        let device = Device::flex();
        let of = |values: [f32; 2]| Tensor::<2>::from_data([[values[0]], [values[1]]], &device);
        let mut sparsity = Sparsity::new(of([2.0, 2.0]), 100, None);
        let sparser = sparsity.check(of([50.0, 99.0]), 100, of([2.0, 2.0]));
        assert_eq!(booleans(sparser).unwrap(), [true, false]);
        let lengths = floats(sparsity.length.clone()).unwrap();
        assert!((lengths[0] - 2.0).abs() < 1e-6 && (lengths[1] - 4.0 / 3.0).abs() < 1e-6);
        assert!((floats(sparsity.share.clone()).unwrap()[0] - 1.0 / 3.0).abs() < 1e-6);
        for _ in 0..20 {
            sparsity.check(of([50.0, 99.0]), 100, of([2.0, 2.0]));
        }
        assert!(floats(sparsity.length).unwrap().iter().all(|length| (length - 0.2).abs() < 1e-6));
    }
}
