//! Defences of answers as files name them.
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Classifier, Domain, Result};
use serde::{Deserialize, Serialize};

use super::{Abstaining, Hardening, Rejection, hardening::told};
use crate::table::{Defense, Entry, defaults};

/// What is done to the answers of one classifier.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum InferenceDefense {
    /// Scores that tell less.
    Hardening(Hardening),
    /// Answers that may be refused.
    Abstention(Abstention),
}

impl InferenceDefense {
    /// Checks the hyperparameters.
    ///
    /// # Errors
    /// [`duress_core::Error::Parameter`].
    pub fn check(self) -> Result<()> {
        match self {
            Self::Hardening(hardening) => hardening.check(),
            Self::Abstention(abstention) => abstention.check(),
        }
    }
}

/// A classifier that may refuse to answer, and what a refusal costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Abstention {
    /// What decides.
    pub rule: RefusalRule,
    /// Least margin of logits of an answer, at least 0; of the rule `margin`.
    pub threshold: f64,
    /// Cost of a refusal where that of an error is 1, in `[0, 1)`; what the rule `cost` goes by, and
    /// what mean costs are counted with under either rule.
    pub cost: f64,
}

/// What decides on a refusal: see [`Rejection`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalRule {
    /// The margin between the two largest logits.
    Margin,
    /// The cost of a refusal against the probability of an error.
    #[default]
    Cost,
}

impl Default for Abstention {
    fn default() -> Self {
        Self { rule: RefusalRule::Cost, threshold: 1.0, cost: 0.1 }
    }
}

impl Abstention {
    /// The rule with its number.
    #[must_use]
    pub fn rejection(self) -> Rejection {
        match self.rule {
            RefusalRule::Margin => Rejection::Margin { threshold: self.threshold },
            RefusalRule::Cost => Rejection::Cost { cost: self.cost },
        }
    }

    /// Checks both numbers.
    ///
    /// # Errors
    /// [`duress_core::Error::Parameter`].
    pub fn check(self) -> Result<()> {
        Rejection::Margin { threshold: self.threshold }.check()?;
        Rejection::Cost { cost: self.cost }.check()
    }

    /// `base` with a class of refusal after its own.
    ///
    /// # Errors
    /// As [`Abstention::check`].
    pub fn wrap(self, base: Arc<dyn Classifier>) -> Result<Abstaining<Arc<dyn Classifier>>> {
        self.check()?;
        Abstaining::new(base, self.rejection())
    }
}

/// A classifier whose logits are the logarithms of hardened probabilities.
///
/// On a tape the values are these and the gradient passes as if nothing were done (BPDA): steps and
/// ranks have no slope of use.
pub struct HardenedClassifier {
    base: Arc<dyn Classifier>,
    hardening: Hardening,
}

impl HardenedClassifier {
    /// `base` behind the hardening.
    ///
    /// # Errors
    /// [`duress_core::Error::Parameter`].
    pub fn new(base: Arc<dyn Classifier>, hardening: Hardening) -> Result<Self> {
        hardening.check()?;
        Ok(Self { base, hardening })
    }

    /// The classifier without the hardening: what an adversary who sees it differentiates.
    #[must_use]
    pub fn base(&self) -> &Arc<dyn Classifier> {
        &self.base
    }
}

impl Classifier for HardenedClassifier {
    fn domain(&self) -> &Domain {
        self.base.domain()
    }

    fn classes(&self) -> usize {
        self.base.classes()
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let logits = self.base.forward(rows);
        let plain = logits.clone().inner();
        let (shape, device) = (plain.dims(), plain.device());
        let values = told(plain.clone(), self.hardening).expect("the device hands back its logits");
        let hardened = Tensor::from_data(TensorData::new(values, shape), &device);
        if logits.is_autodiff() { logits + (hardened - plain) } else { hardened }
    }
}

/// See [`Hardening::Rounded`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ScoreRounding {
    digits: u32,
}

impl Default for ScoreRounding {
    fn default() -> Self {
        Self { digits: 1 }
    }
}

/// See [`Hardening::TopK`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TopScores {
    kept: usize,
}

impl Default for TopScores {
    fn default() -> Self {
        Self { kept: 1 }
    }
}

/// See [`Hardening::ReverseSigmoid`]; the values of the paper's experiments.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ReverseSigmoid {
    beta: f64,
    gamma: f64,
}

impl Default for ReverseSigmoid {
    fn default() -> Self {
        Self { beta: 0.7, gamma: 0.2 }
    }
}

fn hardening<S: serde::de::DeserializeOwned>(
    table: toml::Table,
    made: impl FnOnce(S) -> Hardening,
) -> Result<Defense, toml::de::Error> {
    Ok(Defense::Inference(InferenceDefense::Hardening(made(table.try_into()?))))
}

pub(crate) const ABSTENTION: Entry = Entry {
    name: "abstention",
    summary: "answers that may be refused",
    reference: "doi:10.1109/TIT.1970.1054406",
    defaults: defaults::<Abstention>,
    parse: |table| Ok(Defense::Inference(InferenceDefense::Abstention(table.try_into()?))),
};

pub(crate) const REVERSE_SIGMOID: Entry = Entry {
    name: "reverse-sigmoid",
    summary: "scores bent towards each other",
    reference: "arXiv:1806.00054",
    defaults: defaults::<ReverseSigmoid>,
    parse: |table| {
        hardening(table, |ReverseSigmoid { beta, gamma }| Hardening::ReverseSigmoid { beta, gamma })
    },
};

pub(crate) const SCORE_ROUNDING: Entry = Entry {
    name: "score-rounding",
    summary: "scores of few digits",
    reference: "arXiv:1609.02943",
    defaults: defaults::<ScoreRounding>,
    parse: |table| hardening(table, |ScoreRounding { digits }| Hardening::Rounded { digits }),
};

pub(crate) const TOP_SCORES: Entry = Entry {
    name: "top-scores",
    summary: "the largest scores, the others even",
    reference: "arXiv:1609.02943",
    defaults: defaults::<TopScores>,
    parse: |table| hardening(table, |TopScores { kept }| Hardening::TopK { kept }),
};

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Domain, Goal, Loss, host, input_gradient};

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

    #[derive(Debug)]
    struct First;

    impl Loss for First {
        fn name(&self) -> &'static str {
            "first"
        }

        fn per_sample(&self, logits: Tensor<2>, _: &duress_core::Aim) -> Tensor<1> {
            logits.narrow(1, 0, 1).squeeze_dim(1)
        }
    }

    /// `σ(4 · 0.5) = 0.88` is told as 0.9, and the slope is that of the base.
    #[test]
    fn values_are_hardened_and_slopes_are_those_of_the_base() {
        let base: Arc<dyn Classifier> = Arc::new(Plain(Domain::image(1, 1, 2).unwrap()));
        let hardened = HardenedClassifier::new(base, Hardening::Rounded { digits: 1 }).unwrap();
        let device = Device::flex();
        let rows = || Tensor::<2>::from_data([[0.75, 0.25]], &device);
        let told = host::floats(hardened.forward(rows())).unwrap();
        assert!((told[0].exp() - 0.9).abs() < 1e-6 && (told[1].exp() - 0.1).abs() < 1e-6);
        let aim = Goal::Untargeted(vec![0]).aim(&device);
        let at = input_gradient(&hardened, rows(), &aim, &First).unwrap();
        assert!((host::floats(at.loss).unwrap()[0].exp() - 0.9).abs() < 1e-6);
        assert_eq!(host::floats(at.gradient).unwrap(), [4.0, 0.0]);
    }

    #[test]
    fn files_name_a_rule_and_its_numbers() {
        let parse = |text: &str| {
            let table: toml::Table = toml::from_str(text).unwrap();
            match (ABSTENTION.parse)(table) {
                Ok(Defense::Inference(InferenceDefense::Abstention(one))) => one,
                other => panic!("{other:?}"),
            }
        };
        let margin = parse("rule = \"margin\"\nthreshold = 2.0");
        assert_eq!(margin.rejection(), Rejection::Margin { threshold: 2.0 });
        assert_eq!(parse("cost = 0.3").rejection(), Rejection::Cost { cost: 0.3 });
        assert!(Abstention { cost: 1.0, ..margin }.check().is_err());
        assert!(Abstention { threshold: -1.0, ..margin }.check().is_err());
    }
}
