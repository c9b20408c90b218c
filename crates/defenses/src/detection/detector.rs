//! What a detector is: fitted once, then one score a row.
use std::fmt;
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Classifier, Passes, Progress, Seed, host};

use super::{Error, Result};

/// A fitted detector of adversarial inputs of one classifier.
pub trait Detector: Send + Sync {
    /// The classifier it watches.
    fn model(&self) -> &Arc<dyn Classifier>;

    /// How suspicious each row is, `[N, F] → [N]`: higher is more suspicious.
    ///
    /// Rows are treated independently and deterministically. On the tape of the rows the values
    /// are the same; what an attack then differentiates is said by [`super::DetectorEntry::slope`].
    fn score(&self, rows: Tensor<2>) -> Tensor<1>;
}

impl fmt::Debug for dyn Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Detector")
    }
}

/// A way to detect adversarial inputs: hyperparameters, from which a detector is fitted.
pub trait DetectionMethod: fmt::Debug + Send + Sync {
    /// The name in the table of detectors.
    fn name(&self) -> &'static str;

    /// Checks the hyperparameters.
    ///
    /// # Errors
    /// [`duress_core::Error::Parameter`].
    fn check(&self) -> Result<()>;

    /// Checks that the classifier shows what the method looks at, whatever its weights: that it can
    /// be told before the classifier is trained.
    ///
    /// # Errors
    /// [`Error::NoLayers`], [`Error::UnknownLayer`].
    fn fits(&self, model: &dyn Classifier, passes: &Passes) -> Result<()> {
        let _ = (model, passes);
        Ok(())
    }

    /// The detector that the evidence supports.
    ///
    /// # Errors
    /// Rows that are none of the classifier's or too few; hyperparameters out of range; a
    /// classifier of which the method cannot see enough.
    fn fit(&self, evidence: &Evidence<'_>) -> Result<Box<dyn Detector>>;
}

/// What a detector is fitted on.
#[derive(Clone)]
pub struct Evidence<'a> {
    /// The classifier to watch.
    pub model: Arc<dyn Classifier>,
    /// Computes passes of it.
    pub passes: &'a Passes,
    /// Clean training rows, `[N, F]` in raw units.
    pub clean: Tensor<2>,
    /// Their classes.
    pub labels: Vec<usize>,
    /// Adversarial rows of the attacks that the detector may know, `[M, F]`; none for methods
    /// that need none.
    pub adversarial: Tensor<2>,
    /// Seed of what is drawn or trained.
    pub seed: Seed,
    /// Hears of trainings.
    pub progress: &'a dyn Progress,
}

impl Evidence<'_> {
    /// Checks that there are `least` clean rows, that all rows lie in the classifier's box, and
    /// the labels among its classes.
    ///
    /// # Errors
    /// [`Error::Rows`]; [`duress_core::Error::Shape`], [`duress_core::Error::Input`],
    /// [`duress_core::Error::Label`].
    pub(super) fn check(&self, detector: &'static str, least: usize) -> Result<()> {
        let got = self.clean.dims()[0];
        if got < least.max(1) {
            let what = "the clean rows to fit on";
            return Err(Error::Rows { detector, what, least: least.max(1), got });
        }
        duress_core::Goal::Untargeted(self.labels.clone()).check(got, self.model.classes())?;
        check_rows(&*self.model, &self.clean)?;
        check_rows(&*self.model, &self.adversarial)
    }

    /// Checks that there are adversarial rows.
    ///
    /// # Errors
    /// [`Error::NeedsAdversarial`].
    pub(super) fn needs_adversarial(&self, detector: &'static str) -> Result<()> {
        if self.adversarial.dims()[0] == 0 {
            return Err(Error::NeedsAdversarial { detector });
        }
        Ok(())
    }

    /// The clean rows at `positions`.
    pub(super) fn clean_at(&self, positions: &[usize]) -> Tensor<2> {
        self.clean.clone().select(0, indices(positions, &self.clean.device()))
    }

    /// The labels at `positions`.
    pub(super) fn labels_at(&self, positions: &[usize]) -> Vec<usize> {
        positions.iter().map(|&position| self.labels[position]).collect()
    }
}

/// Checks that rows are those of a classifier: their width, and each value in the box.
fn check_rows(model: &dyn Classifier, rows: &Tensor<2>) -> Result<()> {
    let ([count, features], expected) = (rows.dims(), model.domain().features());
    if features != expected {
        return Err(Error::Core(duress_core::Error::Shape {
            what: "rows",
            expected: format!("[N, {expected}]"),
            got: format!("[{count}, {features}]"),
        }));
    }
    Ok(model.domain().check(&host::floats(rows.clone())?)?)
}

/// The score of each row `[N, F]`, computed as passes are: a row's score does not depend on who
/// else is in the batch.
///
/// # Errors
/// [`duress_core::Error::Shape`] or [`duress_core::Error::Input`] for rows that are none of the
/// classifier's; [`Error::NotFinite`] for a score that is no number.
pub fn scores(detector: &dyn Detector, passes: &Passes, rows: &Tensor<2>) -> Result<Vec<f32>> {
    check_rows(&**detector.model(), rows)?;
    if rows.dims()[0] == 0 {
        return Ok(Vec::new());
    }
    let parts = passes.over(rows, |rows, _| Ok([detector.score(rows).inner().unsqueeze_dim(1)]))?;
    let parts: Vec<Tensor<2>> = parts.into_iter().map(|[part]| part).collect();
    let scores = host::floats(Tensor::cat(parts, 0))?;
    match scores.iter().position(|score| !score.is_finite()) {
        Some(row) => Err(Error::NotFinite { row, score: scores[row] }),
        None => Ok(scores),
    }
}

/// Positions as a tensor.
pub(super) fn indices(positions: &[usize], device: &Device) -> Tensor<1, Int> {
    let values: Vec<i64> = positions.iter().map(|&position| position as i64).collect();
    let shape = [values.len()];
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// A row or a table of host values on a device, `[rows, width]`.
pub(super) fn table(values: Vec<f32>, width: usize, device: &Device) -> Tensor<2> {
    let rows = values.len() / width.max(1);
    Tensor::from_data(TensorData::new(values, [rows, width]), device)
}

/// The gradient of `surrogate` at the value of `exact`, which is off the tape: what an adversary
/// puts in the place of a function without a gradient of use.
pub(super) fn with_slope_of(exact: Tensor<1>, surrogate: Tensor<1>) -> Tensor<1> {
    let offset = exact.inner() - surrogate.clone().inner();
    surrogate + offset
}
