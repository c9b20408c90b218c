//! One seeded attack.
use duress_attacks::Pgd;
use duress_core::{
    Attack, Goal, Norm, Oracle, Outcome, Problem, Seed, Threat, WhiteBox, host::floats,
    predictions, run,
};
use duress_models::train::snapshot;
use duress_parity::{Difference, Side, uniform};

use crate::{CLASSES, FEATURES, compare, domain, small};

const ROWS: usize = 48;

/// A feature counts as different beyond this share of the largest perturbation.
const TOLERANCE: f64 = 1e-3;

/// Share of the features that may be different: where a gradient is zero but for rounding, its
/// sign is anything, and so is every step from there.
const SHARE: f64 = 0.01;

/// Of the mean loss that the attack reaches.
const LOSS: f64 = 1e-3;

fn attack(side: &Side, norm: Norm, radius: f64, momentum: f64) -> (Outcome, Vec<f32>) {
    let network = side.network(&small(), &domain(), CLASSES).unwrap();
    let model = snapshot(&network, &domain()).unwrap();
    let clean = uniform(ROWS, FEATURES, (0.0, 1.0), 4);
    let rows = side.rows(&clean, FEATURES);
    let labels = predictions(side.passes.logits(&model, rows.clone()).unwrap()).unwrap();
    let labels = labels.into_iter().map(|(label, _)| label).collect();
    let oracle = WhiteBox::new(&model, &side.passes);
    let threat = Threat::new(norm, radius).unwrap();
    let problem = Problem::new(Oracle::Gradients(&oracle), rows, Goal::Untargeted(labels), threat)
        .with_seed(Seed(6));
    let pgd = Pgd { steps: 10, step_size: 0.2, momentum, restarts: 2, ..Pgd::paper() };
    let outcome = run(&Attack::Gradient(Box::new(pgd)), &problem).unwrap();
    let moved = floats(outcome.rows.clone()).unwrap();
    let delta = moved.iter().zip(&clean).map(|(new, old)| new - old).collect();
    (outcome, delta)
}

fn mean_loss(outcome: &Outcome) -> f64 {
    let losses = outcome.samples.iter().filter_map(|sample| sample.loss);
    losses.sum::<f64>() / outcome.samples.len() as f64
}

#[test]
fn the_same_seeded_attack_reaches_the_same_perturbations() {
    compare("PGD", |reference, other| {
        let mut lines = Vec::new();
        // Radii at which some samples break and some do not.
        for (norm, radius) in [(Norm::Linf, 0.04), (Norm::L2, 0.2), (Norm::L1, 1.0)] {
            for momentum in [0.0, 1.0] {
                let (ours, delta) = attack(reference, norm, radius, momentum);
                let (theirs, other_delta) = attack(other, norm, radius, momentum);
                let got = Difference::between(&delta, &other_delta, TOLERANCE);
                let status = |outcome: &Outcome| -> Vec<_> {
                    outcome.samples.iter().map(|sample| sample.status).collect()
                };
                let (a, b) = (status(&ours), status(&theirs));
                let changed = a.iter().zip(&b).filter(|(a, b)| a != b).count();
                let (loss, other_loss) = (mean_loss(&ours), mean_loss(&theirs));
                let broken = ours.count(duress_core::Status::Broken);
                let line = format!(
                    "{norm} {radius} momentum {momentum}: {got} ({:.3} %), {broken} of {ROWS} \
                     broken, {changed} decided differently, mean loss {loss:.6} and \
                     {other_loss:.6}",
                    100.0 * got.share_over()
                );
                assert!(0 < broken && broken < ROWS, "decides nothing: {line}");
                assert!(got.share_over() <= SHARE, "{line}");
                assert!((loss - other_loss).abs() <= LOSS * loss, "{line}");
                assert!(changed <= 1, "{line}");
                lines.push(line);
            }
        }
        lines
    });
}
