//! Refusals of hyperparameters.
use duress_core::{Error, Result};

/// Refuses hyperparameters of the recipe it names.
#[derive(Clone, Copy)]
pub(in crate::training) struct Check(pub(in crate::training) &'static str);

impl Check {
    pub(in crate::training) fn holds(
        self,
        holds: bool,
        field: &'static str,
        expected: &'static str,
        got: impl ToString,
    ) -> Result<()> {
        let (algorithm, got) = (self.0, got.to_string());
        if holds { Ok(()) } else { Err(Error::Parameter { algorithm, field, expected, got }) }
    }

    pub(in crate::training) fn positive(self, field: &'static str, got: f64) -> Result<()> {
        self.holds(got.is_finite() && got > 0.0, field, "finite and positive", got)
    }

    pub(in crate::training) fn not_negative(self, field: &'static str, got: f64) -> Result<()> {
        self.holds(got.is_finite() && got >= 0.0, field, "finite and at least 0", got)
    }

    pub(in crate::training) fn share(self, field: &'static str, got: f64) -> Result<()> {
        self.holds((0.0..=1.0).contains(&got), field, "between 0 and 1", got)
    }

    pub(in crate::training) fn at_least_one(self, field: &'static str, got: usize) -> Result<()> {
        self.holds(got >= 1, field, "at least 1", got)
    }
}
