//! Data that several tests train on.
#![allow(dead_code, reason = "each test file uses a part")]
use burn::prelude::Device;
use duress_core::{Domain, Passes, Seed, Use};
use duress_models::TrainingData;
use rand::RngExt;

/// Samples that own their values.
pub(crate) struct Set {
    pub(crate) rows: Vec<f32>,
    pub(crate) labels: Vec<usize>,
    pub(crate) ids: Vec<u64>,
    pub(crate) domain: Domain,
    pub(crate) classes: usize,
}

impl Set {
    /// All samples.
    pub(crate) fn data(&self) -> TrainingData<'_> {
        self.split(self.labels.len()).0
    }

    /// The first `count` samples and the rest.
    pub(crate) fn split(&self, count: usize) -> (TrainingData<'_>, TrainingData<'_>) {
        let features = self.domain.features();
        let part = |range: std::ops::Range<usize>| TrainingData {
            rows: &self.rows[range.start * features..range.end * features],
            labels: &self.labels[range.clone()],
            ids: &self.ids[range],
            domain: &self.domain,
            classes: self.classes,
        };
        (part(0..count), part(count..self.labels.len()))
    }
}

/// Three classes of 8×8 pictures under noise: stripes down, stripes across, a checkerboard.
pub(crate) fn stripes(count: usize) -> Set {
    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    for id in 0..count {
        let mut rng = Seed(11).stream(id as u64, 0, 0, Use::Noise);
        let label = id % 3;
        for pixel in 0..64 {
            let (y, x) = (pixel / 8, pixel % 8);
            let light = match label {
                0 => x % 2 == 0,
                1 => y % 2 == 0,
                _ => (x + y) % 2 == 0,
            };
            let base = if light { 0.6 } else { 0.4 };
            rows.push(base + rng.random_range(-0.3..0.3));
        }
        labels.push(label);
    }
    let ids = (0..count as u64).collect();
    Set { rows, labels, ids, domain: Domain::image(1, 8, 8).unwrap(), classes: 3 }
}

/// The handwritten digits that are compiled into the workspace.
pub(crate) fn digits() -> Set {
    let digits = duress_datasets::embedded::digits().unwrap();
    Set {
        rows: digits.values().to_vec(),
        labels: digits.labels().to_vec(),
        ids: digits.ids().to_vec(),
        domain: digits.domain().clone(),
        classes: 10,
    }
}

/// Passes on the CPU over two workers.
pub(crate) fn passes() -> Passes {
    Passes::with_workers(&Device::flex(), 2).unwrap()
}
