//! Who knows of a detector gets past it; who does not is caught.
#![allow(clippy::unwrap_used)]
mod watched;

use std::sync::Arc;

use burn::prelude::*;
use duress_attacks::{JointPgd, OrthogonalPgd, Pgd, SelectivePgd};
use duress_core::{
    Attack, Classifier, Goal, Norm, Oracle, Passes, Problem, Seed, Silent, Status, Threat,
    WhiteBox, host, predictions, run,
};
use duress_defenses::detection::scores;
use duress_defenses::{Detector, Evidence, Guarded, Threshold};
use watched::{digits, quick, rows, trained};

const RADIUS: f64 = 0.3;
const QUERIES: usize = 60;

/// The rows of PGD on the classifier alone, `[N, F]`.
fn oblivious(model: &dyn Classifier, passes: &Passes, range: std::ops::Range<usize>) -> Vec<f32> {
    let (clean, labels) = digits(range);
    let oracle = WhiteBox::new(model, passes);
    let threat = Threat::new(Norm::Linf, RADIUS).unwrap();
    let problem = Problem::new(Oracle::Gradients(&oracle), clean, Goal::Untargeted(labels), threat);
    let pgd = Pgd { steps: 20, step_size: 0.1, ..Pgd::paper() };
    host::floats(run(&Attack::Gradient(Box::new(pgd)), &problem).unwrap().rows).unwrap()
}

fn guarded(name: &str, passes: &Passes) -> Guarded {
    let model = trained();
    let (clean, labels) = digits(0..600);
    let evidence = Evidence {
        adversarial: rows(&oblivious(&*model, passes, 0..200), 64),
        model,
        passes,
        clean,
        labels,
        seed: Seed(3),
        progress: &Silent,
    };
    let detector: Arc<dyn Detector> = Arc::from(quick(name).fit(&evidence).unwrap());
    let (held, _) = digits(600..900);
    let threshold = Threshold::at(0.05, &scores(&*detector, passes, &held).unwrap()).unwrap();
    Guarded::new(detector, threshold)
}

/// Rows that are neither classified as their label nor refused, by a pass of this test's own.
fn passed(guarded: &Guarded, passes: &Passes, rows: &Tensor<2>, labels: &[usize]) -> Vec<bool> {
    let logits = passes.logits(guarded, rows.clone()).unwrap();
    let answers = predictions(logits).unwrap().into_iter().zip(labels);
    answers.map(|((class, _), label)| class != *label && class != guarded.refusal()).collect()
}

fn attacks() -> [Attack; 3] {
    [
        Attack::Gradient(Box::new(JointPgd { steps: 60, search_steps: 4, ..JointPgd::default() })),
        Attack::Gradient(Box::new(OrthogonalPgd::default())),
        Attack::Gradient(Box::new(SelectivePgd::default())),
    ]
}

#[test]
fn an_attack_on_both_breaks_a_detector_that_catches_plain_pgd() {
    let passes = Passes::with_workers(&Device::flex(), 2).unwrap();
    let (clean, labels) = digits(1000..1000 + QUERIES);
    for name in ["deep-knn", "mahalanobis"] {
        let guarded = guarded(name, &passes);
        let plain = rows(&oblivious(&*trained(), &passes, 1000..1000 + QUERIES), 64);
        let by_pgd = passed(&guarded, &passes, &plain, &labels).iter().filter(|&&p| p).count();
        let mut evaded = [false; QUERIES];
        for attack in attacks() {
            let oracle = WhiteBox::new(&guarded, &passes);
            let threat = Threat::new(Norm::Linf, RADIUS).unwrap();
            let goal = guarded.goal(labels.clone());
            let problem = Problem::new(Oracle::Gradients(&oracle), clean.clone(), goal, threat);
            let outcome = run(&attack, &problem).unwrap();
            let own = passed(&guarded, &passes, &outcome.rows, &labels);
            for (index, sample) in outcome.samples.iter().enumerate() {
                let met = sample.status != Status::Survived;
                assert_eq!(met, own[index], "{name}: {sample:?}");
                evaded[index] |= met;
            }
        }
        let by_joint = evaded.iter().filter(|&&evaded| evaded).count();
        assert!(by_pgd * 5 <= QUERIES * 2, "{name}: plain PGD passes {by_pgd} of {QUERIES}");
        assert!(
            by_joint * 10 >= QUERIES * 9,
            "{name}: {by_joint} by attacks on both, {by_pgd} by plain PGD"
        );
    }
}
