//! The vocabulary of duress: no algorithm lives here.
//!
//! A sample is a row of a [`Domain`]; a [`Classifier`] maps rows to logits; [`Passes`] computes
//! them on any device; a [`Threat`] says what the adversary may do and an [`Oracle`] what it may
//! see; an [`Attack`] proposes rows and [`run`] measures them.
mod activation;
pub mod attack;
pub mod classifier;
pub mod device;
mod domain;
pub mod driver;
mod error;
mod goal;
pub mod host;
mod host_region;
pub mod job;
mod loss;
mod norm;
pub mod oracle;
mod passes;
pub mod progress;
mod projection;
mod randomized;
mod region;
pub mod search;
mod seed;
mod sparse_noise;
mod suite;
mod threat;
mod verify;

pub use activation::Activation;
pub use attack::{Algorithm, Attack, GradientAttack, LabelAttack, Reach, ScoreAttack, Setting};
pub use classifier::{
    Classifier, Evaluation, Frozen, Input, arg_max, input_gradient, predictions, pull_back,
};
pub use domain::{Bound, Domain, Layout};
pub use driver::{Outcome, Problem, Sample, Stage, Status, run};
pub use error::{Error, Result};
pub use goal::{Aim, Goal};
pub use host_region::{HostRegion, Part};
pub use job::{GradientJob, Job, LabelJob, Objective, ScoreJob};
pub use loss::Loss;
pub use norm::Norm;
pub use oracle::{Access, GradientOracle, LabelOracle, Oracle, ScoreOracle, Surrogate, WhiteBox};
pub use passes::{Cut, GPU_BATCH, Passes, SUB_BATCH};
pub use progress::{Progress, Silent};
pub use randomized::{Drawn, Expectation, Randomized};
pub use region::Region;
pub use search::{Asker, Halt, Search, Searching};
pub use seed::{Seed, Use, fill_rows};
pub use sparse_noise::{Ablating, Resampling};
pub use suite::{Member, WorstOf};
pub use threat::{Epsilon, Radius, Threat};
