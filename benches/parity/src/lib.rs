//! Whether a GPU computes what the CPU does, from the same seeds.
//!
//! [`reference()`] is Flex with its padded sub-batches; [`others()`] are the devices that the features
//! of this package name, each of which must be there: a missing adapter is an error, never a test
//! that passes. Without such a feature Flex with whole batches takes their place, so that the
//! tests run, and mean something, in every build. [`Difference`] is what they measure.
mod difference;
mod side;

pub use difference::Difference;
pub use side::{Missing, Side, others, reference, uniform};
