//! What an answer means, and whether it can be one.
use serde::{Deserialize, Serialize};

use crate::array::Array;
use crate::error::{RemoteError, Result};

/// What the model answers with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputKind {
    /// `[N, K]` scores before softmax.
    #[default]
    Logits,
    /// `[N, K]` probabilities. Their logarithms are logits of the same softmax; a probability
    /// below [`f32::MIN_POSITIVE`] counts as that, so that 0 stays finite.
    Probabilities,
    /// `[N]` or `[N, 1]` class numbers from 0.
    Labels,
}

/// Checked logits of `rows` rows, row-major, and the number of classes; `classes` is that of
/// earlier answers, if there were any.
pub(crate) fn logits(
    answer: &Array,
    (rows, classes): (usize, Option<usize>),
    kind: OutputKind,
    endpoint: &str,
) -> Result<(Vec<f32>, usize)> {
    let count = match (answer.shape.as_slice(), classes) {
        (&[came, count], None) if came == rows && count > 0 => count,
        (&[came, count], Some(known)) if came == rows && count == known => count,
        _ => {
            let classes = classes.map_or("classes".into(), |classes| classes.to_string());
            return Err(RemoteError::Shape {
                endpoint: endpoint.into(),
                expected: format!("[{rows}, {classes}]"),
                got: answer.shape.clone(),
            });
        }
    };
    check_length(answer, endpoint)?;
    let mut logits = Vec::with_capacity(answer.values.len());
    for (index, &value) in answer.values.iter().enumerate() {
        let (row, class) = (index / count, index % count);
        let endpoint = || endpoint.to_owned();
        if !(value as f32).is_finite() {
            return Err(RemoteError::NotFinite { endpoint: endpoint(), row, class, value });
        }
        logits.push(match kind {
            OutputKind::Probabilities if !(0.0..=1.0 + SLACK).contains(&value) => {
                return Err(RemoteError::NotAProbability {
                    endpoint: endpoint(),
                    row,
                    class,
                    value,
                });
            }
            OutputKind::Probabilities => value.max(f64::from(f32::MIN_POSITIVE)).ln() as f32,
            OutputKind::Logits => value as f32,
            OutputKind::Labels => return Err(RemoteError::LabelsOnly { endpoint: endpoint() }),
        });
    }
    Ok((logits, count))
}

/// Checked class numbers of `rows` rows.
pub(crate) fn labels(
    answer: &Array,
    rows: usize,
    classes: usize,
    endpoint: &str,
) -> Result<Vec<usize>> {
    if !matches!(answer.shape.as_slice(), &[came] | &[came, 1] if came == rows) {
        return Err(RemoteError::Shape {
            endpoint: endpoint.into(),
            expected: format!("[{rows}] (class numbers)"),
            got: answer.shape.clone(),
        });
    }
    check_length(answer, endpoint)?;
    let label = |(row, &value): (usize, &f64)| {
        if value.fract() == 0.0 && (0.0..classes as f64).contains(&value) {
            return Ok(value as usize);
        }
        Err(RemoteError::NotAClass { endpoint: endpoint.into(), row, value, classes })
    };
    answer.values.iter().enumerate().map(label).collect()
}

fn check_length(answer: &Array, endpoint: &str) -> Result<()> {
    let size = answer.shape.iter().try_fold(1_usize, |all, &side| all.checked_mul(side));
    if size == Some(answer.values.len()) {
        return Ok(());
    }
    Err(RemoteError::Format {
        endpoint: endpoint.into(),
        what: "answer",
        expected: format!("the values of shape {:?}", answer.shape),
        got: format!("{} values", answer.values.len()),
    })
}

/// How far above 1 rounding may put a probability.
const SLACK: f64 = 1e-3;

#[cfg(test)]
mod tests {
    use super::*;

    fn array(shape: &[usize], values: &[f64]) -> Array {
        Array { shape: shape.to_vec(), values: values.to_vec() }
    }

    #[test]
    fn probabilities_become_logits_of_the_same_softmax() {
        let answer = array(&[1, 3], &[0.25, 0.75, 0.0]);
        let (logits, classes) = logits(&answer, (1, None), OutputKind::Probabilities, "a").unwrap();
        let expected = [0.25_f32.ln(), 0.75_f32.ln(), f32::MIN_POSITIVE.ln()];
        assert_eq!((logits, classes), (expected.to_vec(), 3));
        let wrong = array(&[1, 2], &[0.5, 2.5]);
        let error = super::logits(&wrong, (1, None), OutputKind::Probabilities, "a").unwrap_err();
        assert!(matches!(error, RemoteError::NotAProbability { class: 1, .. }), "{error}");
    }

    #[test]
    fn a_wrong_shape_names_both() {
        let told = |shape: &[usize], classes| {
            let answer = array(shape, &vec![0.0; shape.iter().product()]);
            logits(&answer, (2, classes), OutputKind::Logits, "a").unwrap_err().to_string()
        };
        assert_eq!(told(&[3, 4], None), "a: expected an answer of shape [2, classes], got [3, 4]");
        assert_eq!(told(&[2, 4], Some(5)), "a: expected an answer of shape [2, 5], got [2, 4]");
        assert_eq!(told(&[2], None), "a: expected an answer of shape [2, classes], got [2]");
        assert_eq!(told(&[2, 0], None), "a: expected an answer of shape [2, classes], got [2, 0]");
        let short = array(&[2, 2], &[0.0; 3]);
        let error = logits(&short, (2, None), OutputKind::Logits, "a").unwrap_err();
        assert!(error.to_string().contains("3 values"), "{error}");
    }

    #[test]
    fn a_score_that_is_not_finite_is_named() {
        for bad in [f64::NAN, f64::NEG_INFINITY, 1e39] {
            let answer = array(&[2, 2], &[0.0, 0.0, bad, 0.0]);
            let error = logits(&answer, (2, Some(2)), OutputKind::Logits, "a").unwrap_err();
            assert!(matches!(error, RemoteError::NotFinite { row: 1, class: 0, .. }), "{error}");
        }
    }

    #[test]
    fn a_label_is_an_integer_in_range() {
        assert_eq!(labels(&array(&[2], &[0.0, 9.0]), 2, 10, "a").unwrap(), [0, 9]);
        assert_eq!(labels(&array(&[2, 1], &[1.0, 2.0]), 2, 10, "a").unwrap(), [1, 2]);
        for bad in [-1.0, 10.0, 0.5, f64::NAN, f64::INFINITY] {
            let error = labels(&array(&[2], &[0.0, bad]), 2, 10, "a").unwrap_err();
            assert!(matches!(error, RemoteError::NotAClass { row: 1, .. }), "{error}");
        }
        assert!(labels(&array(&[2, 2], &[0.0; 4]), 2, 10, "a").is_err());
    }
}
