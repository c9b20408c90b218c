//! Data and networks that several tests train.
#![allow(dead_code, reason = "each test file uses a part")]
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::prelude::*;
use duress_core::{Domain, Passes, Progress, Seed, Silent, Use};
use duress_models::train::Step;
use duress_models::{FirstLayer, Trainable, TrainingData};
use rand::RngExt;

/// Three classes of 8×8 pictures under noise: stripes down, stripes across, a checkerboard.
pub(crate) struct Stripes {
    pub(crate) rows: Vec<f32>,
    pub(crate) labels: Vec<usize>,
    pub(crate) ids: Vec<u64>,
    pub(crate) domain: Domain,
}

impl Stripes {
    pub(crate) fn new(count: usize) -> Self {
        let (mut rows, mut labels) = (Vec::new(), Vec::new());
        for id in 0..count {
            let mut rng = Seed(11).stream(id as u64, 0, 0, Use::Noise);
            for pixel in 0..64 {
                let (y, x) = (pixel / 8, pixel % 8);
                let light = [x % 2 == 0, y % 2 == 0, (x + y) % 2 == 0][id % 3];
                rows.push(if light { 0.6 } else { 0.4 } + rng.random_range(-0.2_f32..0.2));
            }
            labels.push(id % 3);
        }
        let ids = (0..count as u64).collect();
        Self { rows, labels, ids, domain: Domain::image(1, 8, 8).unwrap() }
    }

    pub(crate) fn data(&self) -> TrainingData<'_> {
        let Self { rows, labels, ids, domain } = self;
        TrainingData { rows, labels, ids, domain, classes: 3 }
    }
}

pub(crate) fn passes() -> Passes {
    Passes::with_workers(&Device::flex(), 2).unwrap()
}

/// A step of `steps` an epoch.
pub(crate) fn step<'a>(domain: &'a Domain, passes: &'a Passes, epoch: u32) -> Step<'a> {
    Step {
        epoch,
        step: 0,
        steps: 1,
        epochs: 2,
        seed: Seed(5),
        label_smoothing: 0.0,
        domain,
        classes: 3,
        passes,
        progress: &Silent,
    }
}

/// Says stop at its `n`-th question; counts steps.
pub(crate) struct StopAfter {
    questions: AtomicU64,
    limit: u64,
    pub(crate) steps: AtomicU64,
}

impl StopAfter {
    pub(crate) fn new(limit: u64) -> Self {
        Self { questions: AtomicU64::new(0), limit, steps: AtomicU64::new(0) }
    }
}

impl Progress for StopAfter {
    fn advance(&self, by: u64) {
        self.steps.fetch_add(by, Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.questions.fetch_add(1, Ordering::Relaxed) >= self.limit
    }
}

/// Softmax regression that counts its passes: `first` is the layer, `rest` adds nothing.
#[derive(Module, Debug)]
pub(crate) struct Counting {
    linear: Linear,
    #[module(skip)]
    pub(crate) counts: Arc<[AtomicU64; 2]>,
}

impl Counting {
    /// Weights `[features, 3]`, no bias.
    pub(crate) fn new(weights: Vec<f32>) -> Self {
        let shape = [weights.len() / 3, 3];
        let weight = Param::from_data(TensorData::new(weights, shape), &Device::flex());
        Self { linear: Linear { weight, bias: None }, counts: Arc::default() }
    }

    /// Passes of the first layer and of the rest.
    pub(crate) fn count(&self) -> [u64; 2] {
        [0, 1].map(|index| self.counts[index].load(Ordering::Relaxed))
    }

    pub(crate) fn weight(&self) -> Vec<f32> {
        duress_core::host::floats(self.linear.weight.val()).unwrap()
    }
}

impl Trainable for Counting {
    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        self.rest(self.first(rows))
    }
}

impl FirstLayer for Counting {
    fn first(&self, rows: Tensor<2>) -> Tensor<4> {
        self.counts[0].fetch_add(1, Ordering::Relaxed);
        let hidden = self.linear.forward(rows);
        let [count, classes] = hidden.dims();
        hidden.reshape([count, classes, 1, 1])
    }

    fn rest(&self, hidden: Tensor<4>) -> Tensor<2> {
        self.counts[1].fetch_add(1, Ordering::Relaxed);
        hidden.flatten::<2>(1, 3)
    }
}
