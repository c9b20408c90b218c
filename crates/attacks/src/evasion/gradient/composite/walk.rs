//! Where the samples of a composite attack are.
use burn::prelude::*;
use duress_core::{GradientJob, Result, pull_back};
use rand::RngExt;
use rand::seq::SliceRandom;

use super::{Component, Composite, Order};

/// The state of each active sample; everything `[N, ·]` shrinks with the batch.
pub(super) struct Walk<'a> {
    attack: &'a Composite,
    shape: [usize; 3],
    /// Lower side and length of each feature's interval, `[1, F]`.
    lower: Tensor<2>,
    side: Tensor<2>,
    /// Number of the component whose turn it is.
    turn: usize,
    /// The rows as the component before left them, `[N, F]`.
    base: Tensor<2>,
    /// The rows now, `[N, F]`.
    pub(super) rows: Tensor<2>,
    /// The components' parameters at the start, `[N, K]`.
    starts: Tensor<2>,
    /// The positions of the components in each sample's order, `[N, K]`.
    order: Tensor<2>,
    /// The parameter of the component whose turn it is, `[N, 1]`.
    value: Tensor<2>,
    /// One where a sample is solved and stays, `[N, 1]`.
    held: Tensor<2>,
}

impl<'a> Walk<'a> {
    /// Parameters drawn uniformly from their intervals, and each sample's order.
    pub(super) fn new(attack: &'a Composite, job: &GradientJob<'_>) -> Result<Self> {
        let rows = job.clean();
        let count = attack.components.len();
        let drawn = job.draw_values(0, 2 * count, |rng, row| {
            let (starts, order) = row.split_at_mut(count);
            for (start, &component) in starts.iter_mut().zip(&attack.components) {
                let [low, high] = attack.interval(component);
                *start = (low + rng.random::<f64>() * (high - low)) as f32;
            }
            for (at, place) in order.iter_mut().enumerate() {
                *place = at as f32;
            }
            if attack.order == Order::Random {
                order.shuffle(rng);
            }
        });
        let (lower, upper) = job.domain().bounds(&rows.device());
        let starts = drawn.clone().narrow(1, 0, count);
        Ok(Self {
            attack,
            shape: job.domain().image_shape()?,
            side: upper - lower.clone(),
            lower,
            turn: 0,
            base: rows.clone(),
            value: starts.clone().narrow(1, 0, 1),
            held: starts.zeros_like().narrow(1, 0, 1),
            starts,
            order: drawn.narrow(1, count, count),
            rows,
        })
    }

    /// Begins with the next component: from the rows as they are, at its first parameter.
    pub(super) fn enter(&mut self, job: &GradientJob<'_>, turn: usize) {
        self.turn = turn;
        self.base = self.rows.clone();
        self.value = self.starts.clone().gather(1, self.place().int());
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
        }
        let mut rows = self.changed(job, self.base.clone(), self.value.clone());
        if let Some((at, _)) = self.candidates().iter().find(|it| it.1 == Component::Linf) {
            let length = self.attack.step_length(Component::Linf);
            let moved = self.in_unit_box(self.rows.clone()) - self.in_unit_box(self.base.clone());
            let linf = self.attack.linf;
            let moved = (moved + gradient.sign() * length).clamp(-linf, linf);
            let pixels = cut(job, self.base.clone() + moved * self.side.clone());
            rows = rows.mask_where(self.is_turn_of(*at), pixels);
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
        let state = &mut [
            &mut self.base,
            &mut self.starts,
            &mut self.order,
            &mut self.value,
            &mut self.held,
        ];
        job.retire(solved, &mut self.rows, state)
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
            Order::Random => all.collect(),
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
        let unit = self.in_unit_box(base.clone());
        let mut changed = base;
        for (at, component) in self.candidates() {
            if component != Component::Linf {
                let one = component.apply(unit.clone(), self.shape, value.clone());
                let one = one * self.side.clone() + self.lower.clone();
                changed = changed.mask_where(self.is_turn_of(at), one);
            }
        }
        cut(job, changed)
    }

    /// Rows `[N, F]` with each feature's interval moved to `[0, 1]`.
    fn in_unit_box(&self, rows: Tensor<2>) -> Tensor<2> {
        let side = self.side.clone();
        let none = side.clone().lower_equal_elem(0.0);
        (rows - self.lower.clone()) / side.mask_fill(none, 1.0)
    }
}

/// Rows `[N, F]` cut to the box and the features that may change.
fn cut(job: &GradientJob<'_>, rows: Tensor<2>) -> Tensor<2> {
    rows.max_pair(job.region().lower()).min_pair(job.region().upper())
}
