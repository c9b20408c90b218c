//! Denoised smoothing: a trained denoiser in front of a classifier that never saw noise.
//!
//! Salman, Sun, Yang, Kapoor, Kolter. *Denoised Smoothing: A Provable Defense for Pretrained
//! Classifiers.* `NeurIPS` 2020. <https://arxiv.org/abs/2003.01908>
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Classifier, Domain, Error, Passes, Result, Seed, Use};
use duress_models::train::{LossOutput, OptimizerRecipe, Run, Schedule, Step, cross_entropy};
use duress_models::{Batch, Denoiser, Objective, Recipe, TrainingData, train};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, transformation};
use crate::transformation::mapping::{in_range, wrong};
use crate::transformation::{Backward, Draws, Mapping, TrainingRows, Transformation};

/// Takes Gaussian noise off pictures, with a [`Denoiser`] that is trained for one strength of it.
///
/// What stands in front of a classifier is one classifier more: smoothed with noise of the same
/// `sigma` it is certified as any other. Without noise it answers worse than without a denoiser.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Denoising {
    /// Standard deviation of the noise, in units of the raw input.
    pub sigma: f64,
    /// Maps between the layers.
    pub width: usize,
    /// Convolutions, at least 2.
    pub depth: usize,
    /// Passes over the training samples.
    pub epochs: u32,
    /// Samples of a training step.
    pub batch_size: usize,
    /// Learning rate of Adam; it falls as a cosine.
    pub learning_rate: f64,
    /// Seed of the weights, of the noise and of the order of the samples.
    pub seed: Seed,
    /// What the training samples gave.
    #[serde(skip)]
    pub denoiser: Option<Arc<Denoiser>>,
}

impl Default for Denoising {
    /// The paper's `DnCNN` has 17 layers of 64 maps and is trained for 90 epochs of batches of 256
    /// with Adam at 0.001; this one is smaller.
    fn default() -> Self {
        Self {
            sigma: 0.25,
            width: 32,
            depth: 5,
            epochs: 30,
            batch_size: 128,
            learning_rate: 0.001,
            seed: Seed(0),
            denoiser: None,
        }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "denoiser",
    summary: "a trained denoiser, for randomized smoothing of any classifier",
    reference: "arXiv:2003.01908",
    defaults: defaults::<Denoising>,
    parse: transformation::<Denoising>,
};

/// The loss of a denoiser `D` at `x + N(0, σ²I)`, not clipped to the box.
struct Loss<'a> {
    sigma: f64,
    /// The cross-entropy between what this answers at `x` and at `D(x + δ)` ("stability"); without
    /// it `‖D(x + δ) − x‖²`.
    base: Option<&'a dyn Classifier>,
}

impl Objective<Denoiser> for Loss<'_> {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn loss(
        &self,
        network: &Denoiser,
        batch: &Batch,
        step: &Step<'_>,
    ) -> duress_models::Result<LossOutput> {
        let clean = batch.rows.clone().inner();
        let (features, device) = (clean.dims()[1], clean.device());
        let at = (0, 0, Use::Noise);
        let noise = step.epoch_seed().rows(&batch.ids, at, features, &device, |rng, row| {
            row.fill_with(|| rng.sample(StandardNormal));
        });
        let denoised = network.forward((clean.clone() + noise * self.sigma).autodiff());
        let loss = match self.base {
            None => (denoised - clean.autodiff()).square().mean(),
            Some(base) => {
                let answers = base.forward(clean).inner().argmax(1).squeeze_dim::<1>(1);
                cross_entropy(base.forward(denoised), answers, 0.0).mean()
            }
        };
        Ok(LossOutput { loss, logits: None })
    }
}

impl Denoising {
    /// The same with a denoiser trained on `data`: by the mean squared error, or, where there is a
    /// `base`, so that it answers at denoised rows what it answers at clean ones.
    ///
    /// # Errors
    /// As [`Transformation::fit`].
    pub fn trained(
        &self,
        data: &TrainingRows<'_>,
        passes: &Passes,
        base: Option<&dyn Classifier>,
    ) -> Result<Self> {
        let domain = data.domain();
        self.check(domain)?;
        let as_core = |error| match error {
            duress_models::Error::Core(error) => error,
            other => Error::Parameter {
                algorithm: ENTRY.name,
                field: "learning_rate",
                expected: "such that the training comes to an end",
                got: format!("{}: {other}", self.learning_rate),
            },
        };
        let (width, depth, seed) = (self.width, self.depth, self.seed);
        let blank = Denoiser::new(domain, width, depth, seed, passes.device()).map_err(as_core)?;
        let (labels, ids) = (vec![0; data.len()], (0..data.len() as u64).collect::<Vec<_>>());
        let rows = data.values();
        let samples = TrainingData { rows, labels: &labels, ids: &ids, domain, classes: 1 };
        let recipe = Recipe {
            epochs: self.epochs,
            batch_size: self.batch_size,
            optimizer: OptimizerRecipe::Adam {
                learning_rate: self.learning_rate,
                betas: [0.9, 0.999],
                epsilon: 1e-8,
                weight_decay: 0.0,
            },
            schedule: Schedule::Cosine { warmup_epochs: 0 },
            seed,
            ..Recipe::default()
        };
        let loss = Loss { sigma: self.sigma, base };
        let trained = train(&blank, &loss, &samples, &recipe, Run::new(passes)).map_err(as_core)?;
        Ok(Self { denoiser: Some(Arc::new(trained.last)), ..self.clone() })
    }
}

impl Transformation for Denoising {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Exact
    }

    fn needs_data(&self) -> bool {
        true
    }

    /// Trains by the mean squared error: the classifier is not known here.
    fn fit(&self, data: &TrainingRows<'_>) -> Result<Option<Box<dyn Transformation>>> {
        let Some(passes) = data.passes() else {
            return Err(Error::Device(
                "a denoiser is trained: name a device with `TrainingRows::on`".into(),
            ));
        };
        Ok(Some(Box::new(self.trained(data, passes, None)?)))
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        domain.image_shape()?;
        let positive = (std::ops::Bound::Excluded(0.0), std::ops::Bound::Unbounded);
        in_range(ENTRY.name, "sigma", self.sigma, positive, "finite and positive")?;
        in_range(ENTRY.name, "learning_rate", self.learning_rate, positive, "finite and positive")?;
        for (field, got, least, expected) in [
            ("width", self.width, 1, "at least 1"),
            ("depth", self.depth, 2, "at least 2"),
            ("epochs", self.epochs as usize, 1, "at least 1"),
            ("batch_size", self.batch_size, 1, "at least 1"),
        ] {
            if got < least {
                return wrong(ENTRY.name, field, expected, got);
            }
        }
        Ok(())
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let Some(denoiser) = &self.denoiser else {
            return Err(Error::NotFitted { algorithm: ENTRY.name });
        };
        if denoiser.features() != domain.features() {
            return Err(Error::Shape {
                what: "pictures of a denoiser",
                expected: format!("{} features, as it was trained on", denoiser.features()),
                got: format!("{} features", domain.features()),
            });
        }
        Ok(Box::new(Denoised(denoiser.valid())))
    }
}

struct Denoised(Denoiser);

impl Mapping for Denoised {
    fn apply(&self, rows: Tensor<2>, _: &Draws) -> Tensor<2> {
        self.0.forward(rows)
    }
}
