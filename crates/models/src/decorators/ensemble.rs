//! Several classifiers as one.
use burn::prelude::*;
use burn::tensor::activation::log_softmax;
use duress_core::{Classifier, Domain};

use crate::{Error, Result};

/// How members are combined.
#[derive(Clone, Debug, PartialEq)]
pub enum Vote {
    /// The logits are the numbers of members that predict each class; ties go to the lowest class.
    ///
    /// No gradient reaches the input: a gradient attack ends with
    /// [`duress_core::Error::NoGradient`] rather than a false robustness. Attack
    /// [`Ensemble::averaged`] and transfer, or use an attack on scores or labels.
    Majority,
    /// The logits are `ln Σ wᵢ softmax(fᵢ(x))`, with weights of at least 0 that sum to 1:
    /// differentiable, and a softmax gives back the averaged probabilities.
    Weighted(Vec<f64>),
}

/// Classifiers of one domain and the same classes, combined by a [`Vote`].
pub struct Ensemble {
    members: Vec<Box<dyn Classifier>>,
    vote: Vote,
}

impl Ensemble {
    /// An ensemble of at least one member.
    ///
    /// # Errors
    /// [`Error::Parameter`] for no member or weights that are not one a member, negative, or do
    /// not sum to 1 within 10⁻⁶; [`Error::Member`] for a domain or a number of classes that is not
    /// that of the first member.
    pub fn new(members: Vec<Box<dyn Classifier>>, vote: Vote) -> Result<Self> {
        let fault = |field, expected: String, got: String| {
            Err(Error::Parameter { what: "ensemble", field, expected, got })
        };
        let Some(first) = members.first() else {
            return fault("members", "at least one".into(), "none".into());
        };
        let (domain, classes) = (first.domain(), first.classes());
        for (member, other) in members.iter().enumerate() {
            let differs = |what, expected, got| Err(Error::Member { member, what, expected, got });
            if other.domain() != domain {
                let [expected, got] = [domain, other.domain()].map(|domain| format!("{domain:?}"));
                return differs("domain", expected, got);
            }
            if other.classes() != classes {
                return differs("classes", classes.to_string(), other.classes().to_string());
            }
        }
        if let Vote::Weighted(weights) = &vote {
            if weights.len() != members.len() {
                let expected = format!("{}, one a member", members.len());
                return fault("weights", expected, weights.len().to_string());
            }
            if let Some(bad) = weights.iter().find(|weight| !(0.0..=1.0).contains(*weight)) {
                return fault("weights", "in [0, 1]".into(), bad.to_string());
            }
            let sum: f64 = weights.iter().sum();
            if (sum - 1.0).abs() > 1e-6 {
                return fault("weights", "of sum 1".into(), format!("a sum of {sum}"));
            }
        }
        Ok(Self { members, vote })
    }

    /// The members.
    #[must_use]
    pub fn members(&self) -> &[Box<dyn Classifier>] {
        &self.members
    }

    /// The differentiable stand-in of a majority vote: all members, equal weights.
    #[must_use]
    pub fn averaged(&self) -> Averaged<'_> {
        Averaged(self)
    }

    /// `ln Σ wᵢ softmax(fᵢ(x))`, by log-sum-exp over the members.
    fn mixture(&self, rows: &Tensor<2>, weight: impl Fn(usize) -> f64) -> Tensor<2> {
        let mut terms = Vec::new();
        for (index, member) in self.members.iter().enumerate() {
            let weight = weight(index);
            if weight > 0.0 {
                let log_probabilities = log_softmax(member.forward(rows.clone()), 1);
                terms.push((log_probabilities + weight.ln()).unsqueeze_dim::<3>(0));
            }
        }
        let terms = Tensor::cat(terms, 0);
        let top = terms.clone().detach().max_dim(0);
        ((terms - top.clone()).exp().sum_dim(0).log() + top).squeeze_dim(0)
    }

    fn count(&self, rows: &Tensor<2>) -> Tensor<2> {
        let classes = self.classes();
        let votes = self.members.iter().map(|member| {
            let predicted = member.forward(rows.clone()).inner().argmax(1);
            predicted.squeeze_dim::<1>(1).one_hot::<2>(classes).float()
        });
        votes.reduce(|sum, vote| sum + vote).unwrap_or_else(|| {
            // `new` refuses an ensemble without members.
            Tensor::zeros([rows.dims()[0], classes], &rows.device().inner())
        })
    }
}

impl Classifier for Ensemble {
    fn domain(&self) -> &Domain {
        self.members[0].domain()
    }

    fn classes(&self) -> usize {
        self.members[0].classes()
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        match &self.vote {
            Vote::Majority => self.count(&rows),
            Vote::Weighted(weights) => self.mixture(&rows, |index| weights[index]),
        }
    }
}

/// The averaged probabilities of an ensemble's members; see [`Ensemble::averaged`].
#[derive(Clone, Copy)]
pub struct Averaged<'a>(&'a Ensemble);

impl Classifier for Averaged<'_> {
    fn domain(&self) -> &Domain {
        self.0.domain()
    }

    fn classes(&self) -> usize {
        self.0.classes()
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let weight = 1.0 / self.0.members.len() as f64;
        self.0.mixture(&rows, |_| weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decorators::test::{First, Linear};
    use duress_core::{Goal, host, input_gradient};

    fn members() -> Vec<Box<dyn Classifier>> {
        vec![
            Box::new(Linear::new([[1.0, 0.0], [0.0, 1.0]])),
            Box::new(Linear::new([[0.0, 2.0], [0.0, 0.0]])),
            Box::new(Linear::new([[0.0, 1.0], [0.0, 0.0]])),
        ]
    }

    fn rows() -> Tensor<2> {
        Tensor::from_data([[1.0, 0.25], [0.0, 1.0]], &Device::flex())
    }

    fn probability(logits: [f64; 2]) -> f64 {
        logits[0].exp() / (logits[0].exp() + logits[1].exp())
    }

    #[test]
    fn weighted_votes_average_probabilities() {
        let vote = Vote::Weighted(vec![0.5, 0.5, 0.0]);
        let ensemble = Ensemble::new(members(), vote).unwrap();
        let logits = host::floats(ensemble.forward(rows())).unwrap();
        let expected = 0.5 * probability([1.0, 0.25]) + 0.5 * probability([0.0, 2.0]);
        assert!((f64::from(logits[0]).exp() - expected).abs() < 1e-6);
        assert!((f64::from(logits[1]).exp() - (1.0 - expected)).abs() < 1e-6);
    }

    /// `d ln p / dx` of one linear member is `w₀ − Σ p_k w_k`, here `(1 − p, −(1 − p))`.
    #[test]
    fn the_gradient_passes_through_the_average() {
        let device = Device::flex();
        let one = || members().into_iter().take(1).collect();
        let ensemble = Ensemble::new(one(), Vote::Majority).unwrap();
        let aim = Goal::Untargeted(vec![0, 0]).aim(&device);
        let got = input_gradient(&ensemble.averaged(), rows(), &aim, &First).unwrap();
        let gradient = host::floats(got.gradient).unwrap();
        let rest = (1.0 - probability([1.0, 0.25])) as f32;
        assert!((gradient[0] - rest).abs() < 1e-6 && (gradient[1] + rest).abs() < 1e-6);
        let blocked = input_gradient(&ensemble, rows(), &aim, &First);
        assert!(matches!(blocked, Err(duress_core::Error::NoGradient)));
    }

    #[test]
    fn a_majority_counts_predictions() {
        let ensemble = Ensemble::new(members(), Vote::Majority).unwrap();
        assert_eq!(host::floats(ensemble.forward(rows())).unwrap(), [1.0, 2.0, 2.0, 1.0]);
    }

    #[test]
    fn very_unlikely_classes_keep_finite_logits() {
        let far = || -> Box<dyn Classifier> { Box::new(Linear::new([[900.0, 0.0], [0.0, 0.0]])) };
        let ensemble = Ensemble::new(vec![far(), far()], Vote::Weighted(vec![0.5; 2])).unwrap();
        let logits = host::floats(ensemble.forward(rows())).unwrap();
        assert!((logits[1] + 900.0).abs() < 1e-3, "{logits:?}");
    }

    #[test]
    fn members_that_differ_and_weights_that_do_not_sum_to_one_are_rejected() {
        let weighted = |weights: &[f64]| {
            Ensemble::new(members(), Vote::Weighted(weights.to_vec())).err().unwrap().to_string()
        };
        assert!(weighted(&[0.5, 0.5]).contains("one a member"));
        assert!(weighted(&[0.5, 0.5, 0.5]).contains("a sum of 1.5"));
        assert!(weighted(&[1.5, -0.5, 0.0]).contains("in [0, 1]"));
        assert!(Ensemble::new(vec![], Vote::Majority).is_err());
        let mut odd = members();
        odd.push(Box::new(Linear::wide([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])));
        let error = Ensemble::new(odd, Vote::Majority).err().unwrap().to_string();
        assert_eq!(error, "ensemble member 3: classes must be 2, got 3");
    }
}
