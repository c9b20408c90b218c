//! Models whose worst case is known on paper.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]
use burn::prelude::*;
use duress_attacks::find;
use duress_core::{Attack, Classifier, Domain};

/// Hyperparameters with which an attack runs in milliseconds, where its paper's do not. For tests
/// of contracts, which hold for any.
const QUICK: &[(&str, &str)] = &[
    ("adversarial-patch", "steps = 5"),
    ("ddn", "steps = 20"),
    ("elastic", "draws = 3"),
    ("flow", "steps = 5"),
    ("spatial", "angles = 3\nshifts = 3"),
    ("sticker", "steps = 10"),
    ("universal-deepfool", "passes = 2"),
    ("universal-sgd", "steps = 10"),
];

/// The attack of that name, quick.
pub fn quick(name: &str) -> Attack {
    let text = QUICK.iter().find(|(quick, _)| *quick == name).map_or("", |(_, text)| text);
    (find(name).unwrap().parse)(toml::from_str(text).unwrap()).unwrap()
}

/// Two logits `(⟨w, x⟩ + b, 0)`.
pub struct Linear {
    pub weights: Vec<f32>,
    pub bias: f32,
    pub domain: Domain,
}

impl Linear {
    pub fn new(weights: &[f32], bias: f32) -> Self {
        let domain = Domain::image(1, 1, weights.len()).unwrap();
        Self { weights: weights.to_vec(), bias, domain }
    }
}

impl Classifier for Linear {
    fn domain(&self) -> &Domain {
        &self.domain
    }

    fn classes(&self) -> usize {
        2
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let shape = [1, self.weights.len()];
        let weights =
            Tensor::from_data(TensorData::new(self.weights.clone(), shape), &rows.device());
        let margin = (rows * weights).sum_dim(1) + self.bias;
        Tensor::cat(vec![margin.clone(), margin * 0.0], 1)
    }
}

/// `K` smooth classes over `F` features, of no particular shape.
pub struct Smooth {
    pub domain: Domain,
    pub classes: usize,
}

impl Classifier for Smooth {
    fn domain(&self) -> &Domain {
        &self.domain
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let [_, features] = rows.dims();
        let device = rows.device();
        let grid = Tensor::<1, Int>::arange(0..(features * self.classes) as i64, &device).float();
        let weights = (grid * 1.7).sin().reshape([features, self.classes]);
        (rows - 0.5).tanh().matmul(weights) * 4.0
    }
}

/// What a broken or odd model answers.
pub struct Constant {
    pub domain: Domain,
    pub answer: f32,
}

impl Classifier for Constant {
    fn domain(&self) -> &Domain {
        &self.domain
    }

    fn classes(&self) -> usize {
        3
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        rows.sum_dim(1).repeat_dim(1, 3) * 0.0 + self.answer
    }
}
