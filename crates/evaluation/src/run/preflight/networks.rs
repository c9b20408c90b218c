//! Networks that are to be trained, and networks of which something is to be proved: whether both can
//! be done, told from untrained weights.
use duress_certification::{Certification, bounds};
use duress_models::{Card, Model, Network};

use super::super::Runner;
use super::check_folder;
use crate::experiment::{Behind, ModelPlan, Source};
use crate::{Error, Result};

impl Runner<'_> {
    /// Checks what is trained: its layers and its recipe against the data.
    pub(in crate::run) fn check_training(&self) -> Result<()> {
        check_folder(&self.context.cache)?;
        for plan in &self.experiment.models {
            if plan.is_trained() {
                self.fits_data(plan).map_err(self.at(plan))?;
            }
        }
        Ok(())
    }

    fn fits_data(&self, plan: &ModelPlan) -> Result<()> {
        let Source::Trained { recipe, defense, .. } = &plan.source else { return Ok(()) };
        let train = &self.data.train;
        if train.is_empty() {
            return Err(self.fault("[data]: no training samples are left beside the validation"));
        }
        if recipe.early_stop.is_some() && self.data.validation.is_empty() {
            return Err(self.fault(
                "[data]: no sample is left to validate on, and `early_stop` needs some; raise \
                 `validation`",
            ));
        }
        let network = self.untrained(plan)?;
        recipe.augmentation.check(train.domain())?;
        if let (Some(defense), Some(network)) = (defense, &network) {
            defense.fits(recipe, network)?;
        }
        if let Some(mix) = &recipe.mix {
            self.second_set(mix)?;
        }
        Ok(())
    }

    /// The network of a model before it is trained; `None` if it is not.
    fn untrained(&self, plan: &ModelPlan) -> Result<Option<Network>> {
        let Source::Trained { architecture, defense, behind, .. } = &plan.source else {
            return Ok(None);
        };
        let (train, device) = (&self.data.train, self.context.passes.device());
        let classes = train.class_names().len();
        let inner = match behind {
            None => train.domain().clone(),
            Some(Behind { transformation, .. }) => {
                let inner = transformation.inner_domain(train.domain())?;
                transformation.check(&inner)?;
                inner
            }
        };
        let by = defense.as_ref().map_or_else(Default::default, |one| one.initialization());
        Ok(Some(architecture.init_by(by, &inner, classes, self.experiment.seed, device)?))
    }

    /// The same as a model, where nothing stands before its layers.
    pub(super) fn untrained_model(&self, plan: &ModelPlan) -> Result<Option<Model>> {
        let (Some(network), Source::Trained { architecture, behind: None, .. }) =
            (self.untrained(plan)?, &plan.source)
        else {
            return Ok(None);
        };
        let train = &self.data.train;
        let (domain, classes) = (train.domain().clone(), train.class_names().len());
        Ok(Some(Model::new(&network, Card::new(architecture.clone(), domain, classes))?))
    }

    /// Checks that each network of which something is to be proved has bounds, and that the prover
    /// knows all of its operations.
    pub(super) fn check_proofs(&self) -> Result<()> {
        for plan in &self.experiment.models {
            let mut provers = Vec::new();
            for certifier in &self.experiment.certifiers {
                if let Certification::Proved(prover) = &certifier.certifier
                    && certifier.models.contains(&plan.name)
                {
                    provers.push(prover);
                }
            }
            if provers.is_empty() {
                continue;
            }
            let unfit = |prover: &str, error: Error| {
                self.fault(&format!(
                    "[[certify]] `{prover}`: [[model]] `{}`: {error}; name the models it can bound \
                     in `models`",
                    plan.name
                ))
            };
            let graph = match self.untrained_model(plan)? {
                Some(model) => {
                    let graph = model.graph();
                    graph.map_err(|error| unfit(provers[0].name(), error.into()))?
                }
                None => self.graph(plan)?.0,
            };
            let bounded = bounds::Network::new(&graph).map_err(Error::from);
            let bounded = bounded.map_err(self.at(plan))?;
            for prover in provers {
                let fits = prover.fits(&graph, &bounded);
                fits.map_err(|error| unfit(prover.name(), error.into()))?;
            }
        }
        Ok(())
    }
}
