//! The verdicts of other toolkits on networks that neither they nor we trained.
#![allow(clippy::unwrap_used)]
mod common;

use common::peers::{Peer, peer};
use duress_attacks::evasion::suites;
use duress_attacks::{Fgm, Pgd};
use duress_core::{
    Attack, Goal, Norm, Oracle, Outcome, Passes, Problem, Status, Threat, WhiteBox, host, run,
};

use burn::prelude::*;

const NETWORKS: [&str; 2] = ["mnist_std", "mnist_at"];

fn attacked(peer: &Peer, attack: &Attack, norm: Norm, radius: f64, count: usize) -> Outcome {
    let passes = Passes::new(&Device::flex()).unwrap();
    let model = peer.classifier();
    let oracle = WhiteBox::new(&model, &passes);
    let goal = Goal::Untargeted(peer.labels[..count].to_vec());
    let threat = Threat::new(norm, radius).unwrap();
    run(attack, &Problem::new(Oracle::Gradients(&oracle), peer.rows(count), goal, threat)).unwrap()
}

fn robust(outcome: &Outcome) -> Vec<bool> {
    outcome.samples.iter().map(|sample| sample.status == Status::Survived).collect()
}

fn count(verdicts: &[bool]) -> usize {
    verdicts.iter().filter(|&&robust| robust).count()
}

#[test]
fn logits_are_those_of_the_framework_that_trained_the_network() {
    for peer in NETWORKS.into_iter().filter_map(peer) {
        let passes = Passes::new(&Device::flex()).unwrap();
        let count = peer.labels.len();
        let got = host::floats(passes.logits(&peer.classifier(), peer.rows(count)).unwrap());
        let bytes = std::fs::read(peer.folder.join("logits.npy")).unwrap();
        let expected = npyz::NpyFile::new(&bytes[..]).unwrap().into_vec::<f32>().unwrap();
        for (got, expected) in got.unwrap().into_iter().zip(expected) {
            assert!((got - expected).abs() < 1e-4, "{got} {expected}");
        }
    }
}

/// On each sample, but for those of whose label the model is surer than 0.99999: there rounding
/// `1 − p` in f32 decides the framework's signs. In f64 it agrees with ours.
#[test]
fn the_fast_gradient_sign_method_agrees_on_every_sample() {
    for peer in NETWORKS.into_iter().filter_map(peer) {
        for (key, share) in
            [("fgsm_0.25", 0.25), ("fgsm_0.5", 0.5), ("fgsm_0.75", 0.75), ("fgsm_1.0", 1.0)]
        {
            let attack = Attack::Gradient(Box::new(Fgm::paper()));
            let outcome = attacked(&peer, &attack, Norm::Linf, 0.3 * share, 256);
            let (ours, theirs) = (robust(&outcome), peer.verdicts(key));
            assert!(count(&ours) <= count(&theirs), "{key}");
            for (index, (ours, theirs)) in ours.into_iter().zip(theirs).enumerate() {
                let sure = outcome.samples[index].clean_confidence.unwrap() > 1.0 - 1e-5;
                assert!(ours == theirs || sure, "{key}, sample {index}");
            }
        }
    }
}

#[test]
fn forty_steps_of_pgd_break_as_many_as_the_best_toolkit() {
    for (network, best) in [("mnist_std", 0), ("mnist_at", 114)] {
        let Some(peer) = peer(network) else { continue };
        let pgd = Pgd { step_size: 2.5 / 40.0, ..Pgd::paper() };
        let outcome = attacked(&peer, &Attack::Gradient(Box::new(pgd)), Norm::Linf, 0.3, 128);
        let robust = outcome.count(Status::Survived);
        assert!(robust <= best + 1, "{network}: {robust} of 128, best peer {best}");
    }
}

/// After each component, and sample by sample at the end. Both sides draw their starts, and rounding
/// turns the walks of FAB: on `mnist_at` at L2 the stored run of the official code ends with sample
/// 54 alone, while on another machine that code ends with 1, 47 and 54 for each of three seeds, as
/// ours does for each of three.
fn agrees((network, norm, radius, samples, name): (&str, Norm, f64, usize, &str)) {
    let Some(peer) = peer(network) else { return };
    let outcome = attacked(&peer, &suites::standard(), norm, radius, samples);
    let mut standing: Vec<bool> =
        outcome.samples.iter().map(|sample| sample.status != Status::AlreadyMet).collect();
    for stage in ["apgd-ce", "apgd-t", "fab-t", "square"] {
        for (standing, sample) in standing.iter_mut().zip(&outcome.samples) {
            *standing &= sample.broken_by.as_deref() != Some(stage);
        }
        let key = format!("aa_{name}_after_{stage}");
        if !peer.has(&key) {
            continue;
        }
        let (ours, theirs) = (count(&standing), count(&peer.verdicts(&key)[..samples]));
        assert!(ours.abs_diff(theirs) <= 3, "{network} {name} after {stage}: {ours}, {theirs}");
    }
    let official = peer.verdicts(&format!("aa_{name}_robust"));
    let pairs = robust(&outcome).into_iter().zip(official);
    let differ = pairs.filter(|(ours, theirs)| ours != theirs).count();
    assert!(differ <= 2, "{network} {name}: {differ} of {samples} differ");
}

#[test]
fn auto_attack_agrees_with_the_official_one() {
    agrees(("mnist_std", Norm::Linf, 0.3, 128, "linf"));
    agrees(("mnist_at", Norm::L2, 2.0, 24, "l2"));
}

#[test]
#[ignore = "minutes"]
fn auto_attack_agrees_with_the_official_one_on_all_samples() {
    agrees(("mnist_std", Norm::L2, 2.0, 128, "l2"));
    agrees(("mnist_at", Norm::Linf, 0.3, 64, "linf"));
    agrees(("mnist_at", Norm::L2, 2.0, 64, "l2"));
}
