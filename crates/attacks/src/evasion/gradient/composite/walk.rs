//! Where the samples of a composite attack are.
use std::ops::Range;

use burn::prelude::*;
use duress_core::{GradientJob, Result, pull_back};
use rand::RngExt;
use rand::seq::SliceRandom;

use super::blend::Blend;
use super::component::{Space, cut};
use super::schedule::Schedule;
use super::{Component, Composite, Order};

/// Surrogate pictures whose tape is held at a time.
const PART: usize = 64;

/// The state of each active sample; everything `[N, ·]` shrinks with the batch.
pub(super) struct Walk<'a> {
    attack: &'a Composite,
    space: Space,
    /// Number of the component whose turn it is.
    turn: usize,
    /// The rows as the component before left them, `[N, F]`.
    base: Tensor<2>,
    /// The rows now, `[N, F]`.
    pub(super) rows: Tensor<2>,
    /// The components' parameters: where they start, later where they ended, `[N, K]`.
    values: Tensor<2>,
    /// What the pixels had from [`Component::Linf`], `[N, F]`.
    pixels: Tensor<2>,
    /// The positions of the components in each sample's order, `[N, K]`.
    order: Tensor<2>,
    /// Where the order is scheduled, how.
    schedule: Option<Schedule>,
    /// The parameter of the component whose turn it is, `[N, 1]`.
    value: Tensor<2>,
    /// One where a sample is solved and stays, `[N, 1]`.
    held: Tensor<2>,
}

impl<'a> Walk<'a> {
    /// Parameters drawn uniformly from their intervals.
    pub(super) fn new(attack: &'a Composite, job: &GradientJob<'_>) -> Result<Self> {
        let rows = job.clean();
        let count = attack.components.len();
        let values = job.draw_values(0, count, |rng, row| {
            for (value, &component) in row.iter_mut().zip(&attack.components) {
                let [low, high] = attack.interval(component);
                *value = (low + rng.random::<f64>() * (high - low)) as f32;
            }
        });
        let scheduled = attack.order == Order::Scheduled;
        Ok(Self {
            attack,
            space: Space::of(job.domain(), &rows.device())?,
            turn: 0,
            base: rows.clone(),
            value: values.clone().narrow(1, 0, 1),
            held: values.zeros_like().narrow(1, 0, 1),
            order: values.zeros_like(),
            schedule: scheduled.then(|| Schedule::draw(job, count, 1)),
            values,
            pixels: rows.zeros_like(),
            rows,
        })
    }

    /// Begins a round: the samples that are not solved return to their clean rows, each with an
    /// order.
    pub(super) fn begin(&mut self, job: &mut GradientJob<'_>, round: usize) -> Result<()> {
        let count = self.attack.components.len();
        self.order = if self.schedule.is_some() {
            self.reschedule(job)?
        } else {
            job.draw_values(1 + round as u32, count, |rng, row| {
                for (at, place) in row.iter_mut().enumerate() {
                    *place = at as f32;
                }
                if self.attack.order == Order::Random {
                    row.shuffle(rng);
                }
            })
        };
        self.move_to(job.clean());
        Ok(())
    }

    /// The next scheduled orders `[N, K]`, for a gradient pass.
    fn reschedule(&mut self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let Some(schedule) = &self.schedule else { return Ok(self.order.clone()) };
        let matrix = schedule.matrix.clone();
        let parts: Vec<_> = (0..job.active())
            .step_by(PART)
            .map(|start| start..job.active().min(start + PART))
            .collect();
        let blend = Blend {
            attack: self.attack,
            space: &self.space,
            region: [job.clean(), job.region().lower(), job.region().upper()],
            values: self.values.clone(),
            pixels: self.pixels.clone(),
        };
        let part = |tensor: &Tensor<2>, range: &Range<usize>| {
            tensor.clone().narrow(0, range.start, range.len())
        };
        let rows = parts.iter().map(|range| blend.part(range).rows(part(&matrix, range)));
        let rows = Tensor::cat(rows.collect(), 0);
        let gradient = job.gradient(rows, &self.attack.loss)?.gradient;
        let slopes = parts.iter().map(|range| {
            let here = blend.part(range);
            pull_back(part(&matrix, range), |matrix| here.rows(matrix), part(&gradient, range))
        });
        let slopes = Tensor::cat(slopes.collect::<Result<_>>()?, 0);
        let order = self.schedule.as_mut().map(|schedule| schedule.climb(slopes));
        Ok(order.unwrap_or_else(|| self.order.clone()))
    }

    /// Begins with the next component: from the rows as they are, at its parameter.
    pub(super) fn enter(&mut self, job: &GradientJob<'_>, turn: usize) {
        self.turn = turn;
        self.base = self.rows.clone();
        self.value = self.values.clone().gather(1, self.place().int());
        let rows = self.changed(job, self.base.clone(), self.value.clone());
        self.move_to(rows);
    }

    /// One step of the component whose turn it is, up the `gradient` `[N, F]` at the rows.
    pub(super) fn step(&mut self, job: &GradientJob<'_>, gradient: Tensor<2>) -> Result<()> {
        if self.candidates().iter().any(|(_, component)| *component != Component::Linf) {
            let base = self.base.clone();
            let through = |value| self.changed(job, base.clone(), value);
            let slope = pull_back(self.value.clone(), through, gradient.clone())?;
            let length = self.of_turn(|component| self.attack.step_length(component));
            let low = self.of_turn(|component| self.attack.interval(component)[0]);
            let high = self.of_turn(|component| self.attack.interval(component)[1]);
            self.value = (self.value.clone() + slope.sign() * length).max_pair(low).min_pair(high);
            let count = self.attack.components.len();
            let all = Tensor::<1, Int>::arange(0..count as i64, &self.order.device()).float();
            let ours = all.unsqueeze::<2>().expand(self.order.dims());
            let ours = ours.equal(self.place().expand(self.order.dims()));
            let value = self.value.clone().expand(self.order.dims());
            self.values = self.values.clone().mask_where(ours, value);
        }
        let mut rows = self.changed(job, self.base.clone(), self.value.clone());
        if let Some((at, _)) = self.candidates().iter().find(|it| it.1 == Component::Linf) {
            let limits = (self.attack.step_length(Component::Linf), self.attack.linf);
            let (base, now) = (self.base.clone(), self.rows.clone());
            let moved = self.space.move_pixels(base.clone(), now, gradient.sign(), limits);
            let moved = cut(moved, &job.region().lower(), &job.region().upper());
            let ours = self.is_turn_of(*at);
            rows = rows.mask_where(ours.clone(), moved.clone());
            self.pixels = self.pixels.clone().mask_where(ours, moved - base);
        }
        self.move_to(rows);
        Ok(())
    }

    /// Samples that met their goal `[N]` stay.
    pub(super) fn hold(&mut self, met: Tensor<1, Bool>) {
        self.held = met.float().unsqueeze_dim(1);
    }

    /// Lets the solved samples leave.
    pub(super) fn retire(&mut self, job: &mut GradientJob<'_>) -> Result<()> {
        let solved = self.held.clone().greater_elem(0.5).squeeze_dim(1);
        let mut state = vec![
            &mut self.base,
            &mut self.values,
            &mut self.pixels,
            &mut self.order,
            &mut self.value,
            &mut self.held,
        ];
        if let Some(schedule) = &mut self.schedule {
            state.extend([&mut schedule.matrix, &mut schedule.chosen]);
        }
        job.retire(solved, &mut self.rows, &mut state)
    }

    fn move_to(&mut self, rows: Tensor<2>) {
        let held = self.held.clone().greater_elem(0.5).expand(rows.dims());
        self.rows = rows.mask_where(held, self.rows.clone());
    }

    /// Position of the component whose turn it is, `[N, 1]`.
    fn place(&self) -> Tensor<2> {
        self.order.clone().narrow(1, self.turn, 1)
    }

    /// The components whose turn it may be, with their positions.
    fn candidates(&self) -> Vec<(usize, Component)> {
        let all = self.attack.components.iter().copied().enumerate();
        match self.attack.order {
            Order::Fixed => all.filter(|(at, _)| *at == self.turn).collect(),
            Order::Random | Order::Scheduled => all.collect(),
        }
    }

    /// Where it is the turn of the component at `position`, `[N, F]`.
    fn is_turn_of(&self, position: usize) -> Tensor<2, Bool> {
        self.place().equal_elem(position as f64).expand(self.base.dims())
    }

    /// A number of the component whose turn it is, `[N, 1]`.
    fn of_turn(&self, number: impl Fn(Component) -> f64) -> Tensor<2> {
        let numbers: Vec<f32> =
            self.attack.components.iter().map(|&component| number(component) as f32).collect();
        let numbers = TensorData::new(numbers, [1, self.attack.components.len()]);
        let numbers = Tensor::<2>::from_data(numbers, &self.order.device());
        numbers.expand(self.order.dims()).gather(1, self.place().int())
    }

    /// The `base` `[N, F]` as the component whose turn it is changes it by `value` `[N, 1]`, cut to
    /// the box.
    fn changed(&self, job: &GradientJob<'_>, base: Tensor<2>, value: Tensor<2>) -> Tensor<2> {
        let mut changed = base.clone();
        for (at, component) in self.candidates() {
            if component != Component::Linf {
                let one = self.space.change(component, base.clone(), value.clone());
                changed = changed.mask_where(self.is_turn_of(at), one);
            }
        }
        cut(changed, &job.region().lower(), &job.region().upper())
    }
}
