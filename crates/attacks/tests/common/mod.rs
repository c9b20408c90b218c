//! Models whose worst case is known on paper.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub, unused_imports)]
pub mod peers;
mod quick;
pub mod recorder;

use burn::prelude::*;
use duress_attacks::find;
use duress_core::{
    Attack, Classifier, Domain, Goal, Norm, Oracle, Outcome, Passes, Problem, WhiteBox, run,
};
pub use quick::{open_entries, quick};

/// The attack of that name with parameters in TOML.
pub fn attack(name: &str, parameters: &str) -> Attack {
    (find(name).unwrap().parse)(toml::from_str(parameters).unwrap()).unwrap()
}

/// The nearest points that an attack finds from `rows`, `F` values each.
pub fn nearest(
    attack: &Attack,
    model: &dyn Classifier,
    rows: &[f32],
    goal: Goal,
    norm: Norm,
) -> Outcome {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let oracle = WhiteBox::new(model, &passes);
    let features = model.domain().features();
    let shape = [rows.len() / features, features];
    let rows = Tensor::from_data(TensorData::new(rows.to_vec(), shape), &device);
    let problem = Problem::nearest(Oracle::Gradients(&oracle), rows, goal, norm).unwrap();
    run(attack, &problem).unwrap()
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
