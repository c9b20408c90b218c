//! What trainings of several networks as one share.
use burn::prelude::*;
use duress_core::{Classifier, Domain};
use duress_models::train::Step;
use duress_models::{Error, Result, Trainable};

/// The number of members, of which there must be two.
pub(super) fn checked<M: Trainable>(what: &'static str, network: &M) -> Result<usize> {
    match network.members() {
        0 | 1 => Err(Error::Parameter {
            what,
            field: "architecture",
            expected: "a `committee` of at least 2 members".into(),
            got: "one network".into(),
        }),
        members => Ok(members),
    }
}

/// The mean of the members' probabilities, `[B, K]`, of at least one.
pub(super) fn mean_probabilities(all: &[Tensor<2>]) -> Tensor<2> {
    let sum = all.iter().cloned().reduce(|sum, one| sum + one);
    sum.unwrap_or_else(|| unreachable!()) / all.len() as f64
}

/// One member of a network in evaluation mode, as an attack sees it.
pub(super) struct Member<'a, M> {
    pub(super) network: M,
    pub(super) index: usize,
    pub(super) step: &'a Step<'a>,
}

impl<M: Trainable> Classifier for Member<'_, M> {
    fn domain(&self) -> &Domain {
        self.step.domain
    }

    fn classes(&self) -> usize {
        self.step.classes
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        self.network.member_logits(self.index, rows)
    }
}
