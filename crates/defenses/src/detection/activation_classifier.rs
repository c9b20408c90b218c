//! A detector network: a small classifier of a hidden layer, trained to tell adversarial inputs.
//!
//! Metzen, Genewein, Fischer, Bischoff. *On Detecting Adversarial Perturbations.* ICLR 2017, §3.2.
//! <https://arxiv.org/abs/1702.04267>
use std::sync::Arc;

use burn::module::Module;
use burn::prelude::*;
use duress_core::{Classifier, Domain, Passes, host};
use duress_models::train::{OptimizerRecipe, Run, Schedule};
use duress_models::{Architecture, Network, Normalization, Recipe, Standard, TrainingData, train};
use serde::{Deserialize, Serialize};

use super::entry::parse;
use super::layers::{View, Which};
use super::{DetectionMethod, Detector, DetectorEntry, Evidence, Result};
use crate::table::defaults;

/// The logarithm of the odds that a row is adversarial, by a perceptron on a hidden layer (maps
/// averaged over their positions), trained on clean and adversarial rows.
///
/// The paper attaches convolutions to its networks; the place and the training are as there, the
/// layers are fully connected, so that any network will do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActivationClassifier {
    /// Name of the hidden layer; the last one if empty.
    pub layer: String,
    /// Hidden layers of the perceptron.
    pub hidden: Vec<usize>,
    /// Passes over the rows.
    pub epochs: u32,
    /// Rows of a training step.
    pub batch_size: usize,
    /// Learning rate of Adam.
    pub learning_rate: f64,
}

impl Default for ActivationClassifier {
    /// The paper's 20 epochs of Adam, on CIFAR-10, at 0.0001.
    fn default() -> Self {
        Self {
            layer: String::new(),
            hidden: vec![96],
            epochs: 20,
            batch_size: 128,
            learning_rate: 1e-4,
        }
    }
}

pub(crate) const ENTRY: DetectorEntry = DetectorEntry {
    name: "activation-classifier",
    summary: "a perceptron trained to tell adversarial activations from clean ones",
    reference: "arXiv:1702.04267",
    slope: "exact",
    supervised: true,
    defaults: defaults::<ActivationClassifier>,
    parse: parse::<ActivationClassifier>,
};

impl ActivationClassifier {
    fn view(&self, model: &dyn Classifier, passes: &Passes) -> Result<View> {
        View::new(ENTRY.name, model, passes, Which::Named(&self.layer), true)
    }
}

impl DetectionMethod for ActivationClassifier {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn check(&self) -> Result<()> {
        let fine = self.hidden.iter().all(|&width| width > 0);
        ENTRY.expect(fine, "hidden", "positive widths", format!("{:?}", self.hidden))?;
        ENTRY.at_least("epochs", 1, "at least 1", self.epochs as usize)?;
        ENTRY.at_least("batch_size", 1, "at least 1", self.batch_size)?;
        ENTRY.positive("learning_rate", self.learning_rate)
    }

    fn fits(&self, model: &dyn Classifier, passes: &Passes) -> Result<()> {
        self.view(model, passes).map(|_| ())
    }

    fn fit(&self, evidence: &Evidence<'_>) -> Result<Box<dyn Detector>> {
        self.check()?;
        evidence.needs_adversarial(ENTRY.name)?;
        evidence.check(ENTRY.name, 1)?;
        let (model, passes) = (&evidence.model, evidence.passes);
        let view = self.view(&**model, passes)?;
        let width = view.widths[0];
        let see = |rows: &Tensor<2>| -> Result<Vec<f32>> {
            Ok(host::floats(view.of_all(&**model, passes, rows)?.remove(0))?)
        };
        let mut values = see(&evidence.clean)?;
        let clean = values.len() / width;
        values.extend(see(&evidence.adversarial)?);
        let count = values.len() / width;
        let labels: Vec<usize> = (0..count).map(|row| usize::from(row >= clean)).collect();
        let ids: Vec<u64> = (0..count as u64).collect();
        let (domain, normalization) = describe(&values, width)?;
        let architecture = Architecture::Mlp { hidden: self.hidden.clone() };
        let network = architecture
            .init(&domain, 2, evidence.seed, passes.device())?
            .with_normalization(normalization, &domain)?;
        let recipe = Recipe {
            epochs: self.epochs,
            batch_size: self.batch_size,
            optimizer: OptimizerRecipe::Adam {
                learning_rate: self.learning_rate,
                betas: [0.99, 0.999],
                epsilon: 1e-8,
                weight_decay: 0.0,
            },
            schedule: Schedule::Constant {},
            seed: evidence.seed,
            ..Recipe::default()
        };
        let data =
            TrainingData { rows: &values, labels: &labels, ids: &ids, domain: &domain, classes: 2 };
        let run = Run { progress: evidence.progress, ..Run::new(passes) };
        let trained = train(&network, &Standard, &data, &recipe, run)?;
        let network = trained.last.valid();
        Ok(Box::new(Fitted { model: Arc::clone(model), view, network }))
    }
}

/// The smallest box that holds all rows, and what standardises them.
fn describe(values: &[f32], width: usize) -> Result<(Domain, Normalization)> {
    let column = |d: usize| values.iter().skip(d).step_by(width).copied();
    let count = (values.len() / width) as f64;
    let fold = |start: f32, with: fn(f32, f32) -> f32| -> Vec<f32> {
        (0..width).map(|d| column(d).fold(start, with)).collect()
    };
    let domain = Domain::table(fold(f32::INFINITY, f32::min), fold(f32::NEG_INFINITY, f32::max))?;
    let mean: Vec<f64> =
        (0..width).map(|d| column(d).map(f64::from).sum::<f64>() / count).collect();
    let deviation = (0..width).map(|d| {
        let squares: f64 = column(d).map(|value| (f64::from(value) - mean[d]).powi(2)).sum();
        let deviation = (squares / count).sqrt() as f32;
        // A node that never changes stays as it is.
        if deviation > 1e-6 { deviation } else { 1.0 }
    });
    let deviation = deviation.collect();
    let mean = mean.iter().map(|&mean| mean as f32).collect();
    Ok((domain, Normalization::new(mean, deviation)?))
}

struct Fitted {
    model: Arc<dyn Classifier>,
    view: View,
    network: Network,
}

impl Detector for Fitted {
    fn model(&self) -> &Arc<dyn Classifier> {
        &self.model
    }

    fn score(&self, rows: Tensor<2>) -> Tensor<1> {
        let values = self.view.of(&*self.model, rows).remove(0);
        let logits = self.network.forward(values);
        (logits.clone().narrow(1, 1, 1) - logits.narrow(1, 0, 1)).squeeze_dim(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_and_the_moments_are_those_of_the_columns() {
        let (domain, normalization) = describe(&[1.0, 5.0, 3.0, 5.0], 2).unwrap();
        assert_eq!((domain.lower().at(0), domain.upper().at(0)), (1.0, 3.0));
        assert_eq!((normalization.mean(), normalization.std()), (&[2.0, 5.0][..], &[1.0, 1.0][..]));
    }
}
