//! Certified trainings: on a linear network the worst case that they bound is on paper; on others
//! they meet each other where their parameters say so.
#![allow(clippy::unwrap_used)]
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::prelude::*;
use duress_certification::bounds::{InputSet, Method, Network as Certified, Options};
use duress_core::{Domain, Error as CoreError, Norm, Passes, Progress, Seed, Silent, Use};
use duress_core::{Threat, host::floats};
use duress_defenses::training::Ramp;
use duress_defenses::{
    CrownIbpTraining, FastIbpTraining, IbpTraining, MtlIbpTraining, SabrTraining, TrainingDefense,
    find,
};
use duress_models::train::{OptimizerRecipe, Run, Schedule, Step};
use duress_models::{
    Architecture, Batch, Card, Error, Initialization, Layer, Layered, Model, Network, Objective,
    Recipe, Standard, Trainable, Trained, TrainingData, Weights, train,
};
use rand::RngExt;

const WEIGHTS: [f32; 3] = [2.0, -1.0, 0.5];

/// Logits `(⟨w, x⟩, 0)`.
#[derive(Module, Debug)]
struct LinearNet {
    layer: Linear,
}

impl LinearNet {
    fn new() -> Self {
        let device = Device::flex().autodiff();
        let mut layer = LinearConfig::new(3, 2).with_bias(false).init(&device);
        layer.weight = Param::from_data(WEIGHTS.map(|weight| [weight, 0.0]), &device);
        Self { layer }
    }
}

impl Trainable for LinearNet {
    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        self.layer.forward(rows)
    }
}

impl Layered for LinearNet {
    fn layers(&self) -> duress_models::Result<Vec<Layer<'_>>> {
        Ok(vec![Layer::Linear(&self.layer)])
    }
}

fn step<'a>(domain: &'a Domain, passes: &'a Passes, epoch: u32) -> Step<'a> {
    Step {
        epoch,
        step: 0,
        steps: 1,
        epochs: 9,
        seed: Seed(5),
        label_smoothing: 0.0,
        domain,
        classes: 2,
        passes,
        progress: &Silent,
    }
}

/// The loss of a row of equal values at `epoch`.
fn loss_of(objective: &dyn Objective<LinearNet>, value: f32, epoch: u32) -> f64 {
    smoothed(objective, value, epoch, 0.0)
}

fn smoothed(
    objective: &dyn Objective<LinearNet>,
    value: f32,
    epoch: u32,
    label_smoothing: f64,
) -> f64 {
    let domain = Domain::image(1, 1, 3).unwrap();
    let passes = Passes::new(&Device::flex()).unwrap();
    let rows = Tensor::from_data([[value; 3], [value; 3]], &Device::flex());
    let batch = Batch { rows, labels: vec![0; 2], ids: vec![0, 1] };
    let step = Step { label_smoothing, ..step(&domain, &passes, epoch) };
    let output = objective.loss(&LinearNet::new(), &batch, &step).unwrap();
    f64::from(floats(output.loss).unwrap()[0])
}

/// `log(1 + exp(−margin))`.
fn logistic(margin: f64) -> f64 {
    (-margin).exp().ln_1p()
}

fn close(got: f64, expected: f64, what: &str) {
    assert!((got - expected).abs() < 1e-5, "{what}: {got} is not {expected}");
}

fn ibp() -> IbpTraining {
    let epsilon = "0.1".parse().unwrap();
    IbpTraining { epsilon, warmup_epochs: 0, ramp_epochs: 0, kappa_end: 0.0, ..Default::default() }
}

fn fast() -> FastIbpTraining {
    let epsilon = "0.1".parse().unwrap();
    FastIbpTraining { epsilon, warmup_epochs: 0, ramp_epochs: 0, ..Default::default() }
}

fn crown() -> CrownIbpTraining {
    let epsilon = "0.1".parse().unwrap();
    CrownIbpTraining { epsilon, warmup_epochs: 0, ramp_epochs: 0, ..Default::default() }
}

fn sabr() -> SabrTraining {
    let epsilon = "0.1".parse().unwrap();
    SabrTraining { epsilon, warmup_epochs: 0, ramp_epochs: 0, ..Default::default() }
}

fn mtl() -> MtlIbpTraining {
    let epsilon = "0.1".parse().unwrap();
    MtlIbpTraining { epsilon, warmup_epochs: 0, ramp_epochs: 0, l1: 0.0, ..Default::default() }
}

/// `⟨w, ½⟩ = 0.75` and `‖w‖₁ = 3.5`: all bounds of a linear network are exact, and so is PGD on it.
#[test]
fn every_training_minimises_the_worst_case_of_a_linear_network() {
    let expected = logistic(0.75 - 0.35);
    close(loss_of(&ibp(), 0.5, 0), expected, "ibp");
    close(loss_of(&fast(), 0.5, 0), expected, "fast");
    for beta_end in [0.0, 0.5, 1.0] {
        close(loss_of(&CrownIbpTraining { beta_end, ..crown() }, 0.5, 0), expected, "crown");
    }
    for lambda in [0.2, 0.7, 1.0] {
        close(loss_of(&SabrTraining { lambda, ..sabr() }, 0.5, 0), expected, "sabr");
    }
    for alpha in [0.0, 0.5, 1.0] {
        close(loss_of(&MtlIbpTraining { alpha, ..mtl() }, 0.5, 0), expected, "mtl");
    }
    // The input box ends at 0: x may move by 0.05 down and 0.1 up.
    let cut = logistic(1.5 * 0.05 - (2.0 * 0.05 + 1.0 * 0.1 + 0.5 * 0.05));
    close(loss_of(&ibp(), 0.05, 0), cut, "cut by the box");
    let wide = MtlIbpTraining { alpha: 0.0, attack_radius: 2.0, ..mtl() };
    close(loss_of(&wide, 0.5, 0), logistic(0.75 - 0.7), "a wider attack");
}

#[test]
fn the_clean_share_the_absolute_weights_and_the_ramp_enter_as_stated() {
    let (clean, worst) = (logistic(0.75), logistic(0.4));
    close(loss_of(&IbpTraining { kappa_end: 0.5, ..ibp() }, 0.5, 0), 0.5 * (clean + worst), "κ");
    close(loss_of(&IbpTraining { l1: 0.01, ..ibp() }, 0.5, 0), worst + 0.035, "l1");
    // A fifth of the label is spread over two classes of the worst logits.
    let smooth = 0.9 * worst + 0.1 * logistic(-0.4);
    close(smoothed(&ibp(), 0.5, 0, 0.2), smooth, "smoothed labels");
    // One epoch of warm-up, four of ramp: ε/2 and κ = ¾ at epoch 3.
    let ramp = IbpTraining {
        warmup_epochs: 1,
        ramp_epochs: 4,
        ramp: Ramp::Linear,
        kappa_end: 0.5,
        ..ibp()
    };
    close(loss_of(&ramp, 0.5, 0), clean, "warm-up");
    close(loss_of(&ramp, 0.5, 1), clean, "the start of the ramp");
    let half = 0.75 * clean + 0.25 * logistic(0.75 - 0.175);
    close(loss_of(&ramp, 0.5, 3), half, "half the ramp");
    close(loss_of(&ramp, 0.5, 6), 0.5 * (clean + worst), "after the ramp");
}

#[test]
fn radius_zero_is_plain_cross_entropy() {
    let epsilon = "0".parse().unwrap();
    let expected = logistic(0.75);
    let no = |objective: &dyn Objective<LinearNet>| {
        close(loss_of(objective, 0.5, 0), expected, objective.name());
    };
    no(&IbpTraining { epsilon, ..ibp() });
    no(&FastIbpTraining { epsilon, ..fast() });
    no(&CrownIbpTraining { epsilon, ..crown() });
    no(&SabrTraining { epsilon, ..sabr() });
    no(&MtlIbpTraining { epsilon, ..mtl() });
}

/// Three classes of 8×8 pictures under noise: stripes down, stripes across, a checkerboard.
struct Stripes {
    rows: Vec<f32>,
    labels: Vec<usize>,
    ids: Vec<u64>,
    domain: Domain,
}

impl Stripes {
    fn new(count: u64) -> Self {
        let pixels = |id: u64| {
            let mut rng = Seed(11).stream(id, 0, 0, Use::Noise);
            (0..64_u64).map(move |pixel| {
                let (y, x) = (pixel / 8, pixel % 8);
                let light = [x, y, x + y][(id % 3) as usize] % 2 == 0;
                (if light { 0.7_f32 } else { 0.3 }) + rng.random_range(-0.2..0.2)
            })
        };
        Self {
            rows: (0..count).flat_map(pixels).collect(),
            labels: (0..count).map(|id| (id % 3) as usize).collect(),
            ids: (0..count).collect(),
            domain: Domain::image(1, 8, 8).unwrap(),
        }
    }

    fn data(&self) -> TrainingData<'_> {
        let Self { rows, labels, ids, domain } = self;
        TrainingData { rows, labels, ids, domain, classes: 3 }
    }
}

/// The loss and all its gradients, in the order of the module's parameters.
fn gradients(objective: &dyn Objective<Network>, architecture: &Architecture) -> Vec<f32> {
    let set = Stripes::new(12);
    let device = Device::flex();
    let network = architecture.init(&set.domain, 3, Seed(1), &device).unwrap();
    let network = network.to_device(&device.clone().autodiff()).train();
    let rows = Tensor::from_data(TensorData::new(set.rows.clone(), [12, 64]), &device);
    let batch = Batch { rows, labels: set.labels.clone(), ids: set.ids.clone() };
    let passes = Passes::new(&device).unwrap();
    let at = Step { classes: 3, ..step(&set.domain, &passes, 4) };
    let loss = objective.loss(&network, &batch, &at).unwrap().loss;
    let mut all = floats(loss.clone()).unwrap();
    let mut collect = Collect { gradients: loss.backward(), all: Vec::new() };
    network.visit(&mut collect);
    all.extend(collect.all);
    all
}

struct Collect {
    gradients: burn::tensor::Gradients,
    all: Vec<f32>,
}

impl burn::module::ModuleVisitor for Collect {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(&self.gradients) {
            self.all.extend(floats(gradient).unwrap());
        }
    }
}

/// In the middle of the ramp, regularisers and all, on batch norms and without.
#[test]
fn the_whole_box_and_the_whole_bound_are_interval_training_to_the_bit() {
    for architecture in [Architecture::SmallCnn {}, Architecture::ResNet { depth: 8 }] {
        let expected = gradients(&FastIbpTraining { ramp_epochs: 8, ..fast() }, &architecture);
        assert!(expected.len() > 1000 && expected.iter().all(|value| value.is_finite()));
        let sabr = SabrTraining { lambda: 1.0, ramp_epochs: 8, ..sabr() };
        assert_eq!(gradients(&sabr, &architecture), expected, "{architecture:?}");
        let mtl = MtlIbpTraining { alpha: 1.0, ramp_epochs: 8, ..mtl() };
        assert_eq!(gradients(&mtl, &architecture), expected, "{architecture:?}");
        let plain = FastIbpTraining { regularization: 0.0, ..fast() };
        let plain = gradients(&plain, &architecture);
        assert_eq!(gradients(&ibp(), &architecture), plain, "{architecture:?}");
        let beta = CrownIbpTraining { beta_end: 1.0, ..crown() };
        assert_eq!(gradients(&beta, &architecture), plain, "{architecture:?}");
        assert_ne!(plain, expected);
    }
}

fn recipe(epochs: u32) -> Recipe {
    Recipe {
        epochs,
        batch_size: 24,
        optimizer: OptimizerRecipe::Adam {
            learning_rate: 0.005,
            betas: [0.9, 0.999],
            epsilon: 1e-8,
            weight_decay: 0.0,
        },
        schedule: Schedule::Cosine { warmup_epochs: 0 },
        gradient_clipping: Some(10.0),
        ..Recipe::default()
    }
}

fn fit(
    defense: &dyn TrainingDefense,
    architecture: &Architecture,
    recipe: &Recipe,
    checkpoint: Option<&Path>,
    progress: &dyn Progress,
) -> Result<Trained<Network>, Error> {
    defense.check().unwrap();
    let set = Stripes::new(72);
    let by = defense.initialization();
    let network = architecture.init_by(by, &set.domain, 3, Seed(1), &Device::flex()).unwrap();
    let passes = Passes::with_workers(&Device::flex(), 2).unwrap();
    let run = Run { checkpoint, progress, ..Run::new(&passes) };
    train(&network, defense.objective(), &set.data(), recipe, run)
}

/// Says stop at its `n`-th question.
struct StopAfter(AtomicU64);

impl Progress for StopAfter {
    fn cancelled(&self) -> bool {
        self.0.fetch_sub(1, Ordering::Relaxed) == 1
    }
}

/// Three steps an epoch: the first stop is in the warm-up, the others in the ramp.
#[test]
fn a_killed_training_goes_on_to_the_same_bits() {
    let digest = |trained: &Trained<Network>| Weights::of(&trained.last).unwrap().digest();
    let epochs = |defense: &mut FastIbpTraining| {
        (defense.warmup_epochs, defense.ramp_epochs) = (1, 2);
    };
    let mut fast = fast();
    epochs(&mut fast);
    let sabr = SabrTraining { lambda: 0.5, steps: 2, warmup_epochs: 1, ramp_epochs: 2, ..sabr() };
    let mtl = MtlIbpTraining { warmup_epochs: 1, ramp_epochs: 2, ..mtl() };
    let crown = CrownIbpTraining { warmup_epochs: 1, ramp_epochs: 2, ..crown() };
    let all: [(&dyn TrainingDefense, Architecture); 4] = [
        (&fast, Architecture::ResNet { depth: 8 }),
        (&sabr, Architecture::WideResNet { depth: 10, widen: 1 }),
        (&mtl, Architecture::SmallCnn {}),
        (&crown, Architecture::ResNet { depth: 8 }),
    ];
    for (defense, architecture) in all {
        let recipe = recipe(4);
        let straight = fit(defense, &architecture, &recipe, None, &Silent).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("training");
        for stop in [2, 4, 3] {
            let stop = StopAfter(AtomicU64::new(stop));
            let got = fit(defense, &architecture, &recipe, Some(&path), &stop);
            assert!(matches!(got, Err(Error::Core(CoreError::Cancelled))));
        }
        let resumed = fit(defense, &architecture, &recipe, Some(&path), &Silent).unwrap();
        assert_eq!(digest(&resumed), digest(&straight), "{defense:?}");
    }
}

/// Training samples that intervals certify in f64.
fn certified(network: &Network, architecture: &Architecture, method: Method) -> usize {
    let set = Stripes::new(72);
    let card = Card::new(architecture.clone(), set.domain.clone(), 3);
    let model = Model::new(network, card).unwrap();
    let bounds = Certified::new(&model.graph().unwrap()).unwrap();
    let mut count = 0;
    for (row, &label) in set.rows.chunks(64).zip(&set.labels) {
        let centre: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
        let ball = InputSet::ball(&centre, Norm::Linf, 0.1, Some(&set.domain)).unwrap();
        let margins = bounds.margins(&ball, label, method, &Options::default()).unwrap();
        count += usize::from(margins.is_certified());
    }
    count
}

#[test]
fn what_is_trained_for_bounds_is_certified_and_what_is_not_is_not() {
    let architecture = Architecture::Mlp { hidden: vec![48, 24] };
    let set = Stripes::new(72);
    let network = architecture.init(&set.domain, 3, Seed(1), &Device::flex()).unwrap();
    let passes = Passes::with_workers(&Device::flex(), 2).unwrap();
    let recipe = recipe(60);
    let plain = train(&network, &Standard, &set.data(), &recipe, Run::new(&passes)).unwrap();
    let before = certified(&plain.last, &architecture, Method::Ibp);
    assert!(before < 10, "{before} of 72 without a defence");
    let fast = FastIbpTraining { ramp_epochs: 30, ..fast() };
    let ibp = IbpTraining { warmup_epochs: 5, ramp_epochs: 40, kappa_end: 0.5, ..ibp() };
    let crown = CrownIbpTraining { warmup_epochs: 5, ramp_epochs: 40, ..crown() };
    let sabr = SabrTraining { lambda: 0.8, steps: 2, ramp_epochs: 30, ..sabr() };
    let mtl = MtlIbpTraining { ramp_epochs: 30, ..mtl() };
    let all: [&dyn TrainingDefense; 5] = [&fast, &ibp, &crown, &sabr, &mtl];
    for defense in all {
        let trained = fit(defense, &architecture, &recipe, None, &Silent).unwrap();
        let count = certified(&trained.last, &architecture, Method::CrownIbp);
        assert!(count > 64, "{count} of 72 by {defense:?}");
    }
}

#[test]
fn names_defaults_and_initial_weights_are_those_of_the_papers() {
    let default = |name: &str, field: &str| (find(name).unwrap().defaults)()[field].clone();
    for (name, field, expected) in [
        ("ibp-training", "kappa_end", 0.5),
        ("crown-ibp-training", "beta_end", 1.0),
        ("fast-ibp-training", "regularization", 0.5),
        ("sabr-training", "lambda", 0.7),
        ("mtl-ibp-training", "alpha", 0.5),
    ] {
        assert_eq!(default(name, field).as_float(), Some(expected), "{name}");
        assert_eq!(default(name, "epsilon").as_float(), Some(8.0 / 255.0), "{name}");
    }
    assert_eq!(default("fast-ibp-training", "initialization").as_str(), Some("ibp"));
    assert_eq!(default("ibp-training", "ramp").as_str(), Some("linear"));
    assert_eq!(ibp().initialization(), Initialization::He);
    assert_eq!(sabr().initialization(), Initialization::Ibp);
    assert_eq!(mtl().threat(), Some(Threat::new(Norm::Linf, 0.1).unwrap()));
}

#[test]
fn wrong_hyperparameters_are_named() {
    let fault = |defense: &dyn TrainingDefense, expected: &str| {
        let message = defense.check().unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    fault(
        &IbpTraining { kappa_start: 2.0, ..ibp() },
        "ibp-training: `kappa_start` must be between 0 and 1, got 2",
    );
    fault(
        &CrownIbpTraining { beta_end: f64::NAN, ..crown() },
        "`beta_end` must be between 0 and 1",
    );
    fault(&FastIbpTraining { regularization: -1.0, ..fast() }, "`regularization` must be finite");
    fault(&SabrTraining { lambda: 0.0, ..sabr() }, "`lambda` must be finite and positive");
    fault(&SabrTraining { relu_shrinking: 1.5, ..sabr() }, "`relu_shrinking` must be between");
    fault(&MtlIbpTraining { steps: 0, ..mtl() }, "`steps` must be at least 1, got 0");
    fault(
        &MtlIbpTraining { attack_radius: 0.0, ..mtl() },
        "`attack_radius` must be finite and positive",
    );
    let short = IbpTraining { ramp_epochs: 5, ..ibp() };
    let error = fit(&short, &Architecture::SmallCnn {}, &recipe(4), None, &Silent).unwrap_err();
    assert!(error.to_string().contains("5 epochs together, and the recipe has 4"), "{error}");
}
