//! Diffusion as a purifier: noise is added to a row, and taken back with what it drowned.
//!
//! Nie, Guo, Huang, Xiao, Vahdat, Anandkumar. *Diffusion Models for Adversarial Purification.*
//! ICML 2022 (`DiffPure`), in discrete time. <https://arxiv.org/abs/2205.07460>
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Domain, Error, Result, Seed};
use serde::{Deserialize, Serialize};

use super::fits;
use crate::generative::diffusion::{
    Denoiser, DiffusionPlan, Variances, denoised, diffused, place_of,
};
use crate::generative::fitting::{Fitted, Plan, fit};
use crate::generative::normal;
use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::drawn;
use crate::transformation::mapping::{in_range, wrong};
use crate::transformation::{Backward, Draws, Mapping, TrainingRows, Transformation};

/// Diffuses a row to step `t*` and samples its way back.
///
/// A gradient passes by the chain rule through all steps back (`exact`), or as through the
/// identity (BPDA), which costs an adversary a small part of it. Random: judge an attack with other
/// draws than the adversary's.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiffusionPurifier {
    /// `t*` as a share of the diffusion's steps, rounded up.
    pub strength: f64,
    /// How a gradient passes: `exact` or `identity`.
    pub backward: Backward,
    /// Seed of the training of the diffusion.
    pub seed: u64,
    /// The diffusion.
    pub diffusion: DiffusionPlan,
    /// The trained diffusion.
    #[serde(skip)]
    pub fitted: Option<Arc<Fitted<DiffusionPlan>>>,
}

impl Default for DiffusionPurifier {
    /// The paper's `t* = 0.1` on CIFAR-10; its schedule is linear, here at a cosine's 0.1 about as
    /// much of the signal is left as at its 0.05.
    fn default() -> Self {
        Self {
            strength: 0.1,
            backward: Backward::Exact,
            seed: 0,
            diffusion: DiffusionPlan::default(),
            fitted: None,
        }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "diffusion-purifier",
    summary: "noise added and taken back by a diffusion model of the training samples",
    reference: "arXiv:2205.07460",
    defaults: defaults::<DiffusionPurifier>,
    parse: transformation::<DiffusionPurifier>,
};

impl Transformation for DiffusionPurifier {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    fn gradient(&self) -> Backward {
        self.backward
    }

    fn is_random(&self) -> bool {
        true
    }

    fn needs_data(&self) -> bool {
        true
    }

    fn fit(&self, data: &TrainingRows<'_>) -> Result<Option<Box<dyn Transformation>>> {
        self.check(data.domain())?;
        let fitted = fit(ENTRY.name, &self.diffusion, data, Seed(self.seed))?;
        Ok(Some(Box::new(Self { fitted: Some(Arc::new(fitted)), ..self.clone() })))
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        let range = (std::ops::Bound::Excluded(0.0), std::ops::Bound::Included(1.0));
        in_range(ENTRY.name, "strength", self.strength, range, "above 0 and at most 1")?;
        if !matches!(self.backward, Backward::Exact | Backward::Identity) {
            let expected = "`exact` or `identity`";
            return wrong(ENTRY.name, "backward", expected, self.backward.name());
        }
        self.diffusion.check(ENTRY.name, domain)
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let Some(fitted) = &self.fitted else {
            return Err(Error::NotFitted { algorithm: ENTRY.name });
        };
        fits("rows of a diffusion", &fitted.card().domain, domain)?;
        let variances = fitted.card().plan.variances();
        let steps = variances.steps();
        let to = ((self.strength * steps as f64).ceil() as usize).clamp(1, steps);
        Ok(Box::new(Purifier { denoiser: fitted.network().clone(), variances, to }))
    }
}

struct Purifier {
    denoiser: Denoiser,
    variances: Variances,
    to: usize,
}

impl Mapping for Purifier {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        let [count, features] = rows.dims();
        let device = rows.device().inner();
        // One block for the way there, one for each step back but the last.
        let noise = drawn(&rows, features * self.to, draws, |generator, row| {
            normal::fill(generator, row);
        });
        let block = |index: usize| noise.clone().narrow(1, index * features, features);
        let steps = self.variances.steps();
        let predict = |centred, step| {
            let places = Tensor::full([count, 1], place_of(step, steps), &device);
            self.denoiser.predict(centred, places)
        };
        let there = diffused(self.denoiser.centred(rows), block(0), self.to, &self.variances);
        let back = denoised(there, self.to, &self.variances, true, predict, |step| block(step - 1));
        self.denoiser.rows(back)
    }
}
