//! The least value of a linear function on an input set.
use duress_core::Norm;

use super::{Ball, InputSet};
use crate::bounds::rounding::{down, gamma};

/// Keeps an error above 0 where all magnitudes underflow.
pub(super) const TINY_SIZE: f64 = 1e-290;

/// Halvings in search of a multiplier: the bound is sound for any.
const HALVINGS: usize = 60;

impl InputSet {
    /// A point of the box at which `⟨coefficients, x⟩` is least or nearly so: where a gradient of
    /// the bound by its coefficients is taken. Nothing sound depends on it.
    pub(in crate::bounds) fn minimiser(&self, coefficients: &[f64]) -> Vec<f64> {
        let corner = coefficients.iter().enumerate().map(|(index, &coefficient)| {
            let (low, high) = self.sides.at(index);
            if coefficient >= 0.0 { low } else { high }
        });
        let Some(Ball { center, norm, .. }) = &self.ball else { return corner.collect() };
        match norm {
            Norm::L2 => {
                let multiplier = self.multiplier(coefficients);
                let moved = |(at, &x): (usize, &f64)| x + self.step(coefficients, multiplier, at);
                center.iter().enumerate().map(moved).collect()
            }
            Norm::L0 | Norm::L1 => {
                let mut point = center.clone();
                self.spend(coefficients, |index, share| {
                    let (low, high) = self.sides.at(index);
                    let end = if coefficients[index] >= 0.0 { low } else { high };
                    let room = (end - center[index]).abs();
                    let share = if room > 0.0 { (share / room).min(1.0) } else { 0.0 };
                    point[index] += (end - center[index]) * share;
                });
                point
            }
            Norm::Linf => corner.collect(),
        }
    }

    /// A lower bound of `constant + ⟨coefficients, x⟩` on the set, where `error` is what the
    /// constant and the coefficients may have been rounded by already.
    ///
    /// The sums have at most `3 F + 3` terms, so that they lose at most `γ` of that times the sum
    /// of their magnitudes.
    pub(in crate::bounds) fn minimum(
        &self,
        coefficients: &[f64],
        constant: f64,
        error: f64,
    ) -> f64 {
        let gamma = gamma(3 * coefficients.len() + 3);
        let (mut corner, mut size) = (0.0, TINY_SIZE);
        for (index, &coefficient) in coefficients.iter().enumerate() {
            let (low, high) = self.sides.at(index);
            if coefficient != 0.0 {
                corner += coefficient * if coefficient > 0.0 { low } else { high };
                size += coefficient.abs() * self.sides.magnitude(index);
            }
        }
        let by_box = down(constant + corner, error + gamma * (size + constant.abs()));
        let Some(Ball { center, norm, radius }) = &self.ball else { return by_box };
        let (mut middle, mut size) = (0.0, TINY_SIZE);
        for (coefficient, value) in coefficients.iter().zip(center) {
            middle += coefficient * value;
            size += (coefficient * value).abs();
        }
        let decrease = match norm {
            Norm::L2 => {
                let free = |index: usize| self.sides.lower[index] < self.sides.upper[index];
                let whole = radius * euclidean(coefficients, free);
                let both = self.decrease(coefficients);
                if both < whole { both } else { whole }
            }
            Norm::L0 | Norm::L1 => {
                let mut sum = 0.0;
                self.spend(coefficients, |index, share| sum += coefficients[index].abs() * share);
                sum
            }
            Norm::Linf => return by_box,
        };
        let error = error + gamma * (size + decrease.abs() + constant.abs());
        by_box.max(down(constant + middle - decrease, error))
    }

    /// The decrease of `⟨a, x⟩` in the part of an L2 ball of radius ε that lies in the box, from
    /// above: for each multiplier λ it is at most
    /// `λ ε² / 2 − Σ min (aᵢ δᵢ + λ δᵢ² / 2)` over the sides of the box, by duality, and equal for
    /// the best. The least is at `−aᵢ / λ` or a side; where that is rounded, the value changes by
    /// the second power of the rounding.
    fn decrease(&self, coefficients: &[f64]) -> f64 {
        let Some(Ball { radius, .. }) = &self.ball else { return f64::INFINITY };
        let multiplier = self.multiplier(coefficients);
        if !(multiplier > 0.0 && multiplier.is_finite()) {
            return f64::INFINITY;
        }
        let mut decrease = multiplier * radius * radius / 2.0;
        let mut size = decrease;
        for (at, &a) in coefficients.iter().enumerate().filter(|(_, a)| **a != 0.0) {
            let step = self.step(coefficients, multiplier, at);
            let square = multiplier * step * step / 2.0;
            decrease -= a * step + square;
            size += (a * step).abs() + square;
        }
        decrease + gamma(3 * coefficients.len() + 8) * size + TINY_SIZE
    }

    /// How far feature `at` moves for a multiplier: no further than the box, and a little more where
    /// its side is rounded.
    fn step(&self, coefficients: &[f64], multiplier: f64, at: usize) -> f64 {
        let Some(Ball { center, .. }) = &self.ball else { return 0.0 };
        let (low, high) = self.sides.at(at);
        if low >= high || coefficients[at] == 0.0 {
            return 0.0;
        }
        let (down, up) = ((low - center[at]).next_down(), (high - center[at]).next_up());
        (-coefficients[at] / multiplier).clamp(down.min(0.0), up.max(0.0))
    }

    /// The multiplier whose steps are about as long as the radius.
    fn multiplier(&self, coefficients: &[f64]) -> f64 {
        let Some(Ball { radius, .. }) = &self.ball else { return f64::INFINITY };
        let free = |index: usize| self.sides.lower[index] < self.sides.upper[index];
        // Without the box it would be this; with it, the same steps are shorter.
        let mut most = euclidean(coefficients, free) / radius;
        let length = |multiplier: f64| {
            let steps: Vec<f64> =
                (0..coefficients.len()).map(|at| self.step(coefficients, multiplier, at)).collect();
            euclidean(&steps, |_| true)
        };
        if !(most > 0.0 && most.is_finite()) || length(most) >= *radius * (1.0 - 1e-9) {
            return most;
        }
        let mut least = most * 1e-6;
        if length(least) < *radius {
            return least;
        }
        for _ in 0..HALVINGS {
            let middle = (least * most).sqrt();
            if length(middle) < *radius { most = middle } else { least = middle }
        }
        most
    }

    /// How far each feature moves, and that it moves, where `⟨coefficients, x⟩` becomes least: the
    /// budget goes to the features that gain most (a fractional knapsack). Rounded so that nothing
    /// moves less than it may.
    fn spend(&self, coefficients: &[f64], mut take: impl FnMut(usize, f64)) {
        let Some(Ball { center, norm, radius }) = &self.ball else { return };
        let room = |index: usize| {
            let (low, high) = self.sides.at(index);
            let down = coefficients[index] >= 0.0;
            let moved = if down { center[index] - low } else { high - center[index] };
            if low < high { moved.next_up().max(0.0) } else { 0.0 }
        };
        let gain = |index: usize| match norm {
            Norm::L0 => coefficients[index].abs() * room(index),
            _ => coefficients[index].abs(),
        };
        let mut order: Vec<usize> =
            (0..center.len()).filter(|&at| coefficients[at] != 0.0).collect();
        order.sort_by(|&a, &b| gain(b).total_cmp(&gain(a)));
        let mut left = *radius;
        for index in order {
            match norm {
                // Whole features only.
                Norm::L0 if left < 1.0 => return,
                Norm::L0 => {
                    take(index, room(index));
                    left -= 1.0;
                }
                _ => {
                    let share = room(index).min(left);
                    take(index, share);
                    left = (left - share).next_up();
                    if share <= 0.0 && left <= TINY_SIZE {
                        return;
                    }
                }
            }
        }
    }
}

/// `√Σ a²` over the free features, scaled so that no square underflows that matters.
fn euclidean(coefficients: &[f64], free: impl Fn(usize) -> bool) -> f64 {
    let values = || coefficients.iter().enumerate().filter(|(at, _)| free(*at)).map(|(_, a)| *a);
    let largest = values().fold(0.0_f64, |most, value| most.max(value.abs()));
    if largest > 0.0 && largest.is_finite() {
        largest * values().map(|value| (value / largest) * (value / largest)).sum::<f64>().sqrt()
    } else {
        values().map(f64::abs).sum()
    }
}
