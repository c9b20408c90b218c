//! An input that violates a property, in the format in which the competition takes it.
use std::fmt;
use std::path::Path;

use super::VnnlibError;

/// Inputs and the outputs of the network on them.
#[derive(Clone, Debug, PartialEq)]
pub struct Counterexample {
    inputs: Vec<f64>,
    outputs: Vec<f64>,
}

impl Counterexample {
    /// From values that are all numbers.
    ///
    /// # Errors
    /// [`VnnlibError::NotFinite`] names the first that is not.
    pub fn new(inputs: Vec<f64>, outputs: Vec<f64>) -> Result<Self, VnnlibError> {
        for (kind, values) in [("X", &inputs), ("Y", &outputs)] {
            if let Some(index) = values.iter().position(|value| !value.is_finite()) {
                let variable = format!("{kind}_{index}");
                return Err(VnnlibError::NotFinite { variable, value: values[index] });
            }
        }
        Ok(Self { inputs, outputs })
    }

    /// The values of `X_0`, `X_1`, …
    #[must_use]
    pub fn inputs(&self) -> &[f64] {
        &self.inputs
    }

    /// The values of `Y_0`, `Y_1`, …
    #[must_use]
    pub fn outputs(&self) -> &[f64] {
        &self.outputs
    }

    /// Writes the file whole or not at all.
    ///
    /// # Errors
    /// [`VnnlibError::Write`].
    pub fn write(&self, path: &Path) -> Result<(), VnnlibError> {
        Ok(duress_models::atomic::write(path, &[self.to_string().as_bytes(), b"\n"])?)
    }
}

/// `((X_0 v)`, one variable a line, the last closed by `))`. Values read back to the same bits.
impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(")?;
        let inputs = self.inputs.iter().enumerate().map(|value| ("X", value));
        let outputs = self.outputs.iter().enumerate().map(|value| ("Y", value));
        for (place, (kind, (index, value))) in inputs.chain(outputs).enumerate() {
            let separator = if place == 0 { "" } else { "\n" };
            // An exponent where the digits would run on.
            let small = *value != 0.0 && !(1e-5..1e17).contains(&value.abs());
            if small {
                write!(f, "{separator}({kind}_{index} {value:e})")?;
            } else {
                write!(f, "{separator}({kind}_{index} {value})")?;
            }
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counterexample_is_written_as_the_competition_reads_it() {
        let found = Counterexample::new(vec![0.1, -1e-30, 2.0], vec![f64::from(0.1_f32)]).unwrap();
        let expected = "((X_0 0.1)\n(X_1 -1e-30)\n(X_2 2)\n(Y_0 0.10000000149011612))";
        assert_eq!(found.to_string(), expected);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a result.txt");
        found.write(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{expected}\n"));
        assert!(found.write(&folder.path().join("none/file")).is_err());
    }

    #[test]
    fn what_is_no_number_is_named() {
        let told = Counterexample::new(vec![0.0], vec![1.0, f64::NAN]).unwrap_err().to_string();
        assert_eq!(told, "`Y_1` of a counterexample must be finite, got NaN");
    }
}
