//! Wrong input, and what is said of it.
use std::path::PathBuf;

use crate::files::{Folder, fault, floats, gzip, idx, longs, npy, npz, records};

/// File, options, and what the message must hold.
fn check(cases: &[(PathBuf, &str, &str)]) {
    for (path, options, expected) in cases {
        let message = fault(path, options);
        assert!(message.contains(expected), "{options}\n  {message}\n  {expected}");
        let place = path.parent().unwrap().display().to_string();
        let parameter = message.starts_with('`');
        assert!(parameter || message.contains(&place), "the file is named: {message}");
    }
}

#[test]
fn paths_that_are_no_data_are_named() {
    let f = Folder::new();
    f.write("pictures/a/note.txt", "text");
    f.write("flat/one.png", "");
    std::fs::create_dir_all(f.path("empty folder/a")).unwrap();
    std::fs::create_dir_all(f.path("nothing")).unwrap();
    f.write("deep/a/b/c.png", "");
    check(&[
        (f.path("absent.npz"), "", "No such file"),
        (f.write("empty.npz", ""), "", "content: expected data, got an empty file"),
        (f.write("a.xyz", "abc"), "", "give `format` if it is one of these under another name"),
        (f.write("a.pt", "abc"), "", "numpy.savez(\"data.npz\", x=inputs, y=labels)"),
        (f.write("a.zip", "PK\x03\x04...."), "", "unpack the archive and give the folder"),
        (f.write("a.png", "abc"), "", "a single picture is no data set"),
        (f.write("a.parquet", "PAR1"), "", "write the table as CSV"),
        (f.path("pictures"), "", "expected a whole PNG, JPEG, BMP or PNM picture"),
        (
            f.path("pictures"),
            "format = \"npz\"",
            "expected a file, for `format = \"npz\"`, got a folder",
        ),
        (f.write("b.npz", "x"), "format = \"image_folder\"", "expected a folder"),
        (f.path("flat"), "", "it has 1 files and no class folders; give `labels`"),
        (f.path("empty folder"), "", "no records"),
        (f.path("nothing"), "", "no records"),
        (f.path("deep"), "", "expected a picture, got a folder"),
        (
            f.write("c.bin", [1, 2, 3]),
            "",
            "expected CIFAR records of 3073 bytes (CIFAR-10) or 3074",
        ),
        (
            f.write("d.bin.gz", gzip(&records(&[&[1]], 0)[..9])),
            "",
            "ends too early: expected 3073 bytes, got 9",
        ),
        (f.write("e.npz", "x"), "format = \"npz\"", "archive: expected a zip of arrays"),
        (
            f.write("e.npz", "x"),
            "more = [\"e\"]\nformat = \"npz\"",
            "`more` must be left out here: it is for cifar10",
        ),
    ]);
}

#[test]
fn arrays_without_sound_labels_are_named() {
    let f = Folder::new();
    let pair = |x: Vec<u8>, y: Vec<u8>| npz(&[("x", x), ("y", y)]);
    let x = || floats("(2, 2)", &[0.0; 4]);
    check(&[
        (
            f.write("a.npz", npz(&[("x", x())])),
            "",
            "no labels: the arrays are x; inputs and labels are looked",
        ),
        (f.write("b.npz", npz(&[("p", x()), ("q", x())])), "", "no labels: the arrays are p, q;"),
        (
            f.write("b2.npz", npz(&[("p", x())])),
            "keys = [\"p\", \"y\"]",
            "expected an array `y` (from `keys`), got p",
        ),
        (
            f.write("c.npz", npz(&[("x", x()), ("data", x()), ("y", longs(&[0, 1]))])),
            "",
            "give `keys` or `part`",
        ),
        (
            f.write("d.npz", pair(x(), longs(&[0]))),
            "",
            "expected [2] or [2, 1], a label an input, got [1]",
        ),
        (
            f.write("e.npz", pair(x(), npy("|u1", "(2, 3)", &[0; 6]))),
            "",
            "one-hot: take the arg max",
        ),
        (
            f.write("f.npz", pair(x(), longs(&[0, -1]))),
            "",
            "record 1: label -1 is not in 0 to 65535",
        ),
        (
            f.write("g.npz", pair(x(), longs(&[0, 7]))),
            "classes = [\"a\", \"b\"]",
            "record 1: label 7 is not in 0 to 1: give all `classes`",
        ),
        (
            f.write("g2.npz", pair(x(), longs(&[1, 2]))),
            "classes = [\"a\", \"b\"]",
            "label 2 is not in 0 to 1: give `label_offset = 1`",
        ),
        (
            f.write("h.npz", pair(x(), longs(&[0, 1]))),
            "label_offset = 1",
            "record 0: label 0 is not in 1 to 65536",
        ),
        (
            f.write("i.npz", pair(x(), floats("(2,)", &[0.0, 0.5]))),
            "",
            "record 1: expected a whole number as label, got 0.5",
        ),
        (
            f.write("j.npz", pair(x(), floats("(2,)", &[0.0, f32::NAN]))),
            "",
            "a whole number as label, got NaN",
        ),
    ]);
}

#[test]
fn arrays_of_another_shape_or_type_are_named() {
    let f = Folder::new();
    let pair = |x: Vec<u8>, y: Vec<u8>| npz(&[("x", x), ("y", y)]);
    let x = || floats("(2, 2)", &[0.0; 4]);
    let huge = npy("<f4", "(1099511627776, 4)", &[0; 32]);
    let whole = pair(x(), longs(&[0, 1]));
    let five = floats("(1, 1, 1, 1, 1)", &[0.0]);
    let colour = || npy("|u1", "(1, 2, 2, 2)", &[0; 8]);
    let strings = npy("<U3", "(2,)", &[0; 24]);
    check(&[
        (
            f.write("k.npz", pair(floats("(2, 2)", &[0.0, 0.0, 0.0, f32::NAN]), longs(&[0, 1]))),
            "",
            "record 1, feature 1: NaN is not a finite number",
        ),
        (
            f.write("l.npz", pair(five, longs(&[0]))),
            "",
            "expected 2 axes (rows), 3 (grey pictures) or 4 (colour pictures), got [1, 1, 1, 1, 1]",
        ),
        (
            f.write("m.npz", pair(npy("|O", "(2, 2)", &[0; 32]), longs(&[0, 1]))),
            "",
            "got |O (Python objects: convert them",
        ),
        (f.write("n.npz", pair(x(), strings)), "", "expected type b1, u1"),
        (
            f.write("o.npz", pair(colour(), longs(&[0]))),
            "",
            "(give the arrangement), got [N, 2, .., 2]",
        ),
        (
            f.write("p.npz", pair(huge, longs(&[0]))),
            "",
            "ends too early: expected 17592186044416 bytes, got 32",
        ),
        (f.write("q.npz", &whole[..whole.len() - 30]), "", "archive: expected a zip of arrays"),
        (f.write("r.npz", pair(floats("(0, 2)", &[]), longs(&[]))), "", "no records"),
        (
            f.write("s.npz", pair(x(), longs(&[0, 1]))),
            "kind = \"image\"",
            "expected `shape`, [channels, height, width]",
        ),
        (
            f.write("s.npz", pair(x(), longs(&[0, 1]))),
            "shape = [1, 3, 1]",
            "`shape` must be of 2 values, those of a row, got [1, 3, 1]",
        ),
        (
            f.write("t.npz", pair(colour(), longs(&[0]))),
            "kind = \"table\"",
            "expected 2 axes, [N, F], for a table",
        ),
        (
            f.write("u.npz", pair(colour(), longs(&[0]))),
            "kind = \"waveform\"",
            "expected 2 axes, [N, samples], or 3",
        ),
        (
            f.write("v.npz", pair(colour(), longs(&[0]))),
            "arrangement = \"NCHW\"\nchannels = 3",
            "got pictures of 2 channels",
        ),
        (f.write("w.npy", x()), "", "no labels: beside it are no other npy files; give `labels`"),
        (f.write("w.npy", x()), "labels = \"nowhere.npy\"", "no labels: nowhere.npy is not there"),
    ]);
}

#[test]
fn pixels_outside_their_box_are_described() {
    let f = Folder::new();
    let pair = |x: Vec<u8>| npz(&[("x", x), ("y", longs(&[0]))]);
    let normalised = || pair(floats("(1, 2, 2)", &[-1.0, -1.0, 1.0, 1.0]));
    check(&[
        (
            f.write("a.npz", normalised()),
            "",
            "values from -1 to 1 (mean 0.000, standard deviation 1.000) are not in [0, 1]: they look \
             normalised: give raw pixels and tell the model its mean and standard deviation, or give \
             the `bounds` of the normalised values",
        ),
        (
            f.write("b.npz", pair(floats("(1, 1, 2)", &[0.0, 255.0]))),
            "",
            "they look like bytes: give `units = \"bytes\"`",
        ),
        (
            f.write("c.npz", pair(npy("<u2", "(1, 1, 2)", &[0, 0, 0, 16]))),
            "",
            "values from 0 to 4096 (mean 2048.000",
        ),
        (
            f.write("c.npz", pair(npy("<u2", "(1, 1, 2)", &[0, 0, 0, 16]))),
            "",
            "give `bounds`, such as [0, 4096]",
        ),
        (f.write("d.npz", normalised()), "bounds = [0, 1]", "they look normalised"),
        (f.write("e.npz", normalised()), "units = \"raw\"", "`units` must be given with `bounds`"),
        (f.write("f.npz", normalised()), "limit = 0", "`limit` must be at least 1, got 0"),
        (
            f.write("g.npz", normalised()),
            "resize = [0, 4]",
            "`resize` must be [height, width], each 1 to 16384",
        ),
    ]);
}

#[test]
fn classes_lists_and_pictures_that_do_not_fit_are_named() {
    let f = Folder::new();
    for (name, side) in [("a/1.png", 2), ("b/1.png", 3)] {
        f.grey(&format!("mixed/{name}"), [side, 2], 0);
        f.grey(&format!("good/{name}"), [2, 2], 0);
    }
    f.grey("list/1.png", [2, 2], 0);
    f.write("few.txt", "a\n");
    f.write("same.txt", "a\nb\na\n");
    f.write("gap.txt", "a\n\nb\n");
    f.write("none.txt", "\n");
    let few = format!("classes = '{}'", f.path("few.txt").display());
    let same = format!("classes = '{}'", f.path("same.txt").display());
    let gap = format!("classes = '{}'", f.path("gap.txt").display());
    let none = format!("classes = '{}'", f.path("none.txt").display());
    f.write("again.csv", "file,label\n1.png,0\n1.png,0\n");
    f.write("up.csv", "file,label\n../secret.png,0\n");
    f.write("gone.csv", "file,label\n2.png,0\n");
    f.write("wide.csv", "a,b,c\n");
    f.write("blank.csv", "1.png,\n");
    let list = |name: &str| format!("labels = '{}'", f.path(name).display());
    check(&[
        (f.path("mixed"), "", "expected 2 x 2 pixels as before (or give `resize`), got 2 x 3"),
        (f.path("good"), &few, "record 1: label `b` is none of the 1 classes"),
        (f.path("good"), &same, "class 2: expected a name of its own, got `a` again"),
        (f.path("good"), &gap, "class 1: expected a name, got nothing"),
        (f.path("good"), &none, "classes: expected at least one class, got none"),
        (f.path("good"), "label_offset = 1", "`label_offset` must be 0 unless labels are numbers"),
        (f.path("good"), "label_pattern = \"{label}_*\"", "no records"),
        (
            f.path("list"),
            "label_pattern = \"{label}_*\"",
            "name: expected a name like `{label}_*`, without",
        ),
        (f.path("list"), &list("again.csv"), "line 3: expected each file once, got `1.png` again"),
        (f.path("list"), &list("up.csv"), "expected a file inside the folder, got `../secret.png`"),
        (f.path("list"), &list("gone.csv"), "No such file"),
        (f.path("list"), &list("wide.csv"), "expected the columns `file` and `label`, got a,b,c"),
        (f.path("list"), &list("blank.csv"), "line 1: expected a label, got nothing"),
        (f.path("list"), "keys = [\"a\", \"b\"]", "`keys` must be left out here: it is for npz"),
    ]);
    let double = fault(&f.path("good"), "classes = [\"a\", \"a\"]");
    assert_eq!(double, "`classes`: class 1: expected a name of its own, got `a` again");
}

#[test]
fn tables_and_idx_files_that_do_not_fit_are_named() {
    let f = Folder::new();
    f.write("s.toml", "name = \"s\"\ncolumn = [{ name = \"a\", kind = \"number\" }, { name = \"y\", kind = \"label\" }]");
    f.write("bad.toml", "name = 3");
    let s = format!("schema = '{}'", f.path("s.toml").display());
    let bad = format!("schema = '{}'", f.path("bad.toml").display());
    f.write("c-labels-idx1-ubyte", idx(&[1], &[0]));
    f.write("e-labels-idx1-ubyte", idx(&[2], &[0, 0]));
    check(&[
        (f.write("a.csv", "1,2,3,0\n"), &s, "line 1: expected 2 values, got 4"),
        (f.write("a.csv", "1,2,3,0\n"), &bad, "schema: expected a table description, got"),
        (
            f.write("b.csv", "1,red,0\n2,blue,1\n"),
            "",
            "column `column_2`: expected a finite number (a schema, `b.toml` beside it",
        ),
        (f.write("c.csv", "a,y\n?,0\n"), "", "line 2, column `a`: expected a finite number"),
        (
            f.write("d.csv", "a,label,class\n1,0,0\n"),
            "",
            "one label column (give `label_column`), got `label`, `class`",
        ),
        (
            f.write("e.csv", "a,y\n1,0\n"),
            "label_column = \"z\"",
            "expected a column `z` (from `label_column`), got a, y",
        ),
        (f.write("f.csv", "1\n2\n"), "", "expected at least two columns"),
        (
            f.write("g.csv", "a,y\n1,-1\n2,1\n"),
            "",
            "label -1 is not in 0 to 65535: give `classes` or",
        ),
        (f.write("h.csv", "a,y\n"), "", "no records"),
        (f.write("i.csv", "a,a,y\n1,2,0\n"), "", "`column names` must be distinct, got `a` twice"),
        (f.write("j.csv", "a,y\n1,0\n"), "kind = \"image\"", "expected `shape`"),
        (
            f.write("a-images-idx3-ubyte", idx(&[1, 1, 1], &[0])),
            "",
            "no labels: no IDX file of labels is beside it",
        ),
        (
            f.write("c-images-idx3-ubyte", idx(&[2, 1, 1], &[0, 0])),
            "",
            "expected [2], a label an image (magic number 2049), got [1]",
        ),
        (
            f.write("e-images-idx3-ubyte", idx(&[2, 1 << 14, 1 << 14], &[0; 8])),
            "",
            "ends too early: expected 536870912 bytes, got 8",
        ),
        (
            f.path("c-labels-idx1-ubyte"),
            "labels = \"c-labels-idx1-ubyte\"",
            "expected 3 dimensions (images, magic number 2051), got [1]",
        ),
    ]);
}
