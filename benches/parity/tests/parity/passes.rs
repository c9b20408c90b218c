//! Forward and input-backward passes.
use duress_attacks::LossKind;
use duress_core::{Goal, host::floats};
use duress_models::train::snapshot;
use duress_parity::{Difference, Side, uniform};

use crate::{CLASSES, FEATURES, compare, domain, residual, small};

/// Of the largest logit, and of the largest component of the gradient.
const TOLERANCE: f64 = 1e-4;

const ROWS: usize = 40;

#[test]
fn logits_and_input_gradients_agree() {
    compare("logits, loss and input gradient", |reference, other| {
        let mut lines = Vec::new();
        for architecture in [small(), residual()] {
            let compute = |side: &Side| {
                let network = side.network(&architecture, &domain(), CLASSES).unwrap();
                let model = snapshot(&network, &domain()).unwrap();
                let rows = side.rows(&uniform(ROWS, FEATURES, (0.0, 1.0), 1), FEATURES);
                let labels = (0..ROWS).map(|row| row % CLASSES).collect();
                let aim = Goal::Untargeted(labels).aim(&side.device);
                let got =
                    side.passes.gradient(&model, rows, &aim, &LossKind::CrossEntropy).unwrap();
                [
                    floats(got.logits).unwrap(),
                    floats(got.loss).unwrap(),
                    floats(got.gradient).unwrap(),
                ]
            };
            let (ours, theirs) = (compute(reference), compute(other));
            for (what, index) in [("logits", 0), ("loss", 1), ("gradient", 2)] {
                let got = Difference::between(&ours[index], &theirs[index], TOLERANCE);
                let line = format!("{} {what} {got}", architecture.name());
                assert!(got.scale > 1e-3, "nothing to compare: {line}");
                // A rectifier whose input rounds to either side of zero switches a path.
                let most = if what == "gradient" { 0.01 } else { 0.0 };
                assert!(got.share_over() <= most, "{line}");
                lines.push(line);
            }
        }
        lines
    });
}
