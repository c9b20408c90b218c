//! How to train: everything but the network, the objective and the data.
use duress_core::Seed;
use serde::{Deserialize, Serialize};

use super::augment::Augmentation;
use super::mix::Mix;
use super::optimizer::OptimizerRecipe;
use super::schedule::Schedule;
use crate::{Error, Result};

/// The hyperparameters of a training. Missing keys of a file take the value in parentheses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Passes over the data, at least 1 (30).
    pub epochs: u32,
    /// Samples of a step, at least 1; the last step of an epoch takes what is left (128).
    pub batch_size: usize,
    /// Optimiser and base learning rate (SGD: 0.1, momentum 0.9, weight decay 5·10⁻⁴).
    pub optimizer: OptimizerRecipe,
    /// Factor on the learning rate (cosine without warm-up).
    pub schedule: Schedule,
    /// Decay of an exponential moving average of the weights, in `[0, 1)` (none). The average is
    /// what is validated, kept as best and returned.
    pub weight_average: Option<f64>,
    /// Random crops and flips (none).
    pub augmentation: Augmentation,
    /// Label smoothing in `[0, 1)` (0).
    pub label_smoothing: f64,
    /// Largest Euclidean norm of the gradient over all weights (none).
    pub gradient_clipping: Option<f64>,
    /// Stop when validation accuracy no longer rises (never).
    pub early_stop: Option<EarlyStop>,
    /// Samples of a second set in each batch (none).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mix: Option<Mix>,
    /// Seed of the sample order, the augmentation and what the objective draws (0).
    pub seed: Seed,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            epochs: 30,
            batch_size: 128,
            optimizer: OptimizerRecipe::default(),
            schedule: Schedule::Cosine { warmup_epochs: 0 },
            weight_average: None,
            augmentation: Augmentation::default(),
            label_smoothing: 0.0,
            gradient_clipping: None,
            early_stop: None,
            mix: None,
            seed: Seed(0),
        }
    }
}

/// When to give up waiting for a better validation accuracy.
///
/// Rice, Wong, Kolter. *Overfitting in Adversarially Robust Deep Learning.* ICML 2020, §3.
/// <https://arxiv.org/abs/2002.11569>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStop {
    /// Measurements without a better score after which the training stops, at least 1.
    pub patience: u32,
    /// Epochs between two measurements, at least 1 (1).
    #[serde(default = "one")]
    pub every: u32,
    /// What the watch is to measure (robust accuracy).
    #[serde(default)]
    pub metric: Metric,
}

fn one() -> u32 {
    1
}

/// What a validation score counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Validation samples classified correctly.
    CleanAccuracy,
    /// Validation samples classified correctly under the attack of the watch.
    #[default]
    RobustAccuracy,
}

impl Recipe {
    /// Checks every field but the augmentation, which needs the domain.
    ///
    /// # Errors
    /// [`Error::Parameter`] for the first field outside its range.
    pub fn check(&self) -> Result<()> {
        let check = |fine: bool, field, expected: &str, got: String| {
            let fault = Error::Parameter { what: "recipe", field, expected: expected.into(), got };
            if fine { Ok(()) } else { Err(fault) }
        };
        check(self.epochs > 0, "epochs", "at least 1", self.epochs.to_string())?;
        check(self.batch_size > 0, "batch_size", "at least 1", self.batch_size.to_string())?;
        let smoothing = self.label_smoothing;
        let fine = (0.0..1.0).contains(&smoothing);
        check(fine, "label_smoothing", "in [0, 1)", smoothing.to_string())?;
        if let Some(decay) = self.weight_average {
            let fine = (0.0..1.0).contains(&decay);
            check(fine, "weight_average", "in [0, 1)", decay.to_string())?;
        }
        if let Some(most) = self.gradient_clipping {
            let fine = most.is_finite() && most > 0.0;
            check(fine, "gradient_clipping", "finite and positive", most.to_string())?;
        }
        if let Some(stop) = &self.early_stop {
            check(
                stop.patience > 0,
                "early_stop.patience",
                "at least 1",
                stop.patience.to_string(),
            )?;
            check(stop.every > 0, "early_stop.every", "at least 1", stop.every.to_string())?;
        }
        if let Some(mix) = &self.mix {
            mix.check(self.batch_size)?;
        }
        self.optimizer.check()?;
        self.schedule.check(self.epochs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_overrides_what_it_names_and_nothing_else() {
        let text = "epochs = 3\n[optimizer]\nname = \"adam\"\nlearning_rate = 0.01\n\
                    [early_stop]\npatience = 2";
        let recipe: Recipe = toml::from_str(text).unwrap();
        let adam = OptimizerRecipe::Adam {
            learning_rate: 0.01,
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            weight_decay: 0.0,
        };
        let stop = EarlyStop { patience: 2, every: 1, metric: Metric::RobustAccuracy };
        let expected =
            Recipe { epochs: 3, optimizer: adam, early_stop: Some(stop), ..Recipe::default() };
        assert_eq!(recipe, expected);
        assert!(recipe.check().is_ok());
    }

    #[test]
    fn a_misspelt_key_is_rejected_at_each_level() {
        for text in [
            "epoch = 3",
            "[optimizer]\nname = \"sgd\"\nlearning_rate = 0.1\nmomentun = 0.9",
            "[schedule]\nname = \"cosine\"\nwarmup = 1",
            "[schedule]\nname = \"constant\"\nwarmup = 1",
            "[augmentation]\nflips = true",
            "[early_stop]\npatience = 1\nmetric = \"accuracy\"",
        ] {
            assert!(toml::from_str::<Recipe>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn values_out_of_range_name_their_field() {
        let sgd = |learning_rate, momentum| OptimizerRecipe::Sgd {
            learning_rate,
            momentum,
            nesterov: true,
            weight_decay: 0.0,
        };
        let base = Recipe::default;
        for (recipe, field) in [
            (Recipe { epochs: 0, ..base() }, "`epochs`"),
            (Recipe { batch_size: 0, ..base() }, "`batch_size`"),
            (Recipe { label_smoothing: 1.0, ..base() }, "`label_smoothing`"),
            (Recipe { weight_average: Some(f64::NAN), ..base() }, "`weight_average`"),
            (Recipe { gradient_clipping: Some(0.0), ..base() }, "`gradient_clipping`"),
            (Recipe { optimizer: sgd(-1.0, 0.9), ..base() }, "`learning_rate`"),
            (Recipe { optimizer: sgd(0.1, 0.0), ..base() }, "`momentum`"),
        ] {
            let error = recipe.check().unwrap_err().to_string();
            assert!(error.contains(field), "{error}");
        }
    }
}
