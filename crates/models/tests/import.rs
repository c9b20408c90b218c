//! Weights of other frameworks: made here, made by others, and made to do harm.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::prelude::*;
use burn_store::burn_pack;
use duress_core::{Classifier, Domain, Seed, host};
use duress_models::{
    Architecture, Card, Error, ForeignWeights, KeyMap, Model, WeightLayout, Weights,
};
use safetensors::{Dtype, tensor::TensorView};

/// A file of the third-party models, or `None` (with a line on standard error).
fn shared(file: &str) -> Option<PathBuf> {
    let root = std::env::var_os("DURESS_MODELS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/models")),
        PathBuf::from,
    );
    let path = root.join(file);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: no {} (set DURESS_MODELS)", path.display());
    None
}

fn import(path: &Path, architecture: Architecture, domain: Domain) -> Result<Model, Error> {
    Model::import(path, Card::new(architecture, domain, 10), None, &Device::flex())
}

fn mnist() -> Domain {
    Domain::image(1, 28, 28).unwrap()
}

/// The file with the reference logits of a network, and the images they belong to.
fn assert_reference_logits(file: &str, reference: &str, architecture: Architecture) {
    let (Some(path), Some(reference), Some(images)) =
        (shared(file), shared(reference), shared("first100_images/mnist_test_first100.csv"))
    else {
        return;
    };
    let model = import(&path, architecture, mnist()).unwrap();
    let images: Vec<Vec<f32>> = std::fs::read_to_string(images)
        .unwrap()
        .lines()
        .map(|line| line.split(',').skip(1).map(|pixel| pixel.parse::<f32>().unwrap() / 255.0))
        .map(Iterator::collect)
        .collect();
    let reference: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(reference).unwrap()).unwrap();
    let cases = reference["cases"].as_array().unwrap();
    assert!(cases.len() >= 3);
    for case in cases {
        let row: usize =
            case["input"].as_str().unwrap().rsplit(' ').next().unwrap().parse().unwrap();
        let row = TensorData::new(images[row].clone(), [1, 784]);
        let logits = model.forward(Tensor::from_data(row, &Device::flex()));
        let logits = host::floats(logits).unwrap();
        let expected = case["clean_logits"].as_array().unwrap();
        for (logit, expected) in logits.iter().zip(expected) {
            let expected = expected.as_f64().unwrap();
            let difference = (f64::from(*logit) - expected).abs();
            assert!(difference <= 1e-4 * expected.abs().max(1.0), "{logit} for {expected}");
        }
    }
}

#[test]
fn a_convolutional_network_of_others_gives_their_logits() {
    let file = "pretrained_mnist_cifar/kw_mnist.pth";
    assert_reference_logits(file, "bounds/bounds_kw_mnist.json", Architecture::SmallCnn {});
}

#[test]
fn perceptrons_of_others_give_their_logits() {
    let deep = Architecture::Mlp { hidden: vec![128, 64] };
    let file = "pretrained_mnist_cifar/mnist_fc_3layer.pth";
    assert_reference_logits(file, "bounds/bounds_mnist_fc_3layer.json", deep);
    let tiny = Architecture::Mlp { hidden: vec![20] };
    assert_reference_logits("mnist_tiny_mlp/mnist_2_20.pth", "bounds/bounds_mnist_2_20.json", tiny);
}

#[test]
fn all_checkpoints_of_others_are_read() {
    let expected: [(&str, &str, &[usize], usize); 7] = [
        ("mnist_tiny_mlp/mnist_2_20.pth", "1.weight", &[20, 784], 4),
        ("oval21_cifar_deep/cifar_deep_kw.pth", "0.0.weight", &[8, 3, 4, 4], 12),
        ("pretrained_mnist_cifar/cifar_2c2f.pth", "0.weight", &[4, 3, 3, 3], 8),
        ("pretrained_mnist_cifar/kw_mnist.pth", "7.weight", &[10, 100], 8),
        ("pretrained_mnist_cifar/mnist_cnn_small.pth", "conv1.weight", &[8, 1, 4, 4], 8),
        ("pretrained_mnist_cifar/mnist_fc_3layer.pth", "fc1.weight", &[128, 784], 6),
        ("peers/mnist_std/model.pt", "fc1.weight", &[64, 1568], 8),
    ];
    for (file, name, shape, count) in expected {
        let Some(path) = shared(file) else { return };
        let weights = ForeignWeights::read(&path).unwrap();
        assert_eq!(weights.layout(), WeightLayout::Pytorch);
        let shapes: HashMap<&str, &[usize]> = weights.shapes().collect();
        assert_eq!((shapes.get(name).copied(), shapes.len()), (Some(shape), count), "{file}");
        let values = weights.get(name).unwrap();
        assert!(values.iter().all(|value| value.is_finite()) && values.iter().any(|it| *it != 0.0));
    }
}

#[test]
fn a_checkpoint_and_its_safetensors_hold_the_same_tensors() {
    for peer in ["mnist_std", "mnist_at"] {
        let Some(pickled) = shared(&format!("peers/{peer}/model.pt")) else { return };
        let Some(plain) = shared(&format!("peers/{peer}/model.safetensors")) else { return };
        assert_eq!(ForeignWeights::read(pickled).unwrap(), ForeignWeights::read(plain).unwrap());
    }
}

#[test]
fn a_network_that_is_another_is_an_error_that_lists_all_differences() {
    let Some(path) = shared("peers/mnist_std/model.pt") else { return };
    let error = import(&path, Architecture::SmallCnn {}, mnist()).unwrap_err().to_string();
    assert!(error.contains("`conv1.weight` must be [16, 1, 4, 4], got [16, 1, 3, 3]"), "{error}");
    assert!(error.contains("`fc1.weight` must be [100, 1568], got [64, 1568]"), "{error}");
}

/// Our tensors as another framework would name and lay them out.
fn foreign_file(model: &Model, kind: Dtype, rename: &dyn Fn(&str) -> String) -> Vec<u8> {
    let weights: Weights = model.weights().unwrap();
    let mut data = Vec::new();
    for (name, shape) in weights.shapes() {
        let (mut shape, values) = (shape.to_vec(), weights.get(name).unwrap());
        let values: Vec<f32> = if let [inputs, outputs] = shape[..] {
            shape.reverse();
            (0..outputs * inputs).map(|at| values[at % inputs * outputs + at / inputs]).collect()
        } else {
            values.to_vec()
        };
        let bytes: Vec<u8> = match kind {
            Dtype::F64 => values.iter().flat_map(|it| f64::from(*it).to_le_bytes()).collect(),
            // The upper half of an f32.
            Dtype::BF16 => {
                values.iter().flat_map(|it| ((it.to_bits() >> 16) as u16).to_le_bytes()).collect()
            }
            _ => values.iter().flat_map(|it| it.to_le_bytes()).collect(),
        };
        data.push((rename(name), shape, bytes));
    }
    data.push(("bn1.num_batches_tracked".into(), vec![], vec![0; 8]));
    let views = data.iter().map(|(name, shape, bytes)| {
        let kind = if name.ends_with("tracked") { Dtype::I64 } else { kind };
        (name, TensorView::new(kind, shape.clone(), bytes).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

fn random(architecture: Architecture) -> Model {
    let domain = Domain::image(3, 8, 8).unwrap();
    let network = architecture.init(&domain, 4, Seed(5), &Device::flex()).unwrap();
    Model::new(&network, Card::new(architecture, domain, 4)).unwrap()
}

/// The names of the well-known implementations of residual networks.
fn torch_name(name: &str) -> String {
    let name = name.replace(".gamma", ".weight").replace(".beta", ".bias");
    let name = name.replace("shortcut.conv", "shortcut.0").replace("shortcut.norm", "shortcut.1");
    let name = name.replace("fc.", "linear.");
    if let Some(rest) = name.strip_prefix("blocks.") {
        let (block, rest) = rest.split_once('.').unwrap();
        let stage = block.parse::<usize>().unwrap() + 1;
        return format!("module.layer{stage}.0.{}", rest.replace("norm", "bn"));
    }
    let name = name.replace("conv.", "conv1.").replace("norm.", "bn1.");
    format!("module.{name}")
}

#[test]
fn a_residual_network_with_the_usual_names_comes_back_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("of others.safetensors");
    let model = random(Architecture::ResNet { depth: 8 });
    for kind in [Dtype::F32, Dtype::F64] {
        // Names that the wrapper takes in, the counter beside them apart.
        let file = foreign_file(&model, kind, &|name| torch_name(name)["module.".len()..].into());
        std::fs::write(&path, file).unwrap();
        let back = Model::import(&path, model.card().clone(), None, &Device::flex()).unwrap();
        assert_eq!(back.digest().unwrap(), model.digest().unwrap());
    }
}

#[test]
fn half_precision_becomes_single() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.safetensors");
    let model = random(Architecture::WideResNet { depth: 10, widen: 1 });
    std::fs::write(&path, foreign_file(&model, Dtype::BF16, &str::to_owned)).unwrap();
    let back = Model::import(&path, model.card().clone(), None, &Device::flex()).unwrap();
    let (back, weights) = (back.weights().unwrap(), model.weights().unwrap());
    for (name, _) in weights.shapes() {
        let cut = |it: &f32| f32::from_bits(it.to_bits() >> 16 << 16);
        let expected: Vec<f32> = weights.get(name).unwrap().iter().map(cut).collect();
        assert_eq!(back.get(name).unwrap(), expected, "{name}");
    }
}

#[test]
fn a_map_puts_tensors_of_any_name_in_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("named.safetensors");
    let model = random(Architecture::SmallCnn {});
    // Letters have no order, so that only the map can tell.
    let rename = |name: &str| match name.split_once('.').unwrap() {
        ("conv1", leaf) => format!("stem.{leaf}"),
        ("conv2", leaf) => format!("body.x.{leaf}"),
        ("fc1", leaf) => format!("body.y.{leaf}"),
        (_, leaf) => format!("top.{leaf}"),
    };
    std::fs::write(&path, foreign_file(&model, Dtype::F32, &rename)).unwrap();
    let import = |text: &str| {
        let map = KeyMap::parse(text).unwrap();
        Model::import(&path, model.card().clone(), Some(&map), &Device::flex())
    };
    let text = "[keys]\n\"stem.*\" = \"conv1.*\"\n\"body.x.*\" = \"conv2.*\"\n\
                \"body.y.*\" = \"fc1.*\"\n\"top.*\" = \"fc2.*\"\n";
    assert_eq!(import(text).unwrap().digest().unwrap(), model.digest().unwrap());
    let error = import(&text.replace("top", "head")).unwrap_err().to_string();
    assert!(error.contains("`top.bias` is unexpected"), "{error}");
    assert!(error.contains("`fc2.bias` is missing"), "{error}");
}

#[test]
fn our_own_file_and_a_burnpack_are_read_as_they_lie() {
    let folder = tempfile::tempdir().unwrap();
    let model = random(Architecture::SmallCnn {});
    let own = folder.path().join("own.safetensors");
    model.save(&own).unwrap();
    let weights = model.weights().unwrap();
    let tensors = weights.shapes().map(|(name, shape)| {
        let values = weights.get(name).unwrap();
        let bytes: Vec<u8> = values.iter().flat_map(|it| it.to_le_bytes()).collect();
        let bytes = burn_pack::Bytes::from_bytes_vec(bytes);
        burn_pack::Tensor::new(name.into(), burn_pack::DType::F32, shape.to_vec(), None, bytes)
    });
    let packed = burn_pack::Writer::new(tensors.collect()).into_bytes().unwrap();
    let pack = folder.path().join("model.bpk");
    std::fs::write(&pack, &packed[..]).unwrap();
    for path in [own, pack] {
        assert_eq!(ForeignWeights::read(&path).unwrap().layout(), WeightLayout::Burn);
        let back = Model::import(&path, model.card().clone(), None, &Device::flex()).unwrap();
        assert_eq!(back.digest().unwrap(), model.digest().unwrap());
    }
}

#[test]
fn a_pickle_that_calls_a_function_runs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, proof) = (folder.path().join("evil.pth"), folder.path().join("it ran"));
    let command = format!("touch '{}'", proof.display());
    for module in ["posix", "os", "subprocess", "builtins"] {
        let name = if module == "builtins" { "exec" } else { "system" };
        let mut bytes = b"\x80\x02".to_vec();
        bytes.extend(format!("c{module}\n{name}\n").bytes());
        bytes.push(b'X');
        bytes.extend((command.len() as u32).to_le_bytes());
        bytes.extend(command.bytes());
        bytes.extend(b"\x85R.");
        std::fs::write(&path, &bytes).unwrap();
        let error = ForeignWeights::read(&path).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{error}");
        assert!(!proof.exists());
    }
}

#[test]
fn files_that_are_cut_short_or_empty_or_something_else_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.pt");
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let error = ForeignWeights::read(&path).unwrap_err();
        assert!(matches!(error, Error::Format { .. }), "{error}");
    };
    refused(b"");
    refused(b"PK\x03\x04");
    refused(b"\x80\x02}.");
    refused(b"<html>not a model</html>");
    refused(&[0xff; 64]);
    refused(b"\xff\xff\xff\xff\xff\xff\xff\x7f{\"a\":1}");
    refused(b"NRUB\x01\x00\xff\xff\xff\xff");
    assert!(matches!(ForeignWeights::read(folder.path().join("none")), Err(Error::Io { .. })));
    for file in ["peers/mnist_std/model.pt", "pretrained_mnist_cifar/kw_mnist.pth"] {
        let Some(whole) = shared(file) else { return };
        let bytes = std::fs::read(whole).unwrap();
        for part in [1, 2, 3, 5, 7] {
            refused(&bytes[..bytes.len() * part / 8]);
        }
    }
}
