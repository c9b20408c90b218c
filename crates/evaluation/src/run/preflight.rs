//! What can be checked before anything is trained or written.
mod detectors;
mod networks;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Attack, Classifier, Domain, Norm, Reach, Setting};
use duress_defenses::VotingEnsemble;
use duress_models::Model;

use super::Runner;
use crate::experiment::{ModelPlan, Source};
use crate::{Error, Result};

impl Runner<'_> {
    /// Checks models, attacks and data against each other.
    pub(super) fn check(&self) -> Result<()> {
        if self.data.test.is_empty() {
            return Err(self.fault("[data]: there are no test samples"));
        }
        check_folder(&self.context.out)?;
        self.check_training()?;
        self.check_models()?;
        self.check_refusals()?;
        self.check_proofs()?;
        self.check_certifiers()?;
        self.check_attacks()?;
        self.check_detectors()
    }

    /// Puts the models together from stand-ins that are not trained.
    fn check_models(&self) -> Result<()> {
        let test = &self.data.test;
        let (domain, classes) = (test.domain().clone(), test.class_names().len());
        let blank: Arc<dyn Classifier> = Arc::new(Blank { domain, classes });
        for plan in &self.experiment.models {
            match &plan.source {
                Source::Trained { .. } => {}
                Source::Loaded { path } => {
                    let model = Model::load(path, self.context.passes.device())?;
                    self.fits(&plan.name, &model)?;
                }
                Source::Weights { path, architecture, normalization, keys } => {
                    let (normalization, keys) = (normalization.as_ref(), keys.as_deref());
                    self.weights(path, architecture, normalization, keys)?;
                }
                Source::Onnx { path, preparation, ends } => {
                    let network = self.onnx(path, preparation, ends)?;
                    self.has_classes(&plan.name, network.classes())?;
                }
                // A service is asked when its turn comes: each question may cost.
                Source::Remote { endpoint, settings } => {
                    self.unasked(endpoint, settings)?;
                    self.check_access(plan)?;
                }
                Source::Wrapped { base, transformation } => {
                    let checked = transformation.check(test.domain());
                    checked.map_err(|error| self.at(plan)(error.into()))?;
                    self.without_draws(plan, [base])?;
                    if transformation.needs_data() && self.data.train.is_empty() {
                        return Err(self.fault(&format!(
                            "[[model]] `{}`: `{}` takes something from training samples, and \
                             [data] has none",
                            plan.name, plan.defense
                        )));
                    }
                }
                Source::Answering { base, .. } => self.without_draws(plan, [base])?,
                Source::Voting { members, ensemble } => {
                    self.without_draws(plan, members)?;
                    if ensemble.fitted && self.data.validation.is_empty() {
                        return Err(self.fault(&format!(
                            "[[model]] `{}`: `fitted` weights need validation samples; raise \
                             `validation` in [data]",
                            plan.name
                        )));
                    }
                    let settled = VotingEnsemble { fitted: false, ..ensemble.clone() };
                    let member = |_| -> Box<dyn Classifier> { Box::new(Arc::clone(&blank)) };
                    let combined = settled.combine(members.iter().map(member).collect());
                    combined.map_err(|error| self.at(plan)(error.into()))?;
                }
            }
        }
        Ok(())
    }

    /// A model that may refuse has a class more than there are labels: attacks on it seek a wrong
    /// answer, and nothing else is made of it.
    fn check_refusals(&self) -> Result<()> {
        let experiment = self.experiment;
        let Some(plan) = experiment.models.iter().find(|plan| plan.abstention().is_some()) else {
            return Ok(());
        };
        let name = &plan.name;
        let refused = |reason: String| {
            Err(self.fault(&format!("[[model]] `{name}` may refuse to answer: {reason}")))
        };
        let part = |other: &&ModelPlan| match &other.source {
            Source::Wrapped { base, .. } | Source::Answering { base, .. } => base == name,
            Source::Voting { members, .. } => members.contains(name),
            _ => false,
        };
        if let Some(other) = experiment.models.iter().find(part) {
            return refused(format!(
                "nothing can be put around it, as `{}` is; let `{name}` stand outermost",
                other.name
            ));
        }
        if let Some(attack) = experiment.attacks.iter().find(|plan| plan.surrogate.is_some()) {
            let label = &attack.label;
            return refused(format!("[[attack]] `{label}` must have no `surrogate`"));
        }
        if experiment.transfer {
            return refused("`transfer` must be false".into());
        }
        if let Some(other) =
            experiment.detectors.iter().find(|detector| detector.models.contains(name))
        {
            let label = &other.label;
            return refused(format!("name other `models` in [[detector]] `{label}`"));
        }
        if let Some(other) =
            experiment.certifiers.iter().find(|certifier| certifier.models.contains(name))
        {
            return refused(format!("name other `models` in [[certify]] `{}`", other.name));
        }
        Ok(())
    }

    /// Checks that the models another one is made of answer without draws: an expectation over
    /// draws is taken of a whole model.
    fn without_draws<'n>(
        &self,
        plan: &ModelPlan,
        parts: impl IntoIterator<Item = &'n String>,
    ) -> Result<()> {
        for part in parts {
            let of = self.experiment.models.iter().find(|other| other.name == *part);
            if of.is_some_and(ModelPlan::is_random) {
                return Err(self.fault(&format!(
                    "[[model]] `{}`: `{part}` is random, and nothing can be put around it; put \
                     the random transformation outermost",
                    plan.name
                )));
            }
        }
        Ok(())
    }

    /// Checks that each attack makes do with what a service answers.
    fn check_access(&self, plan: &ModelPlan) -> Result<()> {
        let access = plan.source.access();
        let over = self
            .experiment
            .attacks
            .iter()
            .find(|attack| attack.surrogate.is_none() && attack.attack.access() > access);
        let Some(over) = over else { return Ok(()) };
        let apply: Vec<&str> = duress_attacks::ATTACKS
            .iter()
            .filter(|entry| entry.access <= access)
            .map(|entry| entry.name)
            .collect();
        Err(self.fault(&format!(
            "[[attack]] `{}` asks for {}s, and the service `{}` answers with {}s only; these \
             attacks apply: {}",
            over.label,
            over.attack.access(),
            plan.name,
            access,
            apply.join(", ")
        )))
    }

    /// A certificate is about one function, and a random model is many.
    fn check_certifiers(&self) -> Result<()> {
        let random = |name: &&String| {
            self.experiment.models.iter().any(|model| model.name == **name && model.is_random())
        };
        for plan in &self.experiment.certifiers {
            if let Some(name) = plan.models.iter().find(random) {
                return Err(self.fault(&format!(
                    "[[certify]] `{}`: `{name}` is random; name the models without draws in \
                     `models`",
                    plan.name
                )));
            }
        }
        Ok(())
    }

    fn check_attacks(&self) -> Result<()> {
        let test = &self.data.test;
        let setting =
            Setting { domain: test.domain(), classes: test.class_names().len(), targeted: false };
        for plan in &self.experiment.attacks {
            let at = |reason: &str| self.fault(&format!("[[attack]] `{}`: {reason}", plan.label));
            let algorithm = plan.attack.algorithm();
            algorithm.check(&setting).map_err(|error| at(&error.to_string()))?;
            if plan.model_draws.is_some()
                && !self.experiment.models.iter().any(ModelPlan::is_random)
            {
                return Err(at("`model_draws` are of a random [[model]], and there is none"));
            }
            let threats = self.experiment.threats.iter().filter(|one| plan.supports(one.norm));
            for threat in threats {
                for epsilon in &threat.epsilons {
                    self.holds_the_box(&plan.attack, threat.norm, epsilon.get())
                        .map_err(|reason| at(&reason))?;
                }
            }
        }
        Ok(())
    }

    /// Checks that an attack that moves anywhere in the box may.
    fn holds_the_box(&self, attack: &Attack, norm: Norm, epsilon: f64) -> Result<(), String> {
        let needed = self.data.test.domain().diameter(norm);
        if attack.algorithm().reach() != Reach::Box || epsilon >= needed * (1.0 - 1e-9) {
            return Ok(());
        }
        Err(format!(
            "it moves anywhere in the box, so its [[threat]] must hold the box: {norm} epsilon \
             {needed} or more, got {epsilon}"
        ))
    }

    fn at(&self, plan: &ModelPlan) -> impl Fn(Error) -> Error {
        move |error| match error {
            error @ Error::Experiment { .. } => error,
            error => self.fault(&format!("[[model]] `{}`: {error}", plan.name)),
        }
    }

    fn fault(&self, reason: &str) -> Error {
        Error::Experiment { path: PathBuf::from(&self.experiment.name), reason: reason.into() }
    }
}

/// Checks that no file is in the way of a folder that is to be made.
fn check_folder(folder: &Path) -> Result<()> {
    match folder.ancestors().find(|part| part.exists()) {
        Some(file) if !file.is_dir() => {
            let reason = "a file, not a folder: give another path".into();
            Err(Error::Experiment { path: file.to_owned(), reason })
        }
        _ => Ok(()),
    }
}

/// What a model of the experiment's data looks like from outside.
struct Blank {
    domain: Domain,
    classes: usize,
}

impl Classifier for Blank {
    fn domain(&self) -> &Domain {
        &self.domain
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        Tensor::zeros([rows.dims()[0], self.classes], &rows.device())
    }
}
