//! Several networks as one: trained together, they answer with their mean.
use burn::module::Module;
use burn::prelude::*;
use burn::tensor::activation::log_softmax;

use super::{FirstLayer, Network};

/// Networks of one architecture, whose probabilities are averaged.
///
/// `[N, F] → [N, K]`: the logits are `ln (1/m) Σ softmax(fᵢ(x))`. Parameters: those of the members.
#[derive(Module, Debug)]
pub struct Committee {
    members: Vec<Network>,
}

impl Committee {
    pub(super) const NAME: &'static str = "committee";

    pub(super) fn new(members: Vec<Network>) -> Self {
        Self { members }
    }

    /// The members.
    #[must_use]
    pub fn members(&self) -> &[Network] {
        &self.members
    }

    /// Logits, `[N, F] → [N, K]`.
    #[must_use]
    pub fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        mean(self.members.iter().map(|member| member.forward(rows.clone())))
    }

    /// The members' first layers side by side, `[N, m · channels, height, width]`.
    pub(super) fn first(&self, rows: &Tensor<2>) -> Tensor<4> {
        Tensor::cat(self.members.iter().map(|member| member.first(rows.clone())).collect(), 1)
    }

    /// Logits of what [`Committee::first`] gave.
    pub(super) fn rest(&self, hidden: Tensor<4>) -> Tensor<2> {
        let parts = hidden.chunk(self.members.len(), 1);
        mean(self.members.iter().zip(parts).map(|(member, part)| member.rest(part)))
    }
}

/// The logarithm of the mean of the probabilities of some logits.
fn mean(logits: impl Iterator<Item = Tensor<2>>) -> Tensor<2> {
    let terms: Vec<Tensor<3>> =
        logits.map(|logits| log_softmax(logits, 1).unsqueeze_dim::<3>(0)).collect();
    let members = terms.len() as f64;
    let terms = Tensor::cat(terms, 0);
    let top = terms.clone().detach().max_dim(0);
    let sum = ((terms - top.clone()).exp().sum_dim(0).log() + top).squeeze_dim::<2>(0);
    sum - members.ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, Trainable};
    use duress_core::{Domain, Seed, host::floats};

    fn committee(members: usize) -> Architecture {
        let member = Box::new(Architecture::Mlp { hidden: vec![3] });
        Architecture::Committee { member, members }
    }

    #[test]
    fn its_probabilities_are_the_mean_of_members_that_differ() {
        let (domain, device) = (Domain::image(1, 1, 2).unwrap(), Device::flex());
        let network = committee(3).init(&domain, 2, Seed(1), &device).unwrap();
        let rows = || Tensor::<2>::from_data([[0.25, 0.75]], &device);
        assert_eq!(network.members(), 3);
        let [a, b, c] = &[0, 1, 2].map(|member| network.member_logits(member, rows()));
        let probability = |logits: &Tensor<2>| {
            let [a, b] = floats(logits.clone()).unwrap()[..] else { panic!("two classes") };
            1.0 / (1.0 + f64::from(b - a).exp())
        };
        assert!((probability(a) - probability(b)).abs() > 1e-3);
        let mean = (probability(a) + probability(b) + probability(c)) / 3.0;
        let got = floats(network.forward(rows())).unwrap();
        assert!((f64::from(got[0]).exp() - mean).abs() < 1e-6);
        assert!((f64::from(got[1]).exp() - (1.0 - mean)).abs() < 1e-6);
    }

    #[test]
    fn parameters_are_those_of_the_members_and_no_member_is_refused() {
        let domain = Domain::image(1, 1, 2).unwrap();
        let one = Architecture::Mlp { hidden: vec![3] }.parameters(&domain, 2).unwrap();
        assert_eq!(committee(3).parameters(&domain, 2).unwrap(), 3 * one);
        for members in [0, 1001] {
            assert!(committee(members).init(&domain, 2, Seed(0), &Device::flex()).is_err());
        }
        let nested = Architecture::Committee { member: Box::new(committee(2)), members: 2 };
        assert!(nested.parameters(&domain, 2).is_err());
    }
}
