//! The order of the components as a doubly stochastic matrix that climbs the loss.
//!
//! Hsiung et al., §3.3: entry `(t, k)` of a sample's matrix weighs component `k` at turn `t`. The
//! surrogate picture mixes all components at each turn by these weights; the matrix becomes
//! `S(exp(Z + ∂ loss / ∂ Z))`, where `S` divides rows and columns by their sums until they are 1
//! (Sinkhorn), and the order is the assignment of the largest total weight.
use burn::prelude::*;
use burn::tensor::activation::log_softmax;
use duress_core::GradientJob;
use rand::RngExt;

/// Divisions of all rows and all columns, as in the authors' code.
const DIVISIONS: usize = 20;

/// Below any total of weights: the order of the round before is not taken again.
const TAKEN: f32 = -1.0;

/// The matrices of the active samples.
pub(super) struct Schedule {
    /// Weights `[N, K · K]`, turn after turn.
    pub(super) matrix: Tensor<2>,
    /// Place of each sample's order among all orders, `[N, 1]`; −1 before the first round.
    pub(super) chosen: Tensor<2>,
    orders: Vec<Vec<usize>>,
}

impl Schedule {
    /// Random matrices; the draws are those of step `draw`.
    pub(super) fn draw(job: &GradientJob<'_>, components: usize, draw: u32) -> Self {
        let weights = job.draw_values(draw, components * components, |rng, row| {
            // Above zero, so that it has a logarithm.
            row.fill_with(|| 1.0 - rng.random::<f32>());
        });
        Self {
            matrix: doubly_stochastic(weights.log(), components),
            chosen: Tensor::zeros([job.active(), 1], &job.clean().device()) - 1.0,
            orders: permutations(components),
        }
    }

    /// Goes up the `slope` `[N, K · K]` of the loss and takes the best order that is not the one of
    /// the round before: the components' positions `[N, K]`.
    pub(super) fn climb(&mut self, slope: Tensor<2>) -> Tensor<2> {
        let components = self.orders[0].len();
        self.matrix = doubly_stochastic(self.matrix.clone() + slope, components);
        let device = self.matrix.device();
        let [count, _] = self.matrix.dims();
        let column = |turn: usize| {
            let entries: Vec<i64> =
                self.orders.iter().map(|order| (turn * components + order[turn]) as i64).collect();
            let shape = [entries.len()];
            Tensor::<1, Int>::from_data(TensorData::new(entries, shape), &device)
        };
        let mut totals = Tensor::zeros([count, self.orders.len()], &device);
        for turn in 0..components {
            totals = totals + self.matrix.clone().select(1, column(turn));
        }
        if self.orders.len() > 1 {
            let all = Tensor::<1, Int>::arange(0..self.orders.len() as i64, &device).float();
            let again = all.unsqueeze::<2>().expand(totals.dims());
            let again = again.equal(self.chosen.clone().expand(totals.dims()));
            totals = totals.mask_fill(again, TAKEN);
        }
        let best = totals.argmax(1);
        self.chosen = best.clone().float();
        let values: Vec<f32> = self.orders.iter().flatten().map(|&at| at as f32).collect();
        let values = TensorData::new(values, [self.orders.len(), components]);
        Tensor::<2>::from_data(values, &device).select(0, best.squeeze_dim(1))
    }
}

/// `S(exp(Z))` of logarithmic weights `[N, K · K]`; in logarithms, since a slope may be large.
fn doubly_stochastic(logarithms: Tensor<2>, components: usize) -> Tensor<2> {
    let [count, entries] = logarithms.dims();
    let mut matrix = logarithms.reshape([count, components, components]);
    for _ in 0..DIVISIONS {
        matrix = log_softmax(log_softmax(matrix, 1), 2);
    }
    matrix.exp().reshape([count, entries])
}

/// All orders of so many things, in the order of a dictionary.
fn permutations(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for _ in 0..count {
        let longer = |order: Vec<usize>| {
            let rest: Vec<usize> = (0..count).filter(|at| !order.contains(at)).collect();
            rest.into_iter().map(move |at| [&order[..], &[at]].concat())
        };
        all = all.into_iter().flat_map(longer).collect();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    #[test]
    fn orders_are_counted_and_sorted() {
        assert_eq!(permutations(3).len(), 6);
        assert_eq!(permutations(6).len(), 720);
        assert!(permutations(4).is_sorted());
        assert_eq!(permutations(1), [[0]]);
    }

    /// Of (a b; c d) the entries become `√(ad) : √(bc)`: from (1 2; 3 4), √4 : √6. A slope of
    /// hundreds stays a number.
    #[test]
    fn rows_and_columns_sum_to_one() {
        let device = Device::flex();
        let weights = Tensor::<2>::from_data([[1.0, 2.0, 3.0, 4.0]], &device);
        let got = floats(doubly_stochastic(weights.log(), 2)).unwrap();
        let share = 2.0 / (2.0 + 6.0_f32.sqrt());
        for (got, expected) in got.iter().zip([share, 1.0 - share, 1.0 - share, share]) {
            assert!((got - expected).abs() < 1e-5, "{got} {expected}");
        }
        let steep = Tensor::<2>::from_data([[900.0, 0.0, -700.0, 30.0]], &device);
        let got = floats(doubly_stochastic(steep, 2)).unwrap();
        assert!((got[0] - 1.0).abs() < 1e-5 && got[1].abs() < 1e-5, "{got:?}");
    }

    /// The slope puts component 2 first, 0 second, 1 last; then the next best of the other orders.
    #[test]
    fn the_slope_sets_the_order_and_the_same_is_not_taken_twice() {
        let device = Device::flex();
        let mut schedule = Schedule {
            matrix: Tensor::<2>::full([1, 9], 1.0 / 3.0, &device),
            chosen: Tensor::<2>::full([1, 1], -1.0, &device),
            orders: permutations(3),
        };
        let slope = [[0.0, 0.0, 5.0, 2.0, 0.0, 0.0, 0.0, 2.0, 0.0]];
        let first = schedule.climb(Tensor::from_data(slope, &device));
        assert_eq!(floats(first).unwrap(), [2.0, 0.0, 1.0]);
        let second = schedule.climb(Tensor::zeros([1, 9], &device));
        assert_eq!(floats(second).unwrap(), [2.0, 1.0, 0.0]);
    }
}
