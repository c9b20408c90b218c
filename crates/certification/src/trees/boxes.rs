//! Sets of inputs, one closed interval of f32 values a feature.
use duress_core::Domain;

use super::TreeError;

/// The f32 rows between a lower and an upper row, both included.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureBox {
    lower: Vec<f32>,
    upper: Vec<f32>,
}

impl FeatureBox {
    /// The box between two rows.
    ///
    /// # Errors
    /// [`TreeError::Length`] for rows of two lengths; [`TreeError::Input`] names the first feature
    /// whose bounds are not numbers in order.
    pub fn new(lower: Vec<f32>, upper: Vec<f32>) -> Result<Self, TreeError> {
        if lower.len() != upper.len() {
            let (expected, got) = (lower.len(), upper.len());
            return Err(TreeError::Length { what: "the upper bounds", expected, got });
        }
        for (feature, (low, high)) in lower.iter().zip(&upper).enumerate() {
            if !(low.is_finite() && high.is_finite() && low <= high) {
                return Err(TreeError::Input {
                    feature,
                    expected: "finite bounds in order".into(),
                    got: format!("[{low}, {high}]"),
                });
            }
        }
        Ok(Self { lower, upper })
    }

    /// All f32 rows no further than `epsilon` from `row` in L∞, in the box of `domain` and equal to
    /// `row` where it is immutable, if a domain is given.
    ///
    /// # Errors
    /// [`TreeError::Input`] for a row that is not finite or outside the domain, or a radius that is
    /// negative or no finite number; [`TreeError::Length`] for a domain of other features.
    pub fn linf(row: &[f32], epsilon: f64, domain: Option<&Domain>) -> Result<Self, TreeError> {
        if !(epsilon.is_finite() && epsilon >= 0.0) {
            return Err(TreeError::Parameter {
                field: "epsilon",
                expected: "a finite number of at least 0",
                got: epsilon.to_string(),
            });
        }
        if let Some(domain) = domain.filter(|domain| domain.features() != row.len()) {
            let (expected, got) = (domain.features(), row.len());
            return Err(TreeError::Length { what: "the row", expected, got });
        }
        let (mut lower, mut upper) = (Vec::with_capacity(row.len()), Vec::with_capacity(row.len()));
        for (feature, &value) in row.iter().enumerate() {
            let fault = |expected: String| {
                Err(TreeError::Input { feature, expected, got: value.to_string() })
            };
            if !value.is_finite() {
                return fault("a finite number".into());
            }
            let (mut low, mut high) =
                (farthest_below(value, epsilon), farthest_above(value, epsilon));
            if let Some(domain) = domain {
                let (least, most) = (domain.lower().at(feature), domain.upper().at(feature));
                if !(least <= value && value <= most) {
                    return fault(format!("a value in [{least}, {most}]"));
                }
                (low, high) = (low.max(least), high.min(most));
                if domain.immutable().binary_search(&feature).is_ok() {
                    (low, high) = (value, value);
                }
            }
            lower.push(low);
            upper.push(high);
        }
        Self::new(lower, upper)
    }

    /// The smallest row.
    #[must_use]
    pub fn lower(&self) -> &[f32] {
        &self.lower
    }

    /// The largest row.
    #[must_use]
    pub fn upper(&self) -> &[f32] {
        &self.upper
    }

    /// Whether the box holds `row`.
    #[must_use]
    pub fn holds(&self, row: &[f32]) -> bool {
        let between = |((low, high), value): ((&f32, &f32), &f32)| low <= value && value <= high;
        row.len() == self.lower.len() && self.lower.iter().zip(&self.upper).zip(row).all(between)
    }
}

/// The largest finite f32 whose exact distance from `value` is at most `epsilon`.
fn farthest_above(value: f32, epsilon: f64) -> f32 {
    let value = f64::from(value);
    let sum = value + epsilon;
    // Knuth's two-sum: `sum + error` is `value + epsilon` without rounding.
    let part = sum - value;
    let error = (value - (sum - part)) + (epsilon - part);
    let beyond = |point: f32| f64::from(point) > sum || (f64::from(point) >= sum && error < 0.0);
    let nearest = (sum as f32).min(f32::MAX);
    if beyond(nearest) { nearest.next_down() } else { nearest }
}

fn farthest_below(value: f32, epsilon: f64) -> f32 {
    -farthest_above(-value, epsilon)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ball_ends_at_the_last_f32_within_the_radius() {
        let ball = FeatureBox::linf(&[0.3, 0.5, -2.0], 0.1, None).unwrap();
        for feature in 0..3 {
            let value = f64::from([0.3_f32, 0.5, -2.0][feature]);
            let (low, high) = (ball.lower()[feature], ball.upper()[feature]);
            assert!(f64::from(high) - value <= 0.1 && f64::from(high.next_up()) - value > 0.1);
            assert!(value - f64::from(low) <= 0.1 && value - f64::from(low.next_down()) > 0.1);
        }
        let point = FeatureBox::linf(&[0.3], 0.0, None).unwrap();
        assert_eq!((point.lower(), point.upper()), (&[0.3][..], &[0.3][..]));
        // Exactly representable ends belong to it, next to zero too.
        let exact = FeatureBox::linf(&[-0.125], 0.125, None).unwrap();
        assert_eq!((exact.lower(), exact.upper()), (&[-0.25][..], &[0.0][..]));
        let all = FeatureBox::linf(&[0.3], 1e300, None).unwrap();
        assert_eq!((all.lower(), all.upper()), (&[f32::MIN][..], &[f32::MAX][..]));
    }

    #[test]
    fn the_domain_cuts_the_ball_and_pins_immutable_features() {
        let domain = Domain::table(vec![0.0; 3], vec![1.0; 3]).unwrap();
        let domain = domain.with_immutable(vec![2]).unwrap();
        let ball = FeatureBox::linf(&[0.25, 0.75, 0.5], 0.5, Some(&domain)).unwrap();
        assert_eq!(ball.lower(), [0.0, 0.25, 0.5]);
        assert_eq!(ball.upper(), [0.75, 1.0, 0.5]);
        assert!(ball.holds(&[0.0, 0.25, 0.5]) && !ball.holds(&[0.0, 0.2, 0.5]));
        for (row, epsilon) in
            [([2.0, 0.0, 0.0], 0.1), ([f32::NAN, 0.0, 0.0], 0.1), ([0.0; 3], -1.0)]
        {
            assert!(FeatureBox::linf(&row, epsilon, Some(&domain)).is_err());
        }
        assert!(FeatureBox::new(vec![1.0], vec![0.0]).is_err());
    }
}
