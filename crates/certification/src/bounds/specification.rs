//! What is bounded: linear functions of the results of a network.
use super::{Error, Result};

/// Rows `C y + d`, of which lower bounds are asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Specification {
    outputs: usize,
    rows: Vec<f64>,
    offsets: Vec<f64>,
}

impl Specification {
    /// The matrix `rows` `[S, outputs]`, row-major, and an offset a row.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::NotFinite`].
    pub fn new(outputs: usize, rows: Vec<f64>, offsets: Vec<f64>) -> Result<Self> {
        let expected = outputs.saturating_mul(offsets.len());
        if rows.len() != expected {
            return Err(Error::Length { what: "specification", expected, got: rows.len() });
        }
        for (what, values) in [("specification", &rows), ("offsets", &offsets)] {
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                return Err(Error::NotFinite { what, index, value: values[index] });
            }
        }
        Ok(Self { outputs, rows, offsets })
    }

    /// `y[label] − y[j]` for each `j` of `others`.
    ///
    /// # Errors
    /// [`Error::Label`] for a class that is none of the outputs.
    pub fn margins(outputs: usize, label: usize, others: &[usize]) -> Result<Self> {
        if let Some(&bad) = others.iter().chain([&label]).find(|&&class| class >= outputs) {
            return Err(Error::Label { label: bad, outputs });
        }
        let mut rows = vec![0.0; outputs * others.len()];
        for (row, &other) in rows.chunks_exact_mut(outputs).zip(others) {
            row[label] += 1.0;
            row[other] -= 1.0;
        }
        Self::new(outputs, rows, vec![0.0; others.len()])
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.offsets.is_empty()
    }

    /// Results that a row multiplies.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Coefficients of row `index`.
    #[must_use]
    pub fn row(&self, index: usize) -> &[f64] {
        &self.rows[index * self.outputs..][..self.outputs]
    }

    /// Offset of row `index`.
    #[must_use]
    pub fn offset(&self, index: usize) -> f64 {
        self.offsets[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_subtract_the_other_class_and_a_class_that_is_none_is_an_error() {
        let margins = Specification::margins(3, 2, &[0, 2]).unwrap();
        assert_eq!(margins.row(0), [-1.0, 0.0, 1.0]);
        assert_eq!(margins.row(1), [0.0; 3]);
        assert!(matches!(
            Specification::margins(3, 3, &[]),
            Err(Error::Label { label: 3, outputs: 3 })
        ));
        assert!(Specification::new(2, vec![1.0], vec![0.0]).is_err());
        assert!(Specification::new(1, vec![f64::NAN], vec![0.0]).is_err());
    }
}
