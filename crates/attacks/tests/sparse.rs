//! JSMA, `SparseFool` and σ-zero: what they do to linear models, and their passes by formula.
#![allow(clippy::unwrap_used)]
mod common;

use burn::prelude::*;
use common::Linear;
use duress_attacks::{Jsma, SigmaZero, SparseFool};
use duress_core::{
    Algorithm, Attack, Classifier, Domain, Goal, Norm, Oracle, Outcome, Passes, Problem, Setting,
    Status, WhiteBox, host::floats, run,
};

/// Three linear classes over ten features: `z = W x + b`.
struct Planes {
    domain: Domain,
    weights: [[f32; 10]; 3],
    biases: [f32; 3],
}

impl Planes {
    /// Raising features 4 and 7 raises class 1; 1 and 2 raise class 2 and lower the others.
    fn new(biases: [f32; 3]) -> Self {
        let mut weights = [[0.0; 10]; 3];
        weights[1][4] = 2.0;
        weights[0][4] = -1.0;
        weights[1][7] = 1.0;
        weights[0][7] = -0.5;
        weights[2][1] = 1.5;
        weights[0][1] = -1.0;
        weights[2][2] = 1.5;
        weights[1][2] = -1.0;
        // Raises class 1 most, and class 0 still more: alone it would be of no use.
        weights[1][0] = 3.0;
        weights[0][0] = 9.0;
        Self { domain: Domain::image(1, 2, 5).unwrap(), weights, biases }
    }
}

impl Classifier for Planes {
    fn domain(&self) -> &Domain {
        &self.domain
    }

    fn classes(&self) -> usize {
        3
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let device = rows.device();
        let weights = Tensor::<2>::from_data(self.weights, &device);
        rows.matmul(weights.transpose()) + Tensor::<1>::from_data(self.biases, &device).unsqueeze()
    }
}

fn attacked(model: &dyn Classifier, attack: Attack, value: f32, goal: Goal) -> Outcome {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let oracle = WhiteBox::new(model, &passes);
    let rows = Tensor::full([goal.labels().len(), model.domain().features()], value, &device);
    let problem = Problem::nearest(Oracle::Gradients(&oracle), rows, goal, Norm::L0).unwrap();
    run(&attack, &problem).unwrap()
}

fn jsma(theta: f64, gamma: f64) -> Attack {
    Attack::Gradient(Box::new(Jsma { theta, gamma }))
}

fn changed(outcome: &Outcome, value: f32) -> Vec<usize> {
    let row = floats(outcome.rows.clone()).unwrap();
    (0..row.len()).filter(|&feature| (row[feature] - value).abs() > 1e-6).collect()
}

/// Towards class 1, of the pairs with positive and negative sums, (4, 7) has (2 + 1)(1 + ½) = 4.5;
/// (0, 4) would raise the others by 8.
#[test]
fn jsma_moves_the_most_salient_pair() {
    let model = Planes::new([1.0, 0.0, -9.0]);
    let got = attacked(&model, jsma(1.0, 0.2), 0.0, Goal::Targeted(vec![1]));
    assert_eq!(got.samples[0].status, Status::Broken);
    assert_eq!(
        (changed(&got, 0.0), got.samples[0].distance.to_bits()),
        (vec![4, 7], 2.0_f64.to_bits())
    );
    // One pair: two gradients at the clean row, and a look at the result.
    assert_eq!((got.samples[0].forwards, got.samples[0].backwards), (3, 2));
}

/// With θ = ½ a pair is moved twice before it is saturated.
#[test]
fn jsma_drops_a_feature_only_at_the_end_of_its_interval() {
    let model = Planes::new([4.0, 0.0, -9.0]);
    let got = attacked(&model, jsma(0.5, 0.4), 0.0, Goal::Targeted(vec![1]));
    assert_eq!(changed(&got, 0.0), [4, 7]);
    assert_eq!((got.samples[0].status, got.samples[0].backwards), (Status::Broken, 4));
    let row = floats(got.rows).unwrap();
    assert!((row[4] - 1.0).abs() < 1e-6 && (row[7] - 1.0).abs() < 1e-6);
}

/// With θ = −1 features are lowered and the signs of both tests turn. Towards class 0 the pair
/// (1, 4) has (1 + 1)(1.5 + 2).
#[test]
fn jsma_lowers_features_where_theta_is_negative() {
    let model = Planes::new([-9.5, 0.0, 0.0]);
    let got = attacked(&model, jsma(-1.0, 0.2), 1.0, Goal::Targeted(vec![0]));
    assert_eq!(changed(&got, 1.0), [1, 4]);
}

/// Budget 0.1 of ten features is no pair: one look at the clean row for each target, and one to
/// rank them.
#[test]
fn jsma_stops_at_its_share_of_features() {
    let model = Planes::new([9.0, 0.0, -9.0]);
    let got = attacked(&model, jsma(1.0, 0.1), 0.0, Goal::Untargeted(vec![0]));
    assert_eq!((got.samples[0].status, got.samples[0].forwards), (Status::Survived, 3));
    assert_eq!(got.samples[0].backwards, 0);
    let got = attacked(&model, jsma(1.0, 0.2), 0.0, Goal::Untargeted(vec![0]));
    assert_eq!((got.samples[0].forwards, got.samples[0].backwards), (1 + 2 * 3, 2 * 2));
}

/// Class 2 is less likely, and reached as well: the nearer of the two results counts.
#[test]
fn jsma_untargeted_tries_each_class() {
    let model = Planes::new([2.0, -9.0, 0.5]);
    let got = attacked(&model, jsma(1.0, 1.0), 0.0, Goal::Untargeted(vec![0]));
    assert_eq!((got.samples[0].status, got.samples[0].prediction), (Status::Broken, 2));
    assert_eq!(changed(&got, 0.0), [1, 2]);
}

/// One gradient a step and a last look.
#[test]
fn sigma_zero_counts_its_passes() {
    let model = Linear::new(&[3.0, -1.0, 2.0, 0.5], -2.0);
    let attack = SigmaZero { steps: 30, ..SigmaZero::paper() };
    let got =
        attacked(&model, Attack::Gradient(Box::new(attack)), 0.5, Goal::Untargeted(vec![0; 2]));
    assert_eq!((got.samples[1].forwards, got.samples[1].backwards), (31, 30));
}

/// One solution of a linear model of two classes: logits to rank, one gradient and one look of
/// `DeepFool`, the normal there, and the result.
#[test]
fn sparsefool_counts_its_passes_and_takes_no_target() {
    let model = Linear::new(&[3.0, -1.0, 2.0, 0.5], -2.0);
    let attack = Attack::Gradient(Box::new(SparseFool::paper()));
    let got = attacked(&model, attack, 0.5, Goal::Untargeted(vec![0]));
    assert_eq!((got.samples[0].forwards, got.samples[0].backwards), (5, 2));
    assert_eq!(changed(&got, 0.5), [0]);
    let setting = Setting { domain: model.domain(), classes: 2, targeted: true };
    let error = SparseFool::paper().check(&setting).unwrap_err().to_string();
    assert_eq!(error, "sparsefool: `goal` must be untargeted, got targeted");
}
