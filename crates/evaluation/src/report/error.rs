//! Why a picture could not be drawn.

/// An input that has no picture, or a backend that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A figure without anything to show.
    #[error("{figure}: there is no {what} to draw")]
    Empty {
        /// Kind of figure.
        figure: &'static str,
        /// What is missing.
        what: &'static str,
    },
    /// Lists that must have the same length do not.
    #[error("{figure}: expected {expected} {what}, got {got}")]
    Length {
        /// Kind of figure.
        figure: &'static str,
        /// Which list.
        what: &'static str,
        /// Entries it must have.
        expected: usize,
        /// Entries it has.
        got: usize,
    },
    /// A number that has no place on the paper.
    #[error("{figure}: {what} must be {expected}, got {got}")]
    Value {
        /// Kind of figure.
        figure: &'static str,
        /// Which number.
        what: &'static str,
        /// The range, in words.
        expected: &'static str,
        /// The rejected number.
        got: f64,
    },
    /// A picture too large for memory.
    #[error("a picture of {width} × {height} pixels exceeds the limit of {limit} pixels")]
    TooLarge {
        /// Columns of pixels.
        width: u64,
        /// Rows of pixels.
        height: u64,
        /// Largest permitted product.
        limit: u64,
    },
    /// The drawing backend failed.
    #[error("drawing failed: {0}")]
    Backend(String),
    /// The PNG encoder failed.
    #[error("the PNG could not be encoded")]
    Encode(#[from] image::ImageError),
}

/// Shorthand used across the module.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// `Ok` if `valid`; the error names the figure, the number and its range.
pub(super) fn check(
    valid: bool,
    figure: &'static str,
    what: &'static str,
    expected: &'static str,
    got: f64,
) -> Result<()> {
    if valid { Ok(()) } else { Err(Error::Value { figure, what, expected, got }) }
}
