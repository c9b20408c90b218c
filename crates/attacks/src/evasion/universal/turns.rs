//! Whose turn it is: samples change what they share one after the other, then all measure it.
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

/// What the samples of a universal attack share.
pub(super) struct Shared {
    /// The perturbation, `F` values.
    pub(super) perturbation: Vec<f64>,
    /// Whether it changed each sample's prediction when that was last measured.
    pub(super) fooled: Vec<bool>,
    /// The sample whose turn it is; past the last one, all measure.
    turn: usize,
    /// Samples still taking part.
    present: Vec<bool>,
    /// Samples that have measured in this pass.
    measured: Vec<bool>,
    /// Passes that are complete.
    passes: usize,
    /// Share of fooled samples at which passes end, and their largest number.
    enough: f64,
    most: usize,
}

/// The table at which they sit.
pub(super) struct Turns(Mutex<Shared>);

impl Turns {
    /// `samples` samples before their first pass, with a perturbation of zero.
    pub(super) fn new(samples: usize, features: usize, enough: f64, most: usize) -> Self {
        Self(Mutex::new(Shared {
            perturbation: vec![0.0; features],
            fooled: vec![false; samples],
            turn: 0,
            present: vec![true; samples],
            measured: vec![false; samples],
            passes: 0,
            enough,
            most,
        }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a sample's turn.
    pub(super) async fn mine(&self, sample: usize) {
        self.until(|shared| shared.turn == sample).await;
    }

    /// Ends a sample's turn, and waits until all measure.
    pub(super) async fn done(&self, sample: usize) {
        self.lock().next(sample);
        self.until(|shared| shared.turn == shared.present.len()).await;
    }

    /// Notes a measurement, and waits for the others: whether there is another pass.
    pub(super) async fn measured(&self, sample: usize, fooled: bool) -> bool {
        let pass = {
            let mut shared = self.lock();
            let pass = shared.passes;
            shared.fooled[sample] = fooled;
            shared.measured[sample] = true;
            shared.conclude();
            pass
        };
        self.until(|shared| shared.passes > pass).await;
        self.lock().goes_on()
    }

    /// A sample leaves for good; the others do not wait for it.
    pub(super) fn leave(&self, sample: usize) {
        let mut shared = self.lock();
        shared.present[sample] = false;
        if shared.turn == sample {
            shared.next(sample);
        }
        shared.conclude();
    }

    async fn until(&self, holds: impl Fn(&Shared) -> bool) {
        poll_fn(|_| if holds(&self.lock()) { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

impl Shared {
    /// Hands the turn to the next sample after `sample` that still takes part.
    fn next(&mut self, sample: usize) {
        let after = self.present.iter().skip(sample + 1).position(|&present| present);
        self.turn = after.map_or(self.present.len(), |by| sample + 1 + by);
    }

    /// Ends the pass once everybody has measured.
    fn conclude(&mut self) {
        let missing = self.present.iter().zip(&self.measured).any(|(here, done)| *here && !done);
        if self.turn < self.present.len() || missing {
            return;
        }
        self.passes += 1;
        self.measured.fill(false);
        let first = self.present.iter().position(|&present| present);
        self.turn = first.unwrap_or(self.present.len());
    }

    fn goes_on(&self) -> bool {
        let fooled = self.fooled.iter().filter(|&&fooled| fooled).count() as f64;
        self.passes < self.most && fooled < self.enough * self.fooled.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns() -> Turns {
        Turns::new(3, 1, 0.8, 2)
    }

    #[test]
    fn the_turn_skips_whoever_left() {
        let turns = turns();
        turns.leave(1);
        turns.lock().next(0);
        assert_eq!(turns.lock().turn, 2);
        turns.leave(2);
        assert_eq!(turns.lock().turn, 3, "all measure");
        assert_eq!(turns.lock().passes, 0, "the first has not measured");
        turns.leave(0);
        assert_eq!(turns.lock().passes, 1);
    }

    #[test]
    fn a_pass_ends_with_its_last_measurement_and_passes_end_with_the_share() {
        let turns = turns();
        let mut shared = turns.lock();
        shared.turn = 3;
        shared.measured = vec![true, true, false];
        shared.conclude();
        assert_eq!((shared.passes, shared.turn), (0, 3));
        shared.measured = vec![true; 3];
        shared.conclude();
        assert_eq!((shared.passes, shared.turn), (1, 0));
        assert!(shared.goes_on());
        shared.fooled = vec![true, true, false];
        assert!(shared.goes_on(), "two thirds are below 0.8");
        shared.fooled = vec![true; 3];
        assert!(!shared.goes_on());
        shared.fooled = vec![false; 3];
        shared.passes = 2;
        assert!(!shared.goes_on());
    }
}
