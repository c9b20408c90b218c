//! Models that were not made here: networks of ONNX files, services.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use duress_core::predictions;
use duress_graph::{Onnx, Order, Preparation, onnx};
use duress_models::{Architecture, Card, KeyMap, Model, Normalization};
use duress_remote::{CommandEndpoint, HttpEndpoint, OutputKind, Remote, RemoteError, Settings};

use super::build::{BATCH, digest};
use super::subject::Subject;
use super::{Built, Runner};
use crate::experiment::{EndpointPlan, ModelPlan, Source};
use crate::plausible::{self, Alternative, Severity, examine};
use crate::{Error, Result};

/// Samples that are looked at before a foreign model is attacked.
pub(super) const LOOKED_AT: usize = 1000;

impl Runner<'_> {
    /// A network of a file for the experiment's data.
    pub(super) fn onnx(
        &self,
        path: &Path,
        preparation: &Preparation,
        ends: &onnx::Options,
    ) -> Result<Onnx> {
        let imported = onnx::read(path, ends).map_err(Error::network(path))?;
        let domain = self.data.test.domain().clone();
        let device = self.context.passes.device();
        Onnx::new(imported, domain, preparation, device).map_err(Error::network(path))
    }

    /// Weights of a file in layers that are known.
    pub(super) fn weights(
        &self,
        path: &Path,
        architecture: &Architecture,
        normalization: Option<&Normalization>,
        keys: Option<&Path>,
    ) -> Result<Model> {
        let test = &self.data.test;
        let map = match keys {
            None => None,
            Some(path) => {
                let map = std::fs::read_to_string(path).map_err(Error::io(path))?;
                Some(KeyMap::parse(&map)?)
            }
        };
        let classes = test.class_names().len();
        let mut card = Card::new(architecture.clone(), test.domain().clone(), classes);
        card.normalization = normalization.cloned();
        Ok(Model::import(path, card, map.as_ref(), self.context.passes.device())?)
    }

    /// Checks that a network has a class for each label.
    pub(super) fn has_classes(&self, name: &str, classes: usize) -> Result<()> {
        let needed = self.data.test.class_names().len();
        if classes >= needed {
            return Ok(());
        }
        Err(Error::Experiment {
            path: PathBuf::from(&self.experiment.name),
            reason: format!(
                "[[model]] `{name}` has {classes} classes, `{}` has {needed}: if labels do not \
                 begin at 0, give the `label_offset`",
                self.data.test.name()
            ),
        })
    }

    /// A service, and what stands for its weights, which nobody sees. It is asked once.
    pub(super) fn remote(
        &self,
        endpoint: &EndpointPlan,
        settings: &Settings,
    ) -> Result<(Subject, String)> {
        let (remote, digest) = self.unasked(endpoint, settings)?;
        let subject = if settings.output == OutputKind::Labels {
            Subject::Labels(Arc::new(remote.labels()?))
        } else {
            Subject::Scores(Arc::new(remote.scores()?))
        };
        Ok((subject, digest))
    }

    /// A service that has not been asked anything.
    pub(super) fn unasked(
        &self,
        endpoint: &EndpointPlan,
        settings: &Settings,
    ) -> Result<(Remote, String)> {
        let (test, device) = (&self.data.test, self.context.passes.device());
        let settings = Settings {
            classes: settings.classes.or(match settings.output {
                OutputKind::Labels => Some(test.class_names().len()),
                _ => None,
            }),
            ..settings.clone()
        };
        let about = serde_json::to_string(&settings)?;
        let domain = test.domain().clone();
        let (remote, address) = match endpoint {
            EndpointPlan::Http(http) => {
                let token = self.context.token.clone();
                let endpoint = HttpEndpoint::new(http.clone(), token)?;
                (Remote::new(endpoint, domain, device, settings)?, serde_json::to_string(http)?)
            }
            EndpointPlan::Command(command) => {
                let endpoint = CommandEndpoint::new(command)?;
                (Remote::new(endpoint, domain, device, settings)?, serde_json::to_string(command)?)
            }
        };
        let remote = match &self.context.stop {
            Some(stop) => {
                let stop = Arc::clone(stop);
                remote.with_stop(move || stop())
            }
            None => remote,
        };
        Ok((remote, digest(&[&address, &about])))
    }

    /// Looks at the predictions and the first `logits` (none of a service that gives labels):
    /// whether model and data fit before the model is attacked, and says what is odd.
    ///
    /// # Errors
    /// [`Error::Implausible`] where an attack would measure nonsense.
    pub(super) fn look(&self, plan: &ModelPlan, built: &Built, logits: &[f32]) -> Result<()> {
        let foreign = matches!(
            plan.source,
            Source::Onnx { .. } | Source::Remote { .. } | Source::Weights { .. }
        );
        if !foreign {
            return Ok(());
        }
        let passes = self.context.passes;
        let data = self.data.test.take(LOOKED_AT);
        let classes = built.with_oracle(passes, |oracle| oracle.labels().classes());
        self.has_classes(&plan.name, classes)?;
        let predicted = &built.predicted[..data.len()];
        let logits = logits.get(..data.len() * classes);
        let seen = plausible::Subject { data: &data, predicted, classes, logits };
        let alternatives = match &plan.source {
            Source::Onnx { path, preparation, ends } => self.alternatives(path, preparation, ends),
            _ => Vec::new(),
        };
        let findings = examine(&seen, alternatives)?;
        if self.context.force {
            for finding in &findings {
                self.context.observer.note(&format!("{}: {finding}", plan.name));
            }
            return Ok(());
        }
        for finding in plausible::refuse(&plan.name, findings)? {
            if finding.severity == Severity::Warn {
                self.context.observer.note(&format!("{}: {finding}", plan.name));
            }
        }
        Ok(())
    }

    /// Other ways to hand the samples to the network.
    fn alternatives<'s>(
        &'s self,
        path: &'s Path,
        given: &Preparation,
        ends: &'s onnx::Options,
    ) -> Vec<Alternative<'s>> {
        let duress_core::Layout::Image { channels, .. } = self.data.test.domain().layout() else {
            return Vec::new();
        };
        let with = |mean: &[f64], std: &[f64]| Preparation {
            mean: mean.to_vec(),
            std: std.to_vec(),
            ..given.clone()
        };
        let bytes = if given.scale > 1.0 { 1.0 } else { 255.0 };
        let mut forms = vec![(
            format!("values multiplied by {bytes}"),
            format!("give scale {bytes}"),
            Preparation { scale: bytes, ..given.clone() },
        )];
        let half = |what: &str, mean: &[f64], std: &[f64]| {
            let advice = format!("give mean {mean:?} and std {std:?}");
            (format!("values normalised {what}"), advice, with(mean, std))
        };
        forms.push(half("to [-1, 1]", &[0.5], &[0.5]));
        if channels == 1 {
            forms.push(half("as MNIST usually is", &[0.1307], &[0.3081]));
        }
        if channels == 3 {
            forms.push(half("as ImageNet", &[0.485, 0.456, 0.406], &[0.229, 0.224, 0.225]));
            forms.push(half("as CIFAR-10", &[0.4914, 0.4822, 0.4465], &[0.247, 0.2435, 0.2616]));
        }
        if !given.mean.is_empty() {
            let advice = "leave mean and std away: the network normalises by itself".into();
            forms.push(("values not normalised".into(), advice, with(&[], &[])));
        }
        for (order, name) in [(Order::Nchw, "nchw"), (Order::Nhwc, "nhwc")] {
            if given.layout != Some(order) {
                let form = Preparation { layout: Some(order), ..given.clone() };
                forms.push((
                    format!("pictures as {name}"),
                    format!("give the layout {name}"),
                    form,
                ));
            }
        }
        forms
            .into_iter()
            .map(|(name, advice, form)| Alternative {
                name,
                advice,
                predict: Box::new(move || {
                    let data = self.data.test.take(LOOKED_AT);
                    let passes = self.context.passes;
                    // A form that the network does not take is no alternative.
                    let Ok(network) = self.onnx(path, &form, ends) else {
                        return Ok(vec![usize::MAX; data.len()]);
                    };
                    let mut classes = Vec::with_capacity(data.len());
                    for batch in data.batches(BATCH) {
                        let logits = passes.logits(&network, batch.rows(passes.device()))?;
                        classes.extend(predictions(logits)?.into_iter().map(|(class, _)| class));
                    }
                    Ok(classes)
                }),
            })
            .collect()
    }
}

/// What a network of a file says of itself in its row.
pub(super) fn about(network: &Onnx) -> u64 {
    network.graph().constants().iter().map(|array| array.len() as u64).sum()
}

impl From<RemoteError> for Error {
    fn from(error: RemoteError) -> Self {
        Error::Service(Box::new(error))
    }
}
