//! Errors a caller can act on: they carry the measured value and the limit.

/// What can be wrong with a list of outcomes.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Two lists that must run over the same samples do not.
    #[error("{what}: expected {expected} entries, got {got}")]
    Length {
        /// Which list.
        what: &'static str,
        /// Entries it must have.
        expected: usize,
        /// Entries it has.
        got: usize,
    },
    /// A list that must not be empty is.
    #[error("{0}: expected at least one entry, got none")]
    Empty(&'static str),
    /// A value outside the range of its list.
    #[error("{what}, entry {index}: expected {expected}, got {got}")]
    Value {
        /// Which list.
        what: &'static str,
        /// Position in the list.
        index: usize,
        /// The range, in words.
        expected: &'static str,
        /// The rejected value.
        got: f64,
    },
    /// More successes than trials.
    #[error("{successes} successes in {total} trials")]
    Proportion {
        /// The count of successes.
        successes: u64,
        /// The count of trials.
        total: u64,
    },
    /// A confidence level that is no probability strictly between 0 and 1.
    #[error("a confidence level must lie strictly between 0 and 1, got {0}")]
    Confidence(f64),
    /// A targeted attack whose target is the right answer.
    #[error("sample {sample}: the target {target} is the true label")]
    Target {
        /// Position of the sample.
        sample: usize,
        /// The class.
        target: usize,
    },
}

/// Shorthand used across the crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// `Ok` if `got == expected`.
pub(crate) fn same_length(what: &'static str, expected: usize, got: usize) -> Result<()> {
    if got == expected { Ok(()) } else { Err(Error::Length { what, expected, got }) }
}

/// `Ok` if `valid` holds for every value; names the first value for which it does not.
pub(crate) fn all_values(
    what: &'static str,
    expected: &'static str,
    values: impl IntoIterator<Item = f64>,
    valid: impl Fn(f64) -> bool,
) -> Result<()> {
    match values.into_iter().enumerate().find(|&(_, value)| !valid(value)) {
        Some((index, got)) => Err(Error::Value { what, index, expected, got }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_the_list_the_limit_and_the_value() {
        let error = same_length("clean", 3, 2).unwrap_err();
        assert_eq!(error.to_string(), "clean: expected 3 entries, got 2");
        let error = all_values("radii", "a finite number", [0.0, f64::NAN], f64::is_finite);
        let text = error.unwrap_err().to_string();
        assert_eq!(text, "radii, entry 1: expected a finite number, got NaN");
    }
}
