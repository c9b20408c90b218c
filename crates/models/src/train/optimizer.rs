//! The optimiser of a recipe.
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, ModuleOptimizer, SgdConfig};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// An optimiser and its parameters.
///
/// Weight decay is coupled, `g ← g + weight_decay · w` on all weights before anything else, as in
/// `PyTorch`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum OptimizerRecipe {
    /// `v ← momentum · v + g`, from `v = g` in the first step; `w ← w − rate · v`, with Nesterov
    /// `w ← w − rate · (g + momentum · v)`. No dampening.
    ///
    /// Sutskever, Martens, Dahl, Hinton. *On the Importance of Initialization and Momentum.* ICML
    /// 2013, in the form of `PyTorch`.
    Sgd {
        /// Base learning rate, positive.
        learning_rate: f64,
        /// Momentum in `[0, 1)` (0.9).
        #[serde(default = "momentum")]
        momentum: f64,
        /// Nesterov's form (no).
        #[serde(default)]
        nesterov: bool,
        /// Weight decay, at least 0 (5·10⁻⁴).
        #[serde(default = "weight_decay")]
        weight_decay: f64,
    },
    /// Kingma, Ba. *Adam.* ICLR 2015, Alg. 1. <https://arxiv.org/abs/1412.6980>
    Adam {
        /// Base learning rate, positive.
        learning_rate: f64,
        /// Decay of the first and the second moment, in `[0, 1)` (0.9, 0.999).
        #[serde(default = "betas")]
        betas: [f64; 2],
        /// Added to the root of the second moment, positive (10⁻⁸).
        #[serde(default = "epsilon")]
        epsilon: f64,
        /// Weight decay, at least 0 (0).
        #[serde(default)]
        weight_decay: f64,
    },
}

fn momentum() -> f64 {
    0.9
}

fn weight_decay() -> f64 {
    5e-4
}

fn betas() -> [f64; 2] {
    [0.9, 0.999]
}

fn epsilon() -> f64 {
    1e-8
}

impl Default for OptimizerRecipe {
    /// SGD with learning rate 0.1, momentum 0.9 and weight decay 5·10⁻⁴.
    fn default() -> Self {
        Self::Sgd {
            learning_rate: 0.1,
            momentum: momentum(),
            nesterov: false,
            weight_decay: weight_decay(),
        }
    }
}

impl OptimizerRecipe {
    /// The base learning rate, which a schedule multiplies.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        match self {
            Self::Sgd { learning_rate, .. } | Self::Adam { learning_rate, .. } => *learning_rate,
        }
    }

    /// Checks the parameters.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn check(&self) -> Result<()> {
        let check = |fine: bool, field, expected: &str, got: f64| {
            let got = got.to_string();
            let fault =
                Error::Parameter { what: "optimizer", field, expected: expected.into(), got };
            if fine { Ok(()) } else { Err(fault) }
        };
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let rate = self.learning_rate();
        check(positive(rate), "learning_rate", "finite and positive", rate)?;
        let decay = match self {
            Self::Sgd { momentum, nesterov, weight_decay, .. } => {
                check((0.0..1.0).contains(momentum), "momentum", "in [0, 1)", *momentum)?;
                let fine = !nesterov || *momentum > 0.0;
                check(fine, "momentum", "positive with nesterov", *momentum)?;
                weight_decay
            }
            Self::Adam { betas, epsilon, weight_decay, .. } => {
                for beta in betas {
                    check((0.0..1.0).contains(beta), "betas", "in [0, 1)", *beta)?;
                }
                check(positive(*epsilon), "epsilon", "finite and positive", *epsilon)?;
                weight_decay
            }
        };
        let fine = decay.is_finite() && *decay >= 0.0;
        check(fine, "weight_decay", "finite and at least 0", *decay)
    }

    /// The optimiser without state.
    pub(crate) fn init(&self) -> ModuleOptimizer {
        let decay = |penalty: f64| (penalty > 0.0).then(|| WeightDecayConfig::new(penalty as f32));
        match self {
            Self::Sgd { momentum, nesterov, weight_decay, .. } => {
                let momentum = (*momentum > 0.0).then(|| {
                    MomentumConfig::new()
                        .with_momentum(*momentum)
                        .with_dampening(0.0)
                        .with_nesterov(*nesterov)
                });
                SgdConfig::new()
                    .with_momentum(momentum)
                    .with_weight_decay(decay(*weight_decay))
                    .init()
            }
            Self::Adam { betas: [first, second], epsilon, weight_decay, .. } => AdamConfig::new()
                .with_beta_1(*first as f32)
                .with_beta_2(*second as f32)
                .with_epsilon(*epsilon as f32)
                .with_weight_decay(decay(*weight_decay))
                .init(),
        }
    }
}
