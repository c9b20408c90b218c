//! The training loop against arithmetic on paper, and on data that can be learnt.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]
mod common;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::prelude::*;
use common::{digits, passes, stripes};
use duress_core::{Classifier, Domain, Error as CoreError, Progress, Seed, host, predictions};
use duress_models::train::{
    Augmentation, EarlyStop, EpochReport, Metric, OptimizerRecipe, Run, Schedule, Verdict, Watch,
    snapshot,
};
use duress_models::{
    Architecture, Batch, Card, Error, LossOutput, Model, Network, Objective, Recipe, Standard,
    Step, Trainable, TrainingData, Weights, train,
};

/// A module of a user: softmax regression.
#[derive(Module, Debug)]
struct Softmax {
    linear: Linear,
}

impl Softmax {
    fn new() -> Self {
        let device = Device::flex();
        let weight = TensorData::new(WEIGHT.map(|weight| weight as f32).to_vec(), [2, 2]);
        let linear = Linear {
            weight: Param::from_data(weight, &device),
            bias: Some(Param::from_data([0.0, 0.0], &device)),
        };
        Self { linear }
    }
}

impl Trainable for Softmax {
    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        self.linear.forward(rows)
    }
}

const WEIGHT: [f64; 4] = [0.5, -0.25, 0.125, 1.0];
const ROWS: [f32; 6] = [1.0, 0.0, 0.25, 0.75, 0.5, 1.0];
const LABELS: [usize; 3] = [0, 1, 1];

/// `[w00, w01, w10, w11, b0, b1]` of softmax regression after `steps` full-batch steps in f64.
fn by_hand(steps: usize, rate: f64, momentum: f64, nesterov: bool, decay: f64) -> Vec<f64> {
    let mut weights = [WEIGHT.to_vec(), vec![0.0, 0.0]].concat();
    let mut velocity: Option<Vec<f64>> = None;
    for _ in 0..steps {
        let mut gradient: Vec<f64> = weights.iter().map(|weight| decay * weight).collect();
        for (row, &label) in ROWS.chunks(2).zip(&LABELS) {
            let x = [f64::from(row[0]), f64::from(row[1])];
            let logit = |k: usize| x[0] * weights[k] + x[1] * weights[2 + k] + weights[4 + k];
            let total = logit(0).exp() + logit(1).exp();
            for k in 0..2 {
                let error = (logit(k).exp() / total - f64::from(u8::from(k == label))) / 3.0;
                gradient[k] += error * x[0];
                gradient[2 + k] += error * x[1];
                gradient[4 + k] += error;
            }
        }
        let speed: Vec<f64> = match &velocity {
            None => gradient.clone(),
            Some(old) => old.iter().zip(&gradient).map(|(v, g)| momentum * v + g).collect(),
        };
        for (index, weight) in weights.iter_mut().enumerate() {
            let ahead = gradient[index] + momentum * speed[index];
            let step = if nesterov { ahead } else { speed[index] };
            *weight -= rate * step;
        }
        velocity = Some(speed);
    }
    weights
}

fn flat<M: Module>(network: &M) -> Vec<f64> {
    let weights = Weights::of(network).unwrap();
    let values = [weights.get("linear.weight").unwrap(), weights.get("linear.bias").unwrap()];
    values.concat().into_iter().map(f64::from).collect()
}

fn tiny(domain: &Domain) -> TrainingData<'_> {
    TrainingData { rows: &ROWS, labels: &LABELS, ids: &[0, 1, 2], domain, classes: 2 }
}

#[test]
fn sgd_takes_the_steps_worked_by_hand() {
    let domain = Domain::image(1, 1, 2).unwrap();
    for (momentum, nesterov, weight_decay) in
        [(0.0, false, 0.0), (0.9, false, 0.01), (0.9, true, 0.01)]
    {
        let recipe = Recipe {
            epochs: 5,
            batch_size: 3,
            optimizer: OptimizerRecipe::Sgd {
                learning_rate: 0.5,
                momentum,
                nesterov,
                weight_decay,
            },
            schedule: Schedule::Constant {},
            ..Recipe::default()
        };
        let passes = passes();
        let trained =
            train(&Softmax::new(), &Standard, &tiny(&domain), &recipe, Run::new(&passes)).unwrap();
        let expected = by_hand(5, 0.5, momentum, nesterov, weight_decay);
        for (got, expected) in flat(&trained.last).iter().zip(&expected) {
            assert!((got - expected).abs() < 1e-5, "{momentum}: {got} is not {expected}");
        }
    }
}

/// The first step of Adam moves each weight by the learning rate against the gradient's sign.
#[test]
fn the_first_step_of_adam_has_the_length_of_the_rate() {
    let domain = Domain::image(1, 1, 2).unwrap();
    let recipe = Recipe {
        epochs: 1,
        batch_size: 3,
        optimizer: OptimizerRecipe::Adam {
            learning_rate: 0.125,
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            weight_decay: 0.0,
        },
        schedule: Schedule::Constant {},
        ..Recipe::default()
    };
    let passes = passes();
    let trained =
        train(&Softmax::new(), &Standard, &tiny(&domain), &recipe, Run::new(&passes)).unwrap();
    let sgd = by_hand(1, 1.0, 0.0, false, 0.0);
    let start = flat(&Softmax::new());
    for ((got, start), sgd) in flat(&trained.last).iter().zip(&start).zip(&sgd) {
        let moved = got - start;
        assert!((moved - 0.125 * (sgd - start).signum()).abs() < 1e-4, "{moved}");
    }
}

/// Gradients are clipped to a norm of 1/8, so that one step of rate 1 has that length.
#[test]
fn a_clipped_step_has_the_length_of_the_limit() {
    let domain = Domain::image(1, 1, 2).unwrap();
    let recipe = Recipe {
        epochs: 1,
        batch_size: 3,
        optimizer: OptimizerRecipe::Sgd {
            learning_rate: 1.0,
            momentum: 0.0,
            nesterov: false,
            weight_decay: 0.0,
        },
        schedule: Schedule::Constant {},
        gradient_clipping: Some(0.125),
        ..Recipe::default()
    };
    let passes = passes();
    let trained =
        train(&Softmax::new(), &Standard, &tiny(&domain), &recipe, Run::new(&passes)).unwrap();
    let (start, end) = (flat(&Softmax::new()), flat(&trained.last));
    let length = start.iter().zip(&end).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    assert!((length - 0.125).abs() < 1e-5, "{length}");
}

fn accuracy(model: &dyn Classifier, data: &TrainingData<'_>) -> f64 {
    let shape = [data.labels.len(), data.domain.features()];
    let rows = Tensor::from_data(TensorData::new(data.rows.to_vec(), shape), &Device::flex());
    let logits = passes().logits(model, rows).unwrap();
    let predicted = predictions(logits).unwrap();
    let right = predicted.iter().zip(data.labels).filter(|((class, _), label)| class == *label);
    right.count() as f64 / data.labels.len() as f64
}

#[test]
fn every_kind_of_network_learns_stripes() {
    let set = stripes(192);
    for architecture in [
        Architecture::Mlp { hidden: vec![32] },
        Architecture::SmallCnn {},
        Architecture::ResNet { depth: 8 },
        Architecture::WideResNet { depth: 10, widen: 1 },
    ] {
        let data = set.data();
        let network = architecture.init(data.domain, 3, Seed(1), &Device::flex()).unwrap();
        let recipe = Recipe {
            epochs: 6,
            batch_size: 32,
            optimizer: OptimizerRecipe::Sgd {
                learning_rate: 0.05,
                momentum: 0.9,
                nesterov: false,
                weight_decay: 5e-4,
            },
            ..Recipe::default()
        };
        let passes = passes();
        let trained = train(&network, &Standard, &data, &recipe, Run::new(&passes)).unwrap();
        let last = trained.history.last().unwrap();
        let model = snapshot(&trained.last, data.domain).unwrap();
        let got = accuracy(&model, &data);
        assert!(got > 0.98, "{architecture:?}: {got}, {last:?}");
        assert_eq!(last.samples, 192);
        assert!(last.correct.unwrap() > 180, "{architecture:?}: {last:?}");
    }
}

#[test]
fn a_small_network_reads_digits() {
    let set = digits();
    let (training, test) = set.split(1200);
    let architecture = Architecture::Mlp { hidden: vec![64] };
    let network = architecture.init(training.domain, 10, Seed(0), &Device::flex()).unwrap();
    let recipe = Recipe { epochs: 15, batch_size: 64, ..Recipe::default() };
    let passes = passes();
    let trained = train(&network, &Standard, &training, &recipe, Run::new(&passes)).unwrap();
    let card = Card::new(architecture, training.domain.clone(), 10);
    let model = Model::new(&trained.last, card).unwrap();
    let got = accuracy(&model, &test);
    assert!(got > 0.9, "{got}");
}

fn fast(epochs: u32) -> Recipe {
    Recipe { epochs, batch_size: 32, ..Recipe::default() }
}

/// Batch norm uses its running statistics, so that a row's logits do not depend on the batch.
#[test]
fn a_trained_network_is_in_evaluation_mode() {
    let set = stripes(64);
    let data = set.data();
    let architecture = Architecture::ResNet { depth: 8 };
    let network = architecture.init(data.domain, 3, Seed(1), &Device::flex()).unwrap();
    let passes = passes();
    let trained = train(&network, &Standard, &data, &fast(1), Run::new(&passes)).unwrap();
    let before = Weights::of(&trained.last).unwrap();
    let moved = |name: &str| before.get(name).unwrap().iter().any(|&value| value != 0.0);
    assert!(moved("norm.running_mean"), "running statistics never moved");
    let rows = |range: std::ops::Range<usize>| {
        let values = set.rows[range.start * 64..range.end * 64].to_vec();
        Tensor::<2>::from_data(TensorData::new(values, [range.len(), 64]), &Device::flex())
    };
    // On the tape too, where a batch norm in training mode would see the batch.
    let logits = |rows: Tensor<2>| host::floats(trained.last.forward(rows.autodiff())).unwrap();
    let (together, alone) = (logits(rows(0..16)), logits(rows(0..1)));
    for (got, expected) in together[..3].iter().zip(&alone) {
        assert!((got - expected).abs() < 1e-4, "{got} is not {expected}");
    }
    assert_eq!(Weights::of(&trained.last).unwrap(), before, "a forward pass moved statistics");
}

#[test]
fn later_training_reaches_neither_the_model_nor_the_network_it_began_with() {
    let set = stripes(64);
    let data = set.data();
    let architecture = Architecture::WideResNet { depth: 10, widen: 1 };
    let network = architecture.init(data.domain, 3, Seed(1), &Device::flex()).unwrap();
    let card = Card::new(architecture, data.domain.clone(), 3);
    let model = Model::new(&network, card).unwrap();
    let (digest, start) = (model.digest().unwrap(), Weights::of(&network).unwrap().digest());
    let passes = passes();
    let first = train(&network, &Standard, &data, &fast(1), Run::new(&passes)).unwrap();
    let middle = Weights::of(&first.last).unwrap().digest();
    let _ = train(&first.last, &Standard, &data, &fast(1), Run::new(&passes)).unwrap();
    assert_eq!(model.digest().unwrap(), digest);
    assert_eq!(Weights::of(&network).unwrap().digest(), start);
    assert_eq!(Weights::of(&first.last).unwrap().digest(), middle);
    assert_ne!(middle, start);
}

/// Scores by a script; remembers what it was shown.
struct Script {
    scores: Vec<Option<f64>>,
    due: Vec<bool>,
    digests: Vec<String>,
}

impl Script {
    fn new(scores: &[Option<f64>]) -> Self {
        Self { scores: scores.to_vec(), due: Vec::new(), digests: Vec::new() }
    }
}

impl Watch<Network> for Script {
    fn epoch(
        &mut self,
        network: &Network,
        history: &[EpochReport],
        due: bool,
    ) -> Result<Verdict, Error> {
        let epoch = history.len() - 1;
        assert_eq!(history[epoch].epoch as usize, epoch);
        self.due.push(due);
        self.digests.push(Weights::of(network).unwrap().digest());
        Ok(Verdict { score: self.scores[epoch], stop: None })
    }
}

fn watched(recipe: &Recipe, script: &mut Script) -> duress_models::Trained<Network> {
    let set = stripes(64);
    let data = set.data();
    let architecture = Architecture::ResNet { depth: 8 };
    let network = architecture.init(data.domain, 3, Seed(1), &Device::flex()).unwrap();
    let passes = passes();
    let run = Run { watch: Some(script), ..Run::new(&passes) };
    train(&network, &Standard, &data, recipe, run).unwrap()
}

#[test]
fn best_and_last_weights_are_both_kept_and_patience_ends_the_training() {
    let scores = [Some(0.5), Some(0.75), Some(0.75), Some(0.5), Some(1.0), Some(1.0)];
    let stop = EarlyStop { patience: 2, every: 1, metric: Metric::CleanAccuracy };
    let recipe = Recipe { early_stop: Some(stop), weight_average: Some(0.9), ..fast(6) };
    let mut script = Script::new(&scores);
    let trained = watched(&recipe, &mut script);
    assert_eq!(trained.history.len(), 4);
    assert_eq!(trained.stopped.as_deref(), Some("no better score in 2 measurements"));
    assert_eq!(trained.history[2].score, Some(0.75));
    let best = trained.best.as_ref().unwrap();
    assert_eq!(best.epoch, 1);
    assert!((best.score - 0.75).abs() < f64::EPSILON);
    let digest = |network: &Network| Weights::of(network).unwrap().digest();
    assert_eq!(digest(&best.network), script.digests[1]);
    assert_eq!(digest(&trained.last), script.digests[3]);
    assert_eq!(digest(trained.chosen()), script.digests[1]);
    assert_ne!(digest(&trained.raw), script.digests[3], "the average is the last weights");
}

#[test]
fn a_score_is_due_every_few_epochs_and_at_the_end() {
    let stop = EarlyStop { patience: 9, every: 2, metric: Metric::RobustAccuracy };
    let mut script = Script::new(&[None; 5]);
    let trained = watched(&Recipe { early_stop: Some(stop), ..fast(5) }, &mut script);
    assert_eq!(script.due, [false, true, false, true, true]);
    assert!(trained.best.is_none() && trained.stopped.is_none());
}

struct Halt;

impl Watch<Network> for Halt {
    fn epoch(&mut self, _: &Network, _: &[EpochReport], _: bool) -> Result<Verdict, Error> {
        Ok(Verdict { score: None, stop: Some("enough".into()) })
    }
}

#[test]
fn a_watch_ends_the_training() {
    let set = stripes(64);
    let data = set.data();
    let network = Architecture::SmallCnn {}.init(data.domain, 3, Seed(1), &Device::flex()).unwrap();
    let passes = passes();
    let run = Run { watch: Some(&mut Halt), ..Run::new(&passes) };
    let trained = train(&network, &Standard, &data, &fast(3), run).unwrap();
    assert_eq!((trained.history.len(), trained.stopped.as_deref()), (1, Some("enough")));
    let stop = EarlyStop { patience: 1, every: 1, metric: Metric::CleanAccuracy };
    let recipe = Recipe { early_stop: Some(stop), ..fast(3) };
    let unwatched = train(&network, &Standard, &data, &recipe, Run::new(&passes));
    assert!(matches!(unwatched, Err(Error::Parameter { field: "early_stop", .. })));
}

/// Finite until step 1 of epoch 1, or off the tape.
struct Broken {
    detached: bool,
}

impl Objective<Network> for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn loss(&self, network: &Network, batch: &Batch, step: &Step<'_>) -> Result<LossOutput, Error> {
        let logits = network.forward(batch.rows.clone().autodiff());
        let loss = match (step.epoch, step.step) {
            (1, 1) => logits.clone().mean() * f32::NAN,
            _ => logits.clone().square().mean(),
        };
        let loss = if self.detached { loss.inner() } else { loss };
        Ok(LossOutput { loss, logits: None })
    }
}

#[test]
fn a_loss_that_is_no_number_names_its_epoch_and_step() {
    let set = stripes(80);
    let data = set.data();
    let network = Architecture::SmallCnn {}.init(data.domain, 3, Seed(1), &Device::flex()).unwrap();
    let passes = passes();
    let run = |detached| {
        train(&network, &Broken { detached }, &data, &fast(3), Run::new(&passes)).unwrap_err()
    };
    let error = run(false);
    assert!(matches!(error, Error::LossNotFinite { epoch: 1, step: 1, .. }), "{error}");
    assert!(matches!(run(true), Error::LossDetached { .. }));
}

struct Impatient;

impl Progress for Impatient {
    fn cancelled(&self) -> bool {
        true
    }
}

#[test]
fn a_cancelled_training_says_so() {
    let set = stripes(64);
    let data = set.data();
    let network = Architecture::SmallCnn {}.init(data.domain, 3, Seed(1), &Device::flex()).unwrap();
    let passes = passes();
    let run = Run { progress: &Impatient, ..Run::new(&passes) };
    let error = train(&network, &Standard, &data, &fast(1), run).unwrap_err();
    assert!(matches!(error, Error::Core(CoreError::Cancelled)), "{error}");
}

#[test]
fn a_table_cannot_be_augmented() {
    let domain = Domain::table(vec![0.0; 2], vec![1.0; 2]).unwrap();
    let recipe =
        Recipe { augmentation: Augmentation { crop_padding: 1, flip: false }, ..Recipe::default() };
    let passes = passes();
    let error = train(&Softmax::new(), &Standard, &tiny(&domain), &recipe, Run::new(&passes));
    assert!(matches!(error, Err(Error::Core(CoreError::NotAnImage(_)))));
}
