//! Defences at the time of an answer: to refuse one, or to say less.
//!
//! [`Abstaining`] refuses where it is unsure; [`Hardened`] answers with scores that tell less than
//! the model knows. Neither changes a model: both stand around one.
mod abstention;
mod hardening;
mod settings;
mod tally;

pub use abstention::{Abstaining, Rejection};
pub use hardening::{Hardened, Hardening};
pub(crate) use settings::{ABSTENTION, REVERSE_SIGMOID, SCORE_ROUNDING, TOP_SCORES};
pub use settings::{Abstention, HardenedClassifier, InferenceDefense, RefusalRule};
pub use tally::{AdversarialTally, CleanTally};
