//! Models made of other models: behind a transformation, or voting.
use std::sync::Arc;

use burn::prelude::*;
use duress_core::Classifier;
use duress_defenses::inference::{HardenedClassifier, RefusalRule};
use duress_defenses::{InferenceDefense, TrainingRows, Transformation, VotingEnsemble};
use duress_models::Ensemble;

use super::build::digest;
use super::subject::Subject;
use super::{Built, Runner};
use crate::Result;
use crate::experiment::ModelPlan;

/// The averaged probabilities of an ensemble, owned.
struct Averaged(Arc<Ensemble>);

impl Classifier for Averaged {
    fn domain(&self) -> &duress_core::Domain {
        self.0.domain()
    }

    fn classes(&self) -> usize {
        self.0.classes()
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        self.0.averaged().forward(rows)
    }
}

/// A model with a class of refusal that it never answers: what an adversary differentiates who
/// means to get past refusals by a margin. Their own logit rises with that of the wrong class, so
/// that a loss on both is flat where an answer is refused.
struct Unrefusing(Arc<dyn Classifier>);

/// Below any logit.
const NEVER: f32 = -1e30;

impl Classifier for Unrefusing {
    fn domain(&self) -> &duress_core::Domain {
        self.0.domain()
    }

    fn classes(&self) -> usize {
        self.0.classes() + 1
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let logits = self.0.forward(rows);
        let never = logits.clone().narrow(1, 0, 1) * 0.0 + NEVER;
        Tensor::cat(vec![logits, never], 1)
    }
}

/// A transformation, as the experiment gives it or with what training samples gave.
pub(super) enum Fitted<'t> {
    Given(&'t dyn Transformation),
    Made(Box<dyn Transformation>),
}

impl Fitted<'_> {
    pub(super) fn get(&self) -> &dyn Transformation {
        match self {
            Fitted::Given(given) => *given,
            Fitted::Made(made) => made.as_ref(),
        }
    }
}

impl Runner<'_> {
    /// A model behind a transformation, and the digest of what it is made of: the base, the
    /// settings, the training samples where it takes something from them, the seed where it draws.
    pub(super) fn wrapped(
        &self,
        plan: &ModelPlan,
        base: &Built,
        transformation: &dyn Transformation,
    ) -> Result<(String, Subject)> {
        let classifier = Arc::clone(base.classifier("a transformation")?);
        self.behind(plan, classifier, &base.digest, transformation)
    }

    /// A classifier, `base` its digest, behind a transformation.
    pub(super) fn behind(
        &self,
        plan: &ModelPlan,
        classifier: Arc<dyn Classifier>,
        base: &str,
        transformation: &dyn Transformation,
    ) -> Result<(String, Subject)> {
        let (transformation, data) = self.fitted(transformation)?;
        let defended = transformation.get().wrap(classifier, self.experiment.seed)?;
        let (config, seed) = (plan.config.to_string(), self.experiment.seed.0.to_string());
        let mut parts = vec![base, plan.defense, &config];
        parts.extend(data);
        if defended.is_random() {
            parts.push(&seed);
        }
        Ok((digest(&parts), Subject::defended(Arc::new(defended))))
    }

    /// Models that vote, and the digest of what they are: with the validation samples where
    /// weights are fitted to them.
    pub(super) fn voting(
        &self,
        plan: &ModelPlan,
        members: &[&Built],
        ensemble: &VotingEnsemble,
    ) -> Result<(String, Subject)> {
        let boxed = |member: &&Built| -> Result<Box<dyn Classifier>> {
            Ok(Box::new(Arc::clone(member.classifier("an ensemble")?)))
        };
        let boxed: Vec<Box<dyn Classifier>> = members.iter().map(boxed).collect::<Result<_>>()?;
        let config = plan.config.to_string();
        let mut parts = vec![plan.defense, &config];
        parts.extend(members.iter().map(|member| member.digest.as_str()));
        let ensemble = if ensemble.fitted {
            let all: Vec<&dyn Classifier> = boxed.iter().map(AsRef::as_ref).collect();
            let data = &self.data.validation;
            parts.push(data.digest());
            ensemble.fit(&all, data.values(), data.labels(), self.context.passes)?
        } else {
            ensemble.clone()
        };
        let voting = Arc::new(ensemble.combine(boxed)?);
        let stand_in: Option<Arc<dyn Classifier>> =
            if ensemble.majority { Some(Arc::new(Averaged(Arc::clone(&voting)))) } else { None };
        Ok((digest(&parts), Subject::local(voting, stand_in)))
    }

    /// A transformation with what it takes from the training samples, and their digest where it
    /// takes something.
    pub(super) fn fitted<'t>(
        &self,
        transformation: &'t dyn Transformation,
    ) -> Result<(Fitted<'t>, Option<&str>)> {
        if !transformation.needs_data() {
            return Ok((Fitted::Given(transformation), None));
        }
        let train = &self.data.train;
        let rows = TrainingRows::new(train.values(), train.domain())?
            .on(self.context.passes)
            .heard_by(self.context.observer)
            .kept_in(&self.context.cache);
        match transformation.fit(&rows)? {
            Some(fitted) => Ok((Fitted::Made(fitted), Some(train.digest()))),
            None => Ok((Fitted::Given(transformation), None)),
        }
    }
}

/// A model whose answers are changed, and the digest of what it is made of. Hardened scores
/// or refusals are what attacks are told, and the model without them is what they differentiate.
pub(super) fn answering(
    plan: &ModelPlan,
    base: &Built,
    defense: InferenceDefense,
) -> Result<(String, Subject)> {
    let classifier = Arc::clone(base.classifier("what is done to answers")?);
    let digest = digest(&[base.digest.as_str(), plan.defense, &plan.config.to_string()]);
    let subject = match defense {
        InferenceDefense::Hardening(hardening) => {
            let hardened = HardenedClassifier::new(Arc::clone(&classifier), hardening)?;
            Subject::local(Arc::new(hardened), Some(classifier))
        }
        InferenceDefense::Abstention(abstention) => {
            let stand_in: Option<Arc<dyn Classifier>> = match abstention.rule {
                RefusalRule::Margin => Some(Arc::new(Unrefusing(Arc::clone(&classifier)))),
                RefusalRule::Cost => None,
            };
            Subject::local(Arc::new(abstention.wrap(classifier)?), stand_in)
        }
    };
    Ok((digest, subject))
}
