//! Batches with samples of a second set: generated pictures beside real ones.
use std::path::PathBuf;

use duress_core::{Seed, Use};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A second set of samples and its share of each batch.
///
/// An epoch is one pass over the first set. The second is shuffled in each epoch and walked through
/// from its beginning, around and around if it is the smaller one.
///
/// Gowal, Rebuffi, Wiles, Stimberg, Calian, Mann. *Improving Robustness using Generated Data.*
/// `NeurIPS` 2021, §4. <https://arxiv.org/abs/2110.09468>
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mix {
    /// The file of the second set (npz with labels, true ones or those of a model), read by
    /// whoever runs the training: see [`super::Run::extra`].
    pub file: PathBuf,
    /// Share of each batch that is from the second set, in `(0, 1)` (0.7).
    #[serde(default = "seven_tenths")]
    pub share: f64,
}

fn seven_tenths() -> f64 {
    0.7
}

impl Mix {
    /// Checks the share against the batch size.
    pub(super) fn check(&self, batch_size: usize) -> Result<()> {
        let fault = |expected: &str, got: String| {
            Err(Error::Parameter {
                what: "recipe",
                field: "mix.share",
                expected: expected.into(),
                got,
            })
        };
        if !(self.share > 0.0 && self.share < 1.0) {
            return fault("in (0, 1)", self.share.to_string());
        }
        let extra = self.extra(batch_size);
        if extra == 0 || extra >= batch_size {
            let got = format!("{} of batches of {batch_size}", self.share);
            return fault("enough for a sample of either set in each batch", got);
        }
        Ok(())
    }

    /// Samples of the second set in a full batch.
    pub(super) fn extra(&self, batch_size: usize) -> usize {
        (self.share * batch_size as f64).round() as usize
    }
}

/// The order of the second set in an epoch.
pub(super) fn order(seed: Seed, samples: usize, epoch: u32) -> Vec<usize> {
    use rand::seq::SliceRandom;
    let mut order: Vec<usize> = (0..samples).collect();
    order.shuffle(&mut seed.stream(1, epoch, 0, Use::Shuffle));
    order
}

/// The id under which a sample of the second set draws, apart from all ids of the first.
pub(super) fn apart(id: u64) -> u64 {
    id ^ (1 << 63)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_leaves_a_sample_of_either_set() {
        let mix = |share| Mix { file: "generated.npz".into(), share };
        assert!(mix(0.7).check(10).is_ok());
        assert_eq!(mix(0.7).extra(10), 7);
        for share in [0.0, 1.0, f64::NAN, 0.01, 0.99] {
            let error = mix(share).check(10).unwrap_err().to_string();
            assert!(error.contains("`mix.share`"), "{error}");
        }
    }

    #[test]
    fn each_epoch_has_its_own_order_of_all_samples() {
        let (first, second) = (order(Seed(1), 9, 0), order(Seed(1), 9, 1));
        assert_ne!(first, second);
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..9).collect::<Vec<_>>());
        assert_eq!(first, order(Seed(1), 9, 0));
    }
}
