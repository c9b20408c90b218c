//! How far two lists of numbers are apart.
use std::fmt;

/// What was measured between values of two devices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Largest absolute difference.
    pub largest: f64,
    /// Largest magnitude among the values of the reference.
    pub scale: f64,
    /// Values compared.
    pub count: usize,
    /// Values further apart than the tolerance, which is a share of the scale.
    pub over: usize,
}

impl Difference {
    /// Between the reference's values and the other's. A value that is not a number on one side
    /// is infinitely far from any other.
    ///
    /// # Panics
    /// If the lists differ in length: that is no question of rounding.
    #[must_use]
    pub fn between(reference: &[f32], other: &[f32], tolerance: f64) -> Self {
        assert_eq!(reference.len(), other.len(), "the two sides computed different shapes");
        let scale = reference.iter().map(|value| f64::from(value.abs())).fold(0.0, f64::max);
        let apart: Vec<f64> = reference.iter().zip(other).map(|(&a, &b)| distance(a, b)).collect();
        Self {
            largest: apart.iter().copied().fold(0.0, f64::max),
            scale,
            count: apart.len(),
            over: apart.iter().filter(|&&apart| apart > tolerance * scale).count(),
        }
    }

    /// The largest difference as a share of the scale.
    #[must_use]
    pub fn relative(&self) -> f64 {
        if self.largest == 0.0 { 0.0 } else { self.largest / self.scale }
    }

    /// The share of the values that are further apart than the tolerance.
    #[must_use]
    pub fn share_over(&self) -> f64 {
        self.over as f64 / self.count.max(1) as f64
    }
}

fn distance(a: f32, b: f32) -> f64 {
    let apart = (f64::from(a) - f64::from(b)).abs();
    if a.to_bits() == b.to_bits() {
        0.0
    } else if apart.is_nan() {
        f64::INFINITY
    } else {
        apart
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { largest, scale, count, over } = self;
        write!(f, "largest {largest:.2e} of {scale:.2e}; {over} of {count} over the tolerance")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_the_references_and_the_tolerance_a_share_of_it() {
        let got = Difference::between(&[4.0, -8.0, 0.0], &[4.0, -7.0, 0.5], 0.1);
        assert_eq!(got, Difference { largest: 1.0, scale: 8.0, count: 3, over: 1 });
        assert!((got.relative() - 0.125).abs() < 1e-12);
        assert!((got.share_over() - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_value_that_is_not_a_number_is_never_close() {
        let got = Difference::between(&[1.0, f32::NAN], &[f32::NAN, f32::NAN], 0.5);
        assert_eq!((got.over, got.largest), (1, f64::INFINITY));
        assert_eq!(Difference::between(&[f32::INFINITY], &[f32::INFINITY], 0.1).over, 0);
    }

    #[test]
    fn nothing_differs_from_itself() {
        assert!(Difference::between(&[0.0, 0.0], &[0.0, 0.0], 0.0).relative() < 1e-12);
    }
}
