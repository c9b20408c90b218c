//! A part of an input set: which kinks are fixed on which side, and where the optimiser begins.
use std::sync::Arc;

use super::Kink;
use crate::bounds::alpha_crown::Slopes;

/// A kink on one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fixed {
    /// Its place among the kinks of the whole.
    pub(crate) kink: u32,
    /// Whether its operand is not negative; else it is not positive.
    pub(crate) positive: bool,
}

/// The points of the set where the operands of some kinks have given signs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    /// In the order in which they were fixed, no kink twice.
    pub(crate) fixed: Vec<Fixed>,
    /// Where each row of the specification begins; none yet if empty.
    pub(crate) starts: Vec<Start>,
}

/// Slopes and multipliers to begin with. In f32, which is enough: whatever they are, the bound is
/// sound for them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Start {
    /// A slope a kink; shared by parts.
    pub(crate) slopes: Arc<[f32]>,
    /// A multiplier a fixed kink, 0 where there is none.
    pub(crate) multipliers: Vec<f32>,
}

/// What is known of a row on a part.
#[derive(Clone, Debug)]
pub(crate) struct Bounded {
    /// The lower bound.
    pub(crate) bound: f64,
    /// What attains it.
    pub(crate) start: Start,
    /// Kinks that cost it most, the worst first.
    pub(crate) candidates: Vec<u32>,
    /// A point of the set at which a bound is attained; not always of the part.
    pub(crate) point: Vec<f64>,
}

impl Part {
    /// The part of this one where another kink is fixed.
    pub(crate) fn with(&self, fixed: Fixed) -> Self {
        let mut part = self.clone();
        part.fixed.push(fixed);
        part
    }

    /// Sets slopes and multipliers of row `row` to those of row `own` of the specification; whether
    /// there are any.
    pub(super) fn begin(
        &self,
        kinks: &[Kink],
        slopes: &mut Slopes,
        own: usize,
        row: usize,
    ) -> bool {
        let start = self.starts.get(own);
        for (kink, slope) in start.iter().flat_map(|start| start.slopes.iter()).enumerate() {
            slopes.set_slope(kink, row, f64::from(*slope));
        }
        for (place, fixed) in self.fixed.iter().enumerate() {
            let kink = fixed.kink as usize;
            let multiplier = start.and_then(|start| start.multipliers.get(place)).copied();
            let above = kinks[kink].above;
            slopes.fix((kink, above), row, fixed.positive, multiplier.unwrap_or(0.0).into());
        }
        start.is_some_and(|start| !start.slopes.is_empty())
    }

    /// The slopes and multipliers of row `row`.
    pub(super) fn end(&self, kinks: &[Kink], slopes: &Slopes, row: usize) -> Start {
        let own = (0..kinks.len()).map(|kink| slopes.slope(kink, row) as f32).collect();
        let multiplier = |fixed: &Fixed| slopes.multiplier(fixed.kink as usize, row) as f32;
        Start { slopes: own, multipliers: self.fixed.iter().map(multiplier).collect() }
    }
}
