//! A transformation made ready for one input space, and what may be asked of it.
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Classifier, Domain, Error, Layout, Result, Seed};

use crate::generative::LatentMap;

use super::{Backward, Defended, Draws, Passage, TrainingRows};

/// Transforms the input of a classifier; its fields are its hyperparameters.
pub trait Transformation: std::fmt::Debug + Send + Sync {
    /// The name in the table.
    fn name(&self) -> &'static str;

    /// Its hyperparameters, where some stand in a table of their own (a network's, say), so that
    /// their defaults are known too; null where there are no such tables.
    fn parameters(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// How a gradient passes it.
    fn gradient(&self) -> Backward;

    /// Whether its result depends on a draw.
    fn is_random(&self) -> bool {
        false
    }

    /// Whether it takes something from training samples.
    fn needs_data(&self) -> bool {
        false
    }

    /// The transformation with what it takes from training samples; `None` if that is nothing.
    ///
    /// # Errors
    /// [`Error::Parameter`], [`Error::Layout`], [`Error::NotAnImage`] where it does not fit them.
    fn fit(&self, data: &TrainingRows<'_>) -> Result<Option<Box<dyn Transformation>>> {
        let _ = data;
        Ok(None)
    }

    /// The input space of the classifier behind it, where the rows that come are of `domain`: the
    /// same, unless it is an encoding.
    ///
    /// # Errors
    /// As [`Transformation::check`].
    fn inner_domain(&self, domain: &Domain) -> Result<Domain> {
        Ok(domain.clone())
    }

    /// Checks the hyperparameters, and whether the transformation is defined for rows of `domain`,
    /// the input space of the classifier behind it.
    ///
    /// # Errors
    /// [`Error::Parameter`], [`Error::Layout`], [`Error::NotAnImage`].
    fn check(&self, domain: &Domain) -> Result<()>;

    /// The transformation of rows for a classifier of `domain`.
    ///
    /// # Errors
    /// As [`Transformation::check`]; [`Error::NotFitted`].
    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>>;

    /// The transformation in front of what takes rows of `inner`, random draws by `seed`.
    ///
    /// # Errors
    /// As [`Transformation::prepare`].
    fn passage(&self, inner: &Domain, seed: Seed) -> Result<Passage> {
        self.check(inner)?;
        let mapping: Arc<dyn Mapping> = Arc::from(self.prepare(inner)?);
        let (name, backward, random) = (self.name(), self.gradient(), self.is_random());
        Ok(Passage { name, mapping, backward, random, seed })
    }

    /// `base` behind the transformation, as it is deployed: see [`Defended`].
    ///
    /// # Errors
    /// As [`Transformation::prepare`].
    fn wrap(&self, base: Arc<dyn Classifier>, seed: Seed) -> Result<Defended> {
        let passage = self.passage(base.domain(), seed)?;
        Ok(Defended::new(base, passage))
    }
}

/// What a transformation does to rows, and to logits.
///
/// Rows are treated independently: a result depends on the row and on its draw alone.
pub trait Mapping: Send + Sync {
    /// The rows that the classifier sees, `[N, F] → [N, F]` (`[N, E]` where
    /// [`Mapping::outer`] is another domain). On the tape where the gradient is
    /// [`Backward::Exact`]; anywhere else only its values count.
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2>;

    /// The differentiable stand-in of [`Backward::Surrogate`], of the same shape.
    fn surrogate(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        self.apply(rows, draws)
    }

    /// What becomes of the classifier's logits `[N, K]`.
    fn logits(&self, logits: Tensor<2>) -> Tensor<2> {
        logits
    }

    /// The generator whose rows it hands through as they are, where there is one: in which an
    /// adversary looks ([`crate::generative::LatentAttack`]).
    fn latent_map(&self) -> Option<Arc<dyn LatentMap>> {
        None
    }

    /// The input space of the whole, where it is not that of the classifier.
    fn outer(&self) -> Option<&Domain> {
        None
    }
}

/// The error for a hyperparameter.
pub(crate) fn wrong<T>(
    algorithm: &'static str,
    field: &'static str,
    expected: &'static str,
    got: impl ToString,
) -> Result<T> {
    Err(Error::Parameter { algorithm, field, expected, got: got.to_string() })
}

/// `[channels, samples]` of a waveform.
pub(super) fn waveform_shape(algorithm: &'static str, domain: &Domain) -> Result<[usize; 2]> {
    match domain.layout() {
        Layout::Waveform { channels, samples } => Ok([channels, samples]),
        got => Err(Error::Layout { algorithm, expected: "a waveform", got }),
    }
}

/// Checks that a number is finite and in a range.
pub(crate) fn in_range(
    algorithm: &'static str,
    field: &'static str,
    value: f64,
    range: impl std::ops::RangeBounds<f64>,
    expected: &'static str,
) -> Result<()> {
    if value.is_finite() && range.contains(&value) {
        return Ok(());
    }
    wrong(algorithm, field, expected, value)
}
