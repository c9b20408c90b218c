//! Each format there and back.
use crate::files::{Folder, floats, gzip, idx, longs, npy, npz, read, records};

#[test]
fn an_archive_is_read_by_the_names_of_its_arrays() {
    let folder = Folder::new();
    let members = [
        ("x_train", npy("|u1", "(1, 1, 2)", &[9, 9])),
        ("y_train", longs(&[0])),
        ("x_test", npy("|u1", "(2, 1, 2)", &[0, 51, 102, 255])),
        ("y_test", longs(&[1, 0])),
    ];
    let path = folder.write("my data.npz", npz(&members));
    let opened = read(&path, "");
    let set = &opened.dataset;
    assert_eq!(set.name(), "my data.npz");
    assert_eq!(set.domain().image_shape().unwrap(), [1, 1, 2]);
    assert_eq!(set.values(), [0.0, 0.2, 0.4, 1.0]);
    assert_eq!((set.labels(), set.ids()), (&[1, 0][..], &[0, 1][..]));
    let note = "inputs from `x_test`, labels from `y_test`, the test part: give `keys` to choose \
                others";
    assert_eq!(opened.notes[0], note);
    assert!(opened.notes[1].starts_with("the inputs are read as grey pictures of 1 x 2"));
    assert!(opened.notes[2].starts_with("2 classes, told by the largest label 1"));
    let train = read(&path, "part = \"train\"").dataset;
    assert_eq!((train.name(), train.len()), ("my data.npz/train", 1));
    let keyed =
        read(&path, "keys = [\"x_test\", \"y_test\"]\nclasses = [\"cat\", \"dog\", \"cow\"]");
    assert_eq!((keyed.notes.len(), keyed.dataset.class_names().len()), (1, 3));
    assert_eq!(keyed.dataset.values(), set.values());
    let packed = folder.write("packed.bin", gzip(&npz(&members)));
    assert_eq!(read(&packed, "").dataset.digest(), set.digest());
}

#[test]
fn a_file_of_inputs_finds_its_labels_by_name() {
    let folder = Folder::new();
    let inputs = folder.write("x_test.npy", floats("(2, 2)", &[-3.0, 10.0, 5.0, 20.0]));
    folder.write("y_test.npy", npy("<f4", "(2, 1)", &[0, 0, 0x80, 0x3f, 0, 0, 0, 0]));
    let opened = read(&inputs, "");
    assert_eq!(opened.dataset.labels(), [1, 0]);
    assert_eq!(opened.dataset.values(), [-3.0, 10.0, 5.0, 20.0]);
    assert!(opened.notes[0].starts_with("labels from ") && opened.notes[0].contains("y_test.npy"));
    let bounds = |set: &duress_datasets::Dataset, at| {
        (set.domain().lower().at(at), set.domain().upper().at(at))
    };
    assert_eq!(
        (bounds(&opened.dataset, 0), bounds(&opened.dataset, 1)),
        ((-3.0, 5.0), (10.0, 20.0))
    );
    folder.write("other labels.npy", longs(&[0, 1]));
    let other = read(&inputs, "labels = \"other labels.npy\"\nbounds = [-5, 25]").dataset;
    assert_eq!((other.labels(), bounds(&other, 1)), (&[0, 1][..], (-5.0, 25.0)));
    folder.write("pair/inputs.npy", floats("(1, 2)", &[1.0, 2.0]));
    folder.write("pair/labels.npy", longs(&[0]));
    let pair = read(&folder.path("pair"), "").dataset;
    assert_eq!((pair.values(), pair.name()), (&[1.0, 2.0][..], "pair"));
}

#[test]
fn class_folders_are_classes_and_a_limit_takes_from_each() {
    let folder = Folder::new();
    for (name, value) in [("b/1.png", 10), ("b/2.png", 20), ("a/1.png", 30), ("a/2.png", 40)] {
        folder.grey(name, [2, 3], value);
    }
    folder.write("readme.txt", "text");
    let root = folder.path("");
    let opened = read(&root, "");
    let set = &opened.dataset;
    assert_eq!(
        (set.class_names(), set.labels()),
        (&["a".into(), "b".into()][..], &[0, 0, 1, 1][..])
    );
    assert_eq!(set.domain().image_shape().unwrap(), [1, 2, 3]);
    assert_eq!(set.row(0), [30.0_f32 / 255.0; 6]);
    assert_eq!(opened.notes, ["1 files beside the class folders do not count: readme.txt"]);
    let limited = read(&root, "limit = 2").dataset;
    assert_eq!((limited.labels(), limited.ids()), (&[0, 1][..], &[0, 2][..]));
    assert_eq!(limited.row(1), [10.0_f32 / 255.0; 6]);
    assert!(limited.name().ends_with("[..2]"), "{}", limited.name());
    let ordered = read(&root, "classes = [\"b\", \"x\", \"a\"]").dataset;
    assert_eq!(ordered.labels(), [2, 2, 0, 0]);
}

#[test]
fn labels_of_pictures_come_from_a_list_or_from_their_names() {
    let folder = Folder::new();
    folder.picture("set/cat_1.png", [1, 1], [255, 0, 51]);
    folder.grey("set/dog_1.png", [1, 1], 102);
    folder.grey("set/dog_2.png", [1, 1], 0);
    let root = folder.path("set");
    let opened = read(&root, "label_pattern = \"{label}_*\"");
    assert_eq!(opened.dataset.class_names(), ["cat", "dog"]);
    assert_eq!(opened.dataset.labels(), [0, 1, 1]);
    assert_eq!(opened.dataset.values()[..6], [1.0, 0.0, 0.2, 0.4, 0.4, 0.4]);
    assert_eq!(opened.notes, ["2 of 3 pictures are grey; their plane stands for all three"]);
    folder.write("set/labels.csv", "label,file\n3,dog_2.png\n1,cat_1.png\n");
    let listed = read(&root, "label_offset = 1");
    assert_eq!(listed.dataset.labels(), [2, 0]);
    assert_eq!(listed.dataset.row(1), [1.0, 0.0, 0.2]);
    assert!(listed.notes[0].starts_with("labels from "), "{:?}", listed.notes);
    assert!(listed.notes[1].starts_with("1 files of the folder are not in "), "{:?}", listed.notes);
    folder.write("two columns.csv", "dog_1.png,dog\n");
    let given = format!("labels = '{}'", folder.path("two columns.csv").display());
    let given = read(&root, &given).dataset;
    assert_eq!((given.values(), given.class_names()), (&[102.0 / 255.0][..], &["dog".into()][..]));
}

#[test]
fn a_table_is_read_by_its_first_line_or_by_a_schema_beside_it() {
    let folder = Folder::new();
    let path = folder.write("t.csv.gz", gzip(b"a;target;b\r\n1.5;0;3\r\n-1;10;4\r\n0;2;4\r\n"));
    let opened = read(&path, "");
    assert_eq!(opened.dataset.feature_names(), ["a", "b"]);
    assert_eq!(opened.dataset.values(), [1.5, 3.0, -1.0, 4.0, 0.0, 4.0]);
    assert_eq!(opened.dataset.labels(), [0, 10, 2], "labels that are numbers are no names");
    let note = "the first line names the columns; column `target` is the label, the other 2 columns \
                are numbers: give a `schema` for anything else";
    assert_eq!(opened.notes[0], note);
    let named = read(&path, "classes = [\"10\", \"2\", \"0\"]").dataset;
    assert_eq!(named.labels(), [2, 0, 1]);
    let floats = folder.write("floats.csv", "a,y\n1,10.0\n2,2.0\n");
    assert_eq!(read(&floats, "").dataset.labels(), [10, 2], "whole numbers of any spelling");
    let bare = folder.write("iris.csv", "5.1,3.5,setosa\n4.9,3.0,virginica\n");
    let opened = read(&bare, "");
    assert_eq!(opened.dataset.class_names(), ["setosa", "virginica"]);
    assert_eq!(opened.dataset.feature_names(), ["column_1", "column_2"]);
    assert!(opened.notes[0].starts_with("no header; the last column is the label"));
    folder.write(
        "iris.toml",
        "name = \"iris\"\ncolumn = [{ name = \"l\", kind = \"number\", range = [0, 10] }, \
         { name = \"w\", kind = \"ignore\" }, { name = \"y\", kind = \"label\" }]\n",
    );
    let described = read(&bare, "").dataset;
    assert_eq!((described.values(), described.name()), (&[5.1, 4.9][..], "iris.csv"));
    assert_eq!((described.domain().lower().at(0), described.domain().upper().at(0)), (0.0, 10.0));
}

#[test]
fn flat_rows_become_pictures_of_a_given_shape() {
    let folder = Folder::new();
    let path = folder.write("m.csv", "label,p1,p2,p3,p4,p5,p6\n3,0,51,102,153,204,255\n");
    let set = read(&path, "shape = [3, 1, 2]").dataset;
    assert_eq!(set.domain().image_shape().unwrap(), [3, 1, 2]);
    assert_eq!(set.values(), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
    let last = read(&path, "shape = [3, 1, 2]\narrangement = \"NHWC\"").dataset;
    assert_eq!(last.values(), [0.0, 0.6, 0.2, 0.8, 0.4, 1.0]);
    let x = floats("(1, 4)", &[0.0, 0.25, 0.5, 1.0]);
    let path = folder.write("f.npz", npz(&[("x", x), ("y", longs(&[0]))]));
    assert_eq!(read(&path, "shape = [1, 2, 2]").dataset.row(0), [0.0, 0.25, 0.5, 1.0]);
}

#[test]
fn idx_files_packed_or_not_are_read_alone_or_from_their_folder() {
    let folder = Folder::new();
    let labels = gzip(&idx(&[2], &[4, 0]));
    let images =
        folder.write("t10k-images-idx3-ubyte.gz", gzip(&idx(&[2, 1, 2], &[0, 51, 102, 255])));
    folder.write("t10k-labels-idx1-ubyte.gz", labels);
    folder.write("train-images-idx3-ubyte", idx(&[1, 1, 2], &[5, 5]));
    folder.write("train-labels-idx1-ubyte", idx(&[1], &[3]));
    let set = read(&images, "").dataset;
    assert_eq!((set.values(), set.labels()), (&[0.0, 0.2, 0.4, 1.0][..], &[4, 0][..]));
    let opened = read(&folder.path(""), "limit = 1");
    assert_eq!(opened.dataset.values(), [0.0, 0.2]);
    assert!(opened.notes[0].starts_with("the test part, t10k-images"), "{:?}", opened.notes);
    assert_eq!(read(&folder.path(""), "part = \"train\"").dataset.labels(), [3]);
}

#[test]
fn cifar_files_of_either_kind_follow_each_other() {
    let folder = Folder::new();
    let first = folder.write("test_batch.bin", records(&[&[3], &[9]], 51));
    folder.write("second.bin.gz", gzip(&records(&[&[1]], 255)));
    let set = read(&first, "more = [\"second.bin.gz\"]").dataset;
    assert_eq!((set.labels(), set.class_names().len()), (&[3, 9, 1][..], 10));
    assert_eq!((set.row(0)[0], set.row(2)[3071]), (0.2, 1.0));
    let hundred = folder.write("fine.bin", records(&[&[19, 99]], 0));
    assert_eq!(read(&hundred, "").dataset.labels(), [99]);
    let packed = folder.write("fine packed.bin.gz", gzip(&records(&[&[19, 42]], 0)));
    assert_eq!(read(&packed, "format = \"cifar100\"").dataset.labels(), [42]);
    let root = Folder::new();
    root.write("data_batch_1.bin", records(&[&[1]], 0));
    root.write("data_batch_2.bin", records(&[&[2]], 0));
    root.write("test_batch.bin", records(&[&[7]], 0));
    assert_eq!(read(&root.path(""), "").dataset.labels(), [7]);
    assert_eq!(read(&root.path(""), "part = \"train\"").dataset.labels(), [1, 2]);
}
