//! The iteration that both variants of FAB share.
use std::ops::Range;

use burn::prelude::*;
use duress_core::{Aim, Error, Evaluation, GradientJob, Norm, Objective, Region, Result, Setting};
use rand::{Rng, RngExt};
use rand_distr::{Exp1, StandardNormal};

use super::hyperplane::step_onto;
use super::nearest::Nearest;
use crate::losses::{MASKED, RivalMargin, own_class, ranks};
use crate::table::Entry;

/// Keeps the quotient of two distances defined where both are zero, as in the official code.
const TINY_DISTANCE: f64 = 1e-8;

/// Keeps the distance from a plane without a normal finite.
const TINY_SLOPE: f64 = 1e-12;

/// The hyperparameters that both variants share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk {
    pub(super) steps: usize,
    pub(super) restarts: u32,
    pub(super) alpha_max: f64,
    pub(super) extrapolation: f64,
    pub(super) backward_step: f64,
    pub(super) final_search: usize,
}

/// What shrinks with the batch.
struct State {
    rows: Tensor<2>,
    nearest: Nearest,
    /// The classes to go to, `[N, T]`, the likeliest first.
    classes: Tensor<2>,
    /// Logits of the clean rows, `[N, K]`.
    logits: Tensor<2>,
}

/// A linearised class boundary of each sample: where `gap + ⟨slope, δ⟩ = 0`.
struct Plane {
    gap: Tensor<2>,
    slope: Tensor<2>,
    distance: Tensor<2>,
}

impl Walk {
    pub(super) fn check(&self, entry: &Entry, setting: &Setting<'_>) -> Result<()> {
        if setting.targeted {
            return Err(Error::Parameter {
                algorithm: entry.name,
                field: "goal",
                expected: "untargeted",
                got: "targeted".into(),
            });
        }
        entry.at_least_one("steps", self.steps as u64)?;
        entry.at_least_one("restarts", u64::from(self.restarts))?;
        entry.share("alpha_max", self.alpha_max)?;
        entry.positive("extrapolation", self.extrapolation)?;
        entry.share("backward_step", self.backward_step)
    }

    /// Walks to the nearest of the boundaries with the `targets` likeliest other classes: of all
    /// of them at once, or (`apart`) of each in a walk of its own.
    pub(super) fn run(
        &self,
        job: &mut GradientJob<'_>,
        targets: usize,
        apart: bool,
    ) -> Result<Tensor<2>> {
        let clean = job.clean();
        if job.active() == 0 || job.queries_left() == Some(0) {
            return Ok(clean);
        }
        let logits = job.logits(clean.clone())?;
        let (classes, count) = others(&logits, job.aim(), targets);
        if count == 0 {
            return Ok(clean);
        }
        let mut state = State { rows: clean, nearest: Nearest::none(job), classes, logits };
        let walks = if apart { count } else { 1 };
        for restart in 0..self.restarts {
            for walk in 0..walks {
                if job.active() == 0 {
                    break;
                }
                let columns = if apart { walk..walk + 1 } else { 0..count };
                state.rows = match restart {
                    0 => job.clean(),
                    _ => start(job, &state.nearest, restart * walks as u32 + walk as u32),
                };
                self.walk(job, &mut state, columns)?;
            }
        }
        self.refine(job, &mut state)?;
        Ok(state.nearest.or(state.rows))
    }

    fn walk(
        &self,
        job: &mut GradientJob<'_>,
        state: &mut State,
        columns: Range<usize>,
    ) -> Result<()> {
        let queries = columns.len() as u64 + 1;
        for step in 1..=self.steps {
            if job.active() == 0 || job.queries_left().is_some_and(|left| left < queries) {
                return Ok(());
            }
            let plane = nearest_plane(job, state, columns.clone())?;
            let checkpoint = job.checkpoint(step)?;
            if checkpoint {
                job.ensure_finite(plane.slope.clone())?;
            }
            let region = job.region();
            let rows = self.towards(region, state.rows.clone(), plane);
            let predicted = job.labels(rows.clone())?;
            let met = job.aim().met_by(predicted);
            let region = job.region();
            state.nearest.offer(region, rows.clone(), met.clone());
            let [count, features] = rows.dims();
            let back = region.center() + (rows.clone() - region.center()) * self.backward_step;
            let met = met.unsqueeze_dim::<2>(1).expand([count, features]);
            state.rows = rows.mask_where(met, region.clip(back));
            if checkpoint || step == self.steps {
                state.retire(job)?;
            }
        }
        Ok(())
    }

    /// `(1 − α)(x + η d₁) + α(x₀ + η d₂)` in the box, where `d₁` leads from the iterate to the plane
    /// and `d₂` from the clean row.
    fn towards(&self, region: &Region, rows: Tensor<2>, plane: Plane) -> Tensor<2> {
        let Plane { gap, slope, .. } = plane;
        let clean = region.center();
        let apart = (slope.clone() * (clean.clone() - rows.clone())).sum_dim(1);
        let own = step_onto(region, slope.clone(), &rows, gap.clone());
        let clean_step = step_onto(region, slope, &clean, gap + apart);
        let length = |step: &Tensor<2>| region.norm().of(step.clone()).clamp_min(TINY_DISTANCE);
        let (near, far) = (length(&own), length(&clean_step));
        let alpha = (near.clone() / (near + far)).clamp_max(self.alpha_max);
        let own = rows + own * self.extrapolation;
        let biased = clean + clean_step * self.extrapolation;
        region.clip(own.clone() + (biased - own) * alpha)
    }

    /// The final search: on the segment from a point that fails to the nearest that meets
    /// the goal, the zero of the margin between their classes, as if it were linear.
    fn refine(&self, job: &mut GradientJob<'_>, state: &mut State) -> Result<()> {
        let enough = |job: &GradientJob<'_>, queries| {
            job.active() > 0 && job.queries_left().is_none_or(|left| left >= queries)
        };
        if self.final_search == 0 || !enough(job, 2) {
            return Ok(());
        }
        let mut far = state.nearest.rows.clone();
        let mut far_logits = job.logits(far.clone())?;
        let (mut near, mut near_logits) = (job.clean(), state.logits.clone());
        for _ in 0..self.final_search {
            if !enough(job, 1) {
                break;
            }
            let (reached, left) = (far_logits.clone().argmax(1), near_logits.clone().argmax(1));
            let margin = |logits: &Tensor<2>| {
                logits.clone().gather(1, reached.clone()) - logits.clone().gather(1, left.clone())
            };
            let (above, below) = (margin(&far_logits), margin(&near_logits));
            let share = above.clone() / (above - below).clamp_min(f32::MIN_POSITIVE);
            let middle = far.clone() + (near.clone() - far.clone()) * share.clamp(0.0, 1.0);
            let middle = job.region().clip(middle);
            let logits = job.logits(middle.clone())?;
            let met = job.aim().met(logits.clone());
            state.nearest.offer(job.region(), middle.clone(), met.clone());
            let put = |met: &Tensor<2, Bool>, old: Tensor<2>, new: &Tensor<2>| {
                old.mask_where(met.clone().expand(new.dims()), new.clone())
            };
            let met = met.unsqueeze_dim::<2>(1);
            far = put(&met, far, &middle);
            far_logits = put(&met, far_logits, &logits);
            let failed = met.bool_not();
            near = put(&failed, near, &middle);
            near_logits = put(&failed, near_logits, &logits);
        }
        Ok(())
    }
}

impl State {
    fn retire(&mut self, job: &mut GradientJob<'_>) -> Result<()> {
        let Self { rows, nearest, classes, logits } = self;
        nearest.retire(job, &mut [rows, classes, logits])
    }
}

/// The `targets` likeliest classes other than each sample's label, `[N, T]`, and their number.
fn others(logits: &Tensor<2>, aim: &Aim, targets: usize) -> (Tensor<2>, usize) {
    let classes = logits.dims()[1];
    let count = targets.min(classes.saturating_sub(1));
    if count == 0 {
        return (aim.labels().unsqueeze_dim::<2>(1).float(), 0);
    }
    let others = logits.clone().mask_fill(own_class(logits, &aim.labels()), MASKED);
    (ranks(&others, count).float(), count)
}

/// The nearest of the planes towards the classes in `columns`. One gradient a class; two planes are
/// held at a time.
fn nearest_plane(job: &mut GradientJob<'_>, state: &State, columns: Range<usize>) -> Result<Plane> {
    let mut nearest: Option<Plane> = None;
    for column in columns {
        let rivals = state.classes.clone().narrow(1, column, 1).squeeze_dim::<1>(1).int();
        let aim = job.aim().clone().with_rivals(rivals);
        let at = job.gradient_towards(state.rows.clone(), &aim, &RivalMargin)?;
        let next = plane(job.norm(), at);
        nearest = Some(match nearest {
            Some(best) => nearer(best, next),
            None => next,
        });
    }
    let none = || {
        let slope = state.rows.zeros_like();
        let gap = slope.clone().sum_dim(1);
        Plane { distance: gap.clone(), gap, slope }
    };
    Ok(nearest.unwrap_or_else(none))
}

/// `|gap| / ‖slope‖*` away.
fn plane(norm: Norm, at: Evaluation) -> Plane {
    let gap = at.loss.unsqueeze_dim::<2>(1);
    let slope = at.gradient;
    let dual = norm.dual().unwrap_or(Norm::L1).of(slope.clone()) + TINY_SLOPE;
    Plane { distance: gap.clone().abs() / dual, gap, slope }
}

fn nearer(best: Plane, next: Plane) -> Plane {
    let closer = next.distance.clone().lower(best.distance.clone());
    let put = |old: Tensor<2>, new: Tensor<2>| {
        let closer = closer.clone().expand(new.dims());
        old.mask_where(closer, new)
    };
    Plane {
        gap: put(best.gap, next.gap),
        slope: put(best.slope, next.slope),
        distance: put(best.distance, next.distance),
    }
}

/// A draw from the sphere around the clean row whose radius is half the best distance so far, or
/// half the radius of the threat while nothing is found; in the box.
fn start(job: &GradientJob<'_>, nearest: &Nearest, draw: u32) -> Tensor<2> {
    let region = job.region();
    let (norm, mutable) = (region.norm(), region.mutable());
    let unit = job.draw(draw, |rng, row| on_sphere(norm, mutable, rng, row));
    let most = match job.objective() {
        Objective::Minimise => region.radius(),
        Objective::Succeed | Objective::Maximise => job.enough(),
    };
    let radius = nearest.distance.clone().min_pair(most) * 0.5;
    region.clip(region.center() + unit * radius)
}

/// A uniform draw from the unit sphere over the mutable features.
fn on_sphere(norm: Norm, mutable: &[usize], rng: &mut impl Rng, row: &mut [f32]) {
    let mut draws = vec![0.0_f64; mutable.len()];
    for draw in &mut draws {
        *draw = match norm {
            Norm::Linf | Norm::L0 => rng.random_range(-1.0..=1.0),
            Norm::L2 => rng.sample(StandardNormal),
            Norm::L1 => {
                let size: f64 = rng.sample(Exp1);
                if rng.random() { size } else { -size }
            }
        };
    }
    let length = norm.of_slice(&draws).max(f64::MIN_POSITIVE);
    for (&feature, draw) in mutable.iter().zip(draws) {
        row[feature] = (draw / length) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Goal, Seed, Use, host::integers};

    #[test]
    fn the_likeliest_other_classes_come_first_and_never_the_label() {
        let device = Device::flex();
        let logits = Tensor::<2>::from_data([[0.0, 3.0, 1.0, 2.0], [5.0, 3.0, -1.0, 2.0]], &device);
        let leave = Goal::Untargeted(vec![1, 1]).aim(&device);
        let classes = |targets, aim: &Aim| {
            let (classes, count) = others(&logits, aim, targets);
            (integers(classes.int()).unwrap(), count)
        };
        assert_eq!(classes(2, &leave), (vec![3, 2, 0, 3], 2));
        assert_eq!(classes(9, &leave), (vec![3, 2, 0, 0, 3, 2], 3));
    }

    #[test]
    fn a_start_lies_on_the_sphere_and_leaves_immutable_features_alone() {
        for norm in [Norm::L1, Norm::L2, Norm::Linf] {
            let mut row = [0.0; 5];
            on_sphere(norm, &[0, 1, 3, 4], &mut Seed(3).stream(0, 0, 1, Use::Step), &mut row);
            let length = norm.of_slice(&row.map(f64::from));
            assert!((length - 1.0).abs() < 1e-6, "{norm}: {length}");
            assert!(row[2].abs() < 1e-9);
        }
    }
}
