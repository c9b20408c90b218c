//! A linear network of three classes, on the tape and in f64.
use burn::module::{Module, Param};
use burn::prelude::*;
use duress_core::{Domain, Passes, Seed, Silent, host};
use duress_models::train::Step;
use duress_models::{Batch, LossOutput, Trainable};

pub(super) const WEIGHTS: [[f64; 3]; 2] = [[1.0, -0.5, 0.25], [0.5, 2.0, -1.0]];
pub(super) const CLEAN: [[f64; 2]; 2] = [[0.25, 0.5], [0.75, 0.125]];
pub(super) const MOVED: [[f64; 2]; 2] = [[0.125, 0.625], [0.875, 0.25]];
pub(super) const LABELS: [usize; 2] = [1, 0];

/// Logits `x W`.
#[derive(Module, Debug)]
pub(super) struct Linear {
    pub(super) weight: Param<Tensor<2>>,
}

impl Linear {
    pub(super) fn new() -> Self {
        Self::with(WEIGHTS)
    }

    pub(super) fn with(weights: [[f64; 3]; 2]) -> Self {
        let device = Device::flex().autodiff();
        Self { weight: Param::from_data(weights.map(|row| row.map(|w| w as f32)), &device) }
    }
}

impl Trainable for Linear {
    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        rows.matmul(self.weight.val())
    }
}

pub(super) fn rows(values: [[f64; 2]; 2]) -> Tensor<2> {
    Tensor::from_data(values.map(|row| row.map(|x| x as f32)), &Device::flex())
}

pub(super) fn batch() -> Batch {
    Batch { rows: rows(CLEAN), labels: LABELS.to_vec(), ids: vec![0, 1] }
}

/// Runs `work` with a step of epoch 0.
pub(super) fn with_step<T>(work: impl FnOnce(&Step<'_>) -> T) -> T {
    let domain = Domain::image(1, 1, 2).unwrap();
    let passes = Passes::new(&Device::flex()).unwrap();
    work(&Step {
        epoch: 0,
        step: 0,
        steps: 1,
        epochs: 2,
        seed: Seed(5),
        label_smoothing: 0.0,
        domain: &domain,
        classes: 3,
        passes: &passes,
        progress: &Silent,
    })
}

pub(super) fn value(output: &LossOutput) -> f64 {
    f64::from(host::floats(output.loss.clone()).unwrap()[0])
}

/// `x W` in f64.
pub(super) fn logits(x: [f64; 2], weights: [[f64; 3]; 2]) -> [f64; 3] {
    std::array::from_fn(|class| x[0] * weights[0][class] + x[1] * weights[1][class])
}

/// `softmax z` in f64.
pub(super) fn softmax(z: [f64; 3]) -> [f64; 3] {
    let total: f64 = z.iter().map(|z| z.exp()).sum();
    z.map(|z| z.exp() / total)
}

/// Probabilities of a row of [`WEIGHTS`].
pub(super) fn probabilities(x: [f64; 2]) -> [f64; 3] {
    softmax(logits(x, WEIGHTS))
}

/// `Σ p ln(p / q)`.
pub(super) fn divergence(p: [f64; 3], q: [f64; 3]) -> f64 {
    p.iter().zip(q).map(|(p, q)| p * (p / q).ln()).sum()
}

/// The mean of `of` over the two samples: clean row, moved row, label.
pub(super) fn mean(of: impl Fn([f64; 2], [f64; 2], usize) -> f64) -> f64 {
    (0..2).map(|index| of(CLEAN[index], MOVED[index], LABELS[index])).sum::<f64>() / 2.0
}
