//! Searches that are written for one sample and answered for the whole batch.
//!
//! An attack that sees only scores or labels (and the odd white-box one) is a program about one
//! sample: it asks, branches on the answer and asks again. Here it is written as just that, an
//! `async` function. All samples of a batch run side by side; when each of them has asked, one pass
//! answers them together. So a sample's result cannot depend on its neighbours, each query is
//! counted where it is spent, and a sample that is done leaves by returning.
//!
//! The rows of a question are made on the host and move to the device once a round.
mod asker;
mod round;

use std::future::Future;
use std::pin::Pin;

pub use asker::{Asker, Slopes};

use crate::job::{GradientJob, LabelJob, ScoreJob};
use crate::{Error, Loss, Result};
use burn::prelude::*;
use round::{Answer, Kind};

/// Access level of an [`Asker`]: predicted classes.
#[derive(Debug)]
pub enum Labels {}

/// Access level of an [`Asker`]: logits.
#[derive(Debug)]
pub enum Scores {}

/// Access level of an [`Asker`]: logits and gradients.
#[derive(Debug)]
pub enum Gradients {}

/// Why a search ends before its own end. `?` passes it on.
#[derive(Clone, Debug, PartialEq)]
pub enum Halt {
    /// The sample is solved: nothing nearer is asked for.
    Solved,
    /// No query is left for the question.
    Budget,
    /// The model, the device or the user stopped it.
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Halt::Failed(error)
    }
}

/// A search in progress.
pub type Searching<'s> = Pin<Box<dyn Future<Output = Result<(), Halt>> + Send + 's>>;

/// An attack on one sample, at access level `L`.
///
/// ```
/// use duress_core::search::{Asker, Labels, Search, Searching};
///
/// /// Asks about the corner of the box.
/// struct Corner;
///
/// impl Search<Labels> for Corner {
///     fn search<'s>(&'s self, asker: &'s mut Asker<Labels>) -> Searching<'s> {
///         Box::pin(async move {
///             let corner = asker.upper().to_vec();
///             asker.meets(&corner).await?;
///             Ok(())
///         })
///     }
/// }
/// ```
pub trait Search<L>: Sync {
    /// Runs the search. Points that meet the goal are kept by the asker as they are answered.
    fn search<'s>(&'s self, asker: &'s mut Asker<L>) -> Searching<'s>;

    /// What [`Asker::gradient`] differentiates.
    fn loss(&self) -> Option<&dyn Loss> {
        None
    }
}

/// Runs `search` on every active sample, with label access: the best row of each, `[N, F]`.
///
/// # Errors
/// Those of the model; [`Error::Cancelled`].
pub fn search_labels(job: &mut LabelJob<'_>, search: &dyn Search<Labels>) -> Result<Tensor<2>> {
    round::run(job, search, |job, kind, rows, _| match kind {
        Kind::Labels => Ok(Answer::labels(job.oracle.labels(rows)?)?),
        Kind::Logits | Kind::Gradient => Err(beyond("label")),
    })
}

/// Runs `search` on every active sample, with score access.
///
/// # Errors
/// As [`search_labels`].
pub fn search_scores(job: &mut ScoreJob<'_>, search: &dyn Search<Scores>) -> Result<Tensor<2>> {
    round::run(job, search, |job, kind, rows, _| match kind {
        Kind::Labels => Ok(Answer::labels(job.oracle.labels(rows)?)?),
        Kind::Logits => Ok(Answer::logits(job.oracle.logits(rows)?)?),
        Kind::Gradient => Err(beyond("score")),
    })
}

/// Runs `search` on every active sample, with gradient access.
///
/// # Errors
/// As [`search_labels`].
pub fn search_gradients(
    job: &mut GradientJob<'_>,
    search: &dyn Search<Gradients>,
) -> Result<Tensor<2>> {
    round::run(job, search, |job, kind, rows, aim| match kind {
        Kind::Labels => Ok(Answer::labels(job.oracle.labels(rows)?)?),
        Kind::Logits => Ok(Answer::logits(job.oracle.logits(rows)?)?),
        Kind::Gradient => {
            let loss = search.loss().ok_or_else(|| beyond("no loss, but gradient"))?;
            Ok(Answer::gradient(job.oracle.gradient(rows, &aim()?, loss)?)?)
        }
    })
}

fn beyond(level: &str) -> Error {
    Error::Device(format!("a search asked beyond its {level} access"))
}

#[cfg(test)]
mod tests;
