//! Attacks that look for the nearest point that meets the goal.
mod ddn;
mod nearest;

pub use ddn::Ddn;
pub(crate) use ddn::ENTRY as DDN;
