//! Planes below and above the largest value of a window.
//!
//! The value with the largest lower end is below the maximum. Where no other value of the window
//! can exceed that lower end it is the maximum; else the largest upper end is above it.
use burn::prelude::*;
use burn::tensor::ops::PadMode;

use super::interval::Interval;

/// What is known of windows of `k²` values each, of which a row has `P`.
pub(super) struct Windows {
    side: usize,
    /// One at the value with the largest lower end (the first of equal ones), `[N, P, k²]`.
    best: Tensor<3>,
    /// One where that value is the maximum for sure, `[N, P]`.
    sure: Tensor<2>,
    /// The largest upper end, `[N, P]`.
    highest: Tensor<2>,
    /// Rows of the maps that windows cover, and columns.
    covered: [usize; 2],
}

impl Windows {
    pub(super) fn new(interval: &Interval, side: usize) -> Self {
        let [_, _, height, width] = interval.centre.dims();
        let covered = [height / side * side, width / side * side];
        let lower = cut(interval.lower().inner(), side, covered);
        let upper = cut(interval.upper(), side, covered);
        let area = side * side;
        let ordinals = Tensor::<1, Int>::arange(0..area as i64, &lower.device());
        let first = lower.clone().argmax(2);
        let [count, windows, _] = lower.dims();
        let best = ordinals
            .reshape([1, 1, area])
            .expand([count, windows, area])
            .equal(first.expand([count, windows, area]))
            .float();
        let lowest = lower.max_dim(2);
        let others = upper.clone().inner() - best.clone() * f64::from(f32::MAX);
        let sure = others.max_dim(2).lower_equal(lowest).float().squeeze_dim(2);
        Self { side, best, sure, highest: upper.max_dim(2).squeeze_dim(2), covered }
    }

    /// Coefficients `[N, S, P]` of the maxima as coefficients `[N · S, C, H, W]` of the values, and
    /// the constants `[N, S]` they add, so that the sums are lower bounds.
    pub(super) fn taken_back(
        &self,
        coefficients: Tensor<3>,
        shape: [usize; 3],
    ) -> (Tensor<4>, Tensor<2>) {
        let [count, rows, windows] = coefficients.dims();
        let positive = burn::tensor::activation::relu(coefficients.clone());
        let negative = coefficients - positive.clone();
        let per_row = |values: Tensor<2>| values.unsqueeze_dim::<3>(1);
        let unsure = (self.sure.clone() - 1.0).neg();
        let constants =
            (negative.clone() * per_row(self.highest.clone() * unsure)).sum_dim(2).squeeze_dim(2);
        let kept = positive + negative * per_row(self.sure.clone());
        let size = self.side * self.side;
        let values = kept.unsqueeze_dim::<4>(3) * self.best.clone().unsqueeze_dim::<4>(1);
        let values = values.reshape([count * rows, windows, size]);
        (joined(values, self.side, self.covered, shape), constants)
    }
}

/// `[N, C, H, W] → [N, P, k²]`, windows in the order of the pooled maps.
fn cut(maps: Tensor<4>, side: usize, [height, width]: [usize; 2]) -> Tensor<3> {
    let [count, channels, ..] = maps.dims();
    let maps = maps.slice([0..count, 0..channels, 0..height, 0..width]);
    let (down, across) = (height / side, width / side);
    maps.reshape([count, channels, down, side, across, side]).permute([0, 1, 2, 4, 3, 5]).reshape([
        count,
        channels * down * across,
        side * side,
    ])
}

/// `[M, P, k²] → [M, C, H, W]`, zeros where no window is.
fn joined(
    values: Tensor<3>,
    side: usize,
    [height, width]: [usize; 2],
    shape: [usize; 3],
) -> Tensor<4> {
    let [count, ..] = values.dims();
    let (down, across) = (height / side, width / side);
    let maps = values
        .reshape([count, shape[0], down, across, side, side])
        .permute([0, 1, 2, 4, 3, 5])
        .reshape([count, shape[0], height, width]);
    let (below, right) = (shape[1] - height, shape[2] - width);
    if below + right == 0 {
        return maps;
    }
    maps.pad((0, right, 0, below), PadMode::Constant(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    /// Windows of a 2×5 map: the first surely `x₀₁`, the second unsure; the last column is dropped.
    #[test]
    fn a_window_that_one_value_wins_is_that_value_and_others_are_bounded_by_both_ends() {
        let maps = |values: [f32; 10]| {
            let data = TensorData::new(values.to_vec(), [1, 1, 2, 5]);
            Tensor::<4>::from_data(data, &Device::flex())
        };
        let lower = [0.0, 5.0, 1.0, 0.0, 9.0, 1.0, 2.0, 0.0, 0.5, 9.0];
        let upper = [1.0, 6.0, 3.0, 4.0, 9.0, 2.0, 5.0, 2.0, 1.0, 9.0];
        let (lower, upper) = (maps(lower), maps(upper));
        let interval = Interval {
            centre: (lower.clone() + upper.clone()) * 0.5,
            radius: (upper - lower) * 0.5,
        };
        let windows = Windows::new(&interval, 2);
        let coefficients = Tensor::<3>::from_data([[[2.0, 3.0], [-2.0, -3.0]]], &Device::flex());
        let (maps, constants) = windows.taken_back(coefficients, [1, 2, 5]);
        assert_eq!(floats(constants).unwrap(), [0.0, -12.0]);
        let expected = [
            [0.0, 2.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            [0.0, -2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        ];
        assert_eq!(floats(maps).unwrap(), expected.concat());
    }
}
