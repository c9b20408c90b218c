//! The published files, where they are at hand: in the folder of `DURESS_DATA`, or
//! `../shared/data` beside the workspace. Without them each test says so and passes.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
use std::path::{Path, PathBuf};

use duress_datasets::{
    Dataset, Folders, Input, Part,
    csv_table::{self, Schema},
    load, npz,
};

/// The data folder, if `file` is in it.
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn data(file: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("DURESS_DATA").map_or(beside, PathBuf::from);
    if folder.join(file).exists() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no {file} in {} (set DURESS_DATA)", folder.display());
    None
}

fn known(name: &str, file: &str) -> Option<[Dataset; 2]> {
    let folders = Folders::from(data(file)?.as_path());
    Some([Part::Train, Part::Test].map(|part| load(name, &folders, part).unwrap()))
}

fn table(schema: &str, file: &str) -> Option<Dataset> {
    let path = data(file)?.join(file);
    Some(csv_table::dataset(&Schema::parse(schema).unwrap(), Input::open(&path).unwrap()).unwrap())
}

fn mean(set: &Dataset) -> f64 {
    set.values().iter().map(|&value| f64::from(value)).sum::<f64>() / set.values().len() as f64
}

/// Mean pixel of the training images: 0.1307 (MNIST) and 0.2860 (Fashion-MNIST), as the
/// literature normalises.
#[test]
fn mnist_and_fashion_mnist_are_complete() {
    if let Some([train, test]) = known("mnist", "vision/mnist") {
        let counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949];
        assert_eq!(train.label_histogram(), counts);
        let counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009];
        assert_eq!(test.label_histogram(), counts);
        assert_eq!(test.labels()[..10], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
        assert_eq!(train.labels()[..10], [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
        assert!((mean(&train) - 0.1307).abs() < 1e-4);
        assert_eq!(test.domain().image_shape().unwrap(), [1, 28, 28]);
    }
    if let Some([train, test]) = known("fashion_mnist", "vision/fashion-mnist") {
        assert_eq!(train.label_histogram(), [6000; 10]);
        assert_eq!(test.label_histogram(), [1000; 10]);
        assert!((mean(&train) - 0.2860).abs() < 1e-4);
    }
}

/// Mean of the CIFAR-10 planes over 50,000 images: 0.4914, 0.4822, 0.4465; a fifth of them is
/// near.
#[test]
fn the_cifar_subset_is_complete() {
    let Some([train, test]) = known("cifar10-subset", "vision/cifar10") else { return };
    assert_eq!(train.label_histogram(), [1000; 10]);
    assert_eq!(test.label_histogram(), [1000, 1000, 1000, 1000, 1000, 1000, 1000, 999, 967, 1000]);
    for (plane, expected) in [0.4914, 0.4822, 0.4465].into_iter().enumerate() {
        let pixels = train.values().chunks_exact(3072).flat_map(|row| &row[plane * 1024..][..1024]);
        let mean = pixels.map(|&value| f64::from(value)).sum::<f64>() / (1e4 * 1024.0);
        assert!((mean - expected).abs() < 0.01, "plane {plane}: {mean}");
    }
}

#[test]
fn the_traffic_signs_are_complete() {
    let Some([train, test]) = known("gtsrb", "vision/gtsrb") else { return };
    assert_eq!((train.len(), test.len(), train.class_names().len()), (10_214, 3_105, 43));
    assert!(train.label_histogram().iter().chain(&test.label_histogram()).all(|&count| count > 0));
}

#[test]
fn pneumonia_is_balanced_in_each_part() {
    let file = "medical/pneumoniamnist_balanced.npz";
    let Some(folder) = data(file) else { return };
    for (part, count) in [("train", 2428), ("val", 270), ("test", 468)] {
        let options = npz::Options { part: Some(part.into()), ..Default::default() };
        let input = Input::open(&folder.join(file)).unwrap();
        let set = npz::dataset("pneumonia", input, &options).unwrap();
        assert_eq!(set.label_histogram(), [count / 2; 2], "{part}");
        assert_eq!(set.domain().image_shape().unwrap(), [1, 28, 28]);
    }
}

fn numbers(name: &str, count: usize, rest: &str) -> String {
    format!(
        "name = \"{name}\"\n{rest}[[column]]\nname = \"f\"\nkind = \"number\"\ncount = {count}\n\
         [[column]]\nname = \"y\"\nkind = \"label\"\n"
    )
}

#[test]
fn small_tables_have_the_published_counts() {
    if let Some(iris) = table(&numbers("iris", 4, ""), "tabular/iris.csv") {
        assert_eq!(iris.label_histogram(), [50; 3]);
        assert_eq!(iris.class_names(), ["Iris-setosa", "Iris-versicolor", "Iris-virginica"]);
        assert_eq!(iris.row(0), [5.1, 3.5, 1.4, 0.2]);
    }
    let banknote = table(&numbers("banknote", 4, ""), "finance/banknote_authentication.csv");
    if let Some(banknote) = banknote {
        assert_eq!(banknote.label_histogram(), [762, 610]);
    }
    if let Some(sonar) = table(&numbers("sonar", 60, ""), "tabular/sonar.csv") {
        assert_eq!((sonar.label_histogram(), sonar.features()), (vec![111, 97], 60));
    }
}

/// 16 of the 699 rows lack the number of bare nuclei: 14 benign and 2 malignant ones.
#[test]
fn missing_cells_of_the_wisconsin_table_are_dropped_or_filled() {
    let schema = |on_missing: &str| {
        let rest = format!("missing = \"?\"\non_missing = \"{on_missing}\"\n");
        numbers("wisconsin", 9, &rest)
    };
    let file = "medical/breast-cancer-wisconsin.csv";
    if let (Some(dropped), Some(filled)) =
        (table(&schema("drop_row"), file), table(&schema("fill"), file))
    {
        assert_eq!(dropped.label_histogram(), [444, 239]);
        assert_eq!(filled.label_histogram(), [458, 241]);
        // Row 23 is the first one with a missing cell; the median of the column is 1.
        assert_eq!(filled.row(23), [8.0, 4.0, 5.0, 1.0, 2.0, 1.0, 7.0, 3.0, 1.0]);
    }
}

const ADULT: &str = r#"
name = "adult"
missing = "?"
on_missing = "drop_row"
column = [
    { name = "age", kind = "number", range = [0.0, 100.0] },
    { name = "workclass", kind = "category" },
    { name = "fnlwgt", kind = "ignore" },
    { name = "education", kind = "category" },
    { name = "education-num", kind = "number" },
    { name = "marital-status", kind = "category" },
    { name = "occupation", kind = "category" },
    { name = "relationship", kind = "category" },
    { name = "race", kind = "category", immutable = true },
    { name = "sex", kind = "category", immutable = true },
    { name = "capital-gain", kind = "number" },
    { name = "capital-loss", kind = "number" },
    { name = "hours-per-week", kind = "number" },
    { name = "native-country", kind = "category", immutable = true },
    { name = "income", kind = "label" },
]
class = [
    { name = "<=50K", codes = ["<=50K", "<=50K."] },
    { name = ">50K", codes = [">50K", ">50K."] },
]
"#;

/// Without rows that lack a value the parts have 30,162 and 15,060 rows, as UCI's own notes say.
#[test]
fn both_parts_of_adult_share_one_fitted_schema() {
    let Some(folder) = data("finance/adult_train.csv.gz") else { return };
    let open = |part| Input::open(&folder.join(format!("finance/adult_{part}.csv.gz"))).unwrap();
    let schema = csv_table::fit(&Schema::parse(ADULT).unwrap(), open("train")).unwrap();
    let [train, test] =
        ["train", "test"].map(|part| csv_table::dataset(&schema, open(part)).unwrap());
    assert_eq!(train.label_histogram(), [22_654, 7_508]);
    assert_eq!(test.label_histogram(), [11_360, 3_700]);
    assert_eq!(train.domain(), test.domain());
    assert_eq!(train.feature_names(), test.feature_names());
    let name = |&index: &usize| train.feature_names()[index].split('=').next().unwrap().to_owned();
    let mut fixed: Vec<_> = train.domain().immutable().iter().map(name).collect();
    fixed.dedup();
    assert_eq!(fixed, ["race", "sex", "native-country"]);
}
