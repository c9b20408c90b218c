//! `duress bound` and `duress verify` on the network of `examples/pytorch` and on a property written
//! here.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
mod common;

use common::{World, pytorch};
use serde_json::Value;

fn world() -> World {
    let world = World::new();
    world.file("net.onnx", pytorch("digits.onnx"));
    world.file("test.npz", pytorch("digits.npz"));
    world
}

const BOUND: &str = "bound --model net.onnx --data test.npz --limit 12 --norm linf --epsilon 0.03";

#[test]
fn lower_bounds_stay_below_what_an_attack_reaches_and_tighten_from_method_to_method() {
    let world = world();
    let of = |method: &str| -> Vec<Value> {
        let said = world.duress(&format!("{BOUND} --method {method} --json")).succeeded();
        said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let runs = ["ibp", "crown-ibp", "crown", "alpha-crown"].map(of);
    let list = |sample: &Value, key: &str| -> Vec<f64> {
        sample[key].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    };
    let mut certified = [0; 4];
    for (place, run) in runs.iter().enumerate() {
        assert_eq!(run.len(), 12);
        for (index, sample) in run.iter().enumerate() {
            let label = sample["label"].as_u64().unwrap() as usize;
            let (lower, upper) = (list(sample, "lower"), list(sample, "upper"));
            assert_eq!(
                (lower.len(), upper.len(), sample["index"].as_u64()),
                (10, 10, Some(index as u64))
            );
            assert_eq!((lower[label], upper[label]), (0.0, 0.0));
            assert!(lower.iter().zip(&upper).all(|(lower, upper)| lower <= upper), "{sample}");
            certified[place] += usize::from(sample["certified"] == true);
            if place > 0 {
                let looser = list(&runs[place - 1][index], "lower");
                assert!(looser.iter().zip(&lower).all(|(a, b)| a <= b), "{sample}");
            }
        }
    }
    assert!(certified.is_sorted() && certified[3] > certified[0], "{certified:?}");
    let said = world.duress(BOUND).succeeded();
    assert!(said.stdout.contains(&format!("certified {} of 12", certified[2])), "{}", said.stdout);
}

#[test]
fn what_is_asked_wrongly_of_bounds_is_named() {
    let world = world();
    for (words, fragment) in [
        ("bound --model net.onnx --data test.npz", "--norm and --epsilon"),
        ("bound --model net.onnx --data test.npz --norm linf", "--epsilon"),
        (
            "bound --model net.onnx --data test.npz --norm linf --epsilon 0.1 --method magic",
            "magic",
        ),
        ("bound --model net.onnx --data test.npz --lower test.npz --upper none.npy", "test.npz"),
        (
            "bound --model http://localhost:1 --data test.npz --norm linf --epsilon 0.1",
            "a network of a file",
        ),
        ("verify --model net.onnx", "--property"),
        ("verify --model net.onnx --property none.vnnlib", "none.vnnlib"),
        ("verify --model net.onnx --property test.npz", "test.npz"),
        ("verify --instances none.csv", "--out"),
        ("verify --instances none.csv --out r.csv", "none.csv"),
        ("verify --model net.onnx --property none.vnnlib --complete magic", "magic"),
        ("verify --instances test.npz --out r.svg", "test.npz"),
        ("verify", "--model and --property"),
    ] {
        let before = world.listing();
        let said = world.duress(words);
        assert_eq!(said.code, Some(2), "{words}: {}", said.stderr);
        assert!(said.stderr.contains(fragment), "{words}: {}", said.stderr);
        assert!(said.stdout.is_empty() && world.listing() == before, "{words}");
    }
}

/// All pixels within 0.01 of the first sample; unsafe if class 0 is not below class 1.
fn property(world: &World, least: &str) -> String {
    use duress_evaluation::datasets::open::{Options, open};
    let data = open(&world.path("test.npz"), &Options::default()).unwrap().dataset;
    assert_eq!(data.label(0), 1);
    let inputs = (0..64).map(|pixel| format!("(declare-const X_{pixel} Real)\n"));
    let outputs = (0..10).map(|class| format!("(declare-const Y_{class} Real)\n"));
    let boxes = data.row(0).iter().enumerate().map(|(pixel, value)| {
        let (low, high) = ((value - 0.01).max(0.0), (value + 0.01).min(1.0));
        format!("(assert (>= X_{pixel} {low}))(assert (<= X_{pixel} {high}))\n")
    });
    let text: String = inputs.chain(outputs).chain(boxes).collect();
    text + least
}

#[test]
fn a_property_is_proved_or_refuted_alone_and_in_a_list_that_goes_on() {
    let world = world();
    let holds = property(&world, "(assert (>= Y_0 Y_1))");
    let violated = property(&world, "(assert (<= Y_0 Y_1))");
    world.file("holds.vnnlib", &holds);
    world.file("violated.vnnlib", &violated);
    let said = world.duress("verify --model net.onnx --property holds.vnnlib").succeeded();
    assert_eq!(said.stdout, "unsat\n");
    let words = "verify --model net.onnx --property violated.vnnlib --counterexample found.txt";
    let said = world.duress(words).succeeded();
    assert!(said.stdout.starts_with("sat\n((X_0 "), "{}", said.stdout);
    assert!(said.stdout.trim_end().ends_with("))"));
    assert_eq!(world.read("found.txt").trim(), said.stdout["sat\n".len()..].trim());
    world.file("list.csv", "net.onnx,holds.vnnlib,20\nnet.onnx,violated.vnnlib,20\n");
    let said = world.duress("verify --instances list.csv --out results.csv").succeeded();
    assert!(said.stdout.ends_with("summary  sat 1, unsat 1\n"), "{}", said.stdout);
    assert!(world.read("results.svg").contains("instances solved against seconds"));
    assert!(world.path("results.png").is_file());
    let results = world.read("results.csv");
    assert_eq!(results.lines().count(), 2);
    let again = world.duress("verify --instances list.csv --out results.csv").succeeded();
    let lines: Vec<&str> = again.stdout.lines().collect();
    assert!(lines.len() == 3 && lines[2] == "summary  sat 1, unsat 1", "{lines:?}");
    assert_eq!(world.read("results.csv"), results);
    // The same by cutting neurons, into a list of its own.
    let words = "verify --instances list.csv --out by-neurons.csv --complete neurons";
    let said = world.duress(words).succeeded();
    assert!(said.stdout.ends_with("summary  sat 1, unsat 1\n"), "{}", said.stdout);
    // A list of results is a reference.
    let words = "verify --instances list.csv --out results.csv --reference by-neurons.csv";
    let said = world.duress(words).succeeded();
    assert!(said.stdout.ends_with("summary  sat 1, unsat 1, wrong 0\n"), "{}", said.stdout);
    world.file("reference.csv", "a,b,c\nnet.onnx,holds.vnnlib,sat\n");
    let words = "verify --instances list.csv --out results.csv --reference reference.csv";
    let said = world.duress(words);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    assert!(said.stdout.ends_with("summary  sat 1, unsat 1, wrong 1\n"), "{}", said.stdout);
    assert!(said.stderr.contains("1 verdicts contradict the reference"), "{}", said.stderr);
}

#[test]
fn an_instance_that_cannot_be_read_is_named_the_others_are_checked_and_it_is_tried_again() {
    let world = world();
    let violated = property(&world, "(assert (<= Y_0 Y_1))");
    world.file("violated.vnnlib", &violated);
    world.file("broken.onnx", "no network");
    let list = "none.onnx,violated.vnnlib,20\nbroken.onnx,violated.vnnlib,20\n\
                net.onnx,none.vnnlib,20\nnet.onnx,violated.vnnlib,20\n";
    world.file("list.csv", list);
    let words = "verify --instances list.csv --out results.csv";
    let said = world.duress(words);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    for fragment in ["none.onnx", "broken.onnx", "none.vnnlib", "3 of 4 instances"] {
        assert!(said.stderr.contains(fragment), "{fragment}: {}", said.stderr);
    }
    assert!(said.stdout.ends_with("summary  error 3, sat 1\n"), "{}", said.stdout);
    world.file("none.vnnlib", &violated);
    let said = world.duress(words);
    assert!(said.stdout.ends_with("summary  error 2, sat 2\n"), "{}", said.stdout);
}
