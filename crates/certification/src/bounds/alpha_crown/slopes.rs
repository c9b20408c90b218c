//! The slopes that rows may choose, and the lines that belong to them.
use rayon::prelude::*;

use super::splits::Splits;
use crate::bounds::backward::{Analysis, Rows};
use crate::bounds::network::{Function, Step};
use crate::bounds::relaxation::{Curve, Line, is_free};

/// A value whose planes are fixed.
const FIXED: u32 = u32::MAX;

/// Most curves whose slopes are chosen for values before a relaxation: a new constant is looked for
/// in each step, for each of them and each row.
const MOST_CURVES: usize = 512;

/// What a step is shortened by for curves: their bounds bend sharply where a line turns from one
/// point of contact to another.
const CURVE_RATE: f64 = 0.3;

/// For each row, slopes of some values of some steps.
#[derive(Clone, Debug)]
pub(in crate::bounds) struct Slopes {
    rows: usize,
    /// For each step, which kink or curve each value is; empty where all are fixed.
    kinks: Vec<Vec<u32>>,
    curves: Vec<Vec<u32>>,
    /// `[kink, row]`: the slope of the line below.
    lower: Vec<f64>,
    limits: Vec<(f64, f64)>,
    bends: Vec<Curve>,
    /// `[curve, row]`: the lines below and above.
    lines: Vec<[Line; 2]>,
    /// Kinks that some rows have fixed on one side.
    splits: Splits,
}

/// How a value is relaxed.
#[derive(Clone, Copy, Debug)]
pub(in crate::bounds) enum Bend<'a> {
    /// By its planes.
    Fixed,
    /// By a line through the origin below, one slope a row, and its plane above.
    Kink { first: usize, slopes: &'a [f64] },
    /// As a kink, but fixed on one side in some rows.
    Split { first: usize, slopes: &'a [f64], split: Split<'a> },
    /// By lines below and above, a pair a row.
    Curve { first: usize, lines: &'a [[Line; 2]] },
}

/// What rows know of a kink that some of them have fixed, one of each a row.
#[derive(Clone, Copy, Debug)]
pub(in crate::bounds) struct Split<'a> {
    /// Place of the first multiplier in a gradient.
    pub(in crate::bounds) first: usize,
    /// 1 where the value is not negative, −1 where it is not positive, 0 where either may be.
    pub(in crate::bounds) signs: &'a [f64],
    /// Slope and constant of the line above.
    pub(in crate::bounds) above: &'a [(f64, f64)],
    /// What the sign's constraint is multiplied by, not negative.
    pub(in crate::bounds) multipliers: &'a [f64],
}

impl Slopes {
    /// The slopes that the planes have.
    pub(in crate::bounds) fn new(analysis: &Analysis<'_>, rows: &Rows) -> Self {
        let network = analysis.network;
        let mut slopes = Self {
            rows: rows.count,
            kinks: vec![Vec::new(); rows.target + 1],
            curves: vec![Vec::new(); rows.target + 1],
            lower: Vec::new(),
            limits: Vec::new(),
            bends: Vec::new(),
            lines: Vec::new(),
            splits: Splits::default(),
        };
        for index in 0..=rows.target {
            let Step::Curve { source, function } = &network.steps[index] else { continue };
            let known = &analysis.known[*source];
            for (at, planes) in analysis.planes[index].iter().enumerate() {
                let place = |list: &mut Vec<u32>, count: usize| {
                    list.resize(network.sizes[index], FIXED);
                    list[at] = count as u32;
                };
                if let Function::Kink { negative, positive } = function {
                    let sides = [negative.at(at), *positive];
                    if is_free(sides, known.at(at)) {
                        place(&mut slopes.kinks[index], slopes.limits.len());
                        slopes.limits.push((sides[0], sides[1]));
                        let slope = planes.lower.first;
                        slopes.lower.extend(std::iter::repeat_n(slope, rows.count));
                    }
                } else if let Some(curve) = Curve::new(function, known.at(at)) {
                    place(&mut slopes.curves[index], slopes.bends.len());
                    let lines = [curve.below(planes.lower.first), curve.above(planes.upper.first)];
                    slopes.bends.push(curve);
                    slopes.lines.extend(std::iter::repeat_n(lines, rows.count));
                }
            }
        }
        if rows.target != network.output && slopes.bends.len() > MOST_CURVES {
            slopes.curves = vec![Vec::new(); rows.target + 1];
            (slopes.bends, slopes.lines) = (Vec::new(), Vec::new());
        }
        slopes
    }

    /// Number of slopes.
    pub(in crate::bounds) fn len(&self) -> usize {
        self.lower.len() + 2 * self.lines.len() + self.splits.len()
    }

    /// The kinks whose slopes may be chosen, step and place, in the order of their slopes.
    pub(in crate::bounds) fn free_kinks(&self) -> Vec<(usize, usize)> {
        let mut free = vec![(0, 0); self.limits.len()];
        for (step, places) in self.kinks.iter().enumerate() {
            for (at, &place) in places.iter().enumerate().filter(|(_, place)| **place != FIXED) {
                free[place as usize] = (step, at);
            }
        }
        free
    }

    /// The slopes between which that of a value may be chosen, a free kink.
    pub(in crate::bounds) fn limits_of(&self, index: usize, at: usize) -> (f64, f64) {
        self.limits[self.kinks[index][at] as usize]
    }

    /// The slope of free kink `kink` in `row`.
    pub(in crate::bounds) fn slope(&self, kink: usize, row: usize) -> f64 {
        self.lower[kink * self.rows + row]
    }

    /// Sets the slope of free kink `kink` in `row`; what is outside its limits is moved to them.
    pub(in crate::bounds) fn set_slope(&mut self, kink: usize, row: usize, slope: f64) {
        let (low, high) = self.limits[kink];
        if slope.is_finite() {
            self.lower[kink * self.rows + row] = slope.clamp(low, high);
        }
    }

    /// Fixes free kink `kink`, whose line above is `above` where it is not fixed, on one side in
    /// `row`.
    pub(in crate::bounds) fn fix(
        &mut self,
        (kink, above): (usize, (f64, f64)),
        row: usize,
        positive: bool,
        multiplier: f64,
    ) {
        let (low, high) = self.limits[kink];
        let slope = if positive { high } else { low };
        self.lower[kink * self.rows + row] = slope;
        let at = self.splits.place(kink, self.limits.len(), self.rows, above) + row;
        self.splits.signs[at] = if positive { 1.0 } else { -1.0 };
        self.splits.above[at] = (slope, 0.0);
        // NaN is no multiplier.
        self.splits.multipliers[at] = multiplier.max(0.0);
    }

    /// The multiplier of free kink `kink` in `row`; 0 where it is not fixed.
    pub(in crate::bounds) fn multiplier(&self, kink: usize, row: usize) -> f64 {
        self.splits.find(kink).map_or(0.0, |own| self.splits.multipliers[own * self.rows + row])
    }

    /// How far one step moves multipliers: as far as the coefficients that met the kink are large.
    pub(in crate::bounds) fn scale_multipliers(&mut self, size: impl Fn(usize, usize) -> f64) {
        self.splits.scale(self.rows, size);
    }

    /// How value `at` of step `index` is relaxed.
    pub(in crate::bounds) fn at(&self, index: usize, at: usize) -> Bend<'_> {
        let place = |list: &[Vec<u32>]| {
            let place = list[index].get(at).copied().filter(|&place| place != FIXED)?;
            Some(place as usize * self.rows)
        };
        if let Some(first) = place(&self.kinks) {
            let slopes = &self.lower[first..][..self.rows];
            let before = self.lower.len() + 2 * self.lines.len();
            match self.splits.find(first / self.rows) {
                None => Bend::Kink { first, slopes },
                Some(own) => {
                    let split = self.splits.at(own * self.rows, self.rows, before);
                    Bend::Split { first, slopes, split }
                }
            }
        } else if let Some(own) = place(&self.curves) {
            let first = self.lower.len() + 2 * own;
            Bend::Curve { first, lines: &self.lines[own..][..self.rows] }
        } else {
            Bend::Fixed
        }
    }

    /// Goes `rate` times the width of what is allowed along `direction`, and no further than that.
    pub(in crate::bounds) fn moved(&mut self, direction: &[f64], rate: f64) {
        let step = |slope: f64, (low, high): (f64, f64), direction: f64| {
            let moved = slope + rate * (high - low) * direction;
            if moved.is_finite() { moved.clamp(low, high) } else { slope }
        };
        let rows = self.rows;
        let (kinks, others) = direction.split_at(self.lower.len());
        let (curves, multipliers) = others.split_at(2 * self.lines.len());
        self.splits.moved(multipliers, rate);
        for (at, (slope, direction)) in self.lower.iter_mut().zip(kinks).enumerate() {
            *slope = step(*slope, self.limits[at / rows], *direction);
        }
        let bends = &self.bends;
        let pairs = self.lines.par_iter_mut().zip(curves.par_chunks_exact(2)).enumerate();
        pairs.with_min_len(64).for_each(|(at, (lines, direction))| {
            let curve = &bends[at / rows];
            let [below, above] = [0, 1]
                .map(|side| step(lines[side].slope, curve.limits, CURVE_RATE * direction[side]));
            // Where nothing asks for a line, it stays.
            if direction[0] != 0.0 {
                lines[0] = curve.below(below);
            }
            if direction[1] != 0.0 {
                lines[1] = curve.above(above);
            }
        });
    }
}
