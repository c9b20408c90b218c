//! The parts that are not settled yet.
use std::collections::BinaryHeap;

use crate::bounds::beta_crown::{Bounded, Part, Start};

/// A part that is not settled, the least settled first.
pub(super) struct Open {
    pub(super) part: Part,
    /// The best bound of its rows, and no less than that of the part it was cut from.
    pub(super) bound: f64,
    /// Kinks that are worth fixing.
    pub(super) candidates: Vec<u32>,
}

impl Open {
    /// A part and what is known of its rows; `floor` is a bound of the part it was cut from.
    pub(super) fn new(mut part: Part, rows: Vec<Bounded>, floor: f64) -> Self {
        let best = rows.iter().max_by(|a, b| a.bound.total_cmp(&b.bound));
        let bound = best.map_or(f64::NEG_INFINITY, |row| row.bound).max(floor);
        let candidates = best.map(|row| row.candidates.clone()).unwrap_or_default();
        part.starts = rows.into_iter().map(|row| row.start).collect();
        Self { part, bound, candidates }
    }

    /// Values held, in f64, but for a few.
    fn size(&self) -> usize {
        let start = |start: &Start| start.slopes.len() / 2 + start.multipliers.len();
        self.part.fixed.len() + 16 + self.part.starts.iter().map(start).sum::<usize>()
    }
}

impl PartialEq for Open {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Open {}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Open {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let depth = |open: &Self| open.part.fixed.len();
        other.bound.total_cmp(&self.bound).then_with(|| depth(self).cmp(&depth(other)))
    }
}

/// All of them.
pub(super) struct Frontier {
    heap: BinaryHeap<Open>,
    held: usize,
    memory: usize,
    root: Vec<Start>,
}

impl Frontier {
    /// Beyond `memory` f64 values, parts begin again with the slopes of the root.
    pub(super) fn new(root: Open, memory: usize) -> Self {
        let starts = root.part.starts.iter();
        let starts = starts.map(|start| Start { multipliers: Vec::new(), ..start.clone() });
        let starts = starts.collect();
        let mut frontier = Self { heap: BinaryHeap::new(), held: 0, memory, root: starts };
        frontier.push(root);
        frontier
    }

    pub(super) fn push(&mut self, mut open: Open) {
        if self.held.saturating_add(open.size()) > self.memory {
            // Cloned slopes are shared.
            open.part.starts.clone_from(&self.root);
        }
        self.held += open.size();
        self.heap.push(open);
    }

    /// The least settled parts.
    pub(super) fn take(&mut self, most: usize) -> Vec<Open> {
        let taken: Vec<Open> = (0..most.max(1)).map_while(|_| self.heap.pop()).collect();
        self.held = taken.iter().fold(self.held, |held, open| held.saturating_sub(open.size()));
        taken
    }
}
