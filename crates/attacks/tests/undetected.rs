//! A classifier and a detector that are both linear: who can be evaded is on paper.
#![allow(clippy::unwrap_used)]
use burn::prelude::*;
use duress_attacks::find;
use duress_core::{
    Classifier, Domain, Goal, Norm, Oracle, Outcome, Passes, Problem, Status, Threat, WhiteBox, run,
};

/// Logits `(0, m, max(0, m) + e)` with `m = x₀ + x₁ − 1.1` and `e = slope · (x₀ − 0.52)`. From
/// (½, ½), where m = −0.1, class 1 is reached unrefused with x₀ ≤ 0.52 and x₁ > 1.1 − x₀ alone:
/// within 0.08 of the row and no nearer.
struct Guarded {
    domain: Domain,
    slope: f64,
}

impl Classifier for Guarded {
    fn domain(&self) -> &Domain {
        &self.domain
    }

    fn classes(&self) -> usize {
        3
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let margin = rows.clone().sum_dim(1) - 1.1;
        let excess = (rows.narrow(1, 0, 1) - 0.52) * self.slope;
        let refusal = margin.clone().clamp_min(0.0) + excess;
        Tensor::cat(vec![margin.clone() * 0.0, margin, refusal], 1)
    }
}

fn attacked(name: &str, text: &str, slope: f64, radius: f64, goal: Goal) -> Outcome {
    let device = Device::flex();
    let passes = Passes::with_workers(&device, 1).unwrap();
    let model = Guarded { domain: Domain::image(1, 1, 2).unwrap(), slope };
    let oracle = WhiteBox::new(&model, &passes);
    let count = goal.labels().len();
    let rows = Tensor::full([count, 2], 0.5, &device);
    let threat = Threat::new(Norm::Linf, radius).unwrap();
    let attack = (find(name).unwrap().parse)(toml::from_str(text).unwrap()).unwrap();
    run(&attack, &Problem::new(Oracle::Gradients(&oracle), rows, goal, threat)).unwrap()
}

fn undetected() -> Goal {
    Goal::Undetected { labels: vec![0; 5], refusal: 2 }
}

const JOINT: [&str; 3] = ["joint-pgd", "orthogonal-pgd", "selective-pgd"];

/// Restarts, because an orthogonal step cannot leave the side of the ball on which the other
/// margin's gradient is all there is to follow.
#[test]
fn each_joint_attack_finds_the_way_around_the_detector_and_none_where_there_is_none() {
    for name in JOINT {
        for slope in [0.3, 30.0] {
            let found = attacked(name, "step_size = 0.02\nrestarts = 9", slope, 0.15, undetected());
            assert_eq!(found.count(Status::Broken), 5, "{name} {slope}");
            assert!(found.samples.iter().all(|sample| sample.prediction == 1));
            let none = attacked(name, "step_size = 0.02", slope, 0.07, undetected());
            assert_eq!(none.count(Status::Survived), 5, "{name} {slope}");
        }
    }
}

/// PGD that knows of no detector moves both features to 0.65: class 1, and refused.
#[test]
fn an_attack_that_knows_of_no_detector_is_caught() {
    let oblivious = attacked(
        "pgd",
        "loss = 'margin'\nsteps = 1\nrandom_start = false\nstep_size = 1.0",
        30.0,
        0.15,
        undetected(),
    );
    assert_eq!(oblivious.count(Status::Survived), 5);
    assert!(oblivious.samples.iter().all(|sample| sample.prediction == 2));
}

/// A loss that knows nothing of refusals sees the refusal joined to the label, and black-box
/// attacks too.
#[test]
fn other_attacks_reach_the_goal_without_counting_a_refusal_as_success() {
    for (name, text) in [
        ("pgd", "loss = 'margin'\nstep_size = 0.02\nsteps = 100"),
        ("apgd", "steps = 60"),
        ("square", "queries = 500"),
        ("uniform-noise", ""),
    ] {
        let found = attacked(name, text, 0.3, 0.15, undetected());
        for sample in &found.samples {
            assert_eq!(sample.status == Status::Broken, sample.prediction == 1, "{name}");
        }
        // The squares of a picture of two pixels are its corners, and noise is noise.
        if !matches!(name, "square" | "uniform-noise") {
            assert!(found.count(Status::Broken) >= 4, "{name}: {:?}", found.samples);
        }
    }
}

#[test]
fn without_a_detector_they_are_ascents_of_the_margin() {
    for name in JOINT {
        // Any class but 0 will do, the third among them.
        let found = attacked(name, "", 0.3, 0.15, Goal::Untargeted(vec![0; 3]));
        assert_eq!(found.count(Status::Broken), 3, "{name}");
    }
}
