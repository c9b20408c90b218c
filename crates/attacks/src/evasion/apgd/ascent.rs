//! One run of Auto-PGD from a starting point.
use burn::prelude::*;
use duress_core::{Aim, Evaluation, GradientJob, Loss, Norm, Objective, Region, Result};

use super::schedule::{Checkpoints, Progress};
use super::sparse::Sparsity;

/// Weight of the new step against the momentum of the last.
const MOMENTUM: f64 = 0.75;

/// What all runs share.
pub(super) struct Ascent<'l> {
    /// Iterations; one gradient more is taken, at the starting point.
    pub(super) steps: usize,
    /// ρ of condition 1.
    pub(super) rho: f64,
    pub(super) loss: &'l dyn Loss,
    /// In L1, start in balls of three and two times the radius.
    pub(super) shrinking_ball: bool,
}

/// The iterates of a run, `[N, F]`, with what they need to go on.
struct Iterates {
    rows: Tensor<2>,
    before: Tensor<2>,
    gradient: Tensor<2>,
    best: Tensor<2>,
    best_gradient: Tensor<2>,
}

impl Ascent<'_> {
    /// Runs from a random start; the aim is the job's, with rivals where the loss needs them. The
    /// rivals `[N, 1]`, if any, shrink with the batch.
    pub(super) fn run(
        &self,
        job: &mut GradientJob<'_>,
        rivals: Option<Tensor<1, Int>>,
    ) -> Result<Tensor<2>> {
        let start = random_start(job);
        let mut rivals = rivals.map(|rivals| rivals.float().unsqueeze_dim(1));
        if job.norm() != Norm::L1 || !self.shrinking_ball {
            return self.stage(job, &mut rivals, (start, true), self.steps, 1.0);
        }
        let first = (3 * self.steps).div_ceil(10);
        let stages = [(3.0, first), (2.0, first), (1.0, self.steps.saturating_sub(2 * first))];
        let wide = job.region().with_radius(job.region().radius() * 3.0);
        let mut rows = wide.project(start);
        for (index, (factor, steps)) in stages.into_iter().enumerate() {
            if job.active() > 0 && job.queries_left() != Some(0) {
                rows = self.stage(job, &mut rivals, (rows, false), steps, factor)?;
            } else if index + 1 == stages.len() {
                rows = job.region().project(rows);
            }
        }
        Ok(rows)
    }

    /// `steps` iterations in a ball `factor` times the job's, from `start`: fresh or gone on from.
    fn stage(
        &self,
        job: &mut GradientJob<'_>,
        rivals: &mut Option<Tensor<2>>,
        (start, fresh): (Tensor<2>, bool),
        steps: usize,
        factor: f64,
    ) -> Result<Tensor<2>> {
        let own = factor <= 1.0;
        let wide = (!own).then(|| job.region().with_radius(job.region().radius() * factor));
        let rows = wide.as_ref().unwrap_or(job.region()).project(start);
        if job.active() == 0 || job.queries_left() == Some(0) {
            return Ok(job.region().project(rows));
        }
        let features = rows.dims()[1];
        let first = self.evaluate(job, rows.clone(), rivals.as_ref())?;
        let mut met = stops(job, first.logits, own);
        let mut progress = Progress::new(first.loss.unsqueeze_dim(1));
        let length = |job: &GradientJob<'_>| {
            let twice = if job.norm() == Norm::L1 { 1.0 } else { 2.0 };
            job.region().radius() * (factor * twice)
        };
        let change = (!fresh).then(|| rows.clone() - job.clean());
        let mut sparsity = Sparsity::new(length(job), features, change);
        let mut at = Iterates {
            before: rows.clone(),
            best: rows.clone(),
            best_gradient: first.gradient.clone(),
            gradient: first.gradient,
            rows,
        };
        let mut checkpoints = Checkpoints::new(steps);
        let window = (steps / 25).max(1);
        for step in 1..=steps {
            if job.active() == 0 || job.queries_left() == Some(0) {
                break;
            }
            let region = wide.as_ref().unwrap_or(job.region());
            let next = at.next(region, &sparsity, step == 1);
            let next = keep(next, met.clone(), at.rows.clone());
            at.before = std::mem::replace(&mut at.rows, next);
            let new = self.evaluate(job, at.rows.clone(), rivals.as_ref())?;
            let due = job.checkpoint(step)?;
            if due {
                job.ensure_finite(new.gradient.clone())?;
            }
            met = stops(job, new.logits, own);
            at.gradient = new.gradient;
            let better = progress.record(new.loss.unsqueeze_dim(1));
            at.best = keep(at.best, Some(better.clone()), at.rows.clone());
            at.best_gradient = keep(at.best_gradient, Some(better), at.gradient.clone());
            let back = if job.norm() == Norm::L1 {
                step.is_multiple_of(window).then(|| {
                    let changed = Norm::L0.of(at.best.clone() - job.clean());
                    sparsity.check(changed, features, length(job))
                })
            } else {
                checkpoints.pass().map(|window| {
                    let halve = progress.check(window, self.rho);
                    let half = sparsity.length.clone() * 0.5;
                    sparsity.length = sparsity.length.clone().mask_where(halve.clone(), half);
                    halve
                })
            };
            if let Some(back) = back {
                at.go_back(back, met.clone());
            }
            if due && let Some(solved) = met.take() {
                let Sparsity { share, changed, length } = &mut sparsity;
                let mut state = vec![&mut at.before, &mut at.gradient, &mut at.best];
                state.extend([&mut at.best_gradient, share, changed, length]);
                state.extend(progress.state());
                let mut kept = solved.clone().float();
                state.push(&mut kept);
                state.extend(rivals.iter_mut());
                job.retire(solved.squeeze_dim(1), &mut at.rows, &mut state)?;
                met = Some(kept.greater_elem(0.5));
            }
        }
        Ok(keep(at.best, met, at.rows))
    }

    fn evaluate(
        &self,
        job: &mut GradientJob<'_>,
        rows: Tensor<2>,
        rivals: Option<&Tensor<2>>,
    ) -> Result<Evaluation> {
        let aim: Aim = match rivals {
            None => job.aim().clone(),
            Some(rivals) => job.aim().clone().with_rivals(rivals.clone().int().squeeze_dim(1)),
        };
        job.gradient_towards(rows, &aim, self.loss)
    }
}

impl Iterates {
    /// `z = Π(x + η d)`, then `Π(x + α(z − x) + (1 − α)(x − x₋₁))`, with α = 1 at first; in L1 the
    /// sparse step alone.
    fn next(&self, region: &Region, sparsity: &Sparsity, first: bool) -> Tensor<2> {
        let (rows, length) = (self.rows.clone(), sparsity.length.clone());
        if region.norm() == Norm::L1 {
            let direction = sparsity.direction(self.gradient.clone());
            return region.project(rows + direction * length);
        }
        let ahead = region.ascend(rows.clone(), self.gradient.clone(), length);
        if first {
            return ahead;
        }
        let inertia = (rows.clone() - self.before.clone()) * (1.0 - MOMENTUM);
        region.project((ahead - rows.clone()) * MOMENTUM + inertia + rows)
    }

    /// Samples in `back` that are not solved return to their best point.
    fn go_back(&mut self, back: Tensor<2, Bool>, solved: Option<Tensor<2, Bool>>) {
        let back = match solved {
            Some(solved) => back.bool_and(solved.bool_not()),
            None => back,
        };
        self.rows = keep(self.rows.clone(), Some(back.clone()), self.best.clone());
        self.gradient = keep(self.gradient.clone(), Some(back), self.best_gradient.clone());
    }
}

/// Which samples `[N, 1]` stay where they are from now on: those that meet the goal in the threat
/// model's own ball. `None` where nobody does, while the loss is only to be raised.
fn stops(job: &GradientJob<'_>, logits: Tensor<2>, own: bool) -> Option<Tensor<2, Bool>> {
    let wanted = own && job.objective() == Objective::Succeed;
    wanted.then(|| job.aim().met(logits).unsqueeze_dim(1))
}

/// `rows`, but `old` where `mask` `[N, 1]` holds.
fn keep(rows: Tensor<2>, mask: Option<Tensor<2, Bool>>, old: Tensor<2>) -> Tensor<2> {
    let shape = rows.dims();
    match mask {
        Some(mask) if shape[0] > 0 => rows.mask_where(mask.expand(shape), old),
        _ => rows,
    }
}

/// A random point of the ball's surface, as the official code draws it: in Linf a uniform draw
/// scaled to the face it points at, in L2 and L1 a Gaussian one scaled or projected.
fn random_start(job: &GradientJob<'_>) -> Tensor<2> {
    use rand::RngExt;
    use rand_distr::StandardNormal;

    let (norm, region) = (job.norm(), job.region());
    let mutable = region.mutable();
    let draw = job.draw(0, |rng, row| {
        for &feature in mutable {
            row[feature] = match norm {
                Norm::Linf => rng.random_range(-1.0..=1.0),
                _ => rng.sample(StandardNormal),
            };
        }
    });
    let delta = match norm {
        Norm::L1 | Norm::L0 => draw,
        Norm::L2 | Norm::Linf => {
            let length = norm.of(draw.clone()).clamp_min(f32::MIN_POSITIVE);
            draw / length * region.radius()
        }
    };
    region.center() + delta
}
