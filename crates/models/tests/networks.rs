//! Networks: sizes, shapes, determinism.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]
use burn::prelude::*;
use burn::tensor::activation::log_softmax;
use duress_core::{
    Aim, Domain, Error as CoreError, Goal, GradientOracle, Loss, Passes, ScoreOracle, Seed, Use,
    WhiteBox, host,
};
use duress_models::train::snapshot;
use duress_models::{
    ARCHITECTURES, Architecture, Error, LipschitzLayer, Network, Normalization, Weights, find,
};
use rand::RngExt;

#[derive(Debug)]
struct CrossEntropy;

impl Loss for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn per_sample(&self, logits: Tensor<2>, aim: &Aim) -> Tensor<1> {
        let labels = aim.labels().unsqueeze_dim(1);
        aim.maximise(log_softmax(logits, 1).gather(1, labels).squeeze_dim(1))
    }
}

fn image(channels: usize, side: usize) -> Domain {
    Domain::image(channels, side, side).unwrap()
}

fn committee() -> Architecture {
    Architecture::Committee { member: Box::new(Architecture::SmallCnn {}), members: 2 }
}

fn lipschitz(layer: LipschitzLayer) -> Architecture {
    Architecture::Lipschitz { layer, width: 6, depth: 2 }
}

/// One small setting of every architecture.
fn all() -> Vec<(Architecture, Domain)> {
    vec![
        (committee(), image(1, 8)),
        (lipschitz(LipschitzLayer::Aol), image(1, 8)),
        (lipschitz(LipschitzLayer::Cayley), image(3, 2)),
        (lipschitz(LipschitzLayer::Sll), Domain::table(vec![0.0; 5], vec![1.0; 5]).unwrap()),
        (Architecture::Mlp { hidden: vec![20, 10] }, image(1, 8)),
        (Architecture::Mlp { hidden: vec![] }, Domain::table(vec![0.0; 5], vec![1.0; 5]).unwrap()),
        (Architecture::SmallCnn {}, image(1, 8)),
        (Architecture::SmallCnn {}, image(3, 13)),
        (Architecture::LeNet {}, image(1, 16)),
        (Architecture::ResNet { depth: 8 }, image(1, 8)),
        (Architecture::ResNet { depth: 18 }, image(3, 2)),
        (Architecture::WideResNet { depth: 10, widen: 1 }, image(3, 8)),
    ]
}

fn init(architecture: &Architecture, domain: &Domain) -> Network {
    architecture.init(domain, 10, Seed(3), &Device::flex()).unwrap()
}

/// Published and hand-computed sizes.
#[test]
fn parameters_on_paper_are_those_of_the_literature() {
    for (architecture, domain, expected) in [
        (Architecture::LeNet {}, image(1, 32), 61_706),
        (Architecture::LeNet {}, image(1, 28), 44_426),
        (Architecture::SmallCnn {}, image(1, 28), 272 + 8_224 + 156_900 + 1_010),
        (Architecture::SmallCnn {}, image(1, 8), 272 + 8_224 + 12_900 + 1_010),
        (Architecture::SmallCnn {}, image(3, 32), 784 + 8_224 + 204_900 + 1_010),
        (Architecture::ResNet { depth: 18 }, image(3, 32), 11_173_962),
        (Architecture::WideResNet { depth: 28, widen: 10 }, image(3, 32), 36_479_194),
        (Architecture::WideResNet { depth: 34, widen: 10 }, image(3, 32), 46_160_474),
        // Stem 464; blocks 2·(2304 + 32), 4608 + 9216 + 128 + 576 and its double; linear 650.
        (Architecture::ResNet { depth: 8 }, image(3, 32), 464 + 4_672 + 14_528 + 57_728 + 650),
    ] {
        let got = architecture.parameters(&domain, 10).unwrap();
        assert_eq!(got, expected, "{architecture:?} on {:?}", domain.layout());
    }
}

#[test]
fn allocated_networks_have_the_parameters_of_the_formula() {
    for (architecture, domain) in all() {
        let weights = Weights::of(&init(&architecture, &domain)).unwrap();
        let statistics =
            |name: &str| name.ends_with("running_mean") || name.ends_with("running_var");
        let trained = weights.shapes().filter(|(name, _)| !statistics(name));
        let count: usize = trained.map(|(_, shape)| shape.iter().product::<usize>()).sum();
        assert_eq!(count as u64, architecture.parameters(&domain, 10).unwrap(), "{architecture:?}");
    }
}

#[test]
fn tensors_are_named_by_their_module_path() {
    let names = |architecture: Architecture, side| {
        let weights = Weights::of(&init(&architecture, &image(1, side))).unwrap();
        weights.shapes().map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    };
    let small = names(Architecture::SmallCnn {}, 8);
    let expected = ["conv1", "conv2", "fc1", "fc2"].map(|layer| format!("{layer}.weight"));
    assert!(expected.iter().all(|name| small.contains(name)), "{small:?}");
    assert_eq!(small.len(), 8);
    let wide = names(Architecture::WideResNet { depth: 10, widen: 1 }, 8);
    assert!(wide.contains(&"blocks.0.norm1.running_var".to_owned()), "{wide:?}");
}

#[test]
fn the_seed_decides_the_weights_bit_for_bit() {
    for (architecture, domain) in all() {
        let weights = |seed| {
            let network = architecture.init(&domain, 10, Seed(seed), &Device::flex()).unwrap();
            Weights::of(&network).unwrap().digest()
        };
        assert_eq!(weights(1), weights(1), "{architecture:?}");
        assert_ne!(weights(1), weights(2), "{architecture:?}");
    }
}

fn rows(domain: &Domain, count: u64) -> Tensor<2> {
    let ids: Vec<u64> = (0..count).collect();
    Seed(5).rows(&ids, (0, 0, Use::Start), domain.features(), &Device::flex(), |rng, row| {
        row.fill_with(|| rng.random());
    })
}

/// Logits and gradients of `rows` in batches of `size`.
fn answers(
    oracle: &WhiteBox<'_>,
    rows: &Tensor<2>,
    labels: &[usize],
    size: usize,
) -> (Vec<u32>, Vec<u32>) {
    let bits = |tensor| host::floats(tensor).unwrap().into_iter().map(f32::to_bits);
    let (mut logits, mut gradients) = (Vec::new(), Vec::new());
    let count = rows.dims()[0];
    for first in (0..count).step_by(size) {
        let range = first..count.min(first + size);
        let part = rows.clone().slice([range.clone()]);
        let aim = Goal::Untargeted(labels[range].to_vec()).aim(&Device::flex());
        let got = oracle.gradient(part.clone(), &aim, &CrossEntropy).unwrap();
        let forward = oracle.logits(part).unwrap();
        assert!(bits(forward).eq(bits(got.logits.clone())), "forward and gradient pass differ");
        logits.extend(bits(got.logits));
        gradients.extend(bits(got.gradient));
    }
    (logits, gradients)
}

/// The workspace's claim: a row's bits do not depend on who else is in the batch.
#[test]
fn logits_and_gradients_are_the_same_bits_for_any_batch_and_order() {
    for (architecture, domain) in all() {
        let count = if architecture == (Architecture::ResNet { depth: 18 }) { 10 } else { 50 };
        let model = snapshot(&init(&architecture, &domain), &domain).unwrap();
        let passes = Passes::with_workers(&Device::flex(), 2).unwrap();
        let rows = rows(&domain, count);
        let labels: Vec<usize> = (0..count as usize).map(|row| row % 10).collect();
        let oracle = WhiteBox::new(&model, &passes);
        let whole = answers(&oracle, &rows, &labels, 50);
        let full = host::floats(passes.logits(&model, rows.clone()).unwrap()).unwrap();
        assert!(full.iter().map(|logit| logit.to_bits()).eq(whole.0.iter().copied()));
        assert!(whole.1.iter().any(|&bits| f32::from_bits(bits) != 0.0), "{architecture:?}");
        for size in [1, 7, 20] {
            let parts = answers(&oracle, &rows, &labels, size);
            assert_eq!(parts, whole, "{architecture:?} in batches of {size}");
        }
        let reversed: Vec<usize> = labels.iter().rev().copied().collect();
        let got = answers(&oracle, &rows.flip([0]), &reversed, 50);
        let back =
            |bits: Vec<u32>, width| bits.chunks(width).rev().flatten().copied().collect::<Vec<_>>();
        assert_eq!(back(got.0, 10), whole.0, "{architecture:?} reversed");
        assert_eq!(back(got.1, domain.features()), whole.1, "{architecture:?} reversed");
    }
}

#[test]
fn a_normalisation_inside_the_network_keeps_raw_rows() {
    let (architecture, domain) = (Architecture::SmallCnn {}, image(1, 8));
    let plain = init(&architecture, &domain);
    let normalization = Normalization::new(vec![0.5], vec![0.25]).unwrap();
    let network = plain.clone().with_normalization(normalization, &domain).unwrap();
    let rows = rows(&domain, 3);
    let expected = host::floats(plain.forward((rows.clone() - 0.5) / 0.25)).unwrap();
    assert_eq!(host::floats(network.forward(rows)).unwrap(), expected);
}

#[test]
fn images_too_small_depths_not_defined_and_tables_are_typed_errors() {
    let fault = |architecture: Architecture, domain: &Domain| {
        architecture.init(domain, 10, Seed(0), &Device::flex()).unwrap_err()
    };
    let error = fault(Architecture::LeNet {}, &image(1, 15)).to_string();
    assert_eq!(error, "lenet needs images of at least 16 by 16, got 15 by 15");
    let error = fault(Architecture::SmallCnn {}, &image(1, 7));
    assert!(matches!(error, Error::TooSmall { least: 8, .. }), "{error}");
    for depth in [0, 2, 9, 19] {
        let error = fault(Architecture::ResNet { depth }, &image(3, 8)).to_string();
        assert_eq!(error, format!("resnet: `depth` must be 18 or 6n + 2 with n ≥ 1, got {depth}"));
    }
    assert!(Architecture::WideResNet { depth: 4, widen: 1 }.parameters(&image(3, 8), 2).is_err());
    assert!(Architecture::WideResNet { depth: 10, widen: 0 }.parameters(&image(3, 8), 2).is_err());
    assert!(Architecture::Mlp { hidden: vec![3, 0] }.parameters(&image(3, 8), 2).is_err());
    assert!(Architecture::Mlp { hidden: vec![3] }.parameters(&image(3, 8), 0).is_err());
    let table = Domain::table(vec![0.0; 64], vec![1.0; 64]).unwrap();
    let error = fault(Architecture::SmallCnn {}, &table);
    assert!(matches!(error, Error::Core(CoreError::NotAnImage(_))), "{error}");
}

/// A file may describe a network that no machine holds: it is refused on paper.
#[test]
fn an_absurd_size_is_an_error_and_not_an_allocation() {
    let hidden = vec![usize::MAX, usize::MAX];
    assert!(Architecture::Mlp { hidden }.parameters(&image(1, 8), 10).is_err());
    let widen = usize::MAX / 2;
    assert!(Architecture::WideResNet { depth: 10, widen }.parameters(&image(1, 8), 10).is_err());
    let depth = usize::MAX - (usize::MAX - 4) % 6;
    let huge = Architecture::WideResNet { depth, widen: 1 };
    assert!(huge.parameters(&image(1, 8), 10).is_err());
}

#[test]
fn the_table_parses_every_architecture_and_rejects_what_it_does_not_know() {
    let parse = |name: &str, text: &str| (find(name).unwrap().parse)(toml::from_str(text).unwrap());
    assert_eq!(parse("small_cnn", "").unwrap(), Architecture::SmallCnn {});
    assert_eq!(parse("lenet", "").unwrap(), Architecture::LeNet {});
    assert_eq!(parse("resnet", "depth = 18").unwrap(), Architecture::ResNet { depth: 18 });
    let wide = Architecture::WideResNet { depth: 28, widen: 10 };
    assert_eq!(parse("wide_resnet", "depth = 28\nwiden = 10").unwrap(), wide);
    assert_eq!(parse("mlp", "hidden = [3]").unwrap(), Architecture::Mlp { hidden: vec![3] });
    let text = "members = 2\nmember = { name = \"small_cnn\" }";
    assert_eq!(parse("committee", text).unwrap(), committee());
    for (name, text) in [("small_cnn", "width = 3"), ("resnet", "dept = 8"), ("mlp", "")] {
        assert!(parse(name, text).is_err(), "{name}: {text}");
    }
    assert!(ARCHITECTURES.is_sorted_by_key(|entry| entry.name));
    for (architecture, _) in all() {
        assert!(find(architecture.name()).is_ok(), "{architecture:?} is not in the table");
    }
    let error = find("resnt").unwrap_err().to_string();
    assert_eq!(
        error,
        "no architecture `resnt`; known: committee, lenet, lipschitz, mlp, resnet, small_cnn, wide_resnet"
    );
}
