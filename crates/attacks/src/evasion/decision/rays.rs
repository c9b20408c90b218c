//! `RayS`.
//!
//! Chen, Gu. *`RayS`: A Ray Searching Method for Hard-Label Adversarial Attack.* KDD 2020,
//! algorithms 2 and 3. <https://arxiv.org/abs/2006.12792>
use burn::prelude::*;
use duress_core::search::{Labels, search_labels};
use duress_core::{
    Access, Algorithm, Asker, Halt, LabelAttack, LabelJob, Norm, Reach, Result, Search, Searching,
    Setting,
};
use serde::{Deserialize, Serialize};

use super::probe::{Probe, Room};
use crate::table::{Entry, defaults, label};

/// Rays whose directions are signs: blocks of signs are flipped, halves of the row first, and a
/// flip is kept if the boundary is nearer along it.
///
/// A direction is asked about at the current radius first: one query for one that is no better. The
/// first direction is all `+1`, from the far corner of the box inwards. Radii are those of the
/// L2-normalised direction, as in the paper; the distance of the result is that of its final row.
/// No draw is made. A pass over the single features that changes nothing would change nothing
/// again, and ends the search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rays {
    /// Most queries.
    pub queries: u64,
    /// The bisection's tolerance, as a share of the box's side.
    pub tolerance: f64,
}

impl Rays {
    /// The paper's: 10,000 queries, tolerance 10⁻³.
    #[must_use]
    pub fn paper() -> Self {
        Self { queries: 10_000, tolerance: 1e-3 }
    }
}

impl Default for Rays {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "rays",
    summary: "flips of blocks of signs along rays",
    reference: "arXiv:2006.12792",
    norms: &[Norm::Linf],
    access: Access::Labels,
    targeted: true,
    defaults: defaults::<Rays>,
    parse: label::<Rays>,
};

impl Algorithm for Rays {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn reach(&self) -> Reach {
        Reach::Nearest
    }

    fn check(&self, _: &Setting<'_>) -> Result<()> {
        ENTRY.at_least_one("queries", self.queries)?;
        ENTRY.positive("tolerance", self.tolerance)
    }
}

impl LabelAttack for Rays {
    fn perturb(&self, job: &mut LabelJob<'_>) -> Result<Tensor<2>> {
        search_labels(job, self)
    }
}

impl Search<Labels> for Rays {
    fn search<'s>(&'s self, asker: &'s mut Asker<Labels>) -> Searching<'s> {
        let probe = Probe::new(asker).with_queries(self.queries);
        Box::pin(async move { self.flip(probe).await })
    }
}

impl Rays {
    async fn flip(&self, mut probe: Probe<'_>) -> Result<(), Halt> {
        let features = probe.room.movable.len();
        if features == 0 {
            return Ok(());
        }
        let corner = (features as f64).sqrt() * probe.room.side;
        let tolerance = self.tolerance * probe.room.side;
        let mut best = Ray { signs: vec![1.0; features], radius: corner, found: false };
        let first = best.signs.clone();
        best.improve(&mut probe, first, tolerance).await?;
        let mut block = features;
        loop {
            let mut changed = false;
            for start in (0..features).step_by(block) {
                let mut signs = best.signs.clone();
                let end = features.min(start + block);
                signs[start..end].iter_mut().for_each(|sign| *sign = -*sign);
                changed |= best.improve(&mut probe, signs, tolerance).await?;
            }
            if block == 1 && !changed {
                return Ok(());
            }
            block = block.div_ceil(2);
        }
    }
}

/// The best direction so far.
struct Ray {
    /// Of the features that can move.
    signs: Vec<f64>,
    /// Along the L2-normalised direction.
    radius: f64,
    /// Whether the point at `radius` meets the goal.
    found: bool,
}

impl Ray {
    /// Takes `signs` if the boundary is nearer along them.
    async fn improve(
        &mut self,
        probe: &mut Probe<'_>,
        signs: Vec<f64>,
        tolerance: f64,
    ) -> Result<bool, Halt> {
        let at = |room: &Room, radius: f64| {
            let step = radius / (signs.len() as f64).sqrt();
            let mut row = room.clean.clone();
            for (&feature, sign) in room.movable.iter().zip(&signs) {
                row[feature] = room.clip(feature, f64::from(row[feature]) + sign * step);
            }
            row
        };
        let row = at(&probe.room, self.radius);
        if !probe.meets(&row).await? {
            return Ok(false);
        }
        let radius = probe.bisect((0.0, self.radius), tolerance, at).await?;
        if self.found && radius >= self.radius {
            return Ok(false);
        }
        *self = Self { signs, radius, found: true };
        Ok(true)
    }
}
