//! Counts of the classes that win under noise: each draw has a name, only counts leave the device.
use std::ops::Range;

use burn::prelude::*;
use duress_core::{Classifier, Error, Passes, Progress, Result, Seed, Use, fill_rows, host};
use rand_chacha::ChaCha8Rng;

/// What noise does to one row, in place, with the generator of the draw.
pub(super) type Disturb<'a> = &'a (dyn Fn(&mut ChaCha8Rng, &mut [f32]) + Sync);

/// Draws noisy copies of one row and counts the classes that the base classifier gives them.
pub(super) struct Sampler<'a> {
    model: &'a dyn Classifier,
    passes: &'a Passes,
    center: Vec<f32>,
    sample: (Seed, u64),
    batch: usize,
    progress: &'a dyn Progress,
    disturb: Disturb<'a>,
}

impl<'a> Sampler<'a> {
    /// Copies of `row` `[1, F]`, `batch` at once.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is exactly one row of the model's width.
    pub(super) fn new(
        (model, passes): (&'a dyn Classifier, &'a Passes),
        row: Tensor<2>,
        sample: (Seed, u64),
        batch: usize,
        progress: &'a dyn Progress,
        disturb: Disturb<'a>,
    ) -> Result<Self> {
        let center = one_row(model, row)?;
        Ok(Self { model, passes, center, sample, batch, progress, disturb })
    }

    /// How often each class won in the draws `range` of a use. A draw depends on its number alone,
    /// so the counts of two ranges add up to the counts of their union.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::LogitsNotFinite`]; a failing model.
    pub(super) fn counts(&self, range: Range<u64>, usage: Use) -> Result<Vec<u64>> {
        let device = self.passes.device();
        let ((seed, id), classes) = (self.sample, self.model.classes());
        // Counts stay on the device; an f32 is exact far beyond the size of a batch.
        let mut wins: Vec<Tensor<2>> = Vec::new();
        let mut done = range.start;
        while done < range.end {
            if self.progress.cancelled() {
                return Err(Error::Cancelled);
            }
            let count = (range.end - done).min(self.batch as u64) as usize;
            // Where the noise is drawn, over all cores: the same bits on each device.
            let noisy = fill_rows(count, self.center.len(), device, |index, values| {
                let draw = (done + index as u64) as u32;
                values.copy_from_slice(&self.center);
                (self.disturb)(&mut seed.stream(id, 0, draw, usage), values);
            });
            let logits = self.passes.logits(self.model, noisy)?;
            let finite = logits.clone().is_finite().float().min_dim(1);
            let winner = logits.argmax(1).expand([count, classes]);
            let all = Tensor::<1, Int>::arange(0..classes as i64, device)
                .unsqueeze::<2>()
                .expand([count, classes]);
            let won = winner.equal(all).float();
            wins.push(Tensor::cat(vec![won, finite], 1).sum_dim(0));
            done += count as u64;
        }
        let mut totals = vec![0; classes + 1];
        if !wins.is_empty() {
            let values = host::floats(Tensor::cat(wins, 0))?;
            for batch in values.chunks_exact(classes + 1) {
                for (total, &value) in totals.iter_mut().zip(batch) {
                    *total += value as u64;
                }
            }
        }
        if totals.pop() != Some(range.end.saturating_sub(range.start)) {
            return Err(Error::LogitsNotFinite { sample: id });
        }
        Ok(totals)
    }
}

/// The values of exactly one row of the width that the model takes.
pub(crate) fn one_row(model: &dyn Classifier, row: Tensor<2>) -> Result<Vec<f32>> {
    let ([rows, features], expected) = (row.dims(), model.domain().features());
    if rows != 1 || features != expected {
        return Err(Error::Shape {
            what: "the row to certify",
            expected: format!("[1, {expected}]"),
            got: format!("[{rows}, {features}]"),
        });
    }
    host::floats(row)
}

/// The most frequent class, the lowest of equals.
pub(super) fn most_frequent(counts: &[u64]) -> usize {
    (0..counts.len()).rev().max_by_key(|&class| counts[class]).unwrap_or(0)
}

/// The largest count of any class but `class`.
pub(super) fn runner_up(counts: &[u64], class: usize) -> u64 {
    let others = counts.iter().enumerate().filter(|&(other, _)| other != class);
    others.map(|(_, &count)| count).max().unwrap_or(0)
}
