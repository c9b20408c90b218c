//! Experiments, the protocol they run under, and their reports.
//!
//! An [`Experiment`] is a TOML file; [`run()`] trains its models, attacks and certifies them, and
//! writes one [`Row`] a measurement; [`write_report`] turns them into a report.
mod error;
mod experiment;
#[cfg(test)]
mod fixtures;
mod generated;
mod page;
pub mod plausible;
pub mod report;
mod row;
mod run;
mod self_checks;
mod sheet;
mod verification;

pub use error::{Error, Result};
pub use experiment::{
    AdaptivePlan, AttackPlan, Behind, CertifierPlan, Checkpoint, DataPlan, DataSource,
    DetectorPlan, EndpointPlan, Experiment, Files, ModelPlan, Source, ThreatPlan,
};
pub use generated::{check_archive, write_generated};
pub use page::{
    Certified, Column, Comparison, certified, certified_by, comparison, percent, short,
    write_report,
};
pub use row::{Measured, Row, SCHEMA, SampleRow, Watched, WatchedEpoch};
pub use run::{
    Around, Bounded, Context, GenerationPlan, GeneratorPlan, Identity, Journal, Observer,
    Predictions, Summary, TrainedModel, bound, generate_samples, predict, run, train_model,
    write_examples,
};
pub use self_checks::{Check, self_checks};
pub use sheet::{check_sheet, write_sheet};
pub use verification::verify;

pub use duress_attacks as attacks;
pub use duress_certification as certification;
pub use duress_core as core;
pub use duress_datasets as datasets;
pub use duress_defenses as defenses;
pub use duress_graph as graph;
pub use duress_metrics as metrics;
pub use duress_models as models;
pub use duress_remote as remote;

/// Bytes as lower-case hexadecimal digits.
fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
