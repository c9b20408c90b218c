//! Wrong inputs of `duress evaluate` and `duress predict`: exit code 2, an error that names the
//! fix, nothing measured.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
mod common;

use common::{World, pytorch};

/// What stands in place of the usual words, what is added, and what the message must say.
type Case =
    (&'static [(&'static str, &'static str)], &'static [&'static str], &'static [&'static str]);

const CASES: &[Case] = &[
    // The model.
    (&[("net.onnx", "none.onnx")], &[], &["none.onnx", "no such file"]),
    (&[("net.onnx", "test.npz")], &[], &["expected a file that ends in .onnx"]),
    (&[("net.onnx", "weights.pt")], &[], &["torch.onnx.export"]),
    (&[("net.onnx", "empty.onnx")], &[], &["empty.onnx", "an empty file"]),
    (&[("net.onnx", "text.onnx")], &[], &["text.onnx", "expected"]),
    (&[("net.onnx", "cut.onnx")], &[], &["cut.onnx", "expected"]),
    (&[("net.onnx", "bad.safetensors")], &[], &["bad.safetensors"]),
    (&[("net.onnx", "http://")], &[], &["url"]),
    (&[("net.onnx", "cmd:")], &[], &["command", "a program"]),
    (&[("net.onnx", "cmd:'open quote")], &[], &["each quote closed"]),
    (&[], &["--input-name", "image"], &["one called `image`", "input"]),
    (&[], &["--output-name", "probabilities"], &["one called `probabilities`", "logits"]),
    // Its input.
    (&[], &["--layout", "chw"], &["--layout", "nchw"]),
    (&[], &["--mean", "0.5"], &["--std"]),
    (&[], &["--mean", "0.5", "--std", "0"], &["std", "above 0"]),
    (&[], &["--mean", "0.5,0.5", "--std", "1,1"], &["1 value or 1"]),
    (&[], &["--scale", "0"], &["scale", "above 0"]),
    (&[], &["--layout", "nhwc"], &["a network for Image"]),
    (&[], &["--card", "none.toml"], &["none.toml"]),
    (&[], &["--card", "broken.toml"], &["broken.toml", "expected"]),
    (&[], &["--card", "odd.toml"], &["unknown field `men`"]),
    (&[], &["--answers", "labels"], &["--answers is for a service"]),
    (&[], &["--token-env", "TOKEN"], &["--token-env is for a service"]),
    // The data.
    (&[("test.npz", "none.npz")], &[], &["none.npz", "no such file", "digits"]),
    (&[("test.npz", "net.onnx")], &[], &["net.onnx"]),
    (&[("test.npz", "cut.npz")], &[], &["cut.npz"]),
    (&[("test.npz", "empty.npy")], &[], &["empty.npy"]),
    (&[], &["--keys", "x,z"], &["`z`", "x, y"]),
    (&[], &["--labels", "y.npy"], &["`labels` must be left out"]),
    (&[], &["--bounds", "1,0"], &["bounds", "in order"]),
    (&[], &["--bounds", "0,0.5"], &["0.5"]),
    (&[], &["--label-offset", "2"], &["label"]),
    (&[], &["--classes", "classes.txt"], &["classes"]),
    (&[], &["--resize", "0,8"], &["resize"]),
    (&[], &["--channels", "2"], &["1 (grey) or 3 (RGB)"]),
    (&[], &["--channels", "3"], &["a network for Image"]),
    (&[], &["--limit", "0"], &["--limit"]),
    (&[("test.npz", "breast-cancer")], &[], &["a network for Table"]),
    (&[("test.npz", "digits")], &["--keys", "x,y"], &["--keys is for files"]),
    // The question.
    (&[("linf", "l3")], &[], &["l3", "linf"]),
    (&[("0.1", "8/0")], &[], &["8/0"]),
    (&[("0.1", "-1")], &[], &["-1"]),
    (&[], &["--suite", "autoatack"], &["no attack `autoatack`", "autoattack-standard"]),
    (&[], &["--config", "none.toml"], &["none.toml"]),
    (&[], &["--certify", "crwn"], &["no certifier `crwn`", "crown"]),
    (&[], &["--certify", "smoothing"], &["certifies l2 balls", "the threat is linf", "crown"]),
    (&[], &["--certify-config", "none.toml"], &["none.toml"]),
    (&[], &["--certify", "crown", "--certify-samples", "0"], &["--certify-samples"]),
    (&[], &["--skip-certified"], &["`skip_certified` needs", "crown"]),
    (&[], &["--fail-under", "40"], &["--fail-under", "0.4"]),
    (&[], &["--budget=-1"], &["--budget"]),
    (&[], &["--device", "tpu"], &["tpu"]),
    (&[("run", "net.onnx")], &[], &["net.onnx"]),
];

fn world() -> World {
    let world = World::new();
    world.file("net.onnx", pytorch("digits.onnx"));
    world.file("test.npz", pytorch("digits.npz"));
    world.file("cut.onnx", &pytorch("digits.onnx")[..3000]);
    world.file("cut.npz", &pytorch("digits.npz")[..3000]);
    world.file("text.onnx", "this is no network");
    for empty in ["empty.onnx", "empty.npy", "weights.pt"] {
        world.file(empty, "");
    }
    world.file("bad.safetensors", "bad");
    world.file("broken.toml", "input = ");
    world.file("odd.toml", "[input]\nmen = [0.5]\n");
    world.file("classes.txt", "zero\none\n");
    world
}

#[test]
fn each_wrong_input_is_named_with_its_fix_and_nothing_is_measured() {
    let mut complaints = Vec::new();
    for (replaced, more, fragments) in CASES {
        let world = world();
        let usual = [
            "evaluate",
            "--model",
            "net.onnx",
            "--data",
            "test.npz",
            "--norm",
            "linf",
            "--epsilon",
            "0.1",
            "--out",
            "run",
        ];
        let words = usual.map(|word| {
            replaced.iter().find(|(old, _)| *old == word).map_or(word, |(_, new)| *new)
        });
        let words: Vec<&str> = words.into_iter().chain(more.iter().copied()).collect();
        let before = world.listing();
        let said = world.words(&words);
        let last = said.stderr.lines().last().unwrap_or("");
        let right = said.code == Some(2)
            && last.starts_with("error: ")
            && !said.stderr.contains("panicked")
            && said.stdout.is_empty()
            && fragments.iter().all(|fragment| last.contains(fragment))
            && world.listing() == before;
        if !right {
            let new: Vec<_> = world.listing().difference(&before).cloned().collect();
            complaints.push(format!(
                "duress {}\n  expected {fragments:?}\n  code {:?}\n  stdout {:?}\n  stderr {:?}\n  \
                 new files {new:?}",
                words.join(" "),
                said.code,
                said.stdout,
                said.stderr
            ));
        }
    }
    assert!(CASES.len() >= 25 && complaints.is_empty(), "\n{}", complaints.join("\n\n"));
}

#[test]
fn predictions_need_a_file_to_go_to() {
    let world = world();
    let predict = |out: &str| {
        world.words(["predict", "--model", "net.onnx", "--data", "test.npz", "--out", out])
    };
    for (out, fragment) in [("logits.txt", ".npy"), ("none/logits.npy", "a folder that exists")] {
        let said = predict(out);
        assert_eq!(said.code, Some(2), "{out}");
        assert!(said.stderr.contains(fragment), "{}", said.stderr);
    }
}
