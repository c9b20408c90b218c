//! A classifier behind a transformation, as three people see it.
//!
//! Its owner deploys [`Defended`]: each input with a draw of its own. The adversary who knows the
//! defence differentiates the same through BPDA, and in expectation over draws ([`Defended::adversary`]).
//! One who does not takes the gradient as it comes ([`Defended::naive`]), or that of the base.
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Activation, Classifier, Domain, Randomized};

use crate::generative::LatentMap;

use super::passage::Passage;
use super::{Backward, Draws, Mapping};

/// A classifier behind a transformation, as deployed.
///
/// Without a tape it is the real pipeline, bit for bit. On a tape the values are the same up to
/// rounding and the gradient passes as the transformation says. A random transformation takes a
/// draw of its own for each row, from the seed and the row's bits: so the answers to a row do not
/// depend on the batch, and one more query of a changed row is one more draw.
pub struct Defended {
    base: Arc<dyn Classifier>,
    passage: Passage,
}

impl Defended {
    /// `base` behind `passage`, which is made for its domain.
    #[must_use]
    pub fn new(base: Arc<dyn Classifier>, passage: Passage) -> Self {
        Self { base, passage }
    }

    /// The classifier without the transformation.
    #[must_use]
    pub fn base(&self) -> &Arc<dyn Classifier> {
        &self.base
    }

    /// How a gradient passes.
    #[must_use]
    pub fn gradient(&self) -> Backward {
        self.passage.backward
    }

    /// Whether answers depend on a draw.
    #[must_use]
    pub fn is_random(&self) -> bool {
        self.passage.random
    }

    /// The rows that the classifier behind the transformation sees, off the tape.
    #[must_use]
    pub fn transformed(&self, rows: Tensor<2>) -> Tensor<2> {
        let rows = rows.inner();
        let draws = self.passage.draws(&rows);
        self.mapping().apply(rows, &draws)
    }

    /// For the adversary who knows the defence: one draw for all rows of a pass, named, so that an
    /// [`duress_core::Expectation`] can average over draws (EOT).
    #[must_use]
    pub fn adversary(&self) -> Adversary<'_> {
        Adversary(self)
    }

    /// For the adversary who asks the pipeline for its own gradient: zero where a step function
    /// stands in the way, that of one draw where it is random.
    #[must_use]
    pub fn naive(&self) -> Naive<'_> {
        Naive(self)
    }

    /// The generator whose rows the transformation hands through as they are, where there is one.
    #[must_use]
    pub fn latent_map(&self) -> Option<Arc<dyn LatentMap>> {
        self.mapping().latent_map()
    }

    fn mapping(&self) -> &dyn Mapping {
        self.passage.mapping.as_ref()
    }

    /// Logits with the gradient of the backward pass.
    fn through(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        self.mapping().logits(self.base.forward(self.passage.seen(rows, draws)))
    }
}

impl Classifier for Defended {
    fn domain(&self) -> &Domain {
        self.mapping().outer().unwrap_or_else(|| self.base.domain())
    }

    fn classes(&self) -> usize {
        self.base.classes()
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let draws = self.passage.draws(&rows);
        self.through(rows, &draws)
    }

    /// Those of the base, at what it gets to see; the logits are the pipeline's.
    fn activations(&self, rows: Tensor<2>) -> Vec<Activation> {
        let draws = self.passage.draws(&rows);
        let mut all = self.base.activations(self.passage.seen(rows, &draws));
        if let Some(logits) = all.pop() {
            all.push(Activation::logits(self.mapping().logits(logits.values)));
        }
        all
    }
}

/// See [`Defended::adversary`].
#[derive(Clone, Copy)]
pub struct Adversary<'a>(&'a Defended);

impl Randomized for Adversary<'_> {
    fn domain(&self) -> &Domain {
        Classifier::domain(self.0)
    }

    fn classes(&self) -> usize {
        Classifier::classes(self.0)
    }

    fn forward(&self, rows: Tensor<2>, draw: u64) -> Tensor<2> {
        self.0.through(rows, &Draws::shared(draw))
    }
}

/// See [`Defended::naive`].
#[derive(Clone, Copy)]
pub struct Naive<'a>(&'a Defended);

impl Classifier for Naive<'_> {
    fn domain(&self) -> &Domain {
        Classifier::domain(self.0)
    }

    fn classes(&self) -> usize {
        Classifier::classes(self.0)
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let Naive(defended) = *self;
        if !rows.is_autodiff() || defended.gradient() == Backward::Exact {
            return Classifier::forward(defended, rows);
        }
        let draws = defended.passage.draws(&rows);
        let hard = defended.mapping().apply(rows.clone().inner(), &draws).inner();
        // On the tape, with a slope of zero: what automatic differentiation says of a step.
        let flat = match defended.gradient() {
            Backward::Surrogate => defended.mapping().surrogate(rows, &draws),
            _ => rows,
        };
        defended.mapping().logits(defended.base.forward(flat * 0.0 + hard))
    }
}
