//! The training samples that some transformations take something from.
use duress_core::{Domain, Error, Result};

/// Training samples on the host, in raw units.
#[derive(Clone, Copy, Debug)]
pub struct TrainingRows<'a> {
    values: &'a [f32],
    domain: &'a Domain,
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
        Ok(Self { values, domain })
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
