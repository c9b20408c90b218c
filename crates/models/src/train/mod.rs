//! Training: a recipe, an objective, data; out come weights.
mod augment;
mod average;
mod checkpoint;
mod clip;
mod data;
mod gradients;
mod matrices;
mod memory;
mod mix;
mod objective;
mod optimizer;
mod preparation;
mod recipe;
mod run;
mod schedule;
mod state;
mod watch;

pub use augment::Augmentation;
pub use average::effective_decay;
pub use data::{Batch, TrainingData};
pub use matrices::{map_matrices, perturbed, training_copy};
pub use memory::Memory;
pub use mix::Mix;
pub use objective::{Feedback, LossOutput, Objective, Standard, Step, Traced, cross_entropy};
pub use optimizer::OptimizerRecipe;
pub use preparation::{Preparation, redrawn};
pub use recipe::{EarlyStop, Metric, Recipe};
pub use run::{Best, Run, Trained, train};
pub use schedule::Schedule;
pub use watch::{EpochReport, Verdict, Watch};

pub use crate::network::{Snapshot, snapshot};
