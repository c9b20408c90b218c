//! Standard normal rows from the seeded streams.
use burn::prelude::*;
use duress_core::{Seed, Use};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

/// Fills a row with draws of `N(0, 1)`.
pub(crate) fn fill(generator: &mut (impl Rng + ?Sized), row: &mut [f32]) {
    row.fill_with(|| generator.sample(StandardNormal));
}

/// A row of `width` draws of `N(0, 1)` for each id, `[ids, width]`; different `draw`s are
/// independent.
pub(crate) fn rows(seed: Seed, ids: &[u64], draw: u32, width: usize, device: &Device) -> Tensor<2> {
    seed.rows(ids, (0, draw, Use::Noise), width, device, fill)
}
