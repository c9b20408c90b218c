//! Wrong inputs through the real binary: exit code 2, one line that names the fix, nothing left
//! behind.
#![expect(clippy::unwrap_used, reason = "a test may panic")]
mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;

use common::{EXPERIMENT, World};

/// What is wrong with the call, or nothing.
fn complaint(world: &World, words: &[&str], fragments: &[&str]) -> Option<String> {
    let before = world.listing();
    let said = world.words(words);
    let after = world.listing();
    let lines: Vec<&str> = said.stderr.lines().collect();
    let right = said.code == Some(2)
        && lines.len() == 1
        && lines[0].starts_with("error: ")
        && !lines[0].contains("panicked")
        && said.stdout.is_empty()
        && fragments.iter().all(|fragment| said.stderr.contains(fragment))
        && before == after;
    (!right).then(|| {
        let new: Vec<_> = after.symmetric_difference(&before).collect();
        format!(
            "duress {}\n  expected {fragments:?}\n  code {:?}\n  stdout {:?}\n  stderr {:?}\n  \
             changed files {new:?}",
            words.join(" "),
            said.code,
            said.stdout,
            said.stderr
        )
    })
}

#[track_caller]
fn none_of(complaints: Vec<Option<String>>) {
    let complaints: Vec<String> = complaints.into_iter().flatten().collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n\n"));
}

/// What stands in [`EXPERIMENT`], what is wrong instead, and what the message must say.
const EXPERIMENTS: &[(&str, &str, &[&str])] = &[
    ("seed = 0", "seed = ", &["line 3", "e.toml"]),
    ("seed = 0", "sead = 0", &["line 3", "unknown field `sead`", "`seed`"]),
    ("seed = 0", "seed = -1", &["line 3", "-1"]),
    ("name = \"e\"\n", "name = \"../e\"\n", &["`name` must be letters", "../e"]),
    ("train = 200", "trian = 200", &["unknown field `trian`", "`train`"]),
    ("name = \"digits\"", "name = \"didgits\"", &["no data set `didgits`", "digits"]),
    ("test = 20", "test = 0", &["`test` must be at least 1"]),
    ("validation = 0.1", "validation = 1.0", &["`validation` must be in [0, 1)"]),
    ("train = 200\ntest = 20\nvalidation = 0.1", "train = 1\nvalidation = 0.9", &["training"]),
    ("epochs = 1", "epohcs = 1", &["unknown field `epohcs`", "`epochs`"]),
    ("epochs = 1", "epochs = 0", &["`epochs` must be at least 1"]),
    ("epochs = 1", "epochs = \"one\"", &["expected u32", "line 15"]),
    ("\"mlp\", hidden = [8]", "\"mpl\"", &["unknown variant `mpl`", "`mlp`"]),
    ("\"mlp\", hidden = [8]", "\"mlp\", hiden = [8]", &["hiden", "hidden"]),
    ("\"mlp\", hidden = [8]", "\"lenet\"", &["`small`", "at least 16 by 16, got 8 by 8"]),
    ("\"mlp\", hidden = [8]", "\"mlp\", hidden = [0]", &["`hidden` must be positive widths"]),
    ("\"mlp\", hidden = [8]", "\"resnet\", depth = 9", &["`depth` must be 18 or 6n + 2"]),
    ("name = \"small\"", "name = \"a/b\"", &["`name`", "without `/`", "a/b"]),
    ("name = \"pgd\"", "name = \"gpd\"", &["no attack `gpd`", "pgd"]),
    ("steps = 2", "stpes = 2", &["`pgd`", "unknown field `stpes`", "`steps`"]),
    ("steps = 2", "steps = \"two\"", &["`pgd`", "`steps`", "expected usize"]),
    ("steps = 2", "steps = 0", &["`pgd`", "`steps` must be at least 1"]),
    ("step_size = 0.5", "step_size = -0.5", &["`step_size` must be positive, got -0.5"]),
    ("step_size = 0.5", "label = \"worst-case\"", &["`label` must not be", "worst-case"]),
    ("name = \"pgd\"\nsteps = 2\nstep_size = 0.5", "steps = 2", &["a `name` is missing"]),
    ("norm = \"linf\"", "norm = \"linfinity\"", &["unknown variant `linfinity`", "`linf`"]),
    ("[0.1, 0.2]", "[0.2, 0.1]", &["`epsilons` must ascend"]),
    ("[0.1, 0.2]", "[]", &["`epsilons` must name at least one radius"]),
    ("[0.1, 0.2]", "[-0.1, 0.2]", &["radius", "-0.1", "line 19"]),
    ("[0.1, 0.2]", "[0.1, nan]", &["radius", "NaN", "line 19"]),
    ("[0.1, 0.2]", "[0.1, inf]", &["radius", "inf", "line 19"]),
    ("[0.1, 0.2]", "[0.1, \"8/0\"]", &["radius", "inf", "line 19"]),
    ("[0.1, 0.2]", "[0.1, \"eight\"]", &["eight", "8/255", "line 19"]),
    ("headline = 0.1", "headline = 0.15", &["`headline` 0.15 is not one of `epsilons`"]),
    ("[[threat]]\nnorm = \"linf\"\nepsilons = [0.1, 0.2]\nheadline = 0.1", "", &["[[threat]]"]),
    (
        "[[threat]]",
        "[[threat]]\nnorm = \"linf\"\nepsilons = [0.1]\n[[threat]]",
        &["a threat of this norm already"],
    ),
    ("name = \"smoothing\"", "name = \"smothing\"", &["no certifier `smothing`", "smoothing"]),
    ("sigma = 0.25", "sigma = 0", &["`sigma` must be positive, got 0"]),
    ("sigma = 0.25", "sigmma = 0.25", &["unknown field `sigmma`", "`sigma`"]),
    ("\nradii = [0.1]", "", &["`radii` is missing"]),
    ("radii = [0.1]", "radii = [0.1]\nmodels = [\"big\"]", &["no model `big`", "small"]),
    ("radii = [0.1]", "radii = [0.1]\nsamples = 0", &["`samples` must be at least 1"]),
];

/// `[[model]]` tables that do not fit behind the first one.
const MODELS: &[(&str, &[&str])] = &[
    ("name = \"small\"\nfile = \"m\"", &["`small`", "a model of this `name` already"]),
    ("name = \"b\"", &["`b`", "give either `architecture`"]),
    ("name = \"b\"\nbase = \"big\"\ndefense = { name = \"jpeg\" }", &["no model `big`", "small"]),
    ("name = \"b\"\nbase = \"small\"", &["`b`", "`base` with a transformation"]),
    ("name = \"b\"\ndefense = { name = \"jpeg\" }", &["`b`", "`base` with a transformation"]),
    (
        "name = \"b\"\narchitecture = { name = \"small_cnn\" }\ndefense = { name = \"ensemble\" }",
        &["`ensemble` is no training", "`base`"],
    ),
    (
        "name = \"b\"\nbase = \"small\"\ndefense = { name = \"jpeg\" }\ntraining = { name = \"pgd-training\" }",
        &["`b`", "`training` belongs to a model with an `architecture`"],
    ),
    (
        "name = \"b\"\nbase = \"small\"\ndefense = { name = \"jpge\" }",
        &["no defence `jpge`", "jpeg"],
    ),
    (
        "name = \"b\"\nbase = \"small\"\ndefense = { name = \"jpeg\", qualty = 3 }",
        &["unknown field `qualty`", "`quality`"],
    ),
    (
        "name = \"b\"\nbase = \"small\"\ndefense = { name = \"jpeg\", quality = 101 }",
        &["`b`", "`quality` must be between 1 and 100, got 101"],
    ),
    (
        "name = \"b\"\nmembers = [\"small\"]\ndefense = { name = \"ensemble\", weights = [0.5] }",
        &["`b`", "`weights` must be of sum 1"],
    ),
    ("name = \"b\"\nfile = \"gone.safetensors\"", &["gone.safetensors", "No such file"]),
];

/// `[[attack]]` tables that do not fit behind the first one.
const ATTACKS: &[(&str, &[&str])] = &[
    ("name = \"mi-fgsm\"\nsurrogate = \"big\"", &["`mi-fgsm`", "no [[model]] `big`", "small"]),
    ("name = \"mi-fgsm\"\nsurrogate = \"small\"", &["`surrogate` needs a second [[model]]"]),
    ("name = \"mi-fgsm\"\nsurrogate = 1", &["`surrogate` must be a string, got 1"]),
    (
        "name = \"autoattack-standard\"\nbudget = 100",
        &["`autoattack-standard`", "`budget` is for one attack, not for a suite"],
    ),
    ("name = \"square\"\nbudget = -1", &["`budget` must be at least 0, got -1"]),
    (
        "name = \"autoattack-standard\"\nqueries = 100",
        &["unknown field `queries`", "`autoattack-standard` is frozen", "`worst-of`"],
    ),
    (
        "name = \"autoattack-standard\"\nmembers = []",
        &["`members` differs from the parameters of `autoattack-standard`", "`worst-of`"],
    ),
    ("name = \"worst-of\"\nattacks = []", &["`worst-of`", "`attacks` must name at least one"]),
    ("name = \"worst-of\"\nattacks = [{ name = \"pdg\" }]", &["`worst-of`", "no attack `pdg`"]),
    (
        "name = \"worst-of\"\nattacks = [{ name = \"pgd\", stpes = 2 }]",
        &["`worst-of`", "in `pgd`", "unknown field `stpes`", "`steps`"],
    ),
    ("name = \"spatial\"", &["`spatial`", "must hold the box", "linf epsilon 1 or more, got 0.1"]),
    (
        "name = \"worst-of\"\nattacks = [{ name = \"pgd\" }, { name = \"sticker\" }]",
        &["`worst-of`", "must hold the box", "linf epsilon 1 or more, got 0.1"],
    ),
];

#[test]
fn wrong_experiments_are_refused_before_anything_is_written() {
    let world = World::new();
    let mut complaints = Vec::new();
    let mut check = |text: &str, fragments: &[&str]| {
        world.file("e.toml", text);
        complaints.push(complaint(&world, &["run", "e.toml"], fragments));
    };
    for (right, wrong, fragments) in EXPERIMENTS {
        assert!(EXPERIMENT.contains(right), "{right}");
        check(&EXPERIMENT.replacen(right, wrong, 1), fragments);
    }
    for (model, fragments) in MODELS {
        let text = EXPERIMENT.replace("[[threat]]", &format!("[[model]]\n{model}\n\n[[threat]]"));
        check(&text, fragments);
    }
    for (attack, fragments) in ATTACKS {
        let text =
            EXPERIMENT.replace("[[certify]]", &format!("[[attack]]\n{attack}\n\n[[certify]]"));
        check(&text, fragments);
    }
    let from = EXPERIMENT.find("[[model]]").unwrap();
    let to = EXPERIMENT.find("[[threat]]").unwrap();
    check(&(EXPERIMENT[..from].to_owned() + &EXPERIMENT[to..]), &["at least one [[model]]"]);
    // An attack that has no ball of this norm, and a threat that no attack covers.
    let more = "\n[[attack]]\nname = \"gaussian-noise\"\n";
    let l0 = "norm = \"l0\"";
    check(&EXPERIMENT.replace("norm = \"linf\"", l0).replace("[0.1, 0.2]", "[1, 2]"), &["l0"]);
    check(&(EXPERIMENT.to_owned() + more).replace("\"gaussian-noise\"", "\"nosie\""), &["nosie"]);
    let uncovered = "[[threat]]\nnorm = \"l0\"\nepsilons = [1]\n\n[[attack]]";
    check(&EXPERIMENT.replacen("[[attack]]", uncovered, 1), &["l0", "supports it"]);
    check("", &["the file is empty", "`[data]`"]);
    none_of(complaints);
}

#[test]
fn files_that_are_no_experiments_are_refused() {
    let world = World::new();
    world.file("garbage.toml", [0xff, 0xfe, 0x00, 0x80, 0xc3, 0x28]);
    world.file("folder/x", "");
    world.file("nul.toml", "name = \"\u{0}\"");
    none_of(vec![
        complaint(&world, &["run", "none.toml"], &["none.toml", "No such file"]),
        complaint(&world, &["run", "folder"], &["folder", "directory"]),
        complaint(&world, &["run", "garbage.toml"], &["garbage.toml", "UTF-8"]),
        complaint(&world, &["run", "nul.toml"], &["nul.toml", "line 1"]),
        complaint(&world, &["train", "none.toml", "--model", "a", "--out", "m"], &["none.toml"]),
    ]);
}

#[test]
fn wrong_arguments_are_refused_in_one_line() {
    let world = World::new();
    world.file("e.toml", EXPERIMENT);
    let file = world.file("file", "");
    let inside = file.join("run").to_str().unwrap().to_owned();
    none_of(vec![
        complaint(&world, &[], &["subcommand", "duress --help"]),
        complaint(&world, &["atack", "m"], &["atack", "'attack'", "duress --help"]),
        complaint(&world, &["run"], &["<EXPERIMENT>", "duress --help"]),
        complaint(&world, &["run", "e.toml", "--frsh"], &["--frsh", "--fresh"]),
        complaint(&world, &["list", "atacks"], &["atacks", "attacks"]),
        complaint(&world, &["list", "attacks", "--json", "--markdown"], &["--json", "--markdown"]),
        complaint(&world, &["list", "--markdown"], &["<KIND>"]),
        complaint(&world, &["run", "e.toml", "--device", "tpu"], &["no device `tpu`", "flex"]),
        complaint(&world, &["run", "e.toml", "--threads", "0"], &["--threads", "0"]),
        complaint(&world, &["run", "e.toml", "--threads", "many"], &["--threads", "many"]),
        complaint(&world, &["run", "e.toml", "--out", "file"], &["file", "a file, not a folder"]),
        complaint(&world, &["run", "e.toml", "--runs", "file"], &["file", "a file, not a folder"]),
        complaint(&world, &["run", "e.toml", "--out", &inside], &["file", "a file, not a folder"]),
        complaint(&world, &["run", "e.toml", "--cache", "file"], &["file", "a file, not a folder"]),
        complaint(
            &world,
            &["train", "e.toml", "--model", "big", "--out", "m"],
            &["no model `big` to train", "small"],
        ),
        complaint(
            &world,
            &["train", "e.toml", "--model", "small", "--out", "no/m"],
            &["no/m", "give a file in a folder that exists"],
        ),
        complaint(&world, &["report", "no-run"], &["no-run holds no run"]),
        complaint(&world, &["report", "file"], &["file"]),
    ]);
}

#[test]
fn help_and_version_are_no_errors() {
    let world = World::new();
    let help = world.duress("--help").succeeded();
    assert!(help.stdout.contains("certify") && help.stderr.is_empty(), "{}", help.stdout);
    assert!(world.duress("--version").succeeded().stdout.starts_with("duress "));
    for command in ["list", "run", "train", "attack", "certify", "report", "data", "data fetch"] {
        let help = world.duress(&format!("{command} --help")).succeeded();
        assert!(help.stdout.contains("Usage: duress"), "{}", help.stdout);
    }
}

/// An IDX file of unsigned bytes.
fn idx(shape: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, shape.len() as u8];
    file.extend(shape.iter().flat_map(|side| side.to_be_bytes()));
    file.extend(bytes);
    file
}

#[test]
fn data_that_are_missing_or_damaged_are_refused() {
    let world = World::new();
    world.file("m.toml", EXPERIMENT.replace("\"digits\"", "\"mnist\""));
    let images = idx(&[10_000, 28, 28], &vec![0; 7_840_000]);
    let set = |folder: &str, images: &[u8], labels: &[u8]| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(images).unwrap();
        let packed = packed.finish().unwrap();
        world.file(&format!("{folder}/mnist/t10k-images-idx3-ubyte.gz"), packed);
        world.file(&format!("{folder}/mnist/t10k-labels-idx1-ubyte"), labels);
    };
    set("cut", &images[..1_000_000], &idx(&[10_000], &[0; 10_000]));
    set("labels", &images, &idx(&[10_000], &[10; 10_000]));
    set("counts", &images, &idx(&[9_999], &[0; 9_999]));
    set("swapped", &idx(&[10_000], &[0; 10_000]), &images);
    fs::create_dir(world.path("empty")).unwrap();
    let with = |folder: &str, fragments: &[&str]| {
        complaint(&world, &["run", "m.toml", "--data-folder", folder], fragments)
    };
    none_of(vec![
        with("empty", &["t10k-images-idx3-ubyte", "`duress data fetch mnist`", "empty"]),
        with("cut", &["t10k-images-idx3-ubyte.gz", "7840000"]),
        with("labels", &["t10k-labels-idx1-ubyte", "label 10 is none of the 10 classes"]),
        with("counts", &["10000", "9999"]),
        with("swapped", &["idx", "dimension"]),
        complaint(&world, &["data", "fetch", "cifar10"], &["`cifar10` cannot be fetched", "mnist"]),
        complaint(&world, &["data", "fetch", "digits"], &["`digits` is built in"]),
        complaint(&world, &["data", "fetch", "minst"], &["no data set `minst`", "mnist"]),
        complaint(&world, &["data", "fetch"], &["<NAMES>"]),
    ]);
}

#[test]
fn a_download_of_other_bytes_is_refused_and_dropped() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut request, mut byte) = (Vec::new(), [0]);
        while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
            request.push(byte[0]);
        }
        let body = vec![0; 9_912_422];
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
    });
    let world = World::new();
    fs::create_dir_all(world.path("data/mnist")).unwrap();
    let words = ["data", "fetch", "mnist", "--mirror", &address, "--data-folder", "data"];
    none_of(vec![complaint(
        &world,
        &words,
        &["train-images-idx3-ubyte.gz", "SHA-256 is", "440fcabf73cc546f"],
    )]);
    server.join().unwrap();
}

#[test]
fn models_that_do_not_fit_are_refused() {
    let world = World::new();
    world.file("e.toml", EXPERIMENT);
    world.duress("train e.toml --model small --out m.safetensors").succeeded();
    let model = fs::read(world.path("m.safetensors")).unwrap();
    world.file("cut.safetensors", &model[..model.len() / 2]);
    world.file("text.safetensors", "these are no tensors, and there are none below");
    world.file("empty.safetensors", "");
    world.file("unknown.toml", "[[atack]]\nname = \"pgd\"\n");
    world.file("none.toml", "");
    world.file("both.toml", "[[certify]]\nname = \"smoothing\"\nsigma = -1\n");
    let rest = ["--norm", "linf", "--epsilon", "0.1", "--attack", "fgm"];
    let attack = |model: &'static str, data: &'static str, rest: &[&str], expected: &[&str]| {
        let words: Vec<&str> =
            ["attack", model, "--data", data].into_iter().chain(rest.iter().copied()).collect();
        complaint(&world, &words, expected)
    };
    let other = |rest: &str, expected: &[&str]| {
        attack("m.safetensors", "digits", &rest.split(' ').collect::<Vec<_>>(), expected)
    };
    none_of(vec![
        attack("gone.safetensors", "digits", &rest, &["gone.safetensors", "No such file"]),
        attack("cut.safetensors", "digits", &rest, &["cut.safetensors", "expected safetensors"]),
        attack("text.safetensors", "digits", &rest, &["text.safetensors", "expected safetensors"]),
        attack("empty.safetensors", "digits", &rest, &["empty.safetensors"]),
        attack("m.safetensors", "breast_cancer", &rest, &["10 classes", "2 classes", "`m`"]),
        attack("m.safetensors", "didgits", &rest, &["no data set `didgits`"]),
        other("--norm linf --epsilon 0.1", &["--attack NAME", "--config FILE"]),
        other("--norm linf --attack fgm", &["--epsilon"]),
        other("--norm l3 --epsilon 0.1 --attack fgm", &["no norm `l3`", "linf"]),
        other("--norm linf --epsilon eight --attack fgm", &["eight", "8/255"]),
        other("--norm linf --epsilon 8/0 --attack fgm", &["8/0", "inf"]),
        other("--norm linf --epsilon=-0.1 --attack fgm", &["-0.1"]),
        other("--norm linf --epsilon 0.1 --attack fmg", &["no attack `fmg`", "fgm"]),
        other("--norm l0 --epsilon 1 --attack fgm", &["`fgm`", "l0"]),
        other("--norm linf --epsilon 0.1 --attack fgm --attack fgm", &["a second `fgm`"]),
        other("--norm linf --epsilon 0.1 --attack fgm --limit 0", &["--limit", "0"]),
        other("--norm linf --epsilon 0.1 --attack fgm --seed -1", &["-1"]),
        other("--norm linf --epsilon 0.1 --config unknown.toml", &["unknown key `atack`"]),
        other("--norm linf --epsilon 0.1 --config none.toml", &["at least one [[attack]]"]),
        complaint(
            &world,
            &["certify", "m.safetensors", "--data", "digits", "--radii", "0.1", "--config"],
            &["--config"],
        ),
        complaint(
            &world,
            &[
                "certify",
                "m.safetensors",
                "--data",
                "digits",
                "--radii",
                "0.1",
                "--config",
                "both.toml",
            ],
            &["`sigma` must be positive, got -1"],
        ),
    ]);
}

#[test]
fn runs_that_cannot_be_read_are_refused() {
    let world = World::new();
    world.file("e.toml", EXPERIMENT);
    world.duress("run e.toml --out run").succeeded();
    let rows = world.read("run/rows.jsonl");
    let identity = world.read("run/run.json");
    fs::create_dir(world.path("empty")).unwrap();
    let copy = |name: &str, rows: &str, identity: &str| {
        world.file(&format!("{name}/rows.jsonl"), rows);
        world.file(&format!("{name}/run.json"), identity);
    };
    let second = rows.lines().nth(1).unwrap().len();
    let first = rows.lines().next().unwrap().len();
    copy("corrupt", &(rows[..first + 1 + second / 2].to_owned() + "\n" + &rows), &identity);
    copy("newer", &rows.replace("\"schema\":1", "\"schema\":2"), &identity);
    copy("newest", &rows, &identity.replace("\"schema\": 1", "\"schema\": 9"));
    copy("false", &rows.replace("\"robust_correct\":", "\"robust_correct\":99"), &identity);
    copy("twice", &rows.repeat(2), &identity);
    world.file("other.toml", EXPERIMENT.replace("seed = 0", "seed = 1"));
    let at = |path: &str| -> PathBuf { world.path(path) };
    assert!(at("run/report.html").exists());
    none_of(vec![
        complaint(&world, &["report", "empty"], &["empty holds no run"]),
        complaint(&world, &["report", "corrupt"], &["rows.jsonl, line 2"]),
        complaint(&world, &["report", "newer"], &["line 1", "schema 2; this version reads 1"]),
        complaint(&world, &["report", "newest"], &["run.json", "schema 9; this version reads 1"]),
        complaint(&world, &["report", "false"], &["line 2", "`robust_correct` is 99"]),
        complaint(&world, &["report", "twice"], &["a second row `small/clean`"]),
        complaint(
            &world,
            &["run", "other.toml", "--out", "run"],
            &["holds another run", "text of the experiment", "--fresh"],
        ),
        complaint(&world, &["run", "e.toml", "--out", "run", "--fresh", "--device", "x"], &["`x`"]),
    ]);
}
