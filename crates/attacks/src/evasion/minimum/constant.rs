//! The search for the constant that weighs misclassification against distance, each sample by
//! itself.
//!
//! Carlini, Wagner. *Towards Evaluating the Robustness of Neural Networks.* S&P 2017, §V-B and the
//! authors' code. <https://arxiv.org/abs/1608.04644>
use burn::prelude::*;

/// No constant succeeded yet; also what the last search tries then.
const UNBOUNDED: f32 = 1e10;

/// Factor from one constant to the next while none succeeded.
const GROWTH: f64 = 10.0;

/// From this many searches on, the last repeats the least constant that succeeded.
const REPEATED: usize = 10;

/// How often an optimisation is looked at for having stalled, and the share of the loss that then
/// counts as stalled. The authors compare the losses of whole batches at the looks; the loss of one
/// sample swings, so that its least since the last look is what is compared.
const LOOKS: usize = 10;
const STALLED: f64 = 0.9999;

/// Searches and their lengths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) searches: usize,
    pub(super) steps: usize,
    pub(super) abort_early: bool,
}

/// Where each sample stands in its searches; all fields `[N, 1]`.
pub(super) struct ConstantSearch {
    plan: Plan,
    /// The constant of the present search.
    pub(super) constant: Tensor<2>,
    /// Steps made in the present search.
    pub(super) taken: Tensor<2>,
    lower: Tensor<2>,
    upper: Tensor<2>,
    ended: Tensor<2>,
    succeeded: Tensor<2>,
    /// Least loss up to the last look, and since.
    previous: Tensor<2>,
    least: Tensor<2>,
}

impl ConstantSearch {
    pub(super) fn new(plan: Plan, like: &Tensor<2>, initial: f64) -> Self {
        let of = |value: f64| like.full_like(value);
        Self {
            plan,
            constant: of(initial),
            taken: of(0.0),
            lower: of(0.0),
            upper: of(f64::from(UNBOUNDED)),
            ended: of(0.0),
            succeeded: of(0.0),
            previous: of(f64::from(f32::MAX)),
            least: of(f64::from(f32::MAX)),
        }
    }

    /// Samples `[N, 1]` whose searches are not over.
    pub(super) fn open(&self) -> Tensor<2, Bool> {
        self.ended.clone().lower_elem(self.plan.searches as f32)
    }

    /// Takes note of a step: which samples `[N, 1]` succeeded at it and the loss of each. Tells
    /// which samples start their next search.
    pub(super) fn advance(&mut self, success: Tensor<2, Bool>, loss: Tensor<2>) -> Tensor<2, Bool> {
        self.succeeded = self.succeeded.clone().mask_fill(success, 1.0);
        let after = self.taken.clone() + 1.0;
        let mut over = after.clone().greater_equal_elem(self.plan.steps as f32);
        if self.plan.abort_early {
            let window = self.plan.steps.div_ceil(LOOKS) as f32;
            let look = self.taken.clone().remainder_scalar(window).equal_elem(0.0);
            let limit = self.previous.clone() * STALLED;
            let least = self.least.clone().min_pair(loss);
            over = over.bool_or(look.clone().bool_and(least.clone().greater(limit)));
            self.previous = self.previous.clone().mask_where(look.clone(), least.clone());
            self.least = least.mask_fill(look, f32::MAX);
        }
        let found = self.succeeded.clone().greater_elem(0.0);
        let upper = self.upper.clone().min_pair(self.constant.clone());
        let upper = self.upper.clone().mask_where(found.clone(), upper);
        let lower = self.lower.clone().max_pair(self.constant.clone());
        let lower = lower.mask_where(found, self.lower.clone());
        let bounded = upper.clone().lower_elem(UNBOUNDED);
        let grown = self.constant.clone() * GROWTH;
        let mut next = grown.mask_where(bounded, (lower.clone() + upper.clone()) * 0.5);
        let ended = self.ended.clone() + 1.0;
        if self.plan.searches >= REPEATED {
            let last = ended.clone().equal_elem((self.plan.searches - 1) as f32);
            next = next.mask_where(last, upper.clone());
        }
        let put = |old: &mut Tensor<2>, new: Tensor<2>| {
            *old = old.clone().mask_where(over.clone(), new);
        };
        put(&mut self.constant, next);
        put(&mut self.upper, upper);
        put(&mut self.lower, lower);
        put(&mut self.ended, ended);
        self.taken = after.mask_fill(over.clone(), 0.0);
        self.succeeded = self.succeeded.clone().mask_fill(over.clone(), 0.0);
        self.previous = self.previous.clone().mask_fill(over.clone(), f32::MAX);
        self.least = self.least.clone().mask_fill(over.clone(), f32::MAX);
        over
    }

    /// What shrinks with the batch.
    pub(super) fn state(&mut self) -> [&mut Tensor<2>; 8] {
        [
            &mut self.constant,
            &mut self.taken,
            &mut self.lower,
            &mut self.upper,
            &mut self.ended,
            &mut self.succeeded,
            &mut self.previous,
            &mut self.least,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::{booleans, floats};

    /// The constants of two samples that succeed from 0.4 and from 3 on: each search lasts one
    /// step.
    fn constants(searches: usize) -> Vec<Vec<f32>> {
        let device = Device::flex();
        let like = Tensor::<2>::zeros([2, 1], &device);
        let plan = Plan { searches, steps: 1, abort_early: false };
        let mut search = ConstantSearch::new(plan, &like, 0.1);
        let needed = Tensor::<2>::from_data([[0.4], [3.0]], &device);
        let mut seen = Vec::new();
        while booleans(search.open()).unwrap()[0] {
            seen.push(floats(search.constant.clone()).unwrap());
            let success = search.constant.clone().greater_equal(needed.clone());
            assert_eq!(booleans(search.advance(success, like.clone())).unwrap(), [true, true]);
        }
        seen
    }

    fn close(got: &[Vec<f32>], expected: &[[f32; 2]]) {
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().flatten().zip(expected.iter().flatten()) {
            assert!((got / expected - 1.0).abs() < 1e-5, "{got} {expected}");
        }
    }

    #[test]
    fn constants_grow_tenfold_until_success_and_are_bisected_then() {
        let expected = [[0.1, 0.1], [1.0, 1.0], [0.55, 10.0], [0.325, 5.5], [0.4375, 3.25]];
        close(&constants(5), &expected);
    }

    #[test]
    fn the_last_of_ten_searches_repeats_the_least_constant_that_succeeded() {
        let all = constants(10);
        assert_eq!(all.len(), 10);
        let least = |sample: usize, needed: f32| {
            let before = all[..9].iter().map(|at| at[sample]);
            before.filter(|&constant| constant >= needed).fold(f32::MAX, f32::min)
        };
        close(&all[9..], &[[least(0, 0.4), least(1, 3.0)]]);
    }

    /// 20 steps are looked at every 2; sample 0 falls, sample 1 stands still.
    #[test]
    fn a_stalled_sample_ends_its_search_alone() {
        let device = Device::flex();
        let like = Tensor::<2>::zeros([2, 1], &device);
        let plan = Plan { searches: 1, steps: 20, abort_early: true };
        let mut search = ConstantSearch::new(plan, &like, 0.1);
        let none = || like.clone().greater_elem(0.0);
        let mut ends = Vec::new();
        for step in 0..20 {
            let loss = Tensor::from_data([[40.0 - step as f32], [5.0]], &device);
            ends.push(booleans(search.advance(none(), loss)).unwrap());
        }
        assert_eq!(ends.iter().position(|ended| ended[1]), Some(2));
        assert_eq!(ends.iter().position(|ended| ended[0]), Some(19));
    }
}
