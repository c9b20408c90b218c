//! What an experiment file may say, and what is said about one that is wrong.
use duress_evaluation::core::{Norm, Seed};
use duress_evaluation::{Checkpoint, DataSource, Experiment, Source};

const RIGHT: &str = r#"name = "e"
seed = 4
transfer = true

[data]
name = "digits"
test = 60

[[model]]
name = "plain"
architecture = { name = "mlp", hidden = [8] }

[[model]]
name = "jpeg"
base = "plain"
defense = { name = "jpeg", quality = 60 }

[[model]]
name = "both"
members = ["plain", "jpeg"]
defense = { name = "ensemble" }

[[threat]]
norm = "linf"
epsilons = ["8/255", 0.1]
headline = "8/255"

[[threat]]
norm = "l2"
epsilons = [0.5]

[[attack]]
name = "pgd"
steps = 7

[[attack]]
name = "pgd"
label = "long"
budget = 500

[[certify]]
name = "smoothing"
models = ["plain"]
radii = [0.1]
"#;

#[test]
fn a_right_experiment_is_read_with_its_defaults() {
    let experiment = Experiment::parse(RIGHT).unwrap();
    assert_eq!((experiment.title.as_str(), experiment.seed), ("e", Seed(4)));
    assert!((experiment.data.validation - 0.1).abs() < 1e-12);
    assert_eq!((experiment.data.train, experiment.data.test), (None, Some(60)));
    let [plain, jpeg, both] = &experiment.models[..] else { panic!("three models") };
    assert_eq!([plain.defense, jpeg.defense, both.defense], ["none", "jpeg", "ensemble"]);
    assert!(matches!(&plain.source, Source::Trained { defense: None, .. }));
    assert!(matches!(&jpeg.source, Source::Wrapped { base, .. } if base == "plain"));
    assert!(matches!(&both.source, Source::Voting { members, .. } if members.len() == 2));
    let config = &jpeg.config;
    assert_eq!((&config["quality"], &config["backward"]), (&60.into(), &"identity".into()));
    let [linf, l2] = &experiment.threats[..] else { panic!("two threats") };
    assert!((linf.headline() - 8.0 / 255.0).abs() < 1e-12 && linf.norm == Norm::Linf);
    assert!((l2.headline() - 0.5).abs() < 1e-12, "the first if missing");
    let [pgd, long] = &experiment.attacks[..] else { panic!("two attacks") };
    assert_eq!((pgd.label.as_str(), long.label.as_str(), long.name), ("pgd", "long", "pgd"));
    assert_eq!((&pgd.config["steps"], &pgd.config["restarts"]), (&7.into(), &1.into()));
    assert_eq!((pgd.budget, long.budget), (None, Some(500)));
    let [smoothing] = &experiment.certifiers[..] else { panic!("one certifier") };
    assert_eq!((&smoothing.models[..], smoothing.samples), (&["plain".to_string()][..], None));
    assert_eq!(smoothing.config["alpha"], 0.001);
    // The digest is that of the text: a comment is another experiment.
    let other = Experiment::parse(&(RIGHT.to_owned() + "# note\n")).unwrap();
    assert_ne!(experiment.digest, other.digest);
    assert_eq!(experiment.digest.len(), 64);
}

const DIGITS: &str = "name = \"digits\"\ntest = 60";

/// What stands in [`RIGHT`], what is wrong instead, and how the message begins.
const WRONG: &[(&str, &str, &str)] = &[
    ("name = \"e\"", "name = \"\"", "`name` must be letters"),
    ("name = \"e\"", "name = \".e\"", "`name` must be letters"),
    ("name = \"e\"", "name = \"e\nf\"", "line 2: "),
    ("seed = 4", "sed = 4", "line 2: unknown field `sed`"),
    ("[data]\nname = \"digits\"", "[data]", "line 5: [data]: give the `name` of a known data set,"),
    ("\"digits\"", "\"digit\"", "line 5: [data]: no data set `digit`; known: "),
    ("test = 60", "test = 0", "line 5: [data]: `test` must be at least 1, got 0"),
    ("test = 60", "test = \"x\"", "line 5: [data]: invalid type: string \"x\""),
    ("test = 60", "train = 0", "line 5: [data]: `train` must be at least 1, got 0"),
    ("test = 60", "validation = -0.1", "line 5: [data]: `validation` must be in [0, 1), got -0.1"),
    ("test = 60", "validation = nan", "line 5: [data]: `validation` must be in [0, 1), got NaN"),
    ("test = 60", "tset = 60", "line 5: [data]: unknown field `tset`, expected one of"),
    ("test = 60", "limit = 60", "line 5: [data]: `limit` is for files: give a `path`"),
    ("test = 60", "path = \"x\"", "line 5: [data]: give either `name` or `path`, not both"),
    ("test = 60", "train_path = \"x\"", "line 5: [data]: `train_path` is for files: `digits` has"),
    (DIGITS, "path = \"x.npz\"", "[[model]] `plain` is trained, and the `path` of [data] has no"),
    (DIGITS, "path = \"x\"\ntrain = 3", "line 5: [data]: `train` needs a `train_path`"),
    (DIGITS, "path = \"x\"\nlimit = 2\ntest = 3", "line 5: [data]: give either `limit` or `test`"),
    (DIGITS, "path = \"x\"\nkyes = [\"x\"]", "line 5: [data]: unknown field `kyes`"),
    (DIGITS, "path = \"x\"\nchannels = 2", "line 5: [data]: `channels` must be 1 (grey) or 3"),
    (DIGITS, "path = \"x\"\nlimit = 0", "line 5: [data]: `limit` must be at least 1, got 0"),
    ("name = \"plain\"\narch", "arch", "line 9: missing field `name`"),
    ("name = \"plain\"", "name = \"\"", "[[model]]: `name` must be a text without `/`"),
    ("name = \"jpeg\"\nbase", "name = \"a/b\"\nbase", "[[model]]: `name` must be a text"),
    (
        "name = \"jpeg\"\nbase",
        "name = \"plain\"\nbase",
        "[[model]] `plain`: there is a model of this `name` already",
    ),
    (
        "base = \"plain\"",
        "base = \"both\"",
        "[[model]] `jpeg`: no model `both` before it; there are: plain",
    ),
    ("base = \"plain\"", "base = \"plain\"\nrecipe = {}", "[[model]] `jpeg`: `recipe` belongs to"),
    ("\"jpeg\"]", "\"gif\"]", "[[model]] `both`: no model `gif` before it; there are: plain, jpeg"),
    ("[\"plain\", \"jpeg\"]", "[]", "[[model]] `both`: `members` must name at least one model"),
    ("quality = 60", "qualty = 60", "[[model]] `jpeg`: defence `jpeg`: unknown field `qualty`"),
    ("\"jpeg\", q", "\"jpg\", q", "[[model]] `jpeg`: no defence `jpg`; known: "),
    (
        "{ name = \"jpeg\", quality",
        "{ quality",
        "[[model]] `jpeg`: [model.defense]: a `name` is missing",
    ),
    ("epsilons = [0.5]", "epsilons = [0.5, 0.5]", "[[threat]] 2 (l2): `epsilons` must ascend"),
    ("norm = \"l2\"", "norm = \"linf\"", "[[threat]] 2 (linf): there is a threat of this norm"),
    ("headline = \"8/255\"", "headline = 0.2", "[[threat]] 1 (linf): `headline` 0.2 is not one"),
    ("steps = 7", "step = 7", "in [[attack]] `pgd`: unknown field `step`"),
    ("steps = 7", "steps = 7.5", "in [[attack]] `pgd`: invalid type: floating point `7.5`"),
    ("label = \"long\"\n", "", "in [[attack]] `pgd`: a second `pgd`; give it a `label`"),
    ("label = \"long\"", "label = 3", "in [[attack]] `pgd`: `label` must be a string, got 3"),
    ("label = \"long\"", "label = \"\"", "in [[attack]] `pgd`: `label` must be a text"),
    ("label = \"long\"", "label = \"none\"", "in [[attack]] `pgd`: `label` must not be one of"),
    ("budget = 500", "budget = -1", "in [[attack]] `pgd`: `budget` must be at least 0, got -1"),
    ("\"smoothing\"", "\"ibq\"", "[[certify]]: no certifier `ibq`; known: "),
    (
        "\"smoothing\"\nmodels = [\"plain\"]",
        "\"crown\"\nmodels = [\"jpeg\"]",
        "in [[certify]] `crown`: it needs the operations of a network, and `jpeg` is no network",
    ),
    ("seed = 4", "seed = 4\nskip_certified = true", "`skip_certified` needs a [[certify]]"),
    ("label = \"long\"", "aware = 3\nlabel = \"long\"", "in [[attack]] `pgd`: `aware` must be"),
    (
        "name = \"pgd\"\nsteps = 7",
        "name = \"fgm\"\naware = 1",
        "in [[attack]] `fgm`: `aware` must be",
    ),
    (
        "steps = 7\n\n[[attack]]\nname = \"pgd\"\nlabel = \"long\"\nbudget = 500",
        "aware = false\n",
        "[[threat]] linf: every [[attack]] that supports it has `aware = false`, and its headline",
    ),
    (
        "steps = 7\n\n[[attack]]\nname = \"pgd\"\nlabel = \"long\"",
        "aware = false\n\n[[attack]]\nname = \"square\"\naware = false",
        "[[threat]] linf: every [[attack]] that supports it has `aware = false`, and its headline",
    ),
    (
        "hidden = [8] }",
        "hidden = [8] }\ncheckpoint = \"best\"",
        "[[model]] `plain`: `checkpoint = \"best\"` needs something that says which weights are",
    ),
    (
        "hidden = [8] }",
        "hidden = [8] }\ncheckpoint = \"first\"",
        "line 12: unknown variant `first`",
    ),
    (
        "base = \"plain\"",
        "base = \"plain\"\ncheckpoint = \"last\"",
        "[[model]] `jpeg`: `checkpoint` belongs to a model that is trained here",
    ),
    (
        "base = \"plain\"",
        "file = \"x.onnx\"\ncheckpoint = \"last\"",
        "[[model]] `jpeg`: `checkpoint` belongs to a model that is trained here",
    ),
    ("models = [\"plain\"]", "models = [\"x\"]", "in [[certify]] `smoothing`: no model `x`"),
    ("models = [\"plain\"]", "models = 3", "in [[certify]] `smoothing`: `models`: "),
    ("radii = [0.1]", "radii = []", "in [[certify]] `smoothing`: `radii` must ascend"),
    ("radii = [0.1]", "radii = [0.2, 0.1]", "in [[certify]] `smoothing`: `radii` must ascend"),
    ("radii = [0.1]", "radii = [-1]", "in [[certify]] `smoothing`: `radii`: "),
    ("radii = [0.1]", "radii = [0.1]\nsigma = 0", "in [[certify]] `smoothing`: smoothing: `sigma`"),
    (
        "radii = [0.1]\n",
        "radii = [0.1]\n[[certify]]\nname = \"smoothing\"\nradii = [0.2]\n",
        "in [[certify]] `smoothing`: a second table with the same hyperparameters",
    ),
];

#[test]
fn files_are_read_with_their_options_and_a_training_part() {
    let parse = |data: &str| Experiment::parse(&RIGHT.replacen(DIGITS, data, 1)).unwrap().data;
    let plan = parse(
        "path = \"my data.npz\"\npart = \"test\"\ntrain_part = \"train\"\nlimit = 7\ntrain = 9\n\
         units = \"bytes\"\nclasses = [\"a\", \"b\"]",
    );
    assert_eq!((plan.test, plan.train, plan.trains()), (Some(7), Some(9), true));
    let DataSource::Files(files) = &plan.source else { panic!("files") };
    assert_eq!(files.path.to_str(), Some("my data.npz"));
    assert_eq!(files.train_path.as_ref(), Some(&files.path));
    assert_eq!(files.options.part.as_deref(), Some("test"));
    assert_eq!(files.train_options.part.as_deref(), Some("train"));
    assert_eq!((files.options.limit, files.train_options.limit), (None, None));
    assert_eq!(files.options.classes, files.train_options.classes);
    let plan = parse("path = \"x\"\ntrain_path = \"y\"\nlabels = \"a\"\ntrain_labels = \"b\"");
    let DataSource::Files(files) = &plan.source else { panic!("files") };
    assert_eq!(files.train_path.as_deref(), Some(std::path::Path::new("y")));
    assert_eq!(files.options.labels.as_deref(), Some(std::path::Path::new("a")));
    assert_eq!(files.train_options.labels.as_deref(), Some(std::path::Path::new("b")));
    assert!(matches!(parse(DIGITS).source, DataSource::Known(name) if name == "digits"));
}

#[test]
fn every_mistake_is_named_in_one_line() {
    for (right, wrong, expected) in WRONG {
        assert!(RIGHT.contains(right), "{right}");
        let message = Experiment::parse(&RIGHT.replacen(right, wrong, 1)).unwrap_err();
        assert!(message.starts_with(expected), "{wrong}:\n  {message}\n  {expected}");
        assert!(!message.contains('\n'), "{message}");
    }
}

#[test]
fn parts_that_need_each_other_are_named() {
    let cut = |from: &str, to: &str| {
        let (from, to) = (RIGHT.find(from).unwrap(), RIGHT.find(to).unwrap());
        Experiment::parse(&(RIGHT[..from].to_owned() + &RIGHT[to..])).unwrap_err()
    };
    assert!(Experiment::parse(" \n").unwrap_err().starts_with("the file is empty"));
    assert_eq!(cut("[[model]]", "[[threat]]"), "an experiment needs at least one [[model]]");
    assert_eq!(cut("[[threat]]", "[[attack]]"), "[[attack]] and [[threat]] need each other");
    assert_eq!(cut("[[attack]]", "[[certify]]"), "[[attack]] and [[threat]] need each other");
    assert_eq!(cut("[[threat]]", "[[certify]]"), "`transfer` needs an [[attack]]");
}

/// A ball that no attack looks into would count every sample as robust.
#[test]
fn a_threat_that_no_attack_supports_is_refused() {
    let noise = |norm: &str, attack: &str| {
        let text = RIGHT.replace("norm = \"l2\"", &format!("norm = \"{norm}\""));
        let from = text.find("[[attack]]").unwrap();
        Experiment::parse(&format!("{}[[attack]]\nname = \"{attack}\"\n", &text[..from]))
    };
    let supported = |attack: &str, norm| {
        let entry = duress_evaluation::attacks::find(attack).unwrap();
        let attack = (entry.parse)(toml::Table::new()).unwrap();
        attack.algorithm().norms().contains(&norm)
    };
    for entry in duress_evaluation::attacks::ATTACKS {
        for norm in [Norm::L0, Norm::L1, Norm::L2] {
            let got = noise(&norm.to_string(), entry.name);
            let expected = supported(entry.name, norm) && supported(entry.name, Norm::Linf);
            assert_eq!(got.is_ok(), expected, "{} {norm}: {got:?}", entry.name);
        }
    }
}

/// The headline is the worst case over the attacks: it must hold one that knows the defence, at
/// each threat of its own.
#[test]
fn a_threat_under_unaware_attacks_alone_is_refused_and_one_aware_attack_is_enough() {
    let unaware = RIGHT.replace("steps = 7", "steps = 7\naware = false");
    assert!(Experiment::parse(&unaware).is_ok());
    // The aware one supports Linf only.
    let linf = unaware.replace("name = \"pgd\"\nlabel = \"long\"", "name = \"rays\"");
    let message = Experiment::parse(&linf).unwrap_err();
    assert!(message.starts_with("[[threat]] l2: every [[attack]] that supports it"), "{message}");
    for key in ["`aware = false`", "add one without"] {
        let text = RIGHT.replace("steps = 7", "aware = false").replace("budget", "aware = false #");
        let message = Experiment::parse(&text).unwrap_err();
        assert!(message.contains(key), "{message}");
    }
}

#[test]
fn a_checkpoint_is_chosen_where_there_are_two() {
    let read = |more: &str| {
        let text = RIGHT.replace("hidden = [8] }", &format!("hidden = [8] }}\n{more}"));
        Experiment::parse(&text).map(|experiment| experiment.models[0].checkpoint())
    };
    let stop = "recipe = { early_stop = { patience = 2, metric = \"clean_accuracy\" } }";
    assert_eq!(read(""), Ok(Checkpoint::Best));
    assert_eq!(read("checkpoint = \"last\""), Ok(Checkpoint::Last));
    assert_eq!(read(&format!("checkpoint = \"best\"\n{stop}")), Ok(Checkpoint::Best));
    assert_eq!(read(&format!("checkpoint = \"last\"\n{stop}")), Ok(Checkpoint::Last));
}

#[test]
fn two_certifiers_may_differ_in_hyperparameters_or_in_models() {
    let with = |more: &str| {
        let more = format!("[[certify]]\nname = \"smoothing\"\nradii = [0.1]\n{more}\n");
        Experiment::parse(&(RIGHT.to_owned() + &more)).map(|experiment| experiment.certifiers.len())
    };
    assert_eq!(with("sigma = 0.5"), Ok(2));
    assert_eq!(with("models = [\"jpeg\"]"), Ok(2));
    assert!(with("models = [\"jpeg\", \"plain\"]").is_err());
}

/// What selects weights must be what the file says, on samples that were not trained on.
#[test]
fn early_stopping_needs_a_metric_that_fits_and_validation_samples() {
    let parse = |stop: &str, defense: &str, validation: &str| {
        Experiment::parse(&format!(
            "name = \"e\"\n[data]\nname = \"digits\"\nvalidation = {validation}\n[[model]]\n\
             name = \"m\"\narchitecture = {{ name = \"mlp\", hidden = [8] }}\n{defense}\n\
             recipe = {{ early_stop = {{ patience = 2{stop} }} }}\n"
        ))
    };
    let clean = ", metric = \"clean_accuracy\"";
    let pgd = "defense = { name = \"pgd-training\" }";
    let fgsm = "defense = { name = \"fgsm-training\" }";
    for (stop, defense) in [(clean, ""), ("", pgd), (clean, pgd), ("", fgsm)] {
        assert!(parse(stop, defense, "0.1").is_ok(), "{stop} {defense}");
    }
    let refused = |stop, defense, validation| parse(stop, defense, validation).unwrap_err();
    assert!(refused("", "", "0.1").contains("give it `metric = \"clean_accuracy\"`"));
    assert!(refused(clean, fgsm, "0.1").contains("must measure `robust_accuracy`"));
    assert!(refused("", pgd, "0.0").contains("`validation` must be above 0"));
}
