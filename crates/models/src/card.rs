//! What is known of a model, written beside its weights.
use duress_core::{Domain, Seed};
use serde::{Deserialize, Serialize};

use crate::{Architecture, Normalization, Objective, Recipe, Trainable, TrainingData};

/// Version of the card; raised when a field changes its meaning.
pub const SCHEMA: u32 = 1;

/// A count of correct predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// Samples classified correctly.
    pub correct: u64,
    /// Samples.
    pub samples: u64,
}

/// Where a model comes from and what it takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// [`SCHEMA`] when it was written.
    pub schema: u32,
    /// Version of this crate when it was written.
    pub version: String,
    /// The network.
    pub architecture: Architecture,
    /// The input space, in raw units.
    pub domain: Domain,
    /// Number of classes.
    pub classes: usize,
    /// Their names, if they have any.
    #[serde(default)]
    pub class_names: Vec<String>,
    /// Normalisation inside the network.
    #[serde(default)]
    pub normalization: Option<Normalization>,
    /// How it was trained.
    #[serde(default)]
    pub recipe: Option<Recipe>,
    /// Name of the objective or defence.
    #[serde(default)]
    pub objective: Option<String>,
    /// Parameters of the objective or defence.
    #[serde(default)]
    pub objective_parameters: serde_json::Value,
    /// Training data, such as `cifar10/train[0..50000]`.
    #[serde(default)]
    pub data: Option<String>,
    /// SHA-256 of the training data.
    #[serde(default)]
    pub data_digest: Option<String>,
    /// Seed of the initial weights.
    #[serde(default)]
    pub seed: Option<Seed>,
    /// Epochs run.
    #[serde(default)]
    pub epochs: Option<u32>,
    /// Accuracy on clean test samples.
    #[serde(default)]
    pub clean_accuracy: Option<Accuracy>,
}

impl Card {
    /// A card that says what the model is and nothing of its origin.
    #[must_use]
    pub fn new(architecture: Architecture, domain: Domain, classes: usize) -> Self {
        Self {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").into(),
            architecture,
            domain,
            classes,
            class_names: Vec::new(),
            normalization: None,
            recipe: None,
            objective: None,
            objective_parameters: serde_json::Value::Null,
            data: None,
            data_digest: None,
            seed: None,
            epochs: None,
            clean_accuracy: None,
        }
    }

    /// The same card with an account of the training: objective, recipe, digest of the data and
    /// epochs run.
    #[must_use]
    pub fn trained<M: Trainable>(
        mut self,
        objective: &dyn Objective<M>,
        recipe: &Recipe,
        data: &TrainingData<'_>,
        epochs: u32,
    ) -> Self {
        self.objective = Some(objective.name().into());
        self.objective_parameters = objective.parameters();
        self.recipe = Some(recipe.clone());
        self.data_digest = Some(data.digest());
        self.epochs = Some(epochs);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_survives_a_round_trip_and_knows_its_fields() {
        let domain = Domain::image(1, 8, 8).unwrap();
        let mut card = Card::new(Architecture::SmallCnn {}, domain, 10);
        card.normalization = Some(Normalization::new(vec![0.3], vec![0.7]).unwrap());
        card.recipe = Some(Recipe { weight_average: Some(0.995), ..Recipe::default() });
        card.objective = Some("standard".into());
        card.objective_parameters = serde_json::json!({ "steps": 10 });
        card.clean_accuracy = Some(Accuracy { correct: 9, samples: 10 });
        let text = serde_json::to_string(&card).unwrap();
        assert_eq!(serde_json::from_str::<Card>(&text).unwrap(), card);
        let more = text.replacen('{', "{\"clases\":1,", 1);
        assert!(serde_json::from_str::<Card>(&more).is_err());
    }
}
