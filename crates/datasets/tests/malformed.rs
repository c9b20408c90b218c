//! Random bytes and damaged files: an error or a sound data set, never a panic.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
use std::io::Write;

use duress_datasets::{
    Dataset, Error, Input, Result,
    cifar::{self, Labels},
    csv_table::{self, Schema},
    idx::{self, Orientation},
    image_folder, npy, npz,
};
use flate2::{Compression, write::GzEncoder};
use proptest::{collection::vec, prelude::*, sample::Index};

/// A failing case is printed, not written beside the sources.
fn cases(count: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(count) }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|class| class.to_string()).collect()
}

const SCHEMA: &str = r#"
name = "s"
missing = "?"
on_missing = "fill"
column = [
    { name = "a", kind = "number" },
    { name = "b", kind = "category" },
    { name = "y", kind = "label" },
]
"#;

/// Reads `bytes` in each format. Limits are low, so that a hostile file shows soon.
fn readers(bytes: &[u8]) -> Vec<Result<Dataset>> {
    let input = || Ok::<_, Error>(Input::new("bytes", bytes)?.with_limit(1 << 22));
    let labels = || Input::new("labels", LABELS);
    let schema = Schema::parse(SCHEMA).unwrap();
    vec![
        input().and_then(|images| {
            idx::dataset("s", images, labels()?, Orientation::Columns, names(10))
        }),
        input().and_then(|input| cifar::dataset("s", [input], Labels::Single, names(10))),
        input().and_then(|input| cifar::dataset("s", [input], Labels::CoarseAndFine, names(100))),
        input().and_then(|input| npz::dataset("s", input, &npz::Options::default())),
        input()
            .and_then(npy::read)
            .and_then(|array| npz::from_arrays("s", &array, &array, &npz::Options::default())),
        input().and_then(|input| csv_table::dataset(&schema, input)),
    ]
}

fn check(bytes: &[u8]) {
    for set in readers(bytes).into_iter().flatten() {
        assert!(set.domain().check(set.values()).is_ok());
        assert!(set.labels().iter().all(|&label| label < set.class_names().len()));
        assert_eq!(set.values().len(), set.len() * set.features());
    }
}

const LABELS: &[u8] = &[0, 0, 8, 1, 0, 0, 0, 2, 3, 9];

fn npy_file(descr: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': True, 'shape': {shape}, }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [&b"\x93NUMPY\x01\x00"[..], &length, header.as_bytes(), bytes].concat()
}

/// A valid file of each format, with the number of readers that accept it.
#[expect(clippy::default_trait_access, reason = "the type belongs to a crate of a crate")]
fn valid() -> Vec<(Vec<u8>, usize)> {
    let idx = [&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3][..], &[7; 12]].concat();
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&idx).unwrap();
    let mut zip = std::io::Cursor::new(Vec::new());
    {
        let mut writer = npyz::npz::NpzWriter::new(&mut zip);
        for (name, content) in [
            ("x.npy", npy_file("<f4", "(2, 2)", &[0; 16])),
            ("y.npy", npy_file("|u1", "(2, 1)", &[1, 0])),
        ] {
            writer.zip_writer().start_file(name, Default::default()).unwrap();
            writer.zip_writer().write_all(&content).unwrap();
        }
    }
    vec![
        (idx, 1),
        (packed.finish().unwrap(), 1),
        ([vec![9_u8], vec![200; 3072]].concat(), 1),
        ([vec![19_u8, 99], vec![3; 3072]].concat(), 1),
        (zip.into_inner(), 1),
        (npy_file("<i4", "(2, 1)", &[1, 0, 0, 0, 2, 0, 0, 0]), 1),
        (b"1.5,red,cat\n?,?,dog\n3,blue,cat\n".to_vec(), 1),
    ]
}

#[test]
fn the_valid_files_are_valid() {
    for (file, accepted) in valid() {
        let read: Vec<_> = readers(&file);
        let errors: Vec<_> = read.iter().filter_map(|set| set.as_ref().err()).collect();
        assert_eq!(read.len() - errors.len(), accepted, "{errors:?}");
    }
}

/// Each reader, given a header that promises 2⁴⁰ values and more, answers without taking memory.
#[test]
fn promises_take_no_memory() {
    let huge = u32::MAX.to_be_bytes();
    let idx = [&[0, 0, 8, 3][..], &huge, &[0, 0, 1, 0], &[0, 0, 1, 0], &[1, 2, 3]].concat();
    let file = npy_file("<f8", "(1099511627776, 4)", &[0; 64]);
    for bytes in [idx, file] {
        assert!(readers(&bytes).iter().all(Result::is_err));
    }
}

/// Damaged PNG files; `name.png` holds other bytes than it says.
fn picture(bytes: &[u8]) {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("a")).unwrap();
    std::fs::write(root.path().join("a/p.png"), bytes).unwrap();
    let options = image_folder::Options { picture_limit: 1 << 22, ..Default::default() };
    if let Ok(set) = image_folder::dataset("p", root.path(), &options) {
        assert!(set.domain().check(set.values()).is_ok());
    }
}

fn png() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let pixel = |x, y| image::Rgb([x as u8 * 9, y as u8 * 30, 200]);
    let picture = image::RgbImage::from_fn(5, 4, pixel);
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn random_bytes_never_panic(bytes in vec(any::<u8>(), 0..600)) {
        check(&bytes);
    }

    #[test]
    fn random_bytes_behind_a_magic_number_never_panic(
        magic in prop::sample::select(vec![
            &b"\x00\x00\x08\x03"[..], b"\x00\x00\x08\x01", b"\x93NUMPY\x01\x00", b"PK\x03\x04",
            b"\x1f\x8b\x08\x00", b"PK\x05\x06", b"\x93NUMPY\x01\x00\x20\x00{'descr': '",
        ]),
        bytes in vec(any::<u8>(), 0..300),
    ) {
        check(&[magic, &bytes].concat());
    }

    #[test]
    fn random_python_headers_never_panic(text in "[{}()\\[\\],:' 0-9a-zA-Z<|>_.+-]{0,120}") {
        let length = (text.len() as u16).to_le_bytes();
        check(&[&b"\x93NUMPY\x01\x00"[..], &length, text.as_bytes(), &[0; 40]].concat());
    }

    #[test]
    fn random_tables_never_panic(text in "([0-9?a-z.\"é-]{0,4},){0,3}[0-9a-z\n,]{0,40}") {
        check(text.as_bytes());
    }

    #[test]
    fn damaged_files_never_panic(
        which: Index,
        changes in vec((any::<Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<Index>()),
        tail in vec(any::<u8>(), 0..4),
    ) {
        let files = valid();
        let mut bytes = which.get(&files).0.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        bytes.extend(tail);
        check(&bytes);
    }

    #[test]
    fn every_cut_or_longer_binary_file_is_an_error(which in 0_usize..6, at: Index, tail: bool) {
        let mut bytes = valid()[which].0.clone();
        // A zip may be followed by a comment; the others end where they end.
        if tail && which != 4 {
            bytes.push(0);
        } else {
            bytes.truncate(at.index(bytes.len()));
        }
        prop_assert!(readers(&bytes).iter().take(5).all(Result::is_err));
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn damaged_pictures_never_panic(
        changes in vec((any::<Index>(), any::<u8>()), 0..4),
        cut: Index,
    ) {
        let mut bytes = png();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        picture(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        picture(&bytes);
    }

    #[test]
    fn random_schemas_never_panic(
        lines in vec("[a-z_]{1,9} = [0-9\"a-z\\[\\]]{0,9}|\\[\\[[a-z]{1,6}\\]\\]", 0..6),
    ) {
        let _ = Schema::parse(&lines.join("\n"));
    }
}
