//! What can be checked before anything is trained or written.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Classifier, Domain, Reach, Setting};
use duress_models::{Architecture, Model, Recipe};

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
        self.check_attacks()
    }

    /// Checks what is trained: its layers and its recipe against the data.
    pub(super) fn check_training(&self) -> Result<()> {
        check_folder(&self.context.cache)?;
        for plan in &self.experiment.models {
            if let Source::Trained { architecture, recipe, .. } = &plan.source {
                self.fits_data(architecture, recipe).map_err(self.at(plan))?;
            }
        }
        Ok(())
    }

    fn fits_data(&self, architecture: &Architecture, recipe: &Recipe) -> Result<()> {
        let train = &self.data.train;
        if train.is_empty() {
            return Err(self.fault("[data]: no training samples are left beside the validation"));
        }
        architecture.parameters(train.domain(), train.class_names().len())?;
        recipe.augmentation.check(train.domain())?;
        if let Some(mix) = &recipe.mix {
            self.second_set(mix)?;
        }
        Ok(())
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
                Source::Wrapped { transformation, .. } => {
                    let wrapped = transformation.wrap(Arc::clone(&blank));
                    wrapped.map_err(|error| self.at(plan)(error.into()))?;
                }
                Source::Voting { members, ensemble } => {
                    let member = |_| -> Box<dyn Classifier> { Box::new(Arc::clone(&blank)) };
                    let combined = ensemble.combine(members.iter().map(member).collect());
                    combined.map_err(|error| self.at(plan)(error.into()))?;
                }
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

    fn check_attacks(&self) -> Result<()> {
        let test = &self.data.test;
        let setting =
            Setting { domain: test.domain(), classes: test.class_names().len(), targeted: false };
        for plan in &self.experiment.attacks {
            let at = |reason: &str| self.fault(&format!("[[attack]] `{}`: {reason}", plan.label));
            let algorithm = plan.attack.algorithm();
            algorithm.check(&setting).map_err(|error| at(&error.to_string()))?;
            if algorithm.reach() != Reach::Box {
                continue;
            }
            let threats = self.experiment.threats.iter().filter(|one| plan.supports(one.norm));
            for threat in threats {
                let needed = test.domain().diameter(threat.norm);
                let small = threat.epsilons.iter().find(|one| one.get() < needed * (1.0 - 1e-9));
                if let Some(epsilon) = small {
                    return Err(at(&format!(
                        "it moves anywhere in the box, so its [[threat]] must hold the box: \
                         {} epsilon {needed} or more, got {}",
                        threat.norm,
                        epsilon.get()
                    )));
                }
            }
        }
        Ok(())
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
