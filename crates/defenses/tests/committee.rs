//! Trainings of several networks as one, against arithmetic and finite differences.
#![allow(clippy::unwrap_used)]
use burn::module::{Module, Param};
use burn::prelude::*;
use duress_core::{Classifier, Domain, Passes, Seed, Silent, host::floats};
use duress_defenses::ensemble::gradient_diversity;
use duress_defenses::{AdaptiveDiversity, GradientAlignment};
use duress_models::train::{OptimizerRecipe, Run, Schedule, Step};
use duress_models::{
    Architecture, Batch, Card, Model, Network, Objective, Recipe, Standard, Trainable,
    TrainingData, train,
};

/// Two softmax regressions `[2, 3]`, side by side.
#[derive(Module, Debug)]
struct Pair {
    weights: Param<Tensor<2>>,
}

const WEIGHTS: [[f32; 6]; 2] = [[0.9, -0.4, 0.1, -0.3, 0.8, 0.2], [0.2, 0.5, -0.6, 0.4, 0.1, 0.7]];
const ROWS: [f32; 6] = [0.2, 0.9, 0.7, 0.1, 0.5, 0.6];
const LABELS: [usize; 3] = [0, 2, 1];

impl Pair {
    fn new(weights: [[f32; 6]; 2]) -> Self {
        Self { weights: Param::from_data(weights, &Device::flex().autodiff()) }
    }
}

impl Trainable for Pair {
    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        (self.member_logits(0, rows.clone()) + self.member_logits(1, rows)) / 2.0
    }

    fn members(&self) -> usize {
        2
    }

    fn member_logits(&self, member: usize, rows: Tensor<2>) -> Tensor<2> {
        rows.matmul(self.weights.val().narrow(1, 3 * member, 3))
    }
}

fn passes() -> Passes {
    Passes::with_workers(&Device::flex(), 1).unwrap()
}

fn loss_of<M: Trainable>(objective: &dyn Objective<M>, network: &M) -> f64 {
    let (domain, passes) = (Domain::image(1, 1, 2).unwrap(), passes());
    let rows = Tensor::from_data(TensorData::new(ROWS.to_vec(), [3, 2]), &Device::flex());
    let batch = Batch { rows, labels: LABELS.to_vec(), ids: vec![0, 1, 2] };
    let step = Step {
        epoch: 0,
        step: 0,
        steps: 1,
        epochs: 1,
        seed: Seed(0),
        label_smoothing: 0.0,
        domain: &domain,
        classes: 3,
        passes: &passes,
        progress: &Silent,
    };
    f64::from(floats(objective.loss(network, &batch, &step).unwrap().loss).unwrap()[0])
}

/// The weights after one full step of plain gradient descent.
fn stepped(objective: &dyn Objective<Pair>, rate: f64) -> Vec<f32> {
    let (domain, passes) = (Domain::image(1, 1, 2).unwrap(), passes());
    let data =
        TrainingData { rows: &ROWS, labels: &LABELS, ids: &[0, 1, 2], domain: &domain, classes: 3 };
    let recipe = Recipe {
        epochs: 1,
        batch_size: 3,
        optimizer: OptimizerRecipe::Sgd {
            learning_rate: rate,
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
        },
        schedule: Schedule::Constant {},
        ..Recipe::default()
    };
    let run = Run { progress: &Silent, ..Run::new(&passes) };
    let trained = train(&Pair::new(WEIGHTS), objective, &data, &recipe, run).unwrap();
    floats(trained.raw.weights.val()).unwrap()
}

/// The step of a training is minus the rate times the slope of the loss along each weight.
fn steps_down_its_own_loss(objective: &dyn Objective<Pair>) {
    let rate = 0.1;
    let got = stepped(objective, rate);
    for cell in 0..12 {
        let at = |change: f32| {
            let mut weights = WEIGHTS;
            weights[cell / 6][cell % 6] += change;
            loss_of(objective, &Pair::new(weights))
        };
        let slope = (at(1e-2) - at(-1e-2)) / 2e-2;
        let moved = f64::from(got[cell] - WEIGHTS[cell / 6][cell % 6]) / -rate;
        assert!((moved - slope).abs() < 0.01 * (1.0 + slope.abs()), "{cell}: {moved} {slope}");
    }
}

#[test]
fn adaptive_diversity_steps_down_its_own_loss() {
    steps_down_its_own_loss(&AdaptiveDiversity::default());
}

/// The second derivatives come from differences: the whole gradient must be that of the loss.
#[test]
fn gradient_alignment_steps_down_its_own_loss() {
    steps_down_its_own_loss(&GradientAlignment { weight: 1.0, step: 0.01 });
    steps_down_its_own_loss(&GradientAlignment { weight: 0.0, step: 0.01 });
}

#[test]
fn without_its_terms_each_is_the_cross_entropy_of_the_members() {
    let pair = Pair::new(WEIGHTS);
    let plain = GradientAlignment { weight: 0.0, ..GradientAlignment::default() };
    let sum = AdaptiveDiversity { entropy: 0.0, volume: 0.0 };
    assert!((loss_of(&sum, &pair) - 2.0 * loss_of(&plain, &pair)).abs() < 1e-6);
}

#[test]
fn one_network_is_no_committee() {
    let domain = Domain::image(1, 1, 2).unwrap();
    let one = Architecture::Mlp { hidden: vec![] };
    let network = one.init(&domain, 3, Seed(0), &Device::flex()).unwrap();
    let rows = Tensor::from_data(TensorData::new(ROWS.to_vec(), [3, 2]), &Device::flex());
    let batch = Batch { rows, labels: LABELS.to_vec(), ids: vec![0, 1, 2] };
    let passes = passes();
    let step = Step {
        epoch: 0,
        step: 0,
        steps: 1,
        epochs: 1,
        seed: Seed(0),
        label_smoothing: 0.0,
        domain: &domain,
        classes: 3,
        passes: &passes,
        progress: &Silent,
    };
    let adp: &dyn Objective<Network> = &AdaptiveDiversity::default();
    let gal: &dyn Objective<Network> = &GradientAlignment::default();
    for objective in [adp, gal] {
        let error = objective.loss(&network, &batch, &step).err().unwrap().to_string();
        assert!(error.contains("a `committee` of at least 2 members"), "{error}");
    }
}

struct MemberOf(Model, usize);

impl Classifier for MemberOf {
    fn domain(&self) -> &Domain {
        self.0.domain()
    }

    fn classes(&self) -> usize {
        self.0.classes()
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        self.0.network().member_logits(self.1, rows)
    }
}

/// A committee goes through training, its card and a file like any network, and its members'
/// gradients end less aligned than those of a plain training.
#[test]
fn alignment_falls_where_it_is_trained_against() {
    let digits = duress_datasets::embedded::digits().unwrap();
    let architecture = Architecture::Committee {
        member: Box::new(Architecture::Mlp { hidden: vec![16] }),
        members: 2,
    };
    let passes = passes();
    let network = architecture.init(digits.domain(), 10, Seed(1), &Device::flex()).unwrap();
    let ids: Vec<u64> = (0..600).collect();
    let data = TrainingData {
        rows: &digits.values()[..600 * 64],
        labels: &digits.labels()[..600],
        ids: &ids,
        domain: digits.domain(),
        classes: 10,
    };
    let cosine = |objective: &dyn Objective<Network>| {
        let recipe = Recipe { epochs: 6, batch_size: 32, ..Recipe::default() };
        let run = Run { progress: &Silent, ..Run::new(&passes) };
        let trained = train(&network, objective, &data, &recipe, run).unwrap();
        let card = Card::new(architecture.clone(), digits.domain().clone(), 10);
        let members =
            [0, 1].map(|at| MemberOf(Model::new(trained.chosen(), card.clone()).unwrap(), at));
        let [a, b] = &members;
        let rows = digits.rows(700..800, &Device::flex());
        let labels = &digits.labels()[700..800];
        let loss = duress_attacks::LossKind::CrossEntropy;
        let got = gradient_diversity(&[a, b], &rows, labels, &loss, &passes).unwrap();
        got.mean.unwrap()
    };
    let plain = cosine(&Standard);
    let apart = cosine(&GradientAlignment { weight: 2.0, ..GradientAlignment::default() });
    assert!(apart < plain - 0.2, "{plain} {apart}");
}
