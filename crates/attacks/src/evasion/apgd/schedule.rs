//! When Auto-PGD looks back, and what it concludes.
use burn::prelude::*;

/// The iterations at which the step size is reconsidered: the first after 22 % of the budget, each
/// next one 3 % sooner, but not sooner than 6 %.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checkpoints {
    window: usize,
    shrink: usize,
    least: usize,
    since: usize,
}

impl Checkpoints {
    pub(super) fn new(steps: usize) -> Self {
        let share = |percent: usize| (steps * percent / 100).max(1);
        Self { window: share(22), shrink: share(3), least: share(6), since: 0 }
    }

    /// Counts an iteration; at a checkpoint, the number of iterations since the last one.
    pub(super) fn pass(&mut self) -> Option<usize> {
        self.since += 1;
        if self.since < self.window {
            return None;
        }
        let window = self.window;
        self.since = 0;
        self.window = self.window.saturating_sub(self.shrink).max(self.least);
        Some(window)
    }
}

/// What the two conditions of the step size need, `[N, 1]` each.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    /// Loss at the last iterate.
    pub(super) last: Tensor<2>,
    /// Iterations since the last checkpoint that raised the loss.
    pub(super) raised: Tensor<2>,
    /// Largest loss so far.
    pub(super) best: Tensor<2>,
    /// Largest loss at the last checkpoint.
    pub(super) best_before: Tensor<2>,
    /// One where the last checkpoint halved the step.
    pub(super) halved: Tensor<2>,
}

impl Progress {
    /// From the loss at the starting point.
    pub(super) fn new(loss: Tensor<2>) -> Self {
        Self {
            last: loss.clone(),
            raised: loss.zeros_like(),
            best: loss.clone(),
            best_before: loss.clone(),
            halved: loss.ones_like(),
        }
    }

    /// Takes note of the loss at a new iterate; which samples it is the best of, `[N, 1]`.
    pub(super) fn record(&mut self, loss: Tensor<2>) -> Tensor<2, Bool> {
        let raised = loss.clone().greater(self.last.clone()).float();
        self.raised = self.raised.clone() + raised;
        let better = loss.clone().greater(self.best.clone());
        self.best = self.best.clone().mask_where(better.clone(), loss.clone());
        self.last = loss;
        better
    }

    /// At a checkpoint `window` iterations after the last: whose step is to be halved, `[N, 1]`.
    ///
    /// Condition 1: at most the share ρ of the iterations raised the loss. Condition 2: the step was
    /// not halved at the last checkpoint and the best loss has not changed since.
    ///
    /// The first window counts its first iteration against the starting point's loss, as the paper
    /// has it; the official code compares it with zero, so that it counts cross-entropy and DLR
    /// differently.
    pub(super) fn check(&mut self, window: usize, rho: f64) -> Tensor<2, Bool> {
        let oscillates = self.raised.clone().lower_equal_elem(rho * window as f64);
        let stuck = self.best_before.clone().greater_equal(self.best.clone());
        let kept = self.halved.clone().lower_elem(0.5);
        let halve = oscillates.bool_or(stuck.bool_and(kept));
        self.halved = halve.clone().float();
        self.best_before = self.best.clone();
        self.raised = self.raised.zeros_like();
        halve
    }

    /// The tensors that shrink with the batch.
    pub(super) fn state(&mut self) -> [&mut Tensor<2>; 5] {
        [&mut self.last, &mut self.raised, &mut self.best, &mut self.best_before, &mut self.halved]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::booleans;

    fn checkpoints(steps: usize) -> Vec<(usize, usize)> {
        let mut schedule = Checkpoints::new(steps);
        (1..=steps).filter_map(|step| schedule.pass().map(|window| (step, window))).collect()
    }

    #[test]
    fn the_checkpoints_of_a_hundred_steps_are_those_of_the_paper() {
        let expected =
            [(22, 22), (41, 19), (57, 16), (70, 13), (80, 10), (87, 7), (93, 6), (99, 6)];
        assert_eq!(checkpoints(100), expected);
        assert_eq!(checkpoints(10)[..3], [(2, 2), (3, 1), (4, 1)]);
        assert_eq!(checkpoints(1), [(1, 1)]);
    }

    /// The loss of one sample, scripted; a checkpoint every four iterations, ρ = ¾.
    fn halvings(start: f32, losses: &[f32]) -> Vec<bool> {
        let device = Device::flex();
        let of = |loss| Tensor::<2>::full([1, 1], loss, &device);
        let mut progress = Progress::new(of(start));
        let mut got = Vec::new();
        for (step, &loss) in losses.iter().enumerate() {
            progress.record(of(loss));
            if (step + 1) % 4 == 0 {
                got.extend(booleans(progress.check(4, 0.75)).unwrap());
            }
        }
        got
    }

    #[test]
    fn three_raises_of_four_halve_and_four_do_not() {
        assert_eq!(halvings(0.0, &[1.0, 2.0, 3.0, 4.0]), [false]);
        assert_eq!(halvings(0.0, &[1.0, 2.0, 3.0, 2.5]), [true]);
        // The first iteration is compared with the start, not with zero.
        assert_eq!(halvings(5.0, &[1.0, 2.0, 3.0, 4.0]), [true]);
        assert_eq!(halvings(-5.0, &[-4.0, -3.0, -2.0, -1.0]), [false]);
    }

    /// Raising all the time without reaching the old best: condition 2, but never twice in a row.
    #[test]
    fn a_step_that_brings_no_new_best_is_halved_unless_it_just_was() {
        let rises = |from: f32| [from, from + 0.1, from + 0.2, from + 0.3];
        let losses: Vec<f32> =
            [rises(10.0), rises(10.4), [1.0, 1.1, 1.2, 1.3], rises(1.4), rises(1.8)].concat();
        // Window 3 falls first (three raises): halved by condition 1. Window 4 raises four times,
        // below the best, but was halved before; window 5 the same, and was not.
        assert_eq!(halvings(9.0, &losses), [false, false, true, false, true]);
    }
}
