//! Defense-GAN: the classifier sees the row that a generator of clean rows makes nearest to it.
//!
//! Samangouei, Kabkab, Chellappa. *Defense-GAN: Protecting Classifiers Against Adversarial Attacks
//! Using Generative Models.* ICLR 2018, §4. <https://arxiv.org/abs/1805.06605>
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Domain, Error, Result, Seed};
use serde::{Deserialize, Serialize};

use super::fits;
use super::inversion::Inversion;
use crate::generative::adversarial::{GanPlan, LatentMap};
use crate::generative::fitting::{Plan, fit};
use crate::generative::normal;
use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::drawn;
use crate::transformation::mapping::{in_range, wrong};
use crate::transformation::{Backward, Draws, Mapping, TrainingRows, Transformation};

/// Replaces a row `x` by `G(z*)`, `z*` the best of some descents on `‖G(z) − x‖²` from random
/// starts.
///
/// A gradient passes as through the identity: a projection on what the generator makes is near it
/// there (BPDA, Athalye, Carlini, Wagner, ICML 2018, §5.3.2 <https://arxiv.org/abs/1802.00420>).
/// It is random by its starts. [`crate::generative::LatentAttack`] is the attack made for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DefenseGan {
    /// Starts `R` for each row.
    pub restarts: usize,
    /// Steps `L` from each start.
    pub steps: usize,
    /// Length of a step as a multiple of the gradient of the mean squared distance.
    pub step_size: f64,
    /// Momentum of the descent.
    pub momentum: f64,
    /// Seed of the training of the generator.
    pub seed: u64,
    /// The generator.
    pub gan: GanPlan,
    /// The trained generator.
    #[serde(skip)]
    pub generator: Option<Arc<dyn LatentMap>>,
}

impl Default for DefenseGan {
    /// The paper's `R = 10` and `L = 200`; steps of 10 times the gradient and momentum 0.7, as in
    /// the authors' code.
    fn default() -> Self {
        Self {
            restarts: 10,
            steps: 200,
            step_size: 10.0,
            momentum: 0.7,
            seed: 0,
            gan: GanPlan::default(),
            generator: None,
        }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "defense-gan",
    summary: "the nearest row of a GAN of the training samples",
    reference: "arXiv:1805.06605",
    defaults: defaults::<DefenseGan>,
    parse: transformation::<DefenseGan>,
};

impl DefenseGan {
    /// The search for the nearest row.
    #[must_use]
    pub fn inversion(&self) -> Inversion {
        let Self { restarts, steps, step_size, momentum, .. } = *self;
        Inversion { restarts, steps, step_size, momentum }
    }
}

impl Transformation for DefenseGan {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn gradient(&self) -> Backward {
        Backward::Identity
    }

    fn is_random(&self) -> bool {
        true
    }

    fn needs_data(&self) -> bool {
        true
    }

    fn fit(&self, data: &TrainingRows<'_>) -> Result<Option<Box<dyn Transformation>>> {
        self.check(data.domain())?;
        let fitted = fit(ENTRY.name, &self.gan, data, Seed(self.seed))?;
        let generator = Some(fitted.network().latent_map());
        Ok(Some(Box::new(Self { generator, ..self.clone() })))
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        if self.restarts == 0 {
            return wrong(ENTRY.name, "restarts", "at least 1", self.restarts);
        }
        let positive = f64::MIN_POSITIVE..;
        in_range(ENTRY.name, "step_size", self.step_size, positive, "positive")?;
        in_range(ENTRY.name, "momentum", self.momentum, 0.0..1.0, "in [0, 1)")?;
        self.gan.check(ENTRY.name, domain)
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let Some(generator) = &self.generator else {
            return Err(Error::NotFitted { algorithm: ENTRY.name });
        };
        fits("rows of a generator", generator.domain(), domain)?;
        Ok(Box::new(Nearest { generator: Arc::clone(generator), inversion: self.inversion() }))
    }
}

struct Nearest {
    generator: Arc<dyn LatentMap>,
    inversion: Inversion,
}

impl Mapping for Nearest {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        let rows = rows.inner();
        let (count, latent) = (rows.dims()[0], self.generator.latent());
        let tries = self.inversion.restarts;
        let starts = drawn(&rows, tries * latent, draws, |generator, row| {
            normal::fill(generator, row);
        });
        let starts = starts.reshape([count * tries, latent]);
        let found = self.inversion.search(self.generator.as_ref(), rows, starts);
        found.expect("what a generator makes depends on its latent vector").rows
    }

    fn latent_map(&self) -> Option<Arc<dyn LatentMap>> {
        Some(Arc::clone(&self.generator))
    }
}
