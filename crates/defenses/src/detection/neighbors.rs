//! Distances to reference rows, and the nearest of them.
use burn::prelude::*;

/// Rows to measure distances to, seen from their mean: the fewer digits the difference of squares
/// cancels.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    centre: Tensor<2>,
    /// `[W, M]`.
    transposed: Tensor<2>,
    /// `[1, M]`.
    squares: Tensor<2>,
}

impl Reference {
    /// Reference rows `[M, W]`.
    pub(super) fn new(rows: &Tensor<2>) -> Self {
        let centre = rows.clone().mean_dim(0);
        let rows = rows.clone() - centre.clone();
        let squares = rows.clone().square().sum_dim(1).transpose();
        Self { centre, transposed: rows.transpose(), squares }
    }

    /// The squared Euclidean distances, `[N, W] → [N, M]`, at least 0.
    pub(super) fn squared(&self, rows: Tensor<2>) -> Tensor<2> {
        let rows = rows - self.centre.clone();
        let own = rows.clone().square().sum_dim(1);
        (own + self.squares.clone() - rows.matmul(self.transposed.clone()) * 2.0).clamp_min(0.0)
    }
}

/// The places of the `count` smallest values of each row, `[N, M] → [N, count]`, off the tape.
pub(super) fn smallest(values: &Tensor<2>, count: usize) -> Tensor<2, Int> {
    let values = values.clone().inner();
    if values.dims()[1] > count {
        values.neg().argtopk(count, 1)
    } else {
        // `argtopk` takes fewer than all.
        values.argsort(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host;

    #[test]
    fn squared_distances_and_the_nearest_by_hand() {
        let device = Device::flex();
        let reference = Tensor::from_data([[0.0, 0.0], [3.0, 4.0], [1.0, 0.0]], &device);
        let got = Reference::new(&reference).squared(Tensor::from_data([[0.0, 0.0]], &device));
        let values = host::floats(got.clone()).unwrap();
        for (got, expected) in values.into_iter().zip([0.0, 25.0, 1.0]) {
            assert!((got - expected).abs() < 1e-4, "{got}");
        }
        let mut near = host::integers(smallest(&got, 2)).unwrap();
        near.sort_unstable();
        assert_eq!(near, [0, 2]);
        assert_eq!(host::integers(smallest(&got, 3)).unwrap(), [0, 2, 1]);
    }
}
