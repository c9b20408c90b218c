//! One attempt of an attack on a batch: its active samples, its streams, its meter.
use burn::prelude::*;
use rand_chacha::ChaCha8Rng;

use crate::classifier::Evaluation;
use crate::{
    Aim, Domain, Error, GradientOracle, LabelOracle, Loss, Norm, Progress, Reach, Region, Result,
    ScoreOracle, Seed, Use, host,
};

/// What an attempt is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objective {
    /// Meet the goal: a sample that does is solved, stops moving and leaves the batch.
    Succeed,
    /// Drive the loss up to the end, for adversarial training and transfer: no sample leaves.
    Maximise,
    /// Meet the goal as near to the clean row as possible: no sample leaves for having met it.
    Minimise,
}

/// An attempt with gradient access.
pub type GradientJob<'a> = Job<'a, dyn GradientOracle + 'a>;
/// An attempt with score access.
pub type ScoreJob<'a> = Job<'a, dyn ScoreOracle + 'a>;
/// An attempt with label access.
pub type LabelJob<'a> = Job<'a, dyn LabelOracle + 'a>;

/// The state that all attacks share. The oracle is reached only through the job, which counts
/// each query; an attack with a [`LabelJob`] has no gradient to take.
pub struct Job<'a, O: ?Sized> {
    pub(crate) oracle: &'a O,
    pub(crate) algorithm: &'static str,
    pub(crate) region: Region,
    pub(crate) enough: Tensor<2>,
    pub(crate) aim: Aim,
    pub(crate) objective: Objective,
    pub(crate) reach: Reach,
    pub(crate) seed: Seed,
    pub(crate) restart: u32,
    pub(crate) meter: Meter,
    pub(crate) progress: &'a dyn Progress,
    /// Positions (in the attempt's first batch) of the samples still active.
    pub(crate) slots: Vec<usize>,
    /// Ids of the samples still active.
    pub(crate) ids: Vec<u64>,
    /// Rows of the samples that left, with their positions.
    pub(crate) retired: Vec<(Vec<usize>, Tensor<2>)>,
}

/// Passes spent on each sample of an attempt's first batch.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    pub(crate) forwards: Vec<u64>,
    pub(crate) backwards: Vec<u64>,
    pub(crate) budget: Option<u64>,
}

impl<'a, O: ?Sized> Job<'a, O> {
    /// An attempt outside the driver: adversarial training's inner maximisation. It has no budget
    /// and keeps every sample.
    #[must_use]
    pub fn maximise(
        oracle: &'a O,
        region: Region,
        aim: Aim,
        (seed, ids): (Seed, Vec<u64>),
        progress: &'a dyn Progress,
    ) -> Self {
        let rows = ids.len();
        Self {
            oracle,
            algorithm: "inner maximisation",
            enough: region.radius(),
            region,
            aim,
            objective: Objective::Maximise,
            reach: Reach::Ball,
            seed,
            restart: 0,
            meter: Meter { forwards: vec![0; rows], backwards: vec![0; rows], budget: None },
            progress,
            slots: (0..rows).collect(),
            ids,
            retired: Vec::new(),
        }
    }

    /// Number of samples still active, `N` below.
    #[must_use]
    pub fn active(&self) -> usize {
        self.slots.len()
    }

    /// The input space.
    #[must_use]
    pub fn domain(&self) -> &Domain
    where
        O: LabelOracle,
    {
        self.oracle.domain()
    }

    /// The clean rows of the active samples, `[N, F]`.
    #[must_use]
    pub fn clean(&self) -> Tensor<2> {
        self.region.center()
    }

    /// The feasible set of the active samples.
    #[must_use]
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The norm of the threat model.
    #[must_use]
    pub fn norm(&self) -> Norm {
        self.region.norm()
    }

    /// The radii `[N, 1]` within which a point that meets the goal solves its sample: those of the
    /// threat model, or zero where the nearest point is asked for.
    #[must_use]
    pub fn enough(&self) -> Tensor<2> {
        self.enough.clone()
    }

    /// Number of this attempt on the samples, from 0.
    #[must_use]
    pub fn restart(&self) -> u32 {
        self.restart
    }

    /// The goals of the active samples.
    #[must_use]
    pub fn aim(&self) -> &Aim {
        &self.aim
    }

    /// Classes of the model.
    #[must_use]
    pub fn classes(&self) -> usize
    where
        O: LabelOracle,
    {
        self.oracle.classes()
    }

    /// What the attempt is for.
    #[must_use]
    pub fn objective(&self) -> Objective {
        self.objective
    }

    /// A point drawn uniformly from each active sample's ball, in the box: `[N, F]`.
    #[must_use]
    pub fn random_start(&self) -> Tensor<2> {
        self.random_point(0)
    }

    /// The `draw`-th such point; draw 0 is the random start.
    #[must_use]
    pub fn random_point(&self, draw: u32) -> Tensor<2> {
        self.region.sample(self.seed, &self.ids, self.restart, draw)
    }

    /// Rows filled from each active sample's own stream for `step`: `[N, F]`.
    #[must_use]
    pub fn draw(&self, step: u32, fill: impl Fn(&mut ChaCha8Rng, &mut [f32]) + Sync) -> Tensor<2> {
        self.draw_values(step, self.region.center().dims()[1], fill)
    }

    /// [`Job::draw`] for rows of another width, `[N, width]`: the parameters of a random
    /// transformation.
    #[must_use]
    pub fn draw_values(
        &self,
        step: u32,
        width: usize,
        fill: impl Fn(&mut ChaCha8Rng, &mut [f32]) + Sync,
    ) -> Tensor<2> {
        let at = (self.restart, step, Use::Step);
        self.seed.rows(&self.ids, at, width, &self.region.center().device(), fill)
    }

    /// Whether solved samples should be looked for after `step` steps: at 1, 2, 4 and each multiple
    /// of 8, so that a GPU's queue is read back rarely. The schedule changes the cost, never the
    /// result. Also where a cancelled run stops.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if the user asked to stop.
    pub fn checkpoint(&self, step: usize) -> Result<bool> {
        if self.progress.cancelled() {
            return Err(Error::Cancelled);
        }
        let due = matches!(step, 1 | 2 | 4) || step.is_multiple_of(8);
        Ok(due && self.objective != Objective::Maximise)
    }

    /// Checks that a gradient `[N, F]` is a number everywhere before its direction is trusted.
    ///
    /// Reads from the device: call it at a [`Job::checkpoint`].
    ///
    /// # Errors
    /// [`Error::GradientNotFinite`] names the first sample whose gradient is not.
    pub fn ensure_finite(&self, gradient: Tensor<2>) -> Result<()> {
        let bad = host::booleans(gradient.is_finite().bool_not().any_dim(1))?;
        match bad.iter().position(|&bad| bad) {
            Some(index) => Err(Error::GradientNotFinite { sample: self.ids[index] }),
            None => Ok(()),
        }
    }

    /// Lets the solved samples `[N]` leave the batch: their rows are kept, and the rows and the
    /// rest of the attack's state (`[N, ·]`) shrink to the samples still active.
    ///
    /// Samples stay while dropping them would not save a pass.
    ///
    /// # Errors
    /// [`Error::Device`] if the device fails.
    pub fn retire(
        &mut self,
        solved: Tensor<1, Bool>,
        rows: &mut Tensor<2>,
        state: &mut [&mut Tensor<2>],
    ) -> Result<()>
    where
        O: LabelOracle,
    {
        let solved = host::booleans(solved)?;
        let stay: Vec<usize> = (0..solved.len()).filter(|&index| !solved[index]).collect();
        let piece = self.oracle.granularity();
        let worth = if piece > 1 {
            stay.len().div_ceil(piece) < solved.len().div_ceil(piece)
        } else {
            4 * stay.len() <= 3 * solved.len()
        };
        if !worth {
            return Ok(());
        }
        let leave: Vec<usize> = (0..solved.len()).filter(|&index| solved[index]).collect();
        let positions = leave.iter().map(|&index| self.slots[index]).collect();
        let device = rows.device();
        let leaving = rows.clone().select(0, indices(&leave, &device));
        self.retired.push((positions, leaving));

        let keep = indices(&stay, &device);
        *rows = rows.clone().select(0, keep.clone());
        for tensor in state {
            **tensor = tensor.clone().select(0, keep.clone());
        }
        self.region = self.region.select(&keep);
        self.enough = self.enough.clone().select(0, keep.clone());
        self.aim = self.aim.select(keep);
        self.slots = stay.iter().map(|&index| self.slots[index]).collect();
        self.ids = stay.iter().map(|&index| self.ids[index]).collect();
        Ok(())
    }

    /// Queries that each active sample still has; `None` without a budget.
    #[must_use]
    pub fn queries_left(&self) -> Option<u64>
    where
        O: LabelOracle,
    {
        (0..self.slots.len()).filter_map(|index| self.left(index)).min()
    }

    /// Counts `rows / active` queries for each active sample, or refuses them.
    fn charge(&mut self, rows: usize, backward: bool) -> Result<()>
    where
        O: LabelOracle,
    {
        if self.slots.is_empty() {
            return Ok(());
        }
        if !rows.is_multiple_of(self.slots.len()) {
            return Err(Error::Shape {
                what: "queries",
                expected: format!("the same number for each of {} samples", self.slots.len()),
                got: format!("{rows} rows"),
            });
        }
        let each = (rows / self.slots.len()) as u64 * self.oracle.cost();
        for index in 0..self.slots.len() {
            self.charge_one(index, each, backward)?;
        }
        Ok(())
    }

    /// Counts `queries` of the active sample at `index`, or refuses them.
    pub(crate) fn charge_one(&mut self, index: usize, queries: u64, backward: bool) -> Result<()> {
        let (slot, sample) = (self.slots[index], self.ids[index]);
        let spent = self.meter.forwards[slot] + queries;
        if let Some(budget) = self.meter.budget
            && spent > budget
        {
            return Err(Error::Budget { algorithm: self.algorithm, sample, spent, budget });
        }
        self.meter.forwards[slot] = spent;
        self.meter.backwards[slot] += if backward { queries } else { 0 };
        Ok(())
    }

    /// Queries that the active sample at `index` still has; `None` without a budget.
    pub(crate) fn left(&self, index: usize) -> Option<u64>
    where
        O: LabelOracle,
    {
        let budget = self.meter.budget?;
        Some(budget.saturating_sub(self.meter.forwards[self.slots[index]]) / self.oracle.cost())
    }

    /// An attempt inside this one, in balls of other radii `[N, 1]`: it spends this attempt's
    /// queries, and each sample ends with a row again, `[N, F]`. `restart` numbers its streams.
    ///
    /// # Errors
    /// Those of `attempt`.
    pub fn within(
        &mut self,
        radius: Tensor<2>,
        restart: u32,
        attempt: impl FnOnce(&mut Job<'a, O>) -> Result<Tensor<2>>,
    ) -> Result<Tensor<2>> {
        let mut inner = Job {
            oracle: self.oracle,
            algorithm: self.algorithm,
            region: self.region.with_radius(radius.clone()),
            enough: radius,
            aim: self.aim.clone(),
            objective: Objective::Succeed,
            reach: Reach::Ball,
            seed: self.seed,
            restart,
            meter: self.meter.select(&self.slots),
            progress: self.progress,
            slots: (0..self.ids.len()).collect(),
            ids: self.ids.clone(),
            retired: Vec::new(),
        };
        let rows = attempt(&mut inner).and_then(|rows| inner.collect(rows));
        self.meter.store(&self.slots, &inner.meter);
        rows
    }

    /// All rows of the attempt in their first order, given those still active.
    pub(crate) fn collect(&mut self, rows: Tensor<2>) -> Result<Tensor<2>> {
        let [got, _] = rows.dims();
        if got != self.slots.len() {
            return Err(Error::Shape {
                what: "rows an attack returned",
                expected: format!("{}, one an active sample", self.slots.len()),
                got: got.to_string(),
            });
        }
        if self.retired.is_empty() {
            return Ok(rows);
        }
        let device = rows.device();
        let mut order = Vec::new();
        let mut parts = Vec::new();
        for (positions, part) in std::mem::take(&mut self.retired) {
            order.extend(positions);
            parts.push(part);
        }
        order.extend(&self.slots);
        parts.push(rows);
        let mut place = vec![0; order.len()];
        for (at, &position) in order.iter().enumerate() {
            place[position] = at;
        }
        parts.retain(|part| part.dims()[0] > 0);
        Ok(Tensor::cat(parts, 0).select(0, indices(&place, &device)))
    }
}

impl<O: LabelOracle + ?Sized> Job<'_, O> {
    /// The predicted class of rows `[N · m, F]`, the `m` queries of a sample together.
    ///
    /// # Errors
    /// [`Error::Budget`] if a sample has no query left; those of the model.
    pub fn labels(&mut self, rows: Tensor<2>) -> Result<Tensor<1, Int>> {
        self.charge(rows.dims()[0], false)?;
        self.oracle.labels(rows)
    }
}

impl<O: ScoreOracle + ?Sized> Job<'_, O> {
    /// The logits of rows `[N · m, F]`, the `m` queries of a sample together.
    ///
    /// # Errors
    /// As [`Job::labels`].
    pub fn logits(&mut self, rows: Tensor<2>) -> Result<Tensor<2>> {
        self.charge(rows.dims()[0], false)?;
        self.oracle.logits(rows)
    }
}

impl<O: GradientOracle + ?Sized> Job<'_, O> {
    /// Loss, logits and input gradient of rows `[N · m, F]`, the `m` queries of a sample together.
    ///
    /// # Errors
    /// As [`Job::labels`].
    pub fn gradient(&mut self, rows: Tensor<2>, loss: &dyn Loss) -> Result<Evaluation> {
        let aim = match rows.dims()[0] / self.active().max(1) {
            1 => self.aim.clone(),
            times => self.aim.repeat(times),
        };
        self.gradient_towards(rows, &aim, loss)
    }

    /// [`Job::gradient`] with an aim of the attack's own, one entry a row: the job's aim with
    /// rivals or a reference.
    ///
    /// # Errors
    /// As [`Job::labels`].
    pub fn gradient_towards(
        &mut self,
        rows: Tensor<2>,
        aim: &Aim,
        loss: &dyn Loss,
    ) -> Result<Evaluation> {
        self.charge(rows.dims()[0], true)?;
        self.oracle.gradient(rows, aim, loss)
    }
}

/// Positions as a tensor.
pub(crate) fn indices(positions: &[usize], device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = positions.iter().map(|&position| position as i64).collect();
    let shape = [values.len()];
    Tensor::from_data(TensorData::new(values, shape), device)
}

impl Meter {
    /// The counts of the samples at `positions`.
    pub(crate) fn select(&self, positions: &[usize]) -> Self {
        let select = |counts: &[u64]| positions.iter().map(|&at| counts[at]).collect();
        Self {
            forwards: select(&self.forwards),
            backwards: select(&self.backwards),
            budget: self.budget,
        }
    }

    /// Puts back what [`Meter::select`] took, with what was spent since.
    pub(crate) fn store(&mut self, positions: &[usize], spent: &Meter) {
        for (index, &at) in positions.iter().enumerate() {
            self.forwards[at] = spent.forwards[index];
            self.backwards[at] = spent.backwards[index];
        }
    }
}
