//! Property files, hand-written and of the competition.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test that fails may panic")]
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use duress_certification::vnnlib::{LinearConstraint, Property, VnnlibError, read_instances};

const VARIABLES: &str = "(declare-const X_0 Real)\n(declare-const X_1 Real)\n\
    (declare-const Y_0 Real)\n(declare-const Y_1 Real)\n(declare-const Y_2 Real)\n";
const BOUNDS: &str =
    "(assert (>= X_0 -1))(assert (<= X_0 1))\n(assert (and (>= X_1 0) (<= X_1 0.5)))\n";

fn parse(text: &str) -> Result<Property, VnnlibError> {
    Property::parse(&format!("{VARIABLES}{text}"))
}

fn at_most(coefficients: &[(usize, f64)], bound: f64) -> LinearConstraint {
    LinearConstraint { coefficients: coefficients.to_vec(), bound, strict: false }
}

#[test]
fn a_disjunction_over_outputs_keeps_one_box() {
    let outputs = "(assert (or (and (>= Y_1 Y_0)) (and (>= Y_2 Y_0) (< Y_2 3))))";
    let property = parse(&format!("{BOUNDS}{outputs}")).unwrap();
    assert_eq!((property.inputs, property.outputs, property.regions.len()), (2, 3, 1));
    let region = &property.regions[0];
    assert_eq!((&region.lower[..], &region.upper[..]), (&[-1.0, 0.0][..], &[1.0, 0.5][..]));
    let strict = LinearConstraint { strict: true, ..at_most(&[(2, 1.0)], 3.0) };
    let expected = vec![
        vec![at_most(&[(0, 1.0), (1, -1.0)], 0.0)],
        vec![at_most(&[(0, 1.0), (2, -1.0)], 0.0), strict],
    ];
    assert_eq!(region.unsafe_outputs, expected);
    let violated = |x: [f64; 2], y: [f64; 3]| property.is_violated(&x, &y);
    assert!(violated([0.0, 0.5], [1.0, 1.0, 0.0]) && violated([0.0, 0.5], [1.0, 0.0, 2.9]));
    assert!(!violated([0.0, 0.5], [1.0, 0.0, 3.0]) && !violated([0.0, 0.6], [1.0, 1.0, 0.0]));
    assert!(!violated([0.0, 0.5], [f64::NAN, 1.0, f64::NAN]));
}

/// Inputs and outputs in one disjunction: a box each, tightened by what holds for all.
#[test]
fn a_mixed_disjunction_gives_a_box_for_each_case() {
    let cases = "(assert (or (and (<= X_0 0) (>= Y_0 1)) (and (>= X_0 (/ 1 4)) (<= Y_0 -1e0))\n\
        (and (<= X_0 -0) (>= Y_1 2)) (and (>= X_0 2) (>= Y_2 0))))";
    let property = parse(&format!("{BOUNDS}{cases}")).unwrap();
    // The first and the third share a box, the last is empty.
    assert_eq!(property.regions.len(), 2);
    let [first, second] = &property.regions[..] else { panic!("two regions") };
    assert_eq!((&first.lower[..], &first.upper[..]), (&[-1.0, 0.0][..], &[0.0, 0.5][..]));
    assert_eq!(first.unsafe_outputs.len(), 2);
    assert_eq!((&second.lower[..], &second.upper[..]), (&[0.25, 0.0][..], &[1.0, 0.5][..]));
    assert_eq!(second.unsafe_outputs, [vec![at_most(&[(0, 1.0)], -1.0)]]);
}

#[test]
fn two_disjunctions_multiply_and_nested_ones_flatten() {
    let two = "(assert (or (>= Y_0 1) (>= Y_0 2)))(assert (or (>= Y_1 1) (and (>= Y_1 2) (or (>= Y_2 0) (>= Y_2 1)))))";
    let property = parse(&format!("{BOUNDS}{two}")).unwrap();
    let sizes: Vec<usize> = property.regions[0].unsafe_outputs.iter().map(Vec::len).collect();
    assert_eq!(sizes, [2, 3, 3, 2, 3, 3]);
    let explosive = "(assert (or (>= Y_0 1) (>= Y_0 2)))".repeat(40);
    let told = parse(&format!("{BOUNDS}{explosive}")).unwrap_err().to_string();
    assert_eq!(told, "the property has more than 65536 cases: split it");
}

#[test]
fn strict_bounds_are_the_neighbouring_number_and_equalities_are_two_bounds() {
    let text = "(assert (> X_0 0))(assert (< X_0 1))(assert (= X_1 0.25))(assert (= Y_0 1))";
    let region = parse(text).unwrap().regions.remove(0);
    assert_eq!(region.lower, [0.0_f64.next_up(), 0.25]);
    assert_eq!(region.upper, [1.0_f64.next_down(), 0.25]);
    assert_eq!(region.unsafe_outputs[0], [at_most(&[(0, 1.0)], 1.0), at_most(&[(0, -1.0)], -1.0)]);
    let nothing = parse(&format!("{BOUNDS}(assert (> X_0 1))(assert (<= Y_0 0))")).unwrap();
    assert_eq!(nothing.regions, []);
    // A quotient is rounded outward.
    let thirds =
        "(assert (<= (* 3 X_0) 1))(assert (>= X_0 0))(assert (= X_1 0))(assert (<= Y_0 0))";
    let upper = parse(thirds).unwrap().regions[0].upper[0];
    assert!(upper > 1.0 / 3.0 && upper <= (1.0_f64 / 3.0).next_up());
}

#[test]
fn what_a_property_lacks_is_named() {
    let told = |text: &str| parse(text).unwrap_err().to_string();
    let missing = "(assert (<= X_0 1))(assert (>= X_1 0))(assert (<= Y_0 0))";
    assert!(told(missing).contains("`X_0` has no lower bound"));
    let missing = "(assert (and (<= X_0 1) (>= X_0 0) (>= X_1 0)))(assert (<= Y_0 0))";
    assert!(told(missing).contains("`X_1` has no upper bound"));
    assert!(told(BOUNDS).contains("no output is constrained"));
    let one = format!("{BOUNDS}(assert (or (<= Y_0 0) (<= X_0 0)))");
    assert!(told(&one).contains("no output is constrained in one of the cases"));
    let mixed = format!("{BOUNDS}\n(assert (<= X_0 Y_0))");
    assert!(told(&mixed).contains("line 9: a comparison of `X_0` with another variable"));
    let cut = format!("{BOUNDS}(assert (<= Y_0 ");
    assert!(told(&cut).contains("line 8: the text ends inside this list"));
}

/// Whatever is left of a file that was cut anywhere is an error, never another property.
#[test]
fn a_file_that_was_cut_short_is_never_read_as_a_whole_one() {
    let text = format!("{VARIABLES}{BOUNDS}(assert (or (and (>= Y_1 Y_0)) (and (>= Y_2 Y_0))))");
    let whole = Property::parse(&text).unwrap();
    for end in 0..text.len() {
        if let Ok(property) = Property::parse(&text[..end]) {
            assert_eq!(property, whole, "cut at {end}");
        }
    }
}

proptest! {
    /// Words of the format in any order are read or refused; nothing panics, no bound is missing.
    #[test]
    fn a_heap_of_words_is_read_or_refused(words in prop::collection::vec(0..WORDS.len(), 0..40)) {
        let heap: Vec<&str> = words.into_iter().map(|word| WORDS[word]).collect();
        for text in [heap.join(" "), format!("{VARIABLES}{BOUNDS}(assert {})", heap.join(" "))] {
            if let Ok(property) = Property::parse(&text) {
                for region in &property.regions {
                    let mut bounds = region.lower.iter().zip(&region.upper);
                    prop_assert!(bounds.all(|(low, high)| low <= high && (high - low).is_finite()));
                    prop_assert!(region.unsafe_outputs.iter().all(|all| !all.is_empty()));
                }
            }
        }
    }
}

const WORDS: [&str; 20] = [
    "(",
    ")",
    "(and",
    "(or",
    "(<=",
    "(>=",
    "(<",
    "(=",
    "(+",
    "(*",
    "(/",
    "(-",
    "X_0",
    "X_1",
    "Y_0",
    "Y_1",
    "1",
    "-0.5e2",
    "(<= Y_0 1)",
    "(>= X_0 Y_2)",
];

#[test]
fn a_file_that_is_no_text_names_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a property.vnnlib");
    std::fs::write(&path, b"; fine\n\xff\xfe").unwrap();
    assert!(Property::read(&path).unwrap_err().to_string().contains("line 2: this is no text"));
    let none = Property::read(&folder.path().join("none.vnnlib")).unwrap_err().to_string();
    assert!(none.contains("none.vnnlib"), "{none}");
}

fn models() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/models");
    let folder = std::env::var_os("DURESS_MODELS").map_or(root, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("SKIPPED: no folder of models; set DURESS_MODELS");
    None
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_properties_of_the_competition_are_read() {
    let Some(folder) = models() else { return };
    let properties = files(&folder, "vnnlib");
    if properties.is_empty() {
        println!("SKIPPED: no .vnnlib file in the folder of models");
    }
    for path in &properties {
        let property = Property::read(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let region = &property.regions[0];
        assert_eq!(property.regions.len(), 1, "{path:?}");
        // Declarations and bounds, counted in the text.
        let text = std::fs::read_to_string(path).unwrap();
        let count = |pattern: &str| text.matches(pattern).count();
        assert_eq!(property.inputs, count("(declare-const X_"), "{path:?}");
        assert_eq!(property.outputs, count("(declare-const Y_"), "{path:?}");
        assert_eq!(property.inputs, count("(<= X_"), "{path:?}");
        let constraints: usize = region.unsafe_outputs.iter().map(Vec::len).sum();
        assert_eq!(constraints, count("(<= Y_") + count("(>= Y_"), "{path:?}");
        assert!(region.lower.iter().zip(&region.upper).all(|(low, high)| low <= high));
    }
    for path in files(&folder, "csv").iter().filter(|path| path.ends_with("test_instances.csv")) {
        let instances = read_instances(path).unwrap();
        assert!(!instances.is_empty());
    }
}
