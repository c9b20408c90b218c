use super::super::foreign::Foreign;
use super::*;

fn foreign(layout: WeightLayout, tensors: &[(&str, &[usize])]) -> ForeignWeights {
    let tensors = tensors.iter().map(|(name, shape)| {
        let values = (0..shape.iter().product::<usize>()).map(|value| value as f32).collect();
        ((*name).to_owned(), Foreign { shape: shape.to_vec(), content: Content::Floats(values) })
    });
    ForeignWeights { tensors: tensors.collect(), layout }
}

fn target(name: &str, shape: &[usize], is_linear: bool) -> Target {
    Target { name: name.into(), shape: shape.to_vec(), is_linear }
}

/// Two linear layers of the same shape, then one of another.
fn mlp() -> Vec<Target> {
    vec![
        target("layers.0.weight", &[2, 2], true),
        target("layers.0.bias", &[2], false),
        target("layers.1.weight", &[2, 2], true),
        target("layers.1.bias", &[2], false),
        target("layers.2.weight", &[2, 3], true),
        target("layers.2.bias", &[3], false),
    ]
}

#[test]
fn a_numbered_series_keeps_its_order_and_weights_are_transposed() {
    let names: &[(&str, &[usize])] = &[
        ("10.weight", &[2, 2]),
        ("10.bias", &[2]),
        ("2.weight", &[2, 2]),
        ("2.bias", &[2]),
        ("out.weight", &[3, 2]),
        ("out.bias", &[3]),
    ];
    let mut file = foreign(WeightLayout::Pytorch, names);
    file.tensors.get_mut("10.bias").unwrap().content = Content::Floats(vec![7.0, 8.0]);
    let weights = place(file, &mlp(), None).unwrap();
    assert_eq!(weights.get("layers.0.bias").unwrap(), [0.0, 1.0]);
    assert_eq!(weights.get("layers.1.bias").unwrap(), [7.0, 8.0]);
    assert_eq!(weights.get("layers.0.weight").unwrap(), [0.0, 2.0, 1.0, 3.0]);
    assert_eq!(weights.get("layers.2.weight").unwrap(), [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
    assert_eq!(weights.tensors["layers.2.weight"].shape, [2, 3]);
}

#[test]
fn layers_of_one_shape_without_an_order_are_an_error_that_lists_all() {
    let names: &[(&str, &[usize])] = &[
        ("enter.weight", &[2, 2]),
        ("enter.bias", &[2]),
        ("middle.weight", &[2, 2]),
        ("middle.bias", &[2]),
        ("out.weight", &[3, 2]),
        ("out.bias", &[3]),
    ];
    let error = place(foreign(WeightLayout::Pytorch, names), &mlp(), None).unwrap_err();
    let Error::Weights { faults } = error else { unreachable!() };
    assert_eq!(faults.len(), 12);
    assert!(faults.contains(&WeightFault::Unexpected("enter.weight".into())));
    assert!(faults.contains(&WeightFault::Missing("layers.2.bias".into())));

    let map = KeyMap::parse(
        "[keys]\n\"enter.*\" = \"layers.0.*\"\n\"middle.*\" = \"layers.1.*\"\n\
         \"out.*\" = \"layers.2.*\"\n",
    )
    .unwrap();
    assert!(place(foreign(WeightLayout::Pytorch, names), &mlp(), Some(&map)).is_ok());
}

#[test]
fn a_file_of_burn_is_not_transposed_and_a_map_may_say_that_it_is_one() {
    let names: &[(&str, &[usize])] = &[
        ("layers.0.weight", &[2, 2]),
        ("layers.0.bias", &[2]),
        ("layers.1.weight", &[2, 2]),
        ("layers.1.bias", &[2]),
        ("layers.2.weight", &[2, 3]),
        ("layers.2.bias", &[3]),
    ];
    let direct = [0.0, 1.0, 2.0, 3.0];
    let burn = place(foreign(WeightLayout::Burn, names), &mlp(), None).unwrap();
    assert_eq!(burn.get("layers.0.weight").unwrap(), direct);
    let error = place(foreign(WeightLayout::Pytorch, names), &mlp(), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the weights do not fit: `layers.2.weight` must be [3, 2], got [2, 3]"
    );
    let map = KeyMap::parse("layout = \"burn\"").unwrap();
    let told = place(foreign(WeightLayout::Pytorch, names), &mlp(), Some(&map)).unwrap();
    assert_eq!(told.get("layers.0.weight").unwrap(), direct);
}

#[test]
fn a_batch_normalisation_is_known_by_either_name() {
    let targets = vec![
        target("norm1.gamma", &[4], false),
        target("norm1.beta", &[4], false),
        target("norm1.running_mean", &[4], false),
        target("norm1.running_var", &[4], false),
    ];
    for (gamma, beta) in [("weight", "bias"), ("gamma", "beta")] {
        let names =
            ["running_mean", "running_var", gamma, beta].map(|leaf| format!("norm1.{leaf}"));
        let tensors: Vec<(&str, &[usize])> =
            names.iter().map(|name| (name.as_str(), &[4_usize][..])).collect();
        assert!(place(foreign(WeightLayout::Pytorch, &tensors), &targets, None).is_ok());
    }
}

#[test]
fn a_map_that_sends_two_to_one_place_and_what_is_no_float_are_errors() {
    let targets = vec![target("fc.bias", &[1], false)];
    let two = foreign(WeightLayout::Pytorch, &[("a", &[1]), ("b", &[1])]);
    let map = KeyMap::parse("[keys]\n\"a\" = \"fc.bias\"\n\"b\" = \"fc.bias\"\n").unwrap();
    let error = place(two, &targets, Some(&map)).unwrap_err();
    assert!(error.to_string().contains("`b` is unexpected"), "{error}");

    let mut counts = foreign(WeightLayout::Pytorch, &[("fc.bias", &[1])]);
    counts.tensors.get_mut("fc.bias").unwrap().content = Content::Other("I64".into());
    let error = place(counts, &targets, None).unwrap_err();
    assert_eq!(error.to_string(), "the weights do not fit: `fc.bias` must be F32, got I64");

    let mut bad = foreign(WeightLayout::Pytorch, &[("fc.bias", &[1])]);
    bad.tensors.get_mut("fc.bias").unwrap().content = Content::Floats(vec![f32::NAN]);
    assert!(place(bad, &targets, None).unwrap_err().to_string().contains("not finite"));
}
