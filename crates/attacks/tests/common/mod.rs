//! Models whose worst case is known on paper.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]
pub mod peers;
pub mod recorder;

use burn::prelude::*;
use duress_attacks::{ATTACKS, Entry, find};
use duress_core::{Attack, Classifier, Domain};
use duress_attacks::find;
use duress_core::{
    Attack, Classifier, Domain, Goal, Norm, Oracle, Outcome, Passes, Problem, WhiteBox, run,
};

/// Hyperparameters with which an attack runs in milliseconds, where its paper's do not. For tests
/// of contracts, which hold for any.
const QUICK: &[(&str, &str)] = &[
    ("adversarial-patch", "steps = 5"),
    ("apgd", "steps = 25"),
    ("apgd-t", "steps = 12"),
    ("bandits", "queries = 60"),
    ("bim", "steps = 4\nstep_size = 0.4"),
    ("boundary", "steps = 30"),
    ("brendel-bethge", "steps = 12\nstart_draws = 60"),
    (
        "carlini-wagner-l2",
        "search_steps = 3\nsteps = 30\nlearning_rate = 0.5\ninitial_constant = 10.0",
    ),
    (
        "composite",
        "rounds = 2\nsteps = 2\ncomponents = ['rotation', 'linf', 'contrast', 'brightness']",
    ),
    ("ddn", "steps = 20"),
    ("di-fgsm", "steps = 4\nstep_size = 0.4"),
    ("ead", "search_steps = 3\nsteps = 30\nlearning_rate = 0.05\ninitial_constant = 1.0"),
    ("elastic", "draws = 3"),
    ("fab", "steps = 10\nrestarts = 2"),
    ("fab-t", "steps = 10\nrestarts = 2\ntargets = 2"),
    ("flow", "steps = 5"),
    ("fmn", "steps = 30"),
    ("gen-attack", "queries = 60"),
    ("geoda", "queries = 150"),
    ("hop-skip-jump", "steps = 2\ninitial_evaluations = 20"),
    ("jsma", "gamma = 1.0"),
    ("mi-fgsm", "steps = 4\nstep_size = 0.4"),
    ("nes", "queries = 60\nsamples = 10"),
    ("ni-fgsm", "steps = 4\nstep_size = 0.4"),
    ("one-pixel", "population = 10\ngenerations = 5"),
    ("pointwise", "restarts = 2\nbisections = 3"),
    ("rays", "queries = 100"),
    ("si-ni-fgsm", "steps = 4\nstep_size = 0.4\nscales = 2"),
    ("sigma-zero", "steps = 60"),
    ("sign-opt", "queries = 200\ndirections = 20\ninitial_directions = 10"),
    ("simba", "steps = 30"),
    ("smallest-radius", "bisections = 2\nhyperparameters = { steps = 4, step_size = 0.5 }"),
    ("sparse-rs", "queries = 60"),
    ("sparse-rs-patch", "queries = 60\nsize = 2"),
    ("sparsefool", "steps = 6\nestimate_steps = 10"),
    ("spatial", "angles = 3\nshifts = 3"),
    ("spsa", "steps = 5\nsamples = 6"),
    ("square", "queries = 60"),
    ("sticker", "steps = 10"),
    ("surfree", "queries = 150"),
    ("ti-fgsm", "steps = 4\nstep_size = 0.4\nkernel_size = 3"),
    ("universal-deepfool", "passes = 2"),
    ("universal-sgd", "steps = 10"),
    ("vmi-fgsm", "steps = 3\nstep_size = 0.4\nneighbors = 2"),
    ("vni-fgsm", "steps = 3\nstep_size = 0.4\nneighbors = 2"),
    ("worst-of", "attacks = [{ name = 'fgm' }, { name = 'square', queries = 20 }]"),
    (
        "zoo",
        "iterations = 40\nsearches = 4\ninitial_constant = 1.0\nlearning_rate = 0.05\ncoordinates = 12",
    ),

/// The attack of that name, quick.
pub fn quick(name: &str) -> Attack {
    let text = QUICK.iter().find(|(quick, _)| *quick == name).map_or("", |(_, text)| text);
    (find(name).unwrap().parse)(toml::from_str(text).unwrap()).unwrap()
}

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
