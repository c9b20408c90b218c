//! The slopes that rows may choose, and the lines that belong to them.
use rayon::prelude::*;

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
}

/// How a value is relaxed.
#[derive(Clone, Copy, Debug)]
pub(in crate::bounds) enum Bend<'a> {
    /// By its planes.
    Fixed,
    /// By a line through the origin below, one slope a row, and its plane above.
    Kink { first: usize, slopes: &'a [f64] },
    /// By lines below and above, a pair a row.
    Curve { first: usize, lines: &'a [[Line; 2]] },
}

impl Slopes {
    /// The slopes that the planes have.
    pub(super) fn new(analysis: &Analysis<'_>, rows: &Rows) -> Self {
        let network = analysis.network;
        let mut slopes = Self {
            rows: rows.count,
            kinks: vec![Vec::new(); rows.target + 1],
            curves: vec![Vec::new(); rows.target + 1],
            lower: Vec::new(),
            limits: Vec::new(),
            bends: Vec::new(),
            lines: Vec::new(),
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
    pub(super) fn len(&self) -> usize {
        self.lower.len() + 2 * self.lines.len()
    }

    /// How value `at` of step `index` is relaxed.
    pub(in crate::bounds) fn at(&self, index: usize, at: usize) -> Bend<'_> {
        let place = |list: &[Vec<u32>]| {
            let place = list[index].get(at).copied().filter(|&place| place != FIXED)?;
            Some(place as usize * self.rows)
        };
        if let Some(first) = place(&self.kinks) {
            Bend::Kink { first, slopes: &self.lower[first..][..self.rows] }
        } else if let Some(own) = place(&self.curves) {
            let first = self.lower.len() + 2 * own;
            Bend::Curve { first, lines: &self.lines[own..][..self.rows] }
        } else {
            Bend::Fixed
        }
    }

    /// Goes `rate` times the width of what is allowed along `direction`, and no further than that.
    pub(super) fn moved(&mut self, direction: &[f64], rate: f64) {
        let step = |slope: f64, (low, high): (f64, f64), direction: f64| {
            let moved = slope + rate * (high - low) * direction;
            if moved.is_finite() { moved.clamp(low, high) } else { slope }
        };
        let rows = self.rows;
        let (kinks, curves) = direction.split_at(self.lower.len());
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
