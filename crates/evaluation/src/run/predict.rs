//! What the first model of an experiment answers to its test samples.
use duress_core::{Oracle, host};

use super::build::BATCH;
use super::data::Data;
use super::{Context, Runner};
use crate::Result;
use crate::experiment::Experiment;

/// Answers of a model.
#[derive(Clone, Debug, PartialEq)]
pub enum Predictions {
    /// Logits `[N, K]`, row-major.
    Logits {
        /// The values.
        values: Vec<f32>,
        /// Number of classes `K`.
        classes: usize,
    },
    /// Classes, of a service that answers with nothing else.
    Labels(Vec<usize>),
}

/// The answers of the first model of `experiment` to the test samples, in their order.
///
/// # Errors
/// Wrong input; a model or a service that fails.
pub fn predict(experiment: &Experiment, context: &Context<'_>) -> Result<Predictions> {
    let data = Data::load(experiment, context)?;
    let runner = Runner { experiment, context, data };
    let plan = runner.first()?;
    let built = runner.assemble(plan, &[])?;
    let (test, passes) = (&runner.data.test, context.passes);
    context.observer.begin(&format!("{}: predictions", plan.name), test.len() as u64);
    built.with_oracle(passes, |oracle| {
        let scores = match oracle {
            Oracle::Labels(_) => None,
            Oracle::Scores(scores) => Some(scores),
            Oracle::Gradients(gradients) => Some(gradients as &dyn duress_core::ScoreOracle),
        };
        let (mut values, mut labels) = (Vec::new(), Vec::new());
        for batch in test.batches(BATCH) {
            if context.observer.cancelled() {
                return Err(duress_core::Error::Cancelled.into());
            }
            let rows = batch.rows(passes.device());
            match scores {
                Some(scores) => values.extend(host::floats(scores.logits(rows)?)?),
                None => labels.extend(host::labels(oracle.labels().labels(rows)?)?),
            }
            context.observer.advance(batch.labels.len() as u64);
        }
        Ok(match scores {
            Some(scores) => Predictions::Logits { values, classes: scores.classes() },
            None => Predictions::Labels(labels),
        })
    })
}
