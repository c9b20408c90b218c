//! The autoencoder of the `MagNet` detectors, trained on clean rows.
use duress_core::host;
use duress_models::TrainingData;
use duress_models::train::Run;

use super::{Evidence, Result};
use crate::generative::{Autoencoder, AutoencoderPlan, Fitted};

/// An autoencoder trained on the clean rows of the evidence, by the mean squared error.
pub(super) fn autoencoder_of(
    plan: &AutoencoderPlan,
    evidence: &Evidence<'_>,
) -> Result<Autoencoder> {
    let rows = host::floats(evidence.clean.clone())?;
    let ids: Vec<u64> = (0..evidence.labels.len() as u64).collect();
    let data = TrainingData {
        rows: &rows,
        labels: &evidence.labels,
        ids: &ids,
        domain: evidence.model.domain(),
        classes: evidence.model.classes(),
    };
    let run = Run { progress: evidence.progress, ..Run::new(evidence.passes) };
    Ok(Fitted::train(plan, &data, evidence.seed, run)?.network().clone())
}
