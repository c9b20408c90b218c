//! Deep partition aggregation end to end: small networks on digits, certified and then poisoned.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]
use burn::prelude::*;
use duress_certification::partition::{Member, PoisoningCertificate, assign};
use duress_core::{Passes, Seed, predictions};
use duress_datasets::Dataset;
use duress_models::{Architecture, Network, Recipe, Standard, TrainingData, train};

const PARTS: usize = 9;
const TEST: usize = 100;

/// The base classifier of a part: nothing but its samples and its number enters.
fn base(data: &Dataset, labels: &[usize], part: usize, members: &[Member]) -> Network {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let rows: Vec<f32> =
        members.iter().flat_map(|member| data.row(member.index)).copied().collect();
    let labels: Vec<usize> = members.iter().map(|member| labels[member.index]).collect();
    let ids: Vec<u64> = members.iter().map(|member| member.id).collect();
    let training = TrainingData {
        rows: &rows,
        labels: &labels,
        ids: &ids,
        domain: data.domain(),
        classes: 10,
    };
    let network = Architecture::Mlp { hidden: vec![16] }
        .init(data.domain(), 10, Seed(part as u64), &device)
        .unwrap();
    let recipe = Recipe { epochs: 20, batch_size: 32, ..Recipe::default() };
    let run = duress_models::train::Run::new(&passes);
    train(&network, &Standard, &training, &recipe, run).unwrap().last
}

fn votes(network: &Network, test: &Dataset) -> Vec<usize> {
    let logits = network.forward(test.rows(0..test.len(), &Device::flex()));
    predictions(logits).unwrap().into_iter().map(|(class, _)| class).collect()
}

fn certify(ballots: &[Vec<usize>]) -> Vec<PoisoningCertificate> {
    let certificate = |sample: usize| {
        let predictions: Vec<usize> = ballots.iter().map(|ballot| ballot[sample]).collect();
        PoisoningCertificate::of(&predictions, 10).unwrap()
    };
    (0..TEST).map(certificate).collect()
}

#[test]
fn certified_digits_keep_their_class_when_labels_are_flipped() {
    let all = duress_datasets::embedded::digits().unwrap();
    let (test, rest): (Vec<usize>, Vec<usize>) = (0..1000).partition(|&index| index < TEST);
    let (test, data) = (all.select(&test), all.select(&rest));
    let mut labels = data.labels().to_vec();
    let parts = assign(data.values(), data.features(), &labels, PARTS).unwrap();
    let mut ballots: Vec<Vec<usize>> =
        (0..PARTS).map(|part| votes(&base(&data, &labels, part, &parts[part]), &test)).collect();
    let before = certify(&ballots);
    let correct = (0..TEST).filter(|&index| before[index].prediction() == test.label(index));
    assert!(correct.count() >= 75, "the vote should know digits");
    let certified = before.iter().filter(|sample| sample.relabelled() >= 2).count();
    assert!(certified >= 40, "{certified} of {TEST} samples withstand two flipped labels");

    // Two flipped labels in different parts: only these are trained anew.
    for part in [0, 4] {
        let victim = parts[part][0].index;
        labels[victim] = (labels[victim] + 1) % 10;
    }
    let poisoned = assign(data.values(), data.features(), &labels, PARTS).unwrap();
    for (part, members) in parts.iter().enumerate() {
        let same = members == &poisoned[part];
        assert!(same, "no sample changes its part with its label");
    }
    for part in [0, 4] {
        ballots[part] = votes(&base(&data, &labels, part, &poisoned[part]), &test);
    }
    for (sample, after) in certify(&ballots).iter().enumerate() {
        let kept = after.prediction() == before[sample].prediction();
        assert!(kept || before[sample].relabelled() < 2, "sample {sample}");
    }
    // A training is a function of its part: the votes of an untouched part are the same again.
    assert_eq!(votes(&base(&data, &labels, 1, &poisoned[1]), &test), ballots[1]);
}
