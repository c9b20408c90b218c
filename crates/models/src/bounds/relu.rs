//! Lines below and above a rectifier on an interval.
//!
//! Zhang et al. *Efficient Neural Network Robustness Certification with General Activation
//! Functions* (CROWN). `NeurIPS` 2018, table 2 with the adaptive lower line of §3.2.
//! <https://arxiv.org/abs/1811.00866>
use burn::prelude::*;
use burn::tensor::activation::relu;

use super::interval::Interval;

/// `below · x ≤ max(x, 0) ≤ above · x + constant`, each `[N, C, H, W]`.
pub(super) struct Lines {
    /// 0 or 1, whichever leaves the smaller triangle; 0 where they tie. Off the tape.
    pub(super) below: Tensor<4>,
    /// The chord.
    pub(super) above: Tensor<4>,
    pub(super) constant: Tensor<4>,
}

/// Keeps the chord of an interval without width finite.
const TINY: f64 = 1e-12;

/// The lines on `interval`.
pub(super) fn lines(interval: &Interval) -> Lines {
    let (lower, upper) = (interval.lower(), interval.upper());
    let below = upper.clone().inner().greater(-lower.clone().inner()).float();
    let (positive, negative) = (relu(upper), relu(-lower));
    let above = positive.clone() / (positive + negative.clone()).clamp_min(TINY);
    let constant = negative * above.clone();
    Lines { below, above, constant }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    /// `[1, 3]` is active, `[−3, −1]` is not, `[−1, 3]` and `[−3, 1]` are cut, `[−1, 1]` ties.
    #[test]
    fn a_rectifier_lies_between_its_lines_as_worked_by_hand() {
        let maps = |values: [f32; 5]| {
            Tensor::<4>::from_data(TensorData::new(values.to_vec(), [1, 5, 1, 1]), &Device::flex())
        };
        let interval = Interval {
            centre: maps([2.0, -2.0, 1.0, -1.0, 0.0]),
            radius: maps([1.0, 1.0, 2.0, 2.0, 1.0]),
        };
        let Lines { below, above, constant } = lines(&interval);
        assert_eq!(floats(below).unwrap(), [1.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(floats(above).unwrap(), [1.0, 0.0, 0.75, 0.25, 0.5]);
        assert_eq!(floats(constant).unwrap(), [0.0, 0.0, 0.75, 0.75, 0.5]);
    }
}
