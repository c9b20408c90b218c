//! The nearest points found so far.
use burn::prelude::*;
use duress_core::{GradientJob, Region, Result};

/// Farther than any point of a box: nothing was found yet.
const NOWHERE: f32 = f32::MAX;

/// The nearest row of each active sample that met the goal, and its distance. Once a point solves
/// its sample it stays: what comes later depends on who else keeps the batch going.
#[derive(Clone, Debug)]
pub(crate) struct Nearest {
    /// `[N, F]`; the clean row while nothing is found.
    pub(crate) rows: Tensor<2>,
    /// `[N, 1]`.
    pub(crate) distance: Tensor<2>,
    /// The radii within which a point solves its sample, `[N, 1]`.
    enough: Tensor<2>,
}

impl Nearest {
    /// Nothing is found yet.
    pub(crate) fn none(job: &GradientJob<'_>) -> Self {
        let rows = job.clean();
        let distance = Tensor::full([rows.dims()[0], 1], NOWHERE, &rows.device());
        Self { rows, distance, enough: job.enough() }
    }

    /// The same where a point must lie within other radii `[N, 1]` to solve its sample.
    pub(crate) fn within(self, enough: Tensor<2>) -> Self {
        Self { enough, ..self }
    }

    /// Keeps the `candidates` `[N, F]` that met the goal and are nearer than what is kept.
    pub(crate) fn offer(&mut self, region: &Region, candidates: Tensor<2>, met: Tensor<1, Bool>) {
        let distance = region.norm().of(candidates.clone() - region.center());
        let nearer = distance.clone().lower(self.distance.clone());
        let open = self.distance.clone().greater(self.enough.clone());
        let better = nearer.bool_and(open).bool_and(met.unsqueeze_dim(1));
        let [count, features] = candidates.dims();
        let wide = better.clone().expand([count, features]);
        self.rows = self.rows.clone().mask_where(wide, candidates);
        self.distance = self.distance.clone().mask_where(better, distance);
    }

    /// Puts the rows `[N, F]` that another rule chose in the place of the nearest, for samples that
    /// have one (`score` `[N, 1]` below the largest number) and are not solved.
    pub(crate) fn prefer(&mut self, rows: Tensor<2>, score: &Tensor<2>) {
        let [count, features] = rows.dims();
        if count == 0 {
            return;
        }
        let open = self.distance.clone().greater(self.enough.clone());
        let chosen = open.bool_and(score.clone().lower_elem(NOWHERE)).expand([count, features]);
        self.rows = self.rows.clone().mask_where(chosen, rows);
    }

    /// Which samples have a point `[N, 1]`.
    pub(crate) fn found(&self) -> Tensor<2, Bool> {
        self.distance.clone().lower_elem(NOWHERE)
    }

    /// Which samples `[N]` are solved: their point is near enough.
    pub(crate) fn solved(&self) -> Tensor<1, Bool> {
        self.distance.clone().lower_equal(self.enough.clone()).squeeze_dim(1)
    }

    /// At a checkpoint, lets the solved samples leave with their nearest points; `state` shrinks
    /// with the batch.
    pub(crate) fn retire(
        &mut self,
        job: &mut GradientJob<'_>,
        state: &mut [&mut Tensor<2>],
    ) -> Result<()> {
        self.leave(self.solved(), job, state)
    }

    /// Lets those of `done` `[N]` leave with their nearest points; `state` shrinks with the batch.
    pub(crate) fn leave(
        &mut self,
        done: Tensor<1, Bool>,
        job: &mut GradientJob<'_>,
        state: &mut [&mut Tensor<2>],
    ) -> Result<()> {
        let mut all = vec![&mut self.distance, &mut self.enough];
        all.extend(state.iter_mut().map(|tensor| &mut **tensor));
        job.retire(done, &mut self.rows, &mut all)
    }

    /// What the attack returns: the nearest points, and `last` `[N, F]` where there is none.
    pub(crate) fn or(self, last: Tensor<2>) -> Tensor<2> {
        let [count, features] = last.dims();
        if count == 0 {
            return last;
        }
        last.mask_where(self.found().expand([count, features]), self.rows)
    }
}
