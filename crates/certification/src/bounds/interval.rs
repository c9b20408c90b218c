//! Boxes: an interval for each value.

/// `lower[i] ≤ xᵢ ≤ upper[i]`; infinite where nothing is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Intervals {
    /// Lower bounds.
    pub lower: Vec<f64>,
    /// Upper bounds.
    pub upper: Vec<f64>,
}

impl Intervals {
    /// Nothing known about `length` values.
    pub(super) fn unknown(length: usize) -> Self {
        Self { lower: vec![f64::NEG_INFINITY; length], upper: vec![f64::INFINITY; length] }
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lower.len()
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lower.is_empty()
    }

    /// The largest magnitude of value `index`.
    pub(super) fn magnitude(&self, index: usize) -> f64 {
        self.lower[index].abs().max(self.upper[index].abs())
    }

    /// Both bounds of value `index`.
    pub(super) fn at(&self, index: usize) -> (f64, f64) {
        (self.lower[index], self.upper[index])
    }

    /// Keeps the tighter side of what is known of value `index`.
    pub(super) fn tighten(&mut self, index: usize, lower: f64, upper: f64) {
        // A NaN compares false and changes nothing.
        if lower > self.lower[index] {
            self.lower[index] = lower;
        }
        if upper < self.upper[index] {
            self.upper[index] = upper;
        }
    }
}
