use std::io::{Cursor, Write};

use super::*;

fn array(descr: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [&b"\x93NUMPY\x01\x00"[..], &length, header.as_bytes(), bytes].concat()
}

#[expect(clippy::default_trait_access, reason = "the type belongs to a crate of a crate")]
fn archive(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    {
        let mut writer = npyz::npz::NpzWriter::new(&mut bytes);
        for (name, content) in members {
            writer.zip_writer().start_file(format!("{name}.npy"), Default::default()).unwrap();
            writer.zip_writer().write_all(content).unwrap();
        }
    }
    bytes.into_inner()
}

fn open(members: &[(&str, Vec<u8>)], options: &Options) -> Result<Dataset> {
    let bytes = archive(members);
    dataset("set", Input::new("f.npz", bytes.as_slice())?, options)
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn labels() -> Vec<u8> {
    array("|u1", "(2, 1)", &[1, 0])
}

#[test]
fn grey_bytes_become_unit_pixels() {
    let images = array("|u1", "(2, 1, 2)", &[0, 51, 255, 102]);
    let set = open(&[("images", images), ("labels", labels())], &Options::default()).unwrap();
    assert_eq!(set.domain().image_shape().unwrap(), [1, 1, 2]);
    assert_eq!(set.values(), [0.0, 0.2, 1.0, 0.4]);
    assert_eq!((set.labels(), set.class_names().len()), (&[1, 0][..], 2));
}

/// Two pixels with (r, g, b) = (0, 51, 102) and (153, 204, 255) are planes 0 153, 51 204, 102
/// 255.
#[test]
fn channels_last_become_planes_and_channels_first_stay() {
    let pixels = array("|u1", "(1, 1, 2, 3)", &[0, 51, 102, 153, 204, 255]);
    let planes = array("|u1", "(1, 3, 1, 2)", &[0, 153, 51, 204, 102, 255]);
    let y = array("<i8", "(1,)", &[0; 8]);
    let last = Options { arrangement: Some(Arrangement::ChannelsLast), ..Options::default() };
    let first = open(&[("x", planes), ("y", y.clone())], &Options::default()).unwrap();
    let last = open(&[("x", pixels), ("y", y)], &last).unwrap();
    assert_eq!(first.domain().image_shape().unwrap(), [3, 1, 2]);
    assert_eq!(first.values(), [0.0, 0.6, 0.2, 0.8, 0.4, 1.0]);
    assert_eq!(first, last);
}

#[test]
fn an_ambiguous_axis_must_be_given() {
    let y = array("|u1", "(1,)", &[0]);
    for shape in ["(1, 3, 2, 3)", "(1, 2, 3, 2)"] {
        let count = if shape == "(1, 3, 2, 3)" { 18 } else { 12 };
        let x = array("|u1", shape, &vec![0; count]);
        let error = open(&[("x", x), ("y", y.clone())], &Options::default()).unwrap_err();
        assert!(error.to_string().contains("give the arrangement"), "{error}");
    }
}

#[test]
fn rows_keep_their_units_in_the_smallest_box() {
    let x = array("<f4", "(2, 2)", &floats(&[-3.0, 10.0, 5.0, 20.0]));
    let y = array("<f4", "(2,)", &floats(&[0.0, 2.0]));
    let set = open(&[("data", x), ("target", y)], &Options::default()).unwrap();
    assert_eq!(set.values(), [-3.0, 10.0, 5.0, 20.0]);
    assert_eq!((set.domain().lower().at(0), set.domain().upper().at(1)), (-3.0, 20.0));
    assert_eq!((set.labels(), set.class_names().len()), (&[0, 2][..], 3));
}

#[test]
fn names_are_guessed_only_when_one_pair_fits() {
    let x = || array("|u1", "(2, 1, 1)", &[0, 0]);
    let members = [
        ("x", x()),
        ("y", labels()),
        ("images", x()),
        ("labels", labels()),
        ("test_images", x()),
        ("test_labels", labels()),
    ];
    let error = open(&members, &Options::default()).unwrap_err().to_string();
    assert!(error.ends_with("got `x` with `y`, `images` with `labels`"), "{error}");
    let part = |name: &str| Options { part: Some(name.into()), ..Options::default() };
    assert!(open(&members, &part("test")).is_ok());
    let error = open(&members, &part("val")).unwrap_err().to_string();
    assert!(error.contains("`val_images` with `val_labels`"), "{error}");
    let keys = Some(("images".into(), "y".into()));
    assert!(open(&members, &Options { keys, ..Options::default() }).is_ok());
}

#[test]
fn units_are_never_guessed_from_values() {
    let x = || array("<f4", "(2, 1, 1)", &floats(&[0.5, 200.0]));
    let open =
        |units| open(&[("x", x()), ("y", labels())], &Options { units, ..Options::default() });
    assert!(matches!(open(Units::ByType), Err(Error::Format { .. })));
    assert!(matches!(open(Units::Unit), Err(Error::Format { .. })));
    assert_eq!(open(Units::Bytes).unwrap().values(), [0.5 / 255.0, 200.0 / 255.0]);
}

#[test]
fn bad_values_and_labels_are_named() {
    let open = |x: Vec<u8>, y: Vec<u8>, classes: Option<usize>| {
        let classes = classes.map(numbered);
        open(&[("x", x), ("y", y)], &Options { classes, ..Options::default() })
    };
    let x = |values: &[f32]| array("<f4", "(2, 2)", &floats(values));
    let nan = open(x(&[0.0, 0.0, f32::NAN, 0.0]), labels(), None);
    assert!(matches!(nan, Err(Error::NotFinite { record: 1, feature: 0, .. })));
    let wide = array("<f8", "(2, 1)", &[1e300_f64; 2].map(f64::to_le_bytes).concat());
    assert!(matches!(open(wide, labels(), None), Err(Error::NotFinite { record: 0, .. })));
    let few = open(x(&[0.0; 4]), labels(), Some(1));
    assert!(matches!(few, Err(Error::Label { record: 0, classes: 1, .. })));
    let negative = array("|i1", "(2,)", &[0, 255]);
    assert!(matches!(open(x(&[0.0; 4]), negative, None), Err(Error::Label { record: 1, .. })));
    let huge = array("<i8", "(2,)", &[i64::MAX; 2].map(i64::to_le_bytes).concat());
    assert!(matches!(open(x(&[0.0; 4]), huge, None), Err(Error::Label { .. })));
    let half = array("<f4", "(2,)", &floats(&[0.0, 0.5]));
    assert!(matches!(open(x(&[0.0; 4]), half, None), Err(Error::Label { record: 1, .. })));
    let one_hot = array("|u1", "(2, 2)", &[1, 0, 0, 1]);
    assert!(matches!(open(x(&[0.0; 4]), one_hot, None), Err(Error::Format { .. })));
}

#[test]
fn a_member_that_unpacks_past_the_limit_is_refused() {
    let x = array("|u1", "(2, 1000, 1000)", &vec![0; 2_000_000]);
    let bytes = archive(&[("x", x), ("y", labels())]);
    assert!(bytes.len() < 10_000, "deflate packs zeros: {}", bytes.len());
    let input = Input::new("bomb.npz", bytes.as_slice()).unwrap().with_limit(1_000_000);
    let error = dataset("set", input, &Options::default()).unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 1_000_000, .. }), "{error}");
}
