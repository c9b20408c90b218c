//! The training samples that some transformations take something from.
use std::fmt;

use duress_core::{Domain, Error, Passes, Result};

/// Training samples on the host, in raw units.
#[derive(Clone, Copy)]
pub struct TrainingRows<'a> {
    values: &'a [f32],
    domain: &'a Domain,
    passes: Option<&'a Passes>,
}

impl fmt::Debug for TrainingRows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("TrainingRows");
        all.field("len", &self.len()).field("domain", self.domain);
        all.field("device", &self.passes.map(Passes::device)).finish()
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
        Ok(Self { values, domain, passes: None })
    }

    /// The input space.
    #[must_use]
    pub fn domain(&self) -> &'a Domain {
        self.domain
    }

    /// The same rows, for what is trained: on the device of `passes`.
    #[must_use]
    pub fn on(self, passes: &'a Passes) -> Self {
        Self { passes: Some(passes), ..self }
    }

    /// Where something is trained, if that was said.
    #[must_use]
    pub fn passes(&self) -> Option<&'a Passes> {
        self.passes
    }

    /// The values, row-major `[N, F]`.
    #[must_use]
    pub fn values(&self) -> &'a [f32] {
        self.values
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
