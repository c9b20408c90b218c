//! Models as files: round trips and hostile bytes.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::prelude::*;
use duress_core::{Classifier, Domain, Seed, host};
use duress_models::{Architecture, Card, Error, Model, Normalization, WeightFault};
use proptest::prelude::*;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

fn model(architecture: Architecture) -> Model {
    let domain = Domain::image(1, 8, 8).unwrap();
    let network = architecture.init(&domain, 3, Seed(1), &Device::flex()).unwrap();
    let normalization = Normalization::new(vec![0.5], vec![0.25]).unwrap();
    let network = network.with_normalization(normalization, &domain).unwrap();
    let mut card = Card::new(architecture, domain, 3);
    card.class_names = ["cat", "dog", "eel"].map(String::from).to_vec();
    Model::new(&network, card).unwrap()
}

fn saved(architecture: Architecture) -> (tempfile::TempDir, PathBuf, Model) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let model = model(architecture);
    model.save(&path).unwrap();
    (folder, path, model)
}

fn load(path: &Path) -> Result<Model, Error> {
    Model::load(path, &Device::flex())
}

#[test]
fn a_model_comes_back_with_its_bits_its_card_and_its_answers() {
    for architecture in [
        Architecture::Committee { member: Box::new(Architecture::ResNet { depth: 8 }), members: 2 },
        Architecture::Mlp { hidden: vec![4] },
        Architecture::SmallCnn {},
        Architecture::ResNet { depth: 8 },
        Architecture::WideResNet { depth: 10, widen: 1 },
    ] {
        let (_folder, path, model) = saved(architecture);
        let back = load(&path).unwrap();
        assert_eq!(back.card(), model.card());
        assert_eq!(back.digest().unwrap(), model.digest().unwrap());
        let rows = Tensor::<2>::full([2, 64], 0.25, &Device::flex());
        let answer = |model: &Model| host::floats(model.forward(rows.clone())).unwrap();
        assert_eq!(answer(&back), answer(&model));
    }
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    let (_folder, path, model) = saved(Architecture::SmallCnn {});
    let first = std::fs::read(&path).unwrap();
    model.save(&path).unwrap();
    assert_eq!(first, std::fs::read(&path).unwrap());
}

#[test]
fn a_network_of_another_architecture_does_not_take_the_card() {
    let domain = Domain::image(1, 8, 8).unwrap();
    let mlp = Architecture::Mlp { hidden: vec![4] };
    let network = mlp.init(&domain, 3, Seed(1), &Device::flex()).unwrap();
    let other = Architecture::Mlp { hidden: vec![5] };
    let error = Model::new(&network, Card::new(other, domain.clone(), 3)).unwrap_err();
    let Error::Weights { faults } = error else { panic!("{error}") };
    assert_eq!(faults.len(), 3, "{faults:?}");
    let mut card = Card::new(mlp, domain, 3);
    card.class_names = vec!["cat".into()];
    assert!(Model::new(&network, card).is_err());
}

/// Writes the tensors and the card of `path` again after `change`.
fn rewrite(
    path: &Path,
    change: impl Fn(&mut Vec<(String, Dtype, Vec<usize>, Vec<u8>)>, &mut serde_json::Value),
) {
    let file = std::fs::read(path).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&file).unwrap();
    let text = &metadata.metadata().as_ref().unwrap()["duress"];
    let mut card = serde_json::from_str(text).unwrap();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let owned = |(name, view): (&str, TensorView<'_>)| {
        (name.to_owned(), view.dtype(), view.shape().to_vec(), view.data().to_vec())
    };
    let mut tensors: Vec<_> = tensors.iter().map(owned).collect();
    change(&mut tensors, &mut card);
    let views = tensors.iter().map(|(name, kind, shape, bytes)| {
        (name, TensorView::new(*kind, shape.clone(), bytes).unwrap())
    });
    let metadata = HashMap::from([("duress".to_owned(), card.to_string())]);
    std::fs::write(path, safetensors::serialize(views, Some(metadata)).unwrap()).unwrap();
}

#[test]
fn every_tensor_that_does_not_fit_is_listed() {
    let (_folder, path, _) = saved(Architecture::Mlp { hidden: vec![4] });
    rewrite(&path, |tensors, _| {
        for (name, _, shape, _) in tensors.iter_mut() {
            match name.as_str() {
                "layers.0.bias" => *name = "extra".into(),
                "layers.1.weight" => shape.reverse(),
                _ => {}
            }
        }
    });
    let Err(Error::Weights { faults }) = load(&path) else { panic!("it loaded") };
    let shape = WeightFault::Shape {
        name: "layers.1.weight".into(),
        expected: vec![4, 3],
        got: vec![3, 4],
    };
    let missing = WeightFault::Missing("layers.0.bias".into());
    assert_eq!(faults, [missing, shape, WeightFault::Unexpected("extra".into())]);
}

#[test]
fn other_types_and_values_that_are_no_numbers_are_named() {
    let (_folder, path, _) = saved(Architecture::Mlp { hidden: vec![4] });
    rewrite(&path, |tensors, _| {
        for (name, kind, _, bytes) in tensors.iter_mut() {
            match name.as_str() {
                "layers.0.bias" => *kind = Dtype::I32,
                "layers.1.bias" => bytes[4..8].copy_from_slice(&f32::NAN.to_le_bytes()),
                _ => {}
            }
        }
    });
    let Err(Error::Weights { mut faults }) = load(&path) else { panic!("it loaded") };
    faults.sort_by_key(ToString::to_string);
    let kind = WeightFault::Kind { name: "layers.0.bias".into(), got: "I32".into() };
    let value = WeightFault::NotFinite { name: "layers.1.bias".into(), index: 1 };
    assert_eq!(faults, [kind, value]);
}

#[test]
fn a_card_may_not_describe_more_than_the_file_holds() {
    let (_folder, path, _) = saved(Architecture::Mlp { hidden: vec![4] });
    rewrite(&path, |_, card| {
        let depth = 604;
        let wide = serde_json::json!({ "name": "wide_resnet", "depth": depth, "widen": 9999 });
        card["architecture"] = wide;
    });
    let error = load(&path).unwrap_err().to_string();
    assert!(error.contains("parameters of the card's architecture"), "{error}");
}

#[test]
fn a_card_of_another_schema_or_with_unknown_fields_is_refused() {
    for (key, value) in [("schema", 2), ("clases", 3)] {
        let (_folder, path, _) = saved(Architecture::Mlp { hidden: vec![4] });
        rewrite(&path, |_, card| card[key] = value.into());
        assert!(matches!(load(&path), Err(Error::Format { at: "card", .. })), "{key}");
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let (_folder, path, _) = saved(Architecture::Mlp { hidden: vec![1] });
    let file = std::fs::read(&path).unwrap();
    for length in (0..file.len()).step_by(7) {
        std::fs::write(&path, &file[..length]).unwrap();
        assert!(matches!(load(&path), Err(Error::Format { .. })), "{length} bytes");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(load(&path), Err(Error::Io { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// No byte of the header makes the reader panic.
    #[test]
    fn a_flipped_byte_is_no_panic(at in 0_usize..1500, bit in 0_u32..8) {
        let (_folder, path, model) = saved(Architecture::Mlp { hidden: vec![1] });
        let mut file = std::fs::read(&path).unwrap();
        let at = at % file.len();
        file[at] ^= 1 << bit;
        std::fs::write(&path, &file).unwrap();
        if let Ok(back) = load(&path) {
            prop_assert!(
                back.digest().unwrap() != model.digest().unwrap() || back.card() != model.card()
            );
        }
    }
}
