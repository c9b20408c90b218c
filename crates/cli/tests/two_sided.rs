//! Attacks and proofs together, on the network of `examples/pytorch`.
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

const EVALUATE: &str = "evaluate --model net.onnx --data test.npz --norm linf \
                        --epsilon 0.01,0.03 --limit 30 --suite pgd --certify crown";

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of_kind(rows: &[Value], kind: &str) -> Vec<Value> {
    rows.iter().filter(|row| row["kind"] == kind).cloned().collect()
}

#[test]
fn each_sample_is_wrong_or_broken_or_proved_or_open_and_never_two_of_them() {
    let world = world();
    let said = world.duress(&format!("{EVALUATE} --out run")).succeeded();
    for part in ["robust   ", "proved   ", "linf 0.03 by crown", "neither broken nor proved"] {
        assert!(said.stdout.contains(part), "{part}: {}", said.stdout);
    }
    let rows = lines(&world.read("run/rows.jsonl"));
    let samples = lines(&world.read("run/samples.jsonl"));
    let sides = of_kind(&rows, "two_sided");
    assert_eq!(sides.len(), 2);
    for side in &sides {
        let at: Vec<&Value> =
            samples.iter().filter(|sample| sample["epsilon"] == side["epsilon"]).collect();
        let radius = side["epsilon"].as_f64().unwrap();
        let count = |wanted: fn(&Value, bool) -> bool| -> usize {
            let proved = |one: &Value| one["certified"].as_f64().unwrap() >= radius;
            at.iter().filter(|one| wanted(one, proved(one))).count()
        };
        let counts = [
            count(|one, _| one["clean_correct"] == false),
            count(|one, _| one["broken_by"].is_string()),
            count(|one, proved| one["robust"] == true && proved),
            count(|one, proved| one["robust"] == true && !proved),
        ];
        let expected = ["wrong", "broken", "proved", "open"].map(|key| side[key].as_u64().unwrap());
        assert_eq!(counts.map(|count| count as u64), expected);
        assert_eq!((at.len(), counts.iter().sum::<usize>()), (30, 30));
    }
    assert!(sides[0]["proved"].as_u64().unwrap() > 0, "{sides:?}");
    for sample in samples.iter().filter(|sample| sample["broken_by"].is_string()) {
        assert!(sample["certified"].as_f64() < sample["distance"].as_f64(), "{sample}");
    }
    assert!(world.path("run/pictures/certified-accuracy-linf.svg").exists());
    assert!(world.read("run/report.html").contains("survived attacks"));
}

#[test]
fn what_is_proved_need_not_be_attacked_and_the_verdict_is_the_same() {
    let world = world();
    world.duress(&format!("{EVALUATE} --out all")).succeeded();
    world.duress(&format!("{EVALUATE} --skip-certified --out less")).succeeded();
    let [all, less] = ["all", "less"].map(|run| lines(&world.read(&format!("{run}/rows.jsonl"))));
    let verdicts = |rows: &[Value]| -> Vec<Value> {
        of_kind(rows, "worst_case").iter().map(|row| row["robust_correct"].clone()).collect()
    };
    assert_eq!(verdicts(&all), verdicts(&less));
    let near = |rows: &[Value]| of_kind(rows, "attack")[0].clone();
    let (all, less) = (near(&all), near(&less));
    assert_eq!(all.get("proved"), None);
    assert!(less["proved"].as_u64().unwrap() > 0);
    assert!(less["forwards"].as_u64() < all["forwards"].as_u64());
}

/// What verification refutes counts as broken, though the attack is only noise.
#[test]
fn a_counterexample_of_the_verifier_is_a_break() {
    let world = world();
    let words = "evaluate --model net.onnx --data test.npz --norm linf --epsilon 0.2 --limit 6 \
                 --suite uniform-noise --certify verify --out run";
    let said = world.duress(words).succeeded();
    assert!(said.stdout.contains("verify"), "{}", said.stdout);
    let rows = lines(&world.read("run/rows.jsonl"));
    let worst = &of_kind(&rows, "worst_case")[0];
    let by = worst["broken_by"]["verify"].as_u64().unwrap();
    assert!(by > 0, "{worst}");
    assert!(worst["attacks"].as_array().unwrap().contains(&"verify".into()));
}
