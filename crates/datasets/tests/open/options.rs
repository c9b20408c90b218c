//! Units, boxes, colours, sizes and two parts of one set.
use duress_core::Layout;
use duress_datasets::Dataset;
use duress_datasets::open::together;

use crate::files::{Folder, fault, floats, longs, npy, npz, read};

fn range(set: &Dataset) -> (f32, f32) {
    (set.domain().lower().at(0), set.domain().upper().at(0))
}

#[test]
fn waveforms_are_told_from_pictures_by_the_kind() {
    let folder = Folder::new();
    let x = || floats("(2, 1, 3)", &[-0.5, 0.0, 1.0, 0.25, 0.0, -1.0]);
    let path = folder.write("w.npz", npz(&[("x", x()), ("y", longs(&[0, 1]))]));
    let set = read(&path, "kind = \"waveform\"").dataset;
    assert_eq!(set.domain().layout(), Layout::Waveform { channels: 1, samples: 3 });
    assert_eq!(range(&set), (-1.0, 1.0));
    let last = read(&path, "kind = \"waveform\"\narrangement = \"channels_last\"").dataset;
    assert_eq!(last.domain().layout(), Layout::Waveform { channels: 3, samples: 1 });
    let loud = npy("<i2", "(1, 2)", &[0, 0x80, 0xff, 0x7f]);
    let path = folder.write("loud.npz", npz(&[("x", loud), ("y", longs(&[0]))]));
    let opened = read(&path, "kind = \"waveform\"");
    assert_eq!(opened.dataset.values(), [-32768.0, 32767.0]);
    assert_eq!(range(&opened.dataset), (-32768.0, 32768.0));
    assert!(opened.notes.iter().any(|note| note.contains("[-32768, 32768]")), "{:?}", opened.notes);
}

#[test]
fn bounds_take_values_as_they_are_and_units_bring_them_there() {
    let folder = Folder::new();
    let x = npy("|u1", "(1, 1, 2)", &[51, 255]);
    let path = folder.write("b.npz", npz(&[("x", x), ("y", longs(&[0]))]));
    let raw = read(&path, "bounds = [0, 255]").dataset;
    assert_eq!((raw.values(), range(&raw)), (&[51.0, 255.0][..], (0.0, 255.0)));
    let unit = read(&path, "units = \"bytes\"\nbounds = [-1, 1]").dataset;
    assert_eq!((unit.values(), range(&unit)), (&[0.2, 1.0][..], (-1.0, 1.0)));
    let x = floats("(1, 1, 2)", &[51.0, 255.0]);
    let path = folder.write("f.npz", npz(&[("x", x), ("y", longs(&[0]))]));
    assert_eq!(read(&path, "units = \"bytes\"").dataset.values(), [0.2, 1.0]);
    let table = npy("|u1", "(1, 2)", &[51, 255]);
    let path = folder.write("t.npz", npz(&[("x", table), ("y", longs(&[0]))]));
    let set = read(&path, "units = \"bytes\"").dataset;
    assert_eq!((set.values(), range(&set)), (&[0.2, 1.0][..], (0.0, 1.0)));
    let x = npy("|u1", "(1, 1, 2)", &[0, 1]);
    let path = folder.write("binary.npz", npz(&[("x", x), ("y", longs(&[0]))]));
    assert!(read(&path, "").notes.iter().any(|note| note.contains("give `units = \"unit\"`")));
    assert_eq!(read(&path, "units = \"unit\"").dataset.values(), [0.0, 1.0]);
}

#[test]
fn channels_and_size_are_converted() {
    let folder = Folder::new();
    folder.picture("a/1.png", [2, 4], [255, 0, 0]);
    folder.picture("b/1.png", [4, 2], [0, 255, 0]);
    let root = folder.path("");
    let set = read(&root, "channels = 1\nresize = [3, 5]").dataset;
    assert_eq!(set.domain().image_shape().unwrap(), [1, 3, 5]);
    assert_eq!((set.row(0), set.row(1)), (&[0.299; 15][..], &[0.587; 15][..]));
    let x = npy("|u1", "(1, 2, 2)", &[10, 20, 30, 40]);
    let path = folder.write("g.npz", npz(&[("x", x), ("y", longs(&[0]))]));
    let set = read(&path, "channels = 3\nresize = [1, 1]").dataset;
    assert_eq!(set.values(), [25.0_f32 / 255.0; 3]);
    let table = folder.write("t.csv", "1,2,0\n");
    let expected = "`resize` must be left out: the data are no pictures, got a value";
    assert_eq!(fault(&table, "resize = [1, 1]"), expected);
}

#[test]
fn a_limit_that_loses_classes_says_so() {
    let folder = Folder::new();
    let x = floats("(4, 1)", &[0.0, 1.0, 2.0, 3.0]);
    let path = folder.write("s.npz", npz(&[("x", x), ("y", longs(&[0, 0, 1, 2]))]));
    let opened = read(&path, "limit = 2");
    assert_eq!((opened.dataset.values(), opened.dataset.name()), (&[0.0, 1.0][..], "s.npz[..2]"));
    let note = "the first 2 of 4 samples are of 1 of the 3 classes: if the file is sorted by class, \
                shuffle it or raise `limit`";
    assert!(opened.notes.contains(&note.to_owned()), "{:?}", opened.notes);
    let header = "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }";
    let magic = b"\x93NUMPY\x01\x00".to_vec();
    let length = (header.len() as u16).to_le_bytes();
    let fortran = [&magic, &length[..], header.as_bytes(), &[1, 4, 2, 5, 3, 6]];
    let path = folder.write("f.npz", npz(&[("x", fortran.concat()), ("y", longs(&[0, 0]))]));
    assert_eq!(read(&path, "limit = 1").dataset.values(), [1.0, 2.0, 3.0]);
}

#[test]
fn two_parts_share_box_and_classes_or_say_why_not() {
    let folder = Folder::new();
    let train = read(&folder.write("train.csv", "a,y\n1,0\n5,2\n"), "");
    let test = read(&folder.write("test.csv", "a,y\n9,0\n3,1\n"), "");
    let [one, two] = together(&train, &test).unwrap();
    assert_eq!((range(&one), range(&two)), ((1.0, 9.0), (1.0, 9.0)));
    assert_eq!(
        (one.class_names(), two.class_names()),
        (&["0", "1", "2"].map(str::to_owned)[..], one.class_names())
    );
    assert_eq!((one.values(), two.labels()), (&[1.0, 5.0][..], &[0, 1][..]));
    let other = read(&folder.write("other.csv", "b,y\n9,0\n"), "");
    let message = together(&train, &other).unwrap_err().to_string();
    assert_eq!(message, "other.csv: columns: expected a, as train.csv, got b");
    let named = read(&folder.write("named.csv", "a,y\n9,cat\n"), "");
    let message = together(&train, &named).unwrap_err().to_string();
    assert!(message.ends_with("got cat: give `classes`"), "{message}");
    let wide = read(&folder.write("wide.csv", "a,b,y\n9,1,0\n"), "");
    assert!(together(&train, &wide).unwrap_err().to_string().contains("Table { features: 1 }"));
}
