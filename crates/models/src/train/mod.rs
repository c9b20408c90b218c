//! Training: a recipe, an objective, data; out come weights.
mod augment;
mod average;
mod checkpoint;
mod clip;
mod data;
mod objective;
mod optimizer;
mod recipe;
mod run;
mod schedule;
mod state;
mod watch;

pub use augment::Augmentation;
pub use average::effective_decay;
pub use data::{Batch, TrainingData};
pub use objective::{LossOutput, Objective, Standard, Step, cross_entropy};
pub use optimizer::OptimizerRecipe;
pub use recipe::{EarlyStop, Metric, Recipe};
pub use run::{Best, Run, Trained, train};
pub use schedule::Schedule;
pub use watch::{EpochReport, Verdict, Watch};

pub use crate::network::{Snapshot, snapshot};
