//! Robustness metrics with confidence intervals: pure functions on outcomes.
//!
//! Every function takes plain slices, one entry a sample, and returns counts wherever a count
//! exists: a [`Proportion`] keeps its denominator, so that an interval can always be given.
//! Sums run in `f64`.
//!
//! ```
//! use duress_metrics::{Confidence, Robustness};
//!
//! let clean = [true, true, true, false];
//! let fgsm = [true, true, false, false]; // still correct under the attack?
//! let pgd = [true, false, true, false];
//! let robustness = Robustness::of(&clean, &[&fgsm, &pgd])?;
//! assert_eq!(robustness.worst_case.successes(), 1);
//! let interval = robustness.worst_case.wilson(Confidence::P95).expect("four samples");
//! assert!(interval.contains(0.25));
//! # Ok::<(), duress_metrics::Error>(())
//! ```

mod accuracy;
mod auc_interval;
mod binomial;
mod confidence;
mod cost;
mod curve;
mod detection;
mod distance;
mod error;
mod interval;
mod mean;
mod summary;
mod transfer;

pub use accuracy::{Robustness, Targeted, attack_success, correct, worst_case};
pub use confidence::Confidence;
pub use cost::{Cost, CostSummary};
pub use curve::{
    AccuracyCurve, CurvePoint, average_certified_radius, certified, certified_steps, robust,
};
pub use detection::{OperatingPoint, Roc, RocPoint};
pub use distance::{Distance, DistanceSummary, distances};
pub use error::{Error, Result};
pub use interval::{Interval, Proportion};
pub use mean::Mean;
pub use summary::{Summary, quantile};
pub use transfer::{Denominator, TransferMatrix};
