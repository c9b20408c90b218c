//! What the benches share: the networks, the device and the ratio of two interleaved timings.
mod case;
mod ratio;
mod work;

pub use case::{BATCH, Case, cases, device};
pub use ratio::Ratio;
pub use work::{gradients, maximise, noise, smooth, step, threat};
