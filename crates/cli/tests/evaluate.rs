//! A user's own network and data: the files of `examples/pytorch`, made by PyTorch.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a test may say and panic")]
mod common;

use std::collections::BTreeMap;
use std::process::Command;

use common::{EXPERIMENT, World, pytorch};
use duress_evaluation::datasets::open::Options;
use duress_evaluation::datasets::{Input, npy};
use serde_json::Value;

fn world() -> World {
    let world = World::new();
    world.file("my net.onnx", pytorch("digits.onnx"));
    world.file("test.npz", pytorch("digits.npz"));
    world
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    npy::read(Input::new("f", bytes).unwrap()).unwrap().floats()
}

#[test]
fn a_network_of_pytorch_answers_as_pytorch_says() {
    let world = world();
    let words = ["predict", "--model", "my net.onnx", "--data", "test.npz", "--out", "logits.npy"];
    let said = world.words(words).succeeded();
    assert!(said.stdout.contains("[200, 10]"), "{}", said.stdout);
    let got = floats(&std::fs::read(world.path("logits.npy")).unwrap());
    for (got, expected) in got.iter().zip(floats(&pytorch("digits_logits.npy"))) {
        assert!((got - expected).abs() < 1e-4, "{got} for {expected}");
    }
}

/// One word after the other; a path may hold spaces.
const EVALUATE: [&str; 12] = [
    "evaluate",
    "--model",
    "my net.onnx",
    "--data",
    "test.npz",
    "--norm",
    "linf",
    "--epsilon",
    "1/10",
    "--limit",
    "40",
    "--out",
];

#[test]
fn a_verdict_is_printed_and_the_files_of_other_programs_are_written() {
    let world = world();
    let said = world.words(EVALUATE.iter().chain(&["a run"])).succeeded();
    for part in ["clean    ", "robust   ", "linf 0.1", "broken   autoattack-standard/", "cost "] {
        assert!(said.stdout.contains(part), "{part}: {}", said.stdout);
    }
    let samples = lines(&world.read("a run/samples.jsonl"));
    assert_eq!(samples.len(), 40);
    let keys = [
        "index",
        "label",
        "predicted",
        "clean_correct",
        "robust",
        "broken_by",
        "distance",
        "norm",
        "queries",
        "gradients",
    ];
    for (place, sample) in samples.iter().enumerate() {
        assert!(keys.iter().all(|key| sample.get(key).is_some()), "{sample}");
        assert_eq!(sample["index"], place);
        let broken = sample["broken_by"].is_string();
        let robust = sample["clean_correct"] == true && !broken;
        assert_eq!(sample["robust"], robust, "{sample}");
        assert!(!broken || sample["distance"].as_f64().unwrap() <= 0.1 * (1.0 + 1e-6), "{sample}");
    }
    // What the archive holds is broken, and lies in the ball.
    world
        .words([
            "predict",
            "--model",
            "my net.onnx",
            "--data",
            "a run/adversarial.npz",
            "--keys",
            "x,label",
            "--out",
            "adversarial.npy",
        ])
        .succeeded();
    let logits = floats(&std::fs::read(world.path("adversarial.npy")).unwrap());
    for (sample, logits) in samples.iter().zip(logits.chunks(10)) {
        let best = (0..10).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
        assert_eq!(sample["robust"], Value::Bool(sample["label"] == best), "{sample}");
    }
    // The same call goes on from there, and measures nothing again.
    let rows = world.read("a run/rows.jsonl");
    world.words(EVALUATE.iter().chain(&["a run"])).succeeded();
    assert_eq!(world.read("a run/rows.jsonl"), rows);
    // A gate of a build.
    let gate = |share| world.words(EVALUATE.iter().chain(&["a run", "--fail-under", share]));
    let said = gate("0.99");
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.contains("is under 0.99"), "{}", said.stderr);
    gate("0.01").succeeded();
}

#[test]
fn a_model_card_beside_the_network_says_what_flags_would() {
    let world = World::new();
    world.file("net.onnx", pytorch("digits.onnx"));
    world.file("test.npz", pytorch("digits.npz"));
    world.file("net.toml", "[data]\nlabel_offset = 0\n[input]\nscale = 0.5\n");
    let words = ["predict", "--model", "net.onnx", "--data", "test.npz", "--out"];
    let said = world.words(words.iter().chain(&["by card.npy"])).succeeded();
    assert!(said.stderr.contains("model card net.toml"), "{}", said.stderr);
    world.file("net.toml", "");
    world.words(words.iter().chain(&["by flag.npy", "--scale", "0.5"])).succeeded();
    let read = |name| std::fs::read(world.path(name)).unwrap();
    assert_eq!(read("by card.npy"), read("by flag.npy"));
    world.file("net.toml", "[inputs]\nscale = 0.5\n");
    let said = world.words(words.iter().chain(&["x.npy"]));
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("`inputs`"), "{}", said.stderr);
}

#[test]
fn nonsense_is_not_attacked_and_the_likely_cause_is_named() {
    let world = world();
    let said = world.words(EVALUATE.iter().chain(&["shift", "--label-offset", "-1", "--force"]));
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("label_offset"), "{}", said.stderr);
    // Pictures upside down in brightness: no better than a guess.
    let wrong = ["wrong", "--mean", "40", "--std", "0.001"];
    let said = world.words(EVALUATE.iter().chain(&wrong));
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    assert!(!world.path("wrong/samples.jsonl").exists());
    world.words(EVALUATE.iter().chain(&wrong).chain(&["--force", "--suite", "fgm"])).succeeded();
}

/// A program of Python's own library: sums of the four quadrants of a picture.
const PROGRAM: &str = r#"
import ast, struct, sys
stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
while stdin.peek(1):
    head = stdin.read(10)
    text = stdin.read(struct.unpack("<H", head[8:])[0]).decode()
    shape = ast.literal_eval(text)["shape"]
    count, size = shape[0], 1
    for side in shape[1:]:
        size *= side
    values = struct.unpack("<%df" % (count * size), stdin.read(4 * count * size))
    scores = []
    for row in range(count):
        x = values[row * size:][:size]
        for top in (0, 4):
            for left in (0, 4):
                scores.append(sum(x[8 * i + j] for i in range(top, top + 4) for j in range(left, left + 4)))
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 4), }" % count
    text += " " * (-(len(text) + 11) % 64) + "\n"
    stdout.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode())
    stdout.write(struct.pack("<%df" % (4 * count), *scores))
    stdout.flush()
"#;

fn python() -> bool {
    let found =
        Command::new("python3").arg("--version").output().is_ok_and(|out| out.status.success());
    if !found {
        println!("SKIPPED: there is no python3");
    }
    found
}

#[test]
fn a_program_is_attacked_by_its_scores_and_by_its_labels_only_within_the_budget() {
    if !python() {
        return;
    }
    let world = world();
    world.file("my model.py", PROGRAM);
    // The quadrant with the most ink is the class.
    let inputs = npy_of(&world, 24);
    world.file("inputs.npy", inputs);
    let program = "cmd:python3 'my model.py'";
    let said =
        world.words(["predict", "--model", program, "--data", "inputs.npy", "--out", "scores.npy"]);
    said.succeeded();
    let scores = floats(&std::fs::read(world.path("scores.npy")).unwrap());
    let labels: Vec<i64> = scores
        .chunks(4)
        .map(|four| (0..4).max_by(|&a, &b| four[a].total_cmp(&four[b])).unwrap() as i64)
        .collect();
    world.file("labels.npy", npy::encode(&[24], &labels).unwrap());
    let evaluate = [
        "evaluate",
        "--model",
        program,
        "--data",
        "inputs.npy",
        "--labels",
        "labels.npy",
        "--norm",
        "linf",
        "--epsilon",
        "0.2",
        "--budget",
        "60",
        "--out",
    ];
    let said = world.words(evaluate.iter().chain(&["scores"])).succeeded();
    assert!(said.stdout.contains("square"), "{}", said.stdout);
    let said = world.words(evaluate.iter().chain(&["wrong", "--suite", "pgd"]));
    assert_eq!(said.code, Some(2));
    for part in ["asks for gradients", "answers with scores only", "square"] {
        assert!(said.stderr.contains(part), "{}", said.stderr);
    }
    let spent: BTreeMap<bool, usize> = lines(&world.read("scores/samples.jsonl")).iter().fold(
        BTreeMap::new(),
        |mut spent, sample| {
            let queries = sample["queries"].as_u64().unwrap();
            assert!(queries <= 60 && sample["gradients"] == 0, "{sample}");
            *spent.entry(sample["robust"] == true).or_default() += 1;
            spent
        },
    );
    assert!(spent.contains_key(&false), "{spent:?}");
}

/// Taken for logits, probabilities are squeezed into an interval of length 1: scores would be read
/// wrongly and nobody would notice.
#[test]
fn a_service_whose_probabilities_are_taken_for_logits_is_told_of() {
    if !python() {
        return;
    }
    let world = world();
    let shares = "    scores = [(s + 1) / (sum(scores[i // 4 * 4:][:4]) + 4) for i, s in enumerate(scores)]\n    text = \"{'descr'";
    world.file("model.py", PROGRAM.replacen("    text = \"{'descr'", shares, 1));
    world.file("inputs.npy", npy_of(&world, 24));
    let program = "cmd:python3 model.py";
    let words = ["predict", "--model", program, "--data", "inputs.npy", "--out", "scores.npy"];
    world.words(words).succeeded();
    let scores = floats(&std::fs::read(world.path("scores.npy")).unwrap());
    let best = |four: &[f32]| (0..4).max_by(|&a, &b| four[a].total_cmp(&four[b])).unwrap() as i64;
    let labels: Vec<i64> = scores.chunks(4).map(best).collect();
    world.file("labels.npy", npy::encode(&[24], &labels).unwrap());
    let evaluate =
        "--data inputs.npy --labels labels.npy --norm linf --epsilon 0.1 --budget 5 --out";
    let run = |out: &str, more: &[&str]| {
        let words = ["evaluate", "--model", program].into_iter();
        world.words(words.chain(evaluate.split(' ')).chain([out]).chain(more.iter().copied()))
    };
    let told = "are probabilities";
    let said = run("as logits", &[]).succeeded();
    assert!(said.stderr.contains(told), "{}", said.stderr);
    let said = run("as they are", &["--answers", "probabilities"]).succeeded();
    assert!(!said.stderr.contains(told), "{}", said.stderr);
}

/// The first inputs of the samples as one array.
fn npy_of(world: &World, count: usize) -> Vec<u8> {
    let path = world.path("test.npz");
    let opened = duress_evaluation::datasets::open::open(&path, &Options::default()).unwrap();
    let values = &opened.dataset.values()[..count * 64];
    npy::encode(&[count, 1, 8, 8], values).unwrap()
}

#[test]
fn a_trained_model_is_exported_and_answers_the_same() {
    let world = World::new();
    world.file("e.toml", EXPERIMENT);
    world.duress("train e.toml --model small --out small.safetensors").succeeded();
    let said = world.duress("export small.safetensors --out small.onnx").succeeded();
    assert!(said.stdout.contains("[1, 8, 8] to [10]"), "{}", said.stdout);
    let answers = |model: &str| {
        let out = format!("{model}.npy");
        let data = "--data digits --limit 30";
        world.duress(&format!("predict --model {model} {data} --out {out}")).succeeded();
        floats(&std::fs::read(world.path(&out)).unwrap())
    };
    let (ours, exported) = (answers("small.safetensors"), answers("small.onnx"));
    assert_eq!(ours.len(), 300);
    assert!(ours.iter().zip(&exported).all(|(a, b)| (a - b).abs() < 1e-5));
    for (words, fragment) in [
        ("export small.onnx --out again.onnx", "small.onnx"),
        ("export small.safetensors --out small.txt", ".onnx"),
        ("export none.safetensors --out none.onnx", "none.safetensors"),
    ] {
        let said = world.duress(words);
        assert_eq!(said.code, Some(2), "{words}: {}", said.stderr);
        assert!(said.stderr.contains(fragment), "{}", said.stderr);
    }
}
