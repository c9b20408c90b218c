//! Randomness with a name: every draw is a function of (seed, sample, restart, step, use).
use burn::prelude::*;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The seed of a run. No generator of the workspace starts from anything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

/// What a draw is for: draws for different uses are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u64)]
#[non_exhaustive]
pub enum Use {
    /// Starting point of an attack.
    Start = 1,
    /// Steps of an attack.
    Step = 2,
    /// Noise of a defence or a smoothed classifier.
    Noise = 3,
    /// Order of the training samples.
    Shuffle = 4,
    /// Augmentation of the training samples.
    Augment = 5,
    /// Initial weights.
    Weights = 6,
    /// Split of a data set.
    Split = 7,
    /// Selection of target classes.
    Target = 8,
    /// Estimation draws of a smoothed classifier, apart from its selection draws.
    Estimate = 9,
}

impl Seed {
    /// The generator of one draw: `ChaCha8` keyed by all five coordinates, so that no two
    /// coordinates share a stream and a stream does not depend on who else draws.
    ///
    /// Bernstein. *`ChaCha`, a variant of Salsa20.* 2008.
    #[must_use]
    pub fn stream(self, sample: u64, restart: u32, step: u32, usage: Use) -> ChaCha8Rng {
        let mut key = [0; 32];
        let when = (u64::from(restart) << 32) | u64::from(step);
        for (part, word) in key.chunks_exact_mut(8).zip([self.0, sample, when, usage as u64]) {
            part.copy_from_slice(&word.to_le_bytes());
        }
        ChaCha8Rng::from_seed(key)
    }

    /// One row a sample, `[ids.len(), features]`: `fill` writes a row from the sample's own stream.
    ///
    /// The rows are drawn on the host, over all cores, and moved to `device` once: the bits are
    /// the same for each device, batch and order.
    #[must_use]
    pub fn rows(
        self,
        ids: &[u64],
        (restart, step, usage): (u32, u32, Use),
        features: usize,
        device: &Device,
        fill: impl Fn(&mut ChaCha8Rng, &mut [f32]) + Sync,
    ) -> Tensor<2> {
        fill_rows(ids.len(), features, device, |index, row| {
            fill(&mut self.stream(ids[index], restart, step, usage), row);
        })
    }
}

/// `[rows, features]` drawn on the host over all cores, then moved to `device` once.
#[must_use]
pub fn fill_rows(
    rows: usize,
    features: usize,
    device: &Device,
    fill: impl Fn(usize, &mut [f32]) + Sync,
) -> Tensor<2> {
    let mut values = vec![0.0_f32; rows * features];
    let pieces = values.par_chunks_mut(features.max(1)).enumerate();
    pieces.for_each(|(index, row)| fill(index, row));
    Tensor::from_data(TensorData::new(values, [rows, features]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::Rng;

    #[test]
    fn each_coordinate_changes_the_stream_and_none_is_forgotten() {
        let draw = |seed: u64, sample, restart, step, usage| {
            Seed(seed).stream(sample, restart, step, usage).next_u64()
        };
        let base = draw(1, 2, 3, 4, Use::Start);
        assert_eq!(base, draw(1, 2, 3, 4, Use::Start));
        for other in [
            draw(2, 2, 3, 4, Use::Start),
            draw(1, 3, 3, 4, Use::Start),
            draw(1, 2, 4, 4, Use::Start),
            draw(1, 2, 3, 5, Use::Start),
            draw(1, 2, 3, 4, Use::Step),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn rows_do_not_depend_on_the_batch_or_its_order() {
        let device = Device::flex();
        let rows = |ids: &[u64]| {
            let at = (0, 0, Use::Start);
            crate::host::floats(Seed(7).rows(ids, at, 3, &device, |rng, row| {
                row.fill_with(|| rng.next_u32() as f32);
            }))
            .unwrap()
        };
        let (all, one) = (rows(&[10, 11, 12]), rows(&[11]));
        assert_eq!(all[3..6], one);
        assert_eq!(rows(&[12, 11])[3..6], one);
    }
}
