//! PGD and the attacks of the nearest point read nothing back to the host inside a step.
//!
//! Alone in its file: the counter belongs to the process.
#![allow(clippy::unwrap_used)]
mod common;

use burn::prelude::*;
use common::{Linear, attack};
use duress_attacks::{FabT, Pgd};
use duress_core::{
    Attack, Goal, Norm, Oracle, Passes, Problem, Silent, Threat, WhiteBox, host, run,
};
use duress_core::{GradientAttack, Job, Region, Seed};

fn reads_of_an_evaluation(attack: Attack) -> u64 {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    // Far from the boundary: nobody leaves, each step is made.
    let model = Linear::new(&[1.0, 2.0], 50.0);
    let oracle = WhiteBox::new(&model, &passes);
    let problem = Problem::new(
        Oracle::Gradients(&oracle),
        Tensor::full([40, 2], 0.5, &device),
        Goal::Untargeted(vec![0; 40]),
        Threat::new(Norm::L2, 0.1).unwrap(),
    );
    let before = host::reads();
    run(&attack, &problem).unwrap();
    host::reads() - before
}

/// The reads of a search for the nearest point that ends after `steps` steps of `queries` each.
fn reads_of_a_search(name: &str, norm: Norm, steps: u64, queries: u64) -> u64 {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Linear::new(&[1.0, 2.0], 50.0);
    let oracle = WhiteBox::new(&model, &passes);
    let rows = Tensor::full([40, 2], 0.5, &device);
    let goal = Goal::Untargeted(vec![0; 40]);
    let problem = Problem::nearest(Oracle::Gradients(&oracle), rows, goal, norm).unwrap();
    let before = host::reads();
    run(&attack(name, ""), &problem.with_budget(Some(steps * queries))).unwrap();
    host::reads() - before
}

fn reads_of_a_maximisation(steps: usize) -> u64 {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let model = Linear::new(&[1.0, 2.0], 0.0);
    let oracle = WhiteBox::new(&model, &passes);
    let rows = Tensor::full([40, 2], 0.5, &device);
    let threat = Threat::new(Norm::Linf, 0.1).unwrap();
    let region = Region::new(rows, &threat, &model.domain).unwrap();
    let aim = Goal::Untargeted(vec![0; 40]).aim(&device);
    let before = host::reads();
    let mut job = Job::maximise(&oracle as _, region, aim, (Seed(0), (0..40).collect()), &Silent);
    Pgd { steps, ..Pgd::paper() }.perturb(&mut job).unwrap();
    host::reads() - before
}

#[test]
fn reads_happen_at_checkpoints_only() {
    // Steps 17 to 23 hold no checkpoint; step 24 is one, with a gradient check and a look at who
    // is solved.
    let pgd =
        |steps| reads_of_an_evaluation(Attack::Gradient(Box::new(Pgd { steps, ..Pgd::paper() })));
    assert_eq!(pgd(23), pgd(17));
    assert_eq!(pgd(24), pgd(17) + 2);
    // FAB looks at who is solved after its last step in any case.
    let fab =
        |steps| reads_of_an_evaluation(Attack::Gradient(Box::new(FabT { steps, ..FabT::paper() })));
    assert_eq!(fab(23), fab(17));
    assert_eq!(fab(24), fab(17) + 1);
    assert_eq!(reads_of_a_maximisation(40), 0);
    // Steps that count from 0 hold a checkpoint at the 17th, others at the 16th.
    for (name, norm, queries) in [
        ("carlini-wagner-l2", Norm::L2, 1),
        ("carlini-wagner-linf", Norm::Linf, 1),
        ("ddn", Norm::L2, 1),
        ("ead", Norm::L1, 2),
        ("fmn", Norm::L1, 1),
    ] {
        let of = |steps| reads_of_a_search(name, norm, steps, queries);
        assert_eq!(of(23), of(18), "{name}");
        assert!(of(26) > of(18), "{name}");
    }
}
