//! Random and damaged files through the door: an error or a sound data set, never a panic.
use std::path::Path;

use duress_datasets::open::{Format, Options, open};
use proptest::{collection::vec, option, prelude::*, sample::Index};

use crate::files::{Folder, floats, gzip, idx, longs, npz, records};

/// Opens `path` with its own format and with each other, plain and with much asked for.
fn check(path: &Path) {
    let formats = [
        None,
        Some(Format::Npz),
        Some(Format::Npy),
        Some(Format::Csv),
        Some(Format::Idx),
        Some(Format::Cifar10),
        Some(Format::Cifar100),
    ];
    let asked = ["", "limit = 2\nresize = [2, 3]\nchannels = 1\nlabel_offset = -1"];
    for format in formats {
        for text in asked {
            let options = Options { format, ..Options::parse(text).unwrap() };
            if let Ok(opened) = open(path, &options) {
                let set = opened.dataset;
                assert!(set.domain().check(set.values()).is_ok());
                assert!(set.labels().iter().all(|&label| label < set.class_names().len()));
                assert!(!set.is_empty() && set.values().len() == set.len() * set.features());
            }
        }
    }
}

/// A valid file of each kind, with its name.
fn valid() -> Vec<(&'static str, Vec<u8>)> {
    let x = floats("(2, 2, 2)", &[0.5; 8]);
    vec![
        ("a.npz", npz(&[("x", x.clone()), ("y", longs(&[0, 1]))])),
        ("x.npy", x),
        ("y.npy", longs(&[0, 1])),
        ("a-images-idx3-ubyte", idx(&[2, 1, 2], &[1, 2, 3, 4])),
        ("a-labels-idx1-ubyte", gzip(&idx(&[2], &[0, 1]))),
        ("a.bin", records(&[&[1], &[2]], 3)),
        ("a.csv", b"a,b,y\n1,2,0\n3,4,1\n".to_vec()),
    ]
}

#[test]
fn the_valid_files_are_read() {
    let folder = Folder::new();
    let paths: Vec<_> = valid().iter().map(|(name, bytes)| folder.write(name, bytes)).collect();
    for at in [0, 1, 3, 5, 6] {
        assert_eq!(open(&paths[at], &Options::default()).unwrap().dataset.len(), 2);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn damaged_files_never_panic(
        which: Index,
        changes in vec((any::<Index>(), any::<u8>()), 1..6),
        cut in option::of(any::<Index>()),
    ) {
        let folder = Folder::new();
        let mut files = valid();
        let which = which.index(files.len());
        let bytes = &mut files[which].1;
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        for (name, bytes) in &files {
            folder.write(name, bytes);
        }
        for (name, _) in &files {
            check(&folder.path(name));
        }
        let _ = open(&folder.path(""), &Options::default());
    }

    #[test]
    fn random_files_never_panic(bytes in vec(any::<u8>(), 0..200), text in "[0-9a,;.\n\"-]{0,60}") {
        let folder = Folder::new();
        folder.write("y.npy", &bytes);
        check(&folder.write("x.npy", &bytes));
        check(&folder.write("t.csv", text));
    }
}
