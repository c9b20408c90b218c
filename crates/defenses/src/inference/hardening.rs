//! Scores that tell less than the model knows.
use burn::prelude::*;
use duress_core::{Domain, Error, LabelOracle, Result, ScoreOracle, arg_max, host};
use serde::{Deserialize, Serialize};

/// What is done to the probabilities of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum Hardening {
    /// Rounds them to some decimal digits.
    Rounded {
        /// Digits, 0 to 12.
        digits: u32,
    },
    /// Keeps the largest and spreads the rest evenly over the other classes.
    TopK {
        /// How many are kept, at least 1.
        kept: usize,
    },
    /// Adds `−β (σ(γ σ⁻¹(p)) − ½)` to each: different inputs of a student get the same answer.
    ///
    /// Lee, Edwards, Molloy, Su. *Defending Against Machine Learning Model Stealing Attacks Using
    /// Deceptive Perturbations.* 2018, eq. (3). <https://arxiv.org/abs/1806.00054>
    ReverseSigmoid {
        /// Size `β` of the perturbation, at least 0.
        beta: f64,
        /// Slope `γ`, above 0.
        gamma: f64,
    },
}

/// The least probability that is told: a logit has to be finite.
const LEAST: f64 = 1e-12;

impl Hardening {
    /// Checks the parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn check(self) -> Result<()> {
        let (field, expected, got, right) = match self {
            Hardening::Rounded { digits } => {
                ("digits", "at most 12", digits.to_string(), digits <= 12)
            }
            Hardening::TopK { kept } => ("kept", "at least 1", kept.to_string(), kept >= 1),
            Hardening::ReverseSigmoid { beta, .. } if !(beta.is_finite() && beta >= 0.0) => {
                ("beta", "at least 0", beta.to_string(), false)
            }
            Hardening::ReverseSigmoid { gamma, .. } => {
                ("gamma", "above 0", gamma.to_string(), gamma.is_finite() && gamma > 0.0)
            }
        };
        if right {
            return Ok(());
        }
        Err(Error::Parameter { algorithm: "hardening", field, expected, got })
    }

    /// The told probabilities of one answer; they sum to 1.
    #[must_use]
    pub fn apply(self, probabilities: &[f64]) -> Vec<f64> {
        let told: Vec<f64> = match self {
            Hardening::Rounded { digits } => {
                let scale = 10.0_f64.powi(digits as i32);
                probabilities.iter().map(|p| (p * scale).round() / scale).collect()
            }
            Hardening::TopK { kept } => {
                let mut order: Vec<usize> = (0..probabilities.len()).collect();
                // Stable: of equals the lower class.
                order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
                let (top, rest) = order.split_at(kept.min(order.len()));
                let left: f64 = rest.iter().map(|&class| probabilities[class]).sum();
                let mut told = vec![left / rest.len().max(1) as f64; probabilities.len()];
                for &class in top {
                    told[class] = probabilities[class];
                }
                told
            }
            Hardening::ReverseSigmoid { beta, gamma } => {
                let perturbed = |p: &f64| {
                    let p = p.clamp(LEAST, 1.0 - LEAST);
                    let logit = (p / (1.0 - p)).ln();
                    p - beta * (1.0 / (1.0 + (-gamma * logit).exp()) - 0.5)
                };
                probabilities.iter().map(perturbed).collect()
            }
        };
        let told: Vec<f64> = told.into_iter().map(|p| p.max(0.0)).collect();
        let total: f64 = told.iter().sum();
        // All rounded away: nothing is told.
        let even = 1.0 / told.len().max(1) as f64;
        told.into_iter().map(|p| if total > 0.0 { p / total } else { even }).collect()
    }
}

/// An oracle whose scores are hardened: logarithms of the told probabilities, none below
/// `ln 10⁻¹²`. Its classes are the most probable of what is told, the lowest of equals.
#[derive(Clone, Copy)]
pub struct Hardened<'a> {
    inner: &'a dyn ScoreOracle,
    hardening: Hardening,
}

impl<'a> Hardened<'a> {
    /// `inner` behind the hardening.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn new(inner: &'a dyn ScoreOracle, hardening: Hardening) -> Result<Self> {
        hardening.check()?;
        Ok(Self { inner, hardening })
    }

    fn told(&self, rows: Tensor<2>) -> Result<(Vec<f32>, [usize; 2])> {
        let logits = self.inner.logits(rows)?;
        let shape = logits.dims();
        Ok((told(logits, self.hardening)?, shape))
    }
}

/// Logarithms of the told probabilities of logits `[N, K]`, row-major, none below `ln 10⁻¹²`.
pub(super) fn told(logits: Tensor<2>, hardening: Hardening) -> Result<Vec<f32>> {
    let classes = logits.dims()[1];
    let mut values = host::floats(logits)?;
    for row in values.chunks_mut(classes.max(1)) {
        let top = row.iter().fold(f32::NEG_INFINITY, |top, logit| top.max(*logit));
        let powers: Vec<f64> = row.iter().map(|logit| f64::from(logit - top).exp()).collect();
        let total: f64 = powers.iter().sum();
        let probabilities: Vec<f64> = powers.iter().map(|power| power / total).collect();
        for (value, told) in row.iter_mut().zip(hardening.apply(&probabilities)) {
            *value = told.max(LEAST).ln() as f32;
        }
    }
    Ok(values)
}

impl LabelOracle for Hardened<'_> {
    fn domain(&self) -> &Domain {
        self.inner.domain()
    }

    fn classes(&self) -> usize {
        self.inner.classes()
    }

    fn device(&self) -> &Device {
        self.inner.device()
    }

    fn granularity(&self) -> usize {
        self.inner.granularity()
    }

    fn cost(&self) -> u64 {
        self.inner.cost()
    }

    fn labels(&self, rows: Tensor<2>) -> Result<Tensor<1, Int>> {
        let (values, [count, classes]) = self.told(rows)?;
        let labels: Vec<i64> =
            values.chunks(classes.max(1)).map(|row| arg_max(row) as i64).collect();
        Ok(Tensor::from_data(TensorData::new(labels, [count]), self.device()))
    }
}

impl ScoreOracle for Hardened<'_> {
    fn logits(&self, rows: Tensor<2>) -> Result<Tensor<2>> {
        let (values, shape) = self.told(rows)?;
        Ok(Tensor::from_data(TensorData::new(values, shape), self.device()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Classifier, Passes, WhiteBox};

    fn near(got: &[f64], expected: &[f64]) {
        assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-9, "{got} {expected}");
        }
    }

    #[test]
    fn digits_and_ranks_are_what_is_left() {
        let given = [0.617, 0.253, 0.08, 0.05];
        near(
            &Hardening::Rounded { digits: 1 }.apply(&given),
            &[0.6, 0.3, 0.1, 0.1].map(|p| p / 1.1),
        );
        near(&Hardening::Rounded { digits: 0 }.apply(&given), &[1.0, 0.0, 0.0, 0.0]);
        near(
            &Hardening::TopK { kept: 1 }.apply(&given),
            &[0.617, 0.383 / 3.0, 0.383 / 3.0, 0.383 / 3.0],
        );
        near(&Hardening::TopK { kept: 9 }.apply(&given), &given);
        near(&Hardening::Rounded { digits: 0 }.apply(&[0.25; 4]), &[0.25; 4]);
    }

    /// At ½ the perturbation is zero; at `p` and `1 − p` it is opposite.
    #[test]
    fn the_reverse_sigmoid_pulls_towards_the_middle_by_the_formula() {
        let rule = Hardening::ReverseSigmoid { beta: 0.7, gamma: 0.2 };
        near(&rule.apply(&[0.5, 0.5]), &[0.5, 0.5]);
        let shift = 0.7 * (1.0 / (1.0 + (-0.2 * 9.0_f64.ln()).exp()) - 0.5);
        near(&rule.apply(&[0.9, 0.1]), &[0.9 - shift, 0.1 + shift]);
        near(&Hardening::ReverseSigmoid { beta: 0.0, gamma: 0.2 }.apply(&[0.7, 0.3]), &[0.7, 0.3]);
        assert!(Hardening::ReverseSigmoid { beta: 0.1, gamma: 0.0 }.check().is_err());
        assert!(Hardening::TopK { kept: 0 }.check().is_err());
    }

    struct Plain(Domain);

    impl Classifier for Plain {
        fn domain(&self) -> &Domain {
            &self.0
        }

        fn classes(&self) -> usize {
            2
        }

        fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
            rows * 4.0
        }
    }

    #[test]
    fn an_oracle_tells_hardened_scores_and_finite_ones() {
        let passes = Passes::with_workers(&Device::flex(), 1).unwrap();
        let plain = Plain(Domain::image(1, 1, 2).unwrap());
        let inner = WhiteBox::new(&plain, &passes);
        let oracle = Hardened::new(&inner, Hardening::Rounded { digits: 1 }).unwrap();
        let rows = Tensor::<2>::from_data([[0.0, 1.0], [0.5, 0.5]], &Device::flex());
        let got = host::floats(oracle.logits(rows.clone()).unwrap()).unwrap();
        // Probabilities (0.018, 0.982) and (½, ½).
        let expected = [LEAST.ln() as f32, 0.0, 0.5_f32.ln(), 0.5_f32.ln()];
        assert!(got.iter().zip(expected).all(|(got, e)| (got - e).abs() < 1e-5), "{got:?}");
        assert_eq!(host::labels(oracle.labels(rows).unwrap()).unwrap(), [1, 0]);
    }
}
