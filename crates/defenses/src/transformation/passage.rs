//! A transformation made ready for one input space, with its draws and its backward pass: what
//! stands before a classifier that is deployed, and before a network that is trained.
use std::fmt;
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Seed, host};
use duress_models::Front;

use super::{Backward, Draws, Mapping};

/// A transformation in front of something; made by [`super::Transformation::passage`].
#[derive(Clone)]
pub struct Passage {
    pub(super) name: &'static str,
    pub(super) mapping: Arc<dyn Mapping>,
    pub(super) backward: Backward,
    pub(super) random: bool,
    pub(super) seed: Seed,
}

impl fmt::Debug for Passage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passage").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Passage {
    /// The name of the transformation.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether what comes through depends on a draw.
    #[must_use]
    pub fn is_random(&self) -> bool {
        self.random
    }

    /// The same with other draws.
    #[must_use]
    pub fn with_seed(&self, seed: Seed) -> Self {
        Self { seed, ..self.clone() }
    }

    /// The draws of a pass: one a row, by its bits.
    pub(super) fn draws(&self, rows: &Tensor<2>) -> Draws {
        if !self.random {
            return Draws::shared(self.seed.0);
        }
        let features = rows.dims()[1];
        let values = host::floats(rows.clone().inner()).expect("the device hands back its rows");
        Draws::of_rows(&values, features, self.seed)
    }

    /// What comes through, with the gradient of the backward pass.
    pub(super) fn seen(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        let mapping = self.mapping.as_ref();
        if rows.is_autodiff() {
            let plain = rows.clone().inner();
            match self.backward {
                Backward::Exact => mapping.apply(rows, draws),
                // The difference is off the tape: forward the transformed rows, backward the
                // identity, or the stand-in.
                Backward::Identity => rows + (mapping.apply(plain.clone(), draws).inner() - plain),
                Backward::Surrogate => {
                    let hard = mapping.apply(plain, draws).inner();
                    let soft = mapping.surrogate(rows, draws);
                    let rest = hard - soft.clone().inner();
                    soft + rest
                }
                Backward::None => mapping.apply(plain, draws).inner(),
            }
        } else {
            mapping.apply(rows, draws)
        }
    }
}

impl Front for Passage {
    fn pass(&self, rows: Tensor<2>) -> Tensor<2> {
        let on_tape = rows.is_autodiff();
        let seen = self.seen(rows.clone(), &self.draws(&rows));
        // Weights in training are on the tape, whatever becomes of the rows.
        if on_tape && !seen.is_autodiff() { seen.autodiff() } else { seen }
    }
}
