//! Classifiers that may refuse to answer: one more class.
use burn::prelude::*;
use burn::tensor::activation::log_softmax;
use duress_core::{Classifier, Domain, Error, LabelOracle, Result, ScoreOracle};
use serde::{Deserialize, Serialize};

/// When an answer is refused.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum Rejection {
    /// Where the largest logit is less than `threshold` above the second.
    Margin {
        /// Least margin of an answer, at least 0.
        threshold: f64,
    },
    /// Where an error is likelier than `cost`, the cost of a refusal if that of an error is 1: the
    /// rule of least expected cost for true probabilities.
    ///
    /// Chow. *On Optimum Recognition Error and Reject Tradeoff.* IEEE Trans. Inf. Theory 16 (1970).
    Cost {
        /// Cost of a refusal, in `[0, 1)`.
        cost: f64,
    },
}

impl Rejection {
    /// Checks the threshold.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn check(self) -> Result<()> {
        let (field, value, right, expected) = match self {
            Rejection::Margin { threshold } => {
                let right = threshold.is_finite() && threshold >= 0.0;
                ("threshold", threshold, right, "finite and at least 0")
            }
            Rejection::Cost { cost } => {
                ("cost", cost, (0.0..1.0).contains(&cost), "at least 0 and below 1")
            }
        };
        if right {
            return Ok(());
        }
        Err(Error::Parameter { algorithm: "abstention", field, expected, got: value.to_string() })
    }

    /// Logits `[N, K] → [N, K + 1]`, `K` at least 2: the last one is the largest where the answer
    /// is refused. Differentiable.
    #[must_use]
    pub fn refuse(self, logits: Tensor<2>) -> Tensor<2> {
        let refusal = match self {
            // Above the largest exactly where that is less than the threshold above the second.
            Rejection::Margin { threshold } => second(&logits) + threshold,
            Rejection::Cost { cost } => {
                // The logit of a class of probability `1 − cost`.
                let total =
                    logits.clone().narrow(1, 0, 1) - log_softmax(logits.clone(), 1).narrow(1, 0, 1);
                total + (1.0 - cost).ln()
            }
        };
        Tensor::cat(vec![logits, refusal], 1)
    }
}

/// The second largest logit of each row, `[N, 1]`.
fn second(logits: &Tensor<2>) -> Tensor<2> {
    let plain = logits.clone().inner();
    let classes = plain.dims()[1];
    let top = plain.clone().argmax(1).squeeze_dim::<1>(1);
    let largest = top.one_hot::<2>(classes).float() * 1e30;
    let place = (plain - largest).argmax(1);
    logits.clone().gather(1, place)
}

/// A classifier or an oracle that refuses answers by a rule: class `K`, after those of the model.
///
/// What counts as broken is a matter of the goal. An untargeted attack breaks a sample by a
/// refusal too: the service is denied. An attack with a wrong class as its target has to be
/// answered. [`super::AdversarialTally`] counts the two apart.
#[derive(Clone, Copy, Debug)]
pub struct Abstaining<M> {
    inner: M,
    rule: Rejection,
}

impl<M> Abstaining<M> {
    /// `inner` behind the rule.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn new(inner: M, rule: Rejection) -> Result<Self> {
        rule.check()?;
        Ok(Self { inner, rule })
    }
}

impl<C: Classifier> Classifier for Abstaining<C> {
    fn domain(&self) -> &Domain {
        self.inner.domain()
    }

    fn classes(&self) -> usize {
        self.inner.classes() + 1
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        self.rule.refuse(self.inner.forward(rows))
    }
}

impl LabelOracle for Abstaining<&dyn ScoreOracle> {
    fn domain(&self) -> &Domain {
        self.inner.domain()
    }

    fn classes(&self) -> usize {
        self.inner.classes() + 1
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
        Ok(self.logits(rows)?.argmax(1).squeeze_dim(1))
    }
}

impl ScoreOracle for Abstaining<&dyn ScoreOracle> {
    fn logits(&self, rows: Tensor<2>) -> Result<Tensor<2>> {
        Ok(self.rule.refuse(self.inner.logits(rows)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Passes, WhiteBox, host};

    /// The rows themselves are logits.
    struct Plain(Domain);

    impl Classifier for Plain {
        fn domain(&self) -> &Domain {
            &self.0
        }

        fn classes(&self) -> usize {
            3
        }

        fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
            rows
        }
    }

    fn decisions(rule: Rejection, rows: &[[f32; 3]]) -> Vec<usize> {
        let passes = Passes::with_workers(&Device::flex(), 1).unwrap();
        let values: Vec<f32> = rows.iter().flatten().copied().collect();
        let data = TensorData::new(values, [rows.len(), 3]);
        let tensor = Tensor::<2>::from_data(data, &Device::flex());
        let plain = Plain(Domain::image(1, 1, 3).unwrap());
        let inner = WhiteBox::new(&plain, &passes);
        let oracle = Abstaining::new(&inner as &dyn ScoreOracle, rule).unwrap();
        assert_eq!(LabelOracle::classes(&oracle), 4);
        host::labels(oracle.labels(tensor).unwrap()).unwrap()
    }

    #[test]
    fn a_margin_below_the_threshold_is_refused() {
        let rows = [[0.9, 0.5, 0.1], [0.7, 0.5, 0.1], [0.2, 0.3, 0.9], [0.5, 0.5, 0.0]];
        assert_eq!(decisions(Rejection::Margin { threshold: 0.3 }, &rows), [0, 3, 2, 3]);
    }

    /// Probabilities (½, ¼, ¼): an error has ½.
    #[test]
    fn an_error_likelier_than_the_cost_is_refused() {
        let log = 2.0_f32.ln();
        let rows = [[log, 0.0, 0.0]];
        assert_eq!(decisions(Rejection::Cost { cost: 0.45 }, &rows), [3]);
        assert_eq!(decisions(Rejection::Cost { cost: 0.55 }, &rows), [0]);
    }

    #[test]
    fn thresholds_without_meaning_are_refused() {
        for rule in [
            Rejection::Margin { threshold: -0.1 },
            Rejection::Margin { threshold: f64::NAN },
            Rejection::Cost { cost: 1.0 },
        ] {
            assert!(Abstaining::new(Plain(Domain::image(1, 1, 3).unwrap()), rule).is_err());
        }
    }
}
