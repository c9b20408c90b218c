//! Detectors: what they and the attacks on them need.
use duress_core::{Access, Setting};

use super::super::Runner;
use crate::Result;
use crate::experiment::{ModelPlan, Source};

const GRADIENTS: Access = Access::Gradients;

impl Runner<'_> {
    /// Checks that there are samples to set thresholds on, and that attacks on a model and its
    /// detector are such: they see one class more, that of refusal.
    pub(super) fn check_detectors(&self) -> Result<()> {
        let (test, validation) = (&self.data.test, &self.data.validation);
        let classes = test.class_names().len() + 1;
        let setting = Setting { domain: test.domain(), classes, targeted: false };
        for plan in &self.experiment.detectors {
            let at = |reason: &str| self.fault(&format!("[[detector]] `{}`: {reason}", plan.label));
            if validation.is_empty() {
                return Err(at("its threshold is set on validation samples, and `validation` of \
                               [data] leaves none: raise it"));
            }
            let watched = |model: &&ModelPlan| plan.models.contains(&model.name);
            for model in self.experiment.models.iter().filter(watched) {
                if let Some(untrained) = self.untrained_model(model)? {
                    let fits = plan.method.fits(&untrained, self.context.passes);
                    fits.map_err(|error| at(&format!("[[model]] `{}`: {error}", model.name)))?;
                }
            }
            if let Some(one) = plan.adaptive.iter().find(|one| one.attack.access() == GRADIENTS) {
                let vote = |model: &&ModelPlan| {
                    let voting = matches!(&model.source, Source::Voting { ensemble, .. }
                        if ensemble.majority);
                    voting && plan.models.contains(&model.name)
                };
                if let Some(model) = self.experiment.models.iter().find(vote) {
                    return Err(at(&format!(
                        "`adaptive` `{}` asks for gradients, and the majority vote of `{}` has \
                         none; name other `models`, or attacks on scores or labels",
                        one.label, model.name
                    )));
                }
            }
            for one in &plan.adaptive {
                let named = |reason: &str| at(&format!("`adaptive` `{}`: {reason}", one.label));
                let algorithm = one.attack.algorithm();
                algorithm.check(&setting).map_err(|error| named(&error.to_string()))?;
                for threat in &self.experiment.threats {
                    if one.attack.algorithm().norms().contains(&threat.norm) {
                        self.holds_the_box(&one.attack, threat.norm, threat.headline())
                            .map_err(|reason| named(&reason))?;
                    }
                }
            }
        }
        Ok(())
    }
}
