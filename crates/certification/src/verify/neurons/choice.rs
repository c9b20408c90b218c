//! Where parts are cut.
use super::Problem;
use super::frontier::Open;
use crate::bounds;
use crate::bounds::beta_crown::{Fixed, Part};

/// Most kinks that a part is cut at in one round.
const MOST_CUTS: u32 = 5;

/// A part to bound, and a bound that holds on it already.
type Child = (Part, f64);

/// What the better half of a cut counts beside the worse one.
const BETTER_HALF: f64 = 0.1;

impl Problem<'_> {
    /// The parts that `taken` are cut into, about `together` of them, and those that have no kink
    /// left to cut at.
    pub(super) fn choose(
        &self,
        taken: Vec<Open>,
        together: usize,
    ) -> bounds::Result<(Vec<Child>, Vec<Open>)> {
        let (taken, leaves): (Vec<Open>, Vec<Open>) =
            taken.into_iter().partition(|open| !open.candidates.is_empty());
        let room = together / taken.len().max(1);
        let cuts = room.max(2).ilog2().clamp(1, MOST_CUTS) as usize;
        let mut halves: Vec<Part> = Vec::new();
        for open in &taken {
            for &kink in &open.candidates {
                halves
                    .extend([false, true].map(|positive| open.part.with(Fixed { kink, positive })));
            }
        }
        // Bounded once, without a step of the optimiser.
        let bounded = if self.specification.is_empty() {
            Vec::new()
        } else {
            self.whole.bound(&self.specification, &halves, 0)?
        };
        let mut tried = bounded.chunks_exact(2);
        let mut children = Vec::new();
        for open in taken {
            let mut scores: Vec<(f64, u32)> = Vec::new();
            for &kink in &open.candidates {
                let best = |rows: &[bounds::beta_crown::Bounded]| {
                    let best = rows.iter().map(|row| row.bound).fold(open.bound, f64::max);
                    // What is settled cannot become better.
                    best.min(0.0)
                };
                let pair = tried
                    .next()
                    .map_or((open.bound, open.bound), |pair| (best(&pair[0]), best(&pair[1])));
                let score = pair.0.min(pair.1) + BETTER_HALF * pair.0.max(pair.1);
                scores.push((score, kink));
            }
            // Sorting is stable: where nothing is gained, the order of the costs stays.
            scores.sort_by(|a, b| b.0.total_cmp(&a.0));
            let chosen = &scores[..cuts.min(scores.len())];
            for bits in 0..1_usize << chosen.len() {
                let mut part = open.part.clone();
                part.fixed.extend(
                    chosen.iter().enumerate().map(|(place, &(_, kink))| Fixed {
                        kink,
                        positive: bits >> place & 1 == 1,
                    }),
                );
                children.push((part, open.bound));
            }
        }
        Ok((children, leaves))
    }
}
