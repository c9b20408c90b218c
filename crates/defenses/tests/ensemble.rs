//! A vote has no gradient; the adversary who knows it differentiates the average instead.
#![allow(clippy::unwrap_used)]
use burn::prelude::*;
use duress_attacks::Pgd;
use duress_core::{
    Attack, Classifier, Domain, Error, Goal, Norm, Oracle, Passes, Problem, Status, Surrogate,
    Threat, WhiteBox, run,
};
use duress_defenses::VotingEnsemble;

/// Logits `(⟨w, x⟩ − ½⟨w, 1⟩ + b, 0)`.
struct Linear {
    weights: [f32; 2],
    bias: f32,
    domain: Domain,
}

impl Classifier for Linear {
    fn domain(&self) -> &Domain {
        &self.domain
    }

    fn classes(&self) -> usize {
        2
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let weights = Tensor::<2>::from_data([self.weights], &rows.device());
        let margin = ((rows - 0.5) * weights).sum_dim(1) + self.bias;
        Tensor::cat(vec![margin.clone(), margin * 0.0], 1)
    }
}

fn members() -> Vec<Box<dyn Classifier>> {
    [([4.0, 0.0], 0.4), ([0.0, 4.0], 0.4), ([3.0, 3.0], 0.4)]
        .into_iter()
        .map(|(weights, bias)| {
            let domain = Domain::image(1, 1, 2).unwrap();
            Box::new(Linear { weights, bias, domain }) as Box<dyn Classifier>
        })
        .collect()
}

fn attack(oracle: Oracle<'_>, radius: f64) -> Result<Status, Error> {
    let problem = Problem::new(
        oracle,
        Tensor::full([1, 2], 0.5, &Device::flex()),
        Goal::Untargeted(vec![0]),
        Threat::new(Norm::Linf, radius).unwrap(),
    );
    let pgd = Attack::Gradient(Box::new(Pgd { step_size: 0.2, ..Pgd::paper() }));
    Ok(run(&pgd, &problem)?.samples[0].status)
}

/// The members flip at 0.1, 0.1 and 0.4/6: two votes of three are lost just past 0.1.
#[test]
fn a_majority_falls_to_the_gradient_of_the_average_and_not_to_its_own() {
    let passes = Passes::new(&Device::flex()).unwrap();
    let defense = VotingEnsemble { majority: true, ..VotingEnsemble::default() };
    let voting = defense.combine(members()).unwrap();
    let direct = WhiteBox::new(&voting, &passes);
    assert_eq!(attack(Oracle::Gradients(&direct), 0.11), Err(Error::NoGradient));
    let average = voting.averaged();
    let informed = Surrogate::new(&voting, &average, &passes);
    assert_eq!(attack(Oracle::Gradients(&informed), 0.11), Ok(Status::Broken));
    assert_eq!(attack(Oracle::Gradients(&informed), 0.06), Ok(Status::Survived));
}

#[test]
fn an_average_is_attacked_through_itself() {
    let passes = Passes::new(&Device::flex()).unwrap();
    let average = VotingEnsemble::default().combine(members()).unwrap();
    let oracle = WhiteBox::new(&average, &passes);
    assert_eq!(attack(Oracle::Gradients(&oracle), 0.11), Ok(Status::Broken));
    assert_eq!(attack(Oracle::Gradients(&oracle), 0.06), Ok(Status::Survived));
}

#[test]
fn weights_that_do_not_fit_the_members_are_refused() {
    let weights = VotingEnsemble { weights: vec![0.5, 0.5], ..VotingEnsemble::default() };
    assert!(weights.combine(members()).is_err());
    assert!(VotingEnsemble::default().combine(Vec::new()).is_err());
}

/// The first member is the best of the three where both features are low.
#[test]
fn fitted_weights_are_those_of_the_least_cross_entropy_and_needed_before_a_vote() {
    let passes = Passes::new(&Device::flex()).unwrap();
    let wanted = VotingEnsemble { fitted: true, ..VotingEnsemble::default() };
    let error = wanted.combine(members()).err().unwrap().to_string();
    assert!(error.contains("`ensemble` was not fitted"), "{error}");
    let all = members();
    let all: Vec<&dyn Classifier> = all.iter().map(AsRef::as_ref).collect();
    let fitted = wanted.fit(&all, &[1.0, 0.0, 0.9, 0.1, 0.0, 0.9], &[0, 0, 1], &passes).unwrap();
    assert!(fitted.weights[0] > 0.99, "{:?}", fitted.weights);
    assert!(fitted.combine(members()).is_ok());
    let both = VotingEnsemble { majority: true, ..wanted };
    assert!(both.combine(members()).is_err());
}
