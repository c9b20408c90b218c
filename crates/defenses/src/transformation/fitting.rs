//! The training samples that some transformations take something from.
use std::fmt;
use std::path::Path;

use duress_core::{Domain, Error, Passes, Progress, Result, Silent};

/// Training samples on the host, in raw units, and what a transformation that trains a network on
/// them needs besides.
#[derive(Clone, Copy)]
pub struct TrainingRows<'a> {
    values: &'a [f32],
    domain: &'a Domain,
    passes: Option<&'a Passes>,
    progress: &'a dyn Progress,
    folder: Option<&'a Path>,
}

impl fmt::Debug for TrainingRows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TrainingRows");
        shown.field("rows", &self.len()).field("domain", self.domain);
        shown.field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl<'a> TrainingRows<'a> {
    /// Rows `[N, F]`, row-major, of which there must be one, with all values in the domain.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::Input`].
    pub fn new(values: &'a [f32], domain: &'a Domain) -> Result<Self> {
        let features = domain.features();
        if values.is_empty() || !values.len().is_multiple_of(features) {
            return Err(Error::Shape {
                what: "training samples to fit a transformation on",
                expected: format!("at least one row of {features} values"),
                got: format!("{} values", values.len()),
            });
        }
        domain.check(values)?;
        Ok(Self { values, domain, passes: None, progress: &Silent, folder: None })
    }

    /// The device to train a network on, which is that of the rows to come.
    #[must_use]
    pub fn on(self, passes: &'a Passes) -> Self {
        Self { passes: Some(passes), ..self }
    }

    /// Who hears of a long training, and says whether to stop.
    #[must_use]
    pub fn heard_by(self, progress: &'a dyn Progress) -> Self {
        Self { progress, ..self }
    }

    /// Where trained networks are kept, so that the same one is not trained twice.
    #[must_use]
    pub fn kept_in(self, folder: &'a Path) -> Self {
        Self { folder: Some(folder), ..self }
    }

    /// See [`TrainingRows::on`].
    #[must_use]
    pub fn passes(&self) -> Option<&'a Passes> {
        self.passes
    }

    /// See [`TrainingRows::heard_by`].
    #[must_use]
    pub fn progress(&self) -> &'a dyn Progress {
        self.progress
    }

    /// See [`TrainingRows::kept_in`].
    #[must_use]
    pub fn folder(&self) -> Option<&'a Path> {
        self.folder
    }

    /// All rows `[N, F]`, row-major.
    #[must_use]
    pub fn values(&self) -> &'a [f32] {
        self.values
    }

    /// The input space.
    #[must_use]
    pub fn domain(&self) -> &'a Domain {
        self.domain
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len() / self.domain.features()
    }

    /// Never: there is at least one row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Row `index`.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn row(&self, index: usize) -> &'a [f32] {
        let features = self.domain.features();
        &self.values[index * features..][..features]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_none_broken_off_or_outside_are_refused() {
        let domain = Domain::image(1, 1, 2).unwrap();
        assert_eq!(TrainingRows::new(&[0.0, 1.0, 0.5, 0.5], &domain).unwrap().row(1), [0.5, 0.5]);
        for values in [&[][..], &[0.5], &[0.5, 2.0], &[0.5, f32::NAN]] {
            assert!(TrainingRows::new(values, &domain).is_err(), "{values:?}");
        }
    }
}
