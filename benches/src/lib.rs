//! What the benches share: the networks, the device and the ratio of two interleaved timings.
mod case;
mod ratio;
mod work;

pub use case::{BATCH, Case, cases, device};
pub use ratio::Ratio;
pub use work::{gradients, maximise, noise, smooth, step, threat};

/// The example of the workspace's README must compile; its crates cannot include a file above them.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
