//! Fast gradient method: one steepest-ascent step of length ε.
//!
//! Goodfellow, Shlens, Szegedy. *Explaining and Harnessing Adversarial Examples.* ICLR 2015, §4.
//! <https://arxiv.org/abs/1412.6572>
use burn::prelude::*;
use duress_core::{Access, Algorithm, GradientAttack, GradientJob, Loss, Norm, Result, Setting};
use serde::{Deserialize, Serialize};

use crate::losses::LossKind;
use crate::table::{Entry, defaults, gradient};

/// `x + ε · argmax_{‖d‖≤1} ⟨∇ₓ loss, d⟩`, projected onto ball and box. In Linf this is FGSM.
///
/// In L1 the whole budget goes to the largest components of the gradient, shared where they tie.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fgm {
    /// What the step increases; the paper's is the cross-entropy.
    pub loss: LossKind,
}

impl Fgm {
    /// The attack of the paper, which is the default.
    #[must_use]
    pub fn paper() -> Self {
        Self::default()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "fgm",
    summary: "fast gradient (sign) method",
    reference: "arXiv:1412.6572",
    norms: &[Norm::L1, Norm::L2, Norm::Linf],
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<Fgm>,
    parse: gradient::<Fgm>,
};

impl Algorithm for Fgm {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &'static [Norm] {
        ENTRY.norms
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        self.loss.check(setting.classes, setting.targeted)
    }
}

impl GradientAttack for Fgm {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let clean = job.clean();
        if job.active() == 0 || job.queries_left() == Some(0) {
            return Ok(clean);
        }
        let gradient = job.gradient(clean.clone(), &self.loss)?.gradient;
        if job.checkpoint(1)? {
            job.ensure_finite(gradient.clone())?;
        }
        Ok(job.region().ascend(clean, gradient, job.region().radius()))
    }
}
