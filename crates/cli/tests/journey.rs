//! A user's way through the real binary: run, kill, resume, report, train, attack, certify.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use common::World;
use serde_json::Value;

/// Two models, two attacks, a certifier: 26 rows in a few seconds.
const EXPERIMENT: &str = r#"name = "small"
title = "A small experiment"
seed = 3
transfer = true

[data]
name = "digits"
test = 60

[[model]]
name = "plain"
architecture = { name = "mlp", hidden = [32] }
[model.recipe]
epochs = 5

[[model]]
name = "v1.5 noisy"
architecture = { name = "mlp", hidden = [32] }
defense = { name = "gaussian-augmentation", sigma = 0.25 }
[model.recipe]
epochs = 5

[[threat]]
norm = "linf"
epsilons = [0.05, 0.1]
headline = 0.1

[[threat]]
norm = "l2"
epsilons = [0.5]

[[attack]]
name = "pgd"
steps = 20
step_size = 0.1

[[attack]]
name = "uniform-noise"

[[certify]]
name = "smoothing"
sigma = 0.25
estimation_draws = 300
radii = [0.1, 0.2]
samples = 20
"#;

const RUN: &str = "run e.toml --threads 1 --out run";

fn world() -> World {
    let world = World::new();
    world.file("e.toml", EXPERIMENT);
    world
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rows of a run without what a clock measured.
fn rows(world: &World) -> Vec<Value> {
    let mut rows = lines(&world.read("run/rows.jsonl"));
    for row in &mut rows {
        let row = row.as_object_mut().unwrap();
        assert!(row.remove("seconds").is_some());
        row.remove("training_seconds");
    }
    rows
}

/// The files of a folder below the run and their bytes.
fn files(world: &World, folder: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(world.path("run").join(folder)).unwrap();
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    };
    entries.map(read).collect()
}

/// Starts a run and lets it write some rows.
fn begun(world: &World, rows: usize) -> Child {
    let begin = Instant::now();
    let mut child = world.command(RUN.split(' ')).spawn().unwrap();
    loop {
        let text = fs::read_to_string(world.path("run/rows.jsonl")).unwrap_or_default();
        let early = child.try_wait().unwrap();
        if text.lines().count() >= rows && early.is_none() {
            return child;
        }
        if early.is_some() || begin.elapsed() > Duration::from_mins(1) {
            let _ = child.kill();
            let status = child.wait().unwrap();
            panic!("no {rows} rows before the end ({status}, early: {early:?})");
        }
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_run_prints_its_table_and_leaves_rows_samples_pictures_and_a_report() {
    let world = world();
    let said = world.duress(RUN).succeeded();
    let table: Vec<&str> = said.stdout.lines().collect();
    assert!(table[0].contains("robust linf 0.1") && table[0].contains("certified l2 0.2"));
    assert!(table[1].starts_with("plain ") && table[1].contains(" % ["), "{}", said.stdout);
    assert!(table[2].starts_with("v1.5 noisy  gaussian-augmentation "), "{}", said.stdout);
    assert!(said.stdout.ends_with("report  run/report.html\n"), "{}", said.stdout);

    // Clean, three balls of two attacks and a worst case, certificates; then two threats both ways.
    let rows = rows(&world);
    assert_eq!(rows.len(), 2 * (1 + 3 * 3 + 1) + 2 * 2);
    for row in &rows {
        assert_eq!((&row["seed"], &row["schema"]), (&Value::from(3), &Value::from(1)), "{row}");
    }
    let samples = lines(&world.read("run/measurements.jsonl"));
    assert_eq!(samples.len(), 2 * (60 * (1 + 3 * 3) + 20));
    worst_cases_are_unions(&rows, &samples);
    let worst: Vec<Value> =
        samples.iter().filter(|sample| sample["attack"] == "worst-case").cloned().collect();
    assert_eq!(lines(&world.read("run/samples.jsonl")), worst);
    assert!(world.read("run/report.html").contains("A small experiment"));
    let pictures = files(&world, "pictures");
    for name in ["robust-accuracy-linf.svg", "transfer-l2.png", "certified-accuracy-l2.svg"] {
        assert!(pictures.contains_key(name), "{name}: {:?}", pictures.keys());
    }
    assert!(pictures.keys().any(|name| name.starts_with("examples-plain")));

    // Once more: nothing is measured, nothing changes.
    let before = (world.read("run/rows.jsonl"), world.read("run/measurements.jsonl"));
    let begin = Instant::now();
    let again = world.duress(RUN).succeeded();
    assert!(begin.elapsed() < Duration::from_secs(10));
    assert_eq!(again.stdout, said.stdout);
    assert!(before == (world.read("run/rows.jsonl"), world.read("run/measurements.jsonl")));
    let report = world.read("run/report.html");
    world.duress("report run").succeeded();
    assert!(report == world.read("run/report.html"));
    assert!(pictures == files(&world, "pictures"));

    // From the start: the same but for the clock.
    world.file("run/notes.txt", "mine");
    world.duress(&format!("{RUN} --fresh")).succeeded();
    assert_eq!(self::rows(&world), rows);
    assert_eq!(world.read("run/notes.txt"), "mine");
    assert_ne!(world.read("run/rows.jsonl"), before.0);
}

/// A sample is broken in the worst case just if an attack broke it in this ball or a smaller one.
fn worst_cases_are_unions(rows: &[Value], samples: &[Value]) {
    let mut checked = 0;
    for row in rows.iter().filter(|row| row["kind"] == "worst_case") {
        let (epsilon, of_row) = (row["epsilon"].as_f64().unwrap(), |sample: &&Value| {
            sample["model"] == row["model"] && sample["norm"] == row["norm"]
        });
        let broken = |id: &Value| {
            samples.iter().filter(of_row).any(|sample| {
                sample["index"] == *id
                    && ["pgd", "uniform-noise"].contains(&sample["attack"].as_str().unwrap())
                    && sample["epsilon"].as_f64().unwrap() <= epsilon
                    && !sample["broken_by"].is_null()
            })
        };
        let mut robust = 0;
        for sample in samples.iter().filter(|sample| sample["key"] == row["key"]) {
            let expected = sample["clean_correct"] == true && !broken(&sample["index"]);
            assert_eq!(sample["robust"], expected, "{sample}");
            robust += u64::from(expected);
            checked += 1;
        }
        assert_eq!(row["robust_correct"], robust, "{row}");
    }
    assert_eq!(checked, 2 * 3 * 60);
}

#[test]
fn a_killed_run_goes_on_and_ends_as_if_undisturbed() {
    let undisturbed = world();
    undisturbed.duress(RUN).succeeded();

    let killed = world();
    let mut child = begun(&killed, 2);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(killed.read("run/rows.jsonl").lines().count() < rows(&undisturbed).len());
    // As if it had been killed inside a line, and between the samples and their row.
    let mut text = killed.read("run/rows.jsonl");
    text.truncate(text.trim_end().len() - 40);
    killed.file("run/rows.jsonl", text);
    let said = killed.duress(RUN).succeeded();
    assert_eq!(
        said.stdout.lines().count(),
        undisturbed.duress(RUN).succeeded().stdout.lines().count()
    );
    same(&killed, &undisturbed);

    // A line cut in the middle of the samples, long after the end.
    let samples = killed.read("run/measurements.jsonl");
    killed.file("run/measurements.jsonl", samples.clone() + &samples[..100]);
    killed.duress(RUN).succeeded();
    assert_eq!(killed.read("run/measurements.jsonl"), samples);
}

fn same(one: &World, other: &World) {
    assert_eq!(rows(one), rows(other));
    assert_eq!(one.read("run/measurements.jsonl"), other.read("run/measurements.jsonl"));
    assert!(files(one, "adversarial") == files(other, "adversarial"));
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_says_so_and_goes_on() {
    let world = world();
    let child = begun(&world, 2);
    let other = world.duress(RUN);
    assert_eq!(other.code, Some(1), "{}", other.stderr);
    assert!(other.stderr.contains("another process is writing to this run"), "{}", other.stderr);
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let expected = "error: stopped; the same command goes on from here\n";
    assert!(stderr.ends_with(expected), "{stderr}");
    assert!(!world.path("run/report.html").exists());
    world.duress(RUN).succeeded();
    assert_eq!(rows(&world).len(), 26);
}

/// One model under a suite of four slow members.
const SUITE: &str = r#"name = "suite"
seed = 3

[data]
name = "digits"
train = 400
test = 60

[[model]]
name = "plain"
architecture = { name = "mlp", hidden = [16] }
[model.recipe]
epochs = 4

[[threat]]
norm = "linf"
epsilons = [0.05]

[[attack]]
name = "worst-of"
label = "suite"
attacks = [
    { name = "fgm" },
    { name = "pgd", steps = 200, step_size = 0.02 },
    { name = "square", queries = 3000 },
    { name = "square", label = "again", queries = 3000 },
]
"#;

/// A suite keeps each part it finished: a run that is stopped within it takes it up from there.
#[cfg(unix)]
#[test]
fn a_run_that_is_stopped_within_a_suite_goes_on_from_its_last_part() {
    let suite = || {
        let world = World::new();
        world.file("e.toml", SUITE);
        world
    };
    let undisturbed = suite();
    undisturbed.duress(RUN).succeeded();
    assert!(!undisturbed.path("run/parts").exists() || parts(&undisturbed).is_empty());

    let stopped = suite();
    let mut child = stopped.command(RUN.split(' ')).spawn().unwrap();
    let begin = Instant::now();
    while parts(&stopped).len() < 2 {
        let early = child.try_wait().unwrap();
        assert!(early.is_none() && begin.elapsed() < Duration::from_mins(1), "{early:?}");
        thread::sleep(Duration::from_millis(1));
    }
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let kept = parts(&stopped);
    assert!(kept.len() >= 2, "{kept:?}");
    // Clean accuracy only: the suite has no row yet.
    assert_eq!(rows(&stopped).len(), 1);

    stopped.duress(RUN).succeeded();
    same(&stopped, &undisturbed);
    assert!(parts(&stopped).is_empty());
    let rows = rows(&stopped);
    let stages = rows.iter().find_map(|row| row.get("stages")).unwrap().as_array().unwrap();
    let of = |stage: &Value, field: &str| stage[field].as_u64().unwrap();
    assert_eq!(stages.len(), 4);
    for pair in stages.windows(2) {
        let left = of(&pair[0], "given") - of(&pair[0], "broken");
        assert_eq!(of(&pair[1], "given"), left, "{stages:?}");
    }
    assert!(stopped.read("run/report.html").contains("suite/again"));
}

/// The finished parts of measurements that are not.
#[cfg(unix)]
fn parts(world: &World) -> Vec<std::path::PathBuf> {
    let folders = fs::read_dir(world.path("run/parts")).into_iter().flatten().flatten();
    let files = folders.flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten());
    let paths = files.flatten().map(|file| file.path());
    paths.filter(|path| path.extension().is_some_and(|kind| kind == "safetensors")).collect()
}

#[test]
fn a_trained_model_is_attacked_and_certified_from_any_path() {
    let world = world();
    let model = world.path("Modèle à moi/réseau 1.2.safetensors");
    world.file(
        "Modèle à moi/attacks.toml",
        "[[attack]]\nname = \"pgd\"\nlabel = \"margin\"\nloss = \"margin\"\nsteps = 5\n",
    );
    world.file(
        "c.toml",
        "[[certify]]\nname = \"smoothing\"\nsigma = 0.25\nestimation_draws = 200\n",
    );
    let model = model.to_str().unwrap();
    let trained =
        world.words(["train", "e.toml", "--model", "v1.5 noisy", "--out", model]).succeeded();
    assert_eq!(trained.stdout, format!("model  {model}\n"));

    let limit = ["--data", "digits", "--limit", "30", "--threads", "1", "--json"];
    let attack = ["attack", model, "--norm", "linf", "--epsilon", "0.2,0.1", "--attack", "pgd"];
    let config = ["--config", "Modèle à moi/attacks.toml", "--out", "Où/attaque"];
    let said = world.words(attack.iter().chain(&limit).chain(&config)).succeeded();
    let rows = lines(&said.stdout);
    let of = |kind: &str| rows.iter().filter(|row| row["kind"] == kind).collect::<Vec<_>>();
    assert_eq!((of("clean").len(), of("attack").len(), of("worst_case").len()), (1, 4, 2));
    assert_eq!(rows, lines(&world.read("Où/attaque/rows.jsonl")));
    assert!(of("attack").iter().all(|row| row["samples"] == 30 && row["model"] == "réseau 1.2"));
    assert_eq!(of("worst_case")[0]["epsilon"], 0.1);
    assert_eq!(of("worst_case")[1]["headline"], true);
    assert!(world.read("Où/attaque/report.html").contains("réseau 1.2"));

    let certify = ["certify", model, "--radii", "0.1", "--config", "c.toml", "--out", "certified"];
    let said = world.words(certify.iter().chain(&limit)).succeeded();
    let rows = lines(&said.stdout);
    assert_eq!(rows.len(), 2);
    assert_eq!((&rows[1]["kind"], &rows[1]["radii"][0]), (&"certified".into(), &0.1.into()));
    assert_eq!(rows[1]["config"]["estimation_draws"], 200);

    // The same path, other weights: the rows of the old ones are not taken for theirs.
    let other = world.words(["train", "e.toml", "--model", "plain", "--out", model]).succeeded();
    assert_eq!(other.stdout, trained.stdout);
    let said = world.words(certify.iter().chain(&limit));
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("the weights of model `réseau 1.2` was"), "{}", said.stderr);
    world.words(certify.iter().chain(&limit).chain(&["--fresh"])).succeeded();
}

#[test]
fn a_reader_that_leaves_early_does_not_disturb() {
    let world = World::new();
    let small = EXPERIMENT.replace("epochs = 5", "epochs = 1").replace("test = 60", "test = 10");
    world.file("e.toml", small);
    for line in ["list", "list --json", "data list", RUN, "report run", "--help"] {
        let mut child = world.command(line.split(' ')).spawn().unwrap();
        let mut first = String::new();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        reader.read_line(&mut first).unwrap();
        drop(reader);
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!first.is_empty(), "{line}");
        assert!(output.status.success() && !stderr.contains("panicked"), "{line}: {stderr}");
        assert!(!stderr.contains("error"), "{line}: {stderr}");
    }
    assert!(world.path("run/report.html").exists());
}
