//! Third-party networks, where they are on this machine, and what others computed for them.
#![allow(dead_code)]
use std::path::{Path, PathBuf};

use duress_certification::bounds::{InputSet, Network};
use duress_core::{Domain, Norm};
use duress_graph::{Graph, onnx};
use serde_json::Value;

/// The folder of third-party networks: `DURESS_MODELS`, else `../shared/models` beside the
/// workspace. `None`, and a line that says so, where there is none.
pub(crate) fn models() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/models");
    let folder = std::env::var_os("DURESS_MODELS").map_or(beside, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("SKIPPED: no third-party networks in {}", folder.display());
    None
}

pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

pub(crate) fn graph(path: &Path) -> Graph {
    onnx::read(path, &onnx::Options::default()).unwrap().graph
}

pub(crate) fn network(path: &Path) -> Network {
    Network::new(&graph(path)).unwrap()
}

pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

/// A Linf ball cut to `[0, 1]`.
pub(crate) fn ball(center: &[f64], epsilon: f64) -> InputSet {
    let count = center.len();
    let domain = Domain::table(vec![0.0; count], vec![1.0; count]).unwrap();
    InputSet::ball(center, Norm::Linf, epsilon, Some(&domain)).unwrap()
}

/// The first 100 test images of MNIST in `[0, 1]`, and their labels.
pub(crate) fn mnist(models: &Path) -> Vec<(usize, Vec<f64>)> {
    let text = std::fs::read_to_string(models.join("first100_images/mnist_test_first100.csv"));
    let rows = text.unwrap();
    let row = |line: &str| {
        let mut values = line.split(',').map(|value| value.trim().parse::<f64>().unwrap());
        let label = values.next().unwrap() as usize;
        (label, values.map(|value| value / 255.0).collect())
    };
    rows.lines().filter(|line| !line.trim().is_empty()).map(row).collect()
}

/// Numbers in `[0, 1)`, the same on each machine.
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    pub(crate) fn next(&mut self) -> f64 {
        // SplitMix64, Steele et al. 2014.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.next()
    }

    /// A point of a box: each feature at a corner, or anywhere.
    pub(crate) fn point(&mut self, lower: &[f64], upper: &[f64]) -> Vec<f64> {
        let corners = self.next();
        let coordinate = |(&low, &high): (&f64, &f64)| {
            if self.next() < corners {
                if self.next() < 0.5 { low } else { high }
            } else {
                self.between(low, high).clamp(low, high)
            }
        };
        lower.iter().zip(upper).map(coordinate).collect()
    }
}
