//! The paper's claim where it holds in closed form: adversarial points lie in a thin cone, and noise
//! leaves it.
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Classifier, Domain, Passes, Seed, Silent, Use};
use rand::RngExt;

use super::super::{DetectionMethod, Evidence, scores};
use super::{NoiseKind, NoiseOdds};

/// Half the width of the cone.
const HALF: f32 = 0.01;

/// Logits 0 and `h(x)` of rows `[N, 2]`: `h = −1 + x₁²/2` on the left, where clean rows of class 0
/// are; on the right class 1 with `h = 1`, but for a thin cone about 0.7 that falls to `h = −1`.
struct Cone(Domain);

impl Cone {
    fn height(row: [f32; 2]) -> f32 {
        if row[0] < 0.5 {
            return 0.5 * row[1] * row[1] - 1.0;
        }
        1.0 - 2.0 * (1.0 - (row[0] - 0.7).abs() / HALF).max(0.0)
    }
}

impl Classifier for Cone {
    fn domain(&self) -> &Domain {
        &self.0
    }

    fn classes(&self) -> usize {
        2
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let (first, second) = (rows.clone().narrow(1, 0, 1), rows.narrow(1, 1, 1));
        let left = second.square() * 0.5 - 1.0;
        let peak = ((first.clone() - 0.7).abs() / f64::from(HALF)).neg().add_scalar(1.0);
        let right = peak.clamp_min(0.0) * -2.0 + 1.0;
        let height = right.mask_where(first.lower_elem(0.5), left);
        Tensor::cat(vec![height.zeros_like(), height], 1)
    }
}

fn rows(values: &[[f32; 2]]) -> Tensor<2> {
    let flat: Vec<f32> = values.iter().flatten().copied().collect();
    Tensor::from_data(TensorData::new(flat, [values.len(), 2]), &Device::flex())
}

/// Every sign of size 0.05 leaves the cone, whose tip noise thus moves by exactly 2. The moments of
/// clean rows are summed here in f64, from the same draws, clipped to the box.
#[test]
fn a_point_in_a_thin_cone_is_flagged_by_what_the_formula_says() {
    let passes = Passes::with_workers(&Device::flex(), 1).unwrap();
    let clean: Vec<[f32; 2]> =
        (0..60).map(|step| [0.1 + 0.004 * step as f32, step as f32 / 59.0]).collect();
    let method = NoiseOdds { kinds: vec![NoiseKind::Sign], sizes: vec![0.05, 0.1], draws: 16 };
    let seed = Seed(4);
    let evidence = Evidence {
        model: Arc::new(Cone(Domain::table(vec![0.0; 2], vec![1.0; 2]).unwrap())),
        passes: &passes,
        clean: rows(&clean),
        labels: vec![0; clean.len()],
        adversarial: Tensor::zeros([0, 2], &Device::flex()),
        seed,
        progress: &Silent,
    };
    let detector = method.fit(&evidence).unwrap();
    let tips = [[0.7, 0.2], [0.7, 0.9]];
    let adversarial = scores(&*detector, &passes, &rows(&tips)).unwrap();
    let benign = scores(&*detector, &passes, &rows(&clean)).unwrap();

    let mut expected = 0.0;
    let mut of_clean = vec![0.0; clean.len()];
    for (setting, size) in [0.05_f32, 0.1].into_iter().enumerate() {
        let draws: Vec<[f32; 2]> = (0..16)
            .map(|draw| {
                let mut rng = seed.stream(0, setting as u32, draw, Use::Noise);
                [0; 2].map(|_| if rng.random::<bool>() { size } else { -size })
            })
            .collect();
        let shift = |row: &[f32; 2]| {
            let noisy = draws.iter().map(|noise| {
                let noisy = [0, 1].map(|at| (row[at] + noise[at]).clamp(0.0, 1.0));
                f64::from(Cone::height(noisy))
            });
            noisy.sum::<f64>() / 16.0 - f64::from(Cone::height(*row))
        };
        for tip in &tips {
            assert!((shift(tip) - 2.0).abs() < 1e-6);
        }
        let shifts: Vec<f64> = clean.iter().map(shift).collect();
        let mean = shifts.iter().sum::<f64>() / 60.0;
        let variance = shifts.iter().map(|shift| (shift - mean).powi(2)).sum::<f64>() / 60.0;
        expected += (2.0 - mean) / variance.sqrt() / 2.0;
        for (score, shift) in of_clean.iter_mut().zip(&shifts) {
            *score += (shift - mean) / variance.sqrt() / 2.0;
        }
    }
    for score in adversarial {
        assert!((f64::from(score) / expected - 1.0).abs() < 1e-3, "{score} {expected}");
    }
    let mut highest = f64::NEG_INFINITY;
    for (score, expected) in benign.iter().zip(&of_clean) {
        assert!((f64::from(*score) - expected).abs() < 1e-2, "{score} {expected}");
        highest = highest.max(*expected);
    }
    assert!(expected > 10.0 * highest, "{expected} {highest}");
}

/// Means of |draw| at size 1: √(2/π), 1, 1/2.
#[test]
fn each_kind_of_noise_has_its_size() {
    let mut rng = Seed(1).stream(0, 0, 0, Use::Noise);
    for (kind, expected) in
        [(NoiseKind::Gaussian, 0.797_88), (NoiseKind::Sign, 1.0), (NoiseKind::Uniform, 0.5)]
    {
        let draws: Vec<f64> = (0..20_000).map(|_| f64::from(kind.draw(&mut rng))).collect();
        let mean = draws.iter().map(|draw| draw.abs()).sum::<f64>() / 20_000.0;
        assert!((mean - expected).abs() < 0.015, "{kind:?}: {mean}");
        let centre = draws.iter().sum::<f64>() / 20_000.0;
        assert!(centre.abs() < 0.03, "{kind:?}: {centre}");
    }
}
