//! Derandomized smoothing: one vote for each piece of the picture, no sampling.
//!
//! Levine, Feizi. *(De)Randomized Smoothing for Certifiable Defense against Patch Attacks.*
//! `NeurIPS` 2020, theorem 1 with Δ = m + s − 1 for bands and (m + s − 1)² for blocks.
//! <https://arxiv.org/abs/2002.10733>
use burn::prelude::*;
use burn::tensor::activation::softmax;
use duress_core::{Classifier, Error, Passes, Progress, Result, fill_rows, host};
use serde::{Deserialize, Serialize};

use super::Window;
use crate::smoothing::one_row;
use crate::votes::Votes;

/// The classifier that gives each piece of a picture to a base classifier and counts its votes.
///
/// Outside the piece the picture is overwritten with `fill`. The paper gives the base classifier the
/// channels `(x, 1 − x)`, zero where ablated, so that no colour looks like an ablated one; the
/// theorem holds for any encoding, this one included, and the base classifier has to be trained on it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchSmoothing {
    /// Which piece of the picture a voter sees.
    pub window: Window,
    /// What stands outside it, in units of the raw input.
    #[serde(default)]
    pub fill: f32,
    /// A voter votes for each class whose softmax probability is at least this (θ in the paper: for
    /// several, or for none), where given; else for its most likely class.
    #[serde(default)]
    pub threshold: Option<f32>,
    /// Pieces computed at once: costs memory, never changes the result.
    #[serde(default = "default_batch")]
    pub batch: usize,
}

fn default_batch() -> usize {
    256
}

/// The votes on one picture, and what a patch would have to turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchCertificate {
    window: Window,
    size: (usize, usize),
    votes: Votes,
}

impl PatchCertificate {
    /// The predicted class: the most votes, the lowest class of equals.
    #[must_use]
    pub fn prediction(&self) -> usize {
        self.votes.winner()
    }

    /// The votes.
    #[must_use]
    pub fn votes(&self) -> &Votes {
        &self.votes
    }

    /// Whether no patch of `rows × columns` pixels, wherever it lies and whatever it shows, changes
    /// the prediction: it turns at most Δ votes.
    #[must_use]
    pub fn withstands(&self, rows: usize, columns: usize) -> bool {
        self.window.touched((rows, columns), self.size) as u64 <= self.votes.tolerated()
    }

    /// Side of the largest square patch that never changes the prediction: 0 if a single pixel may.
    #[must_use]
    pub fn largest_square(&self) -> usize {
        let most = self.size.0.min(self.size.1);
        (1..=most).take_while(|&side| self.withstands(side, side)).last().unwrap_or(0)
    }
}

impl PatchSmoothing {
    /// Votes on the picture `row` `[1, F]`.
    ///
    /// # Errors
    /// [`Error::NotAnImage`]; [`Error::Parameter`] for a piece larger than the picture, a fill or a
    /// threshold that makes no sense; [`Error::Shape`] unless there is exactly one row;
    /// [`Error::LogitsNotFinite`] names the piece as the sample; [`Error::Cancelled`].
    pub fn certify(
        &self,
        model: &dyn Classifier,
        passes: &Passes,
        row: Tensor<2>,
        progress: &dyn Progress,
    ) -> Result<PatchCertificate> {
        let [_, height, width] = model.domain().image_shape()?;
        self.check((height, width))?;
        let picture = one_row(model, row)?;
        let (device, classes) = (passes.device(), model.classes());
        let positions = self.window.positions(height, width);
        let mut ballots: Vec<Tensor<2>> = Vec::new();
        for start in (0..positions).step_by(self.batch) {
            if progress.cancelled() {
                return Err(Error::Cancelled);
            }
            let count = self.batch.min(positions - start);
            let rows = fill_rows(count, picture.len(), device, |index, values| {
                for (feature, value) in values.iter_mut().enumerate() {
                    let pixel = feature % (height * width);
                    let at = (pixel / width, pixel % width);
                    let kept = self.window.holds(start + index, at, (height, width));
                    *value = if kept { picture[feature] } else { self.fill };
                }
            });
            let logits = passes.logits(model, rows)?;
            let finite = logits.clone().is_finite().float().min_dim(1);
            let voted = if let Some(threshold) = self.threshold {
                softmax(logits, 1).greater_equal_elem(threshold).float()
            } else {
                let winner = logits.argmax(1).expand([count, classes]);
                let all = Tensor::<1, Int>::arange(0..classes as i64, device);
                winner.equal(all.unsqueeze::<2>().expand([count, classes])).float()
            };
            ballots.push(Tensor::cat(vec![voted, finite], 1).sum_dim(0));
        }
        let mut counts = vec![0_u64; classes + 1];
        let values = host::floats(Tensor::cat(ballots, 0))?;
        for batch in values.chunks_exact(classes + 1) {
            for (total, &value) in counts.iter_mut().zip(batch) {
                *total += value as u64;
            }
        }
        if counts.pop() != Some(positions as u64) {
            return Err(Error::LogitsNotFinite { sample: 0 });
        }
        let votes = Votes::new(counts)?;
        Ok(PatchCertificate { window: self.window, size: (height, width), votes })
    }

    fn check(&self, (height, width): (usize, usize)) -> Result<()> {
        let expect = |holds, field, expected, got: String| {
            let algorithm = "patch smoothing";
            if holds { Ok(()) } else { Err(Error::Parameter { algorithm, field, expected, got }) }
        };
        let got = format!("{:?} of {height} x {width} pixels", self.window);
        let fits = self.window.fits(height, width);
        expect(fits, "window", "at least 1 and at most the picture", got)?;
        expect(self.fill.is_finite(), "fill", "a finite number", self.fill.to_string())?;
        let threshold = self.threshold.is_none_or(|value| 0.0 < value && value <= 1.0);
        expect(threshold, "threshold", "inside (0, 1]", format!("{:?}", self.threshold))?;
        expect(self.batch >= 1, "batch", "at least 1", self.batch.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Domain, Silent};

    /// Class 1 if the kept pixels add up to more than `at`, else class 0.
    struct Bright {
        domain: Domain,
        at: f32,
    }

    impl Classifier for Bright {
        fn domain(&self) -> &Domain {
            &self.domain
        }

        fn classes(&self) -> usize {
            2
        }

        fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
            let margin = rows.sum_dim(1) - self.at;
            Tensor::cat(vec![margin.clone() * 0.0, margin], 1)
        }
    }

    fn certify(picture: &[f32], window: Window, threshold: Option<f32>) -> PatchCertificate {
        let device = Device::flex();
        let passes = Passes::new(&device).unwrap();
        let model = Bright { domain: Domain::image(1, 3, 6).unwrap(), at: 0.5 };
        let row = Tensor::<2>::from_data(TensorData::new(picture.to_vec(), [1, 18]), &device);
        let [one, four, all] = [1, 4, 256].map(|batch| {
            let smoothing = PatchSmoothing { window, fill: 0.0, threshold, batch };
            smoothing.certify(&model, &passes, row.clone(), &Silent).unwrap()
        });
        assert!(one == four && four == all);
        all
    }

    /// Every column has one bright pixel: all six bands vote 1. A patch one column wide meets two
    /// bands of two columns, and three may be turned less the tie.
    #[test]
    fn unanimous_bands_withstand_a_patch_that_meets_less_than_half_of_them() {
        let mut picture = [0.0; 18];
        picture[..6].fill(1.0);
        let certificate = certify(&picture, Window::Columns { width: 2 }, None);
        assert_eq!((certificate.prediction(), certificate.votes().counts()), (1, &[0, 6][..]));
        // Class 0 wins ties: 2 of 6 may be turned, a patch of one column turns 2.
        assert!(certificate.withstands(3, 1) && !certificate.withstands(1, 2));
        assert_eq!(certificate.largest_square(), 1);
    }

    /// The certificate is tight: painting the two columns black does turn three bands.
    #[test]
    fn a_patch_past_the_certificate_changes_the_prediction() {
        let mut picture = [0.0; 18];
        picture[..6].fill(1.0);
        for column in 0..=4 {
            let mut patched = picture;
            patched[column] = 0.0;
            assert_eq!(certify(&patched, Window::Columns { width: 2 }, None).prediction(), 1);
            patched[column + 1] = 0.0;
            let after = certify(&patched, Window::Columns { width: 1 }, None);
            assert_eq!(after.votes().counts(), [2, 4]);
        }
    }

    #[test]
    fn blocks_and_rows_vote_once_a_pixel_and_once_a_row() {
        let picture = [1.0; 18];
        let blocks = certify(&picture, Window::Block { side: 1 }, None);
        assert_eq!(blocks.votes().counts(), [0, 18]);
        // 8 of 18 may be turned: a square of side 2 turns 4, of side 3 turns 9.
        assert_eq!(blocks.largest_square(), 2);
        let rows = certify(&picture, Window::Rows { height: 1 }, None);
        assert_eq!((rows.votes().counts(), rows.largest_square()), (&[0, 3][..], 1));
    }

    /// Softmax of `(0, 0.5)` is 0.38, 0.62: at θ = 0.3 each band votes for both, at 0.7 for none.
    #[test]
    fn a_threshold_lets_a_voter_vote_for_several_classes_or_none() {
        let mut picture = [0.0; 18];
        picture[..6].fill(1.0);
        let window = Window::Columns { width: 1 };
        let counts =
            |threshold| certify(&picture, window, Some(threshold)).votes().counts().to_vec();
        assert_eq!(counts(0.3), [6, 6]);
        assert_eq!(counts(0.5), [0, 6]);
        assert_eq!(counts(0.7), [0, 0]);
    }

    #[test]
    fn what_does_not_fit_the_picture_is_refused() {
        let device = Device::flex();
        let passes = Passes::new(&device).unwrap();
        let model = Bright { domain: Domain::image(1, 3, 6).unwrap(), at: 0.5 };
        let told = |table: &str, features| {
            let smoothing: PatchSmoothing = toml::from_str(table).unwrap();
            let row = Tensor::<2>::ones([1, features], &device);
            smoothing.certify(&model, &passes, row, &Silent).unwrap_err().to_string()
        };
        assert!(told("window = { rows = { height = 4 } }", 18).contains("3 x 6 pixels"));
        assert!(
            told("window = { block = { side = 2 } }\nthreshold = 0.0", 18).contains("threshold")
        );
        assert!(told("window = { block = { side = 2 } }", 17).contains("[1, 18]"));
    }
}
