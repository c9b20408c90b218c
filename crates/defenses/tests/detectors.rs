//! What every detector of the table must do, whatever its statistic.
#![allow(clippy::unwrap_used)]
mod watched;

use std::sync::{Arc, OnceLock};

use burn::prelude::*;
use duress_attacks::Pgd;
use duress_core::{
    Activation, Attack, Classifier, Domain, Error as Core, Goal, Norm, Oracle, Passes, Problem,
    Seed, Silent, Threat, WhiteBox, host, run,
};
use duress_defenses::detection::{Error, scores};
use duress_defenses::{DETECTORS, Detector, Evidence, find_detector};
use watched::{digits, quick, rows, trained};

fn passes() -> &'static Passes {
    static PASSES: OnceLock<Passes> = OnceLock::new();
    PASSES.get_or_init(|| Passes::with_workers(&Device::flex(), 2).unwrap())
}

/// Clean rows, labels and adversarial rows of a small network on the digits.
fn evidence() -> Evidence<'static> {
    static ADVERSARIAL: OnceLock<Vec<f32>> = OnceLock::new();
    let model = trained();
    let (clean, labels) = digits(0..240);
    let adversarial = ADVERSARIAL.get_or_init(|| attacked(&*model, 0..120, 0.3));
    Evidence {
        model,
        passes: passes(),
        adversarial: rows(adversarial, 64),
        clean,
        labels,
        seed: Seed(3),
        progress: &Silent,
    }
}

fn attacked(model: &dyn Classifier, range: std::ops::Range<usize>, radius: f64) -> Vec<f32> {
    let (clean, labels) = digits(range);
    let oracle = WhiteBox::new(model, passes());
    let threat = Threat::new(Norm::Linf, radius).unwrap();
    let problem = Problem::new(Oracle::Gradients(&oracle), clean, Goal::Untargeted(labels), threat);
    let pgd = Attack::Gradient(Box::new(Pgd { steps: 10, step_size: 0.2, ..Pgd::paper() }));
    host::floats(run(&pgd, &problem).unwrap().rows).unwrap()
}

fn fitted(name: &str) -> Box<dyn Detector> {
    quick(name).fit(&evidence()).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn a_score_does_not_depend_on_the_batch_the_workers_or_the_run() {
    let (queries, _) = digits(300..340);
    let other = Passes::with_workers(&Device::flex(), 1).unwrap();
    for entry in DETECTORS {
        let detector = fitted(entry.name);
        let whole = scores(&*detector, passes(), &queries).unwrap();
        assert_eq!(whole.len(), 40, "{}", entry.name);
        let mut parts = Vec::new();
        for start in (0..40).step_by(7) {
            let part = queries.clone().narrow(0, start, 7.min(40 - start));
            parts.extend(scores(&*detector, &other, &part).unwrap());
        }
        let bits = |scores: &[f32]| scores.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&whole), bits(&parts), "{}", entry.name);
        let again = scores(&*fitted(entry.name), passes(), &queries).unwrap();
        assert_eq!(bits(&whole), bits(&again), "{}: fitted twice", entry.name);
        let spread = whole.iter().any(|score| (score - whole[0]).abs() > 1e-6);
        assert!(spread, "{}: {whole:?}", entry.name);
    }
}

/// On the tape the values are those off it, and an attack has something to follow.
#[test]
fn a_score_on_the_tape_is_the_same_and_has_a_slope() {
    let queries = rows(&attacked(&*trained(), 300..332, 0.3), 64);
    for entry in DETECTORS {
        let detector = fitted(entry.name);
        let plain = host::floats(detector.score(queries.clone())).unwrap();
        let leaf = queries.clone().autodiff().require_grad();
        let on_tape = detector.score(leaf.clone());
        let values = host::floats(on_tape.clone()).unwrap();
        for (plain, value) in plain.iter().zip(&values) {
            let close = (plain - value).abs() <= 1e-4 * plain.abs().max(1.0);
            assert!(close, "{}: {plain} {value}", entry.name);
        }
        let slope = leaf.grad_remove(&mut on_tape.sum().backward()).unwrap();
        let slope = host::floats(slope).unwrap();
        assert!(slope.iter().all(|slope| slope.is_finite()), "{}", entry.name);
        let steep = slope.chunks(64).filter(|row| row.iter().any(|&slope| slope != 0.0)).count();
        assert!(steep >= 24, "{}: {steep} of 32 rows have a slope", entry.name);
    }
}

#[test]
fn rows_that_are_none_of_the_classifier_are_refused_when_fitted_and_when_asked() {
    let device = Device::flex();
    for entry in DETECTORS {
        let (method, name) = (quick(entry.name), entry.name);
        let refused = |change: &dyn Fn(&mut Evidence<'_>)| {
            let mut evidence = evidence();
            change(&mut evidence);
            method.fit(&evidence).map(|_| ()).unwrap_err()
        };
        let error = refused(&|all| {
            all.clean = Tensor::zeros([0, 64], &device);
            all.labels.clear();
        });
        assert!(matches!(error, Error::Rows { got: 0, .. }), "{name}: {error}");
        let error = refused(&|all| all.clean = Tensor::zeros([240, 63], &device));
        assert!(matches!(error, Error::Core(Core::Shape { .. })), "{name}: {error}");
        let error = refused(&|all| all.clean = Tensor::full([240, 64], f32::NAN, &device));
        assert!(matches!(error, Error::Core(Core::Input { .. })), "{name}: {error}");
        let error = refused(&|all| all.labels[7] = 10);
        let expected = matches!(error, Error::Core(Core::Label { row: 7, label: 10, .. }));
        assert!(expected, "{name}: {error}");
        let error = refused(&|all| {
            all.labels.pop();
        });
        assert!(matches!(error, Error::Core(Core::Shape { .. })), "{name}: {error}");
        let without = |all: &mut Evidence<'_>| all.adversarial = Tensor::zeros([0, 64], &device);
        if entry.supervised {
            let error = refused(&without);
            assert!(matches!(error, Error::NeedsAdversarial { .. }), "{name}: {error}");
        } else {
            let mut evidence = evidence();
            without(&mut evidence);
            assert!(method.fit(&evidence).is_ok(), "{name}");
        }
        let detector = fitted(name);
        let ask = |rows: Tensor<2>| scores(&*detector, passes(), &rows).unwrap_err();
        let error = ask(Tensor::full([2, 64], f32::NAN, &device));
        assert!(matches!(error, Error::Core(Core::Input { .. })), "{name}: {error}");
        let error = ask(Tensor::zeros([2, 65], &device));
        assert!(matches!(error, Error::Core(Core::Shape { .. })), "{name}: {error}");
        assert!(scores(&*detector, passes(), &Tensor::zeros([0, 64], &device)).unwrap().is_empty());
    }
}

#[test]
fn hyperparameters_out_of_range_name_their_field() {
    for (name, text, field) in [
        ("activation-classifier", "epochs = 0", "`epochs`"),
        ("deep-knn", "neighbors = 0", "`neighbors`"),
        ("feature-squeezing", "search = 4", "`search`"),
        ("feature-squeezing", "bits = 0\nmedian = 0\nsearch = 0", "`bits`"),
        ("kernel-density", "bandwidth = 0.0", "`bandwidth`"),
        ("lid", "minibatch = 20", "`minibatch`"),
        ("magnet-divergence", "temperature = -1.0", "`temperature`"),
        ("magnet-reconstruction", "power = 3", "`power`"),
        ("mahalanobis", "magnitude = nan", "`magnitude`"),
        ("noise-odds", "draws = 0", "`draws`"),
        ("subset-scanning", "largest_level = 1.5", "`largest_level`"),
    ] {
        let method = (find_detector(name).unwrap().parse)(toml::from_str(text).unwrap()).unwrap();
        for error in [method.check().unwrap_err(), method.fit(&evidence()).map(|_| ()).unwrap_err()]
        {
            let error = error.to_string();
            assert!(error.contains(name) && error.contains(field), "{error}");
        }
    }
}

/// Shows its logits only.
struct Closed(Arc<dyn Classifier>);

impl Classifier for Closed {
    fn domain(&self) -> &Domain {
        self.0.domain()
    }

    fn classes(&self) -> usize {
        self.0.classes()
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        self.0.forward(rows)
    }
}

#[test]
fn a_detector_of_hidden_layers_says_so_of_a_classifier_that_shows_none() {
    let closed = Evidence { model: Arc::new(Closed(trained())), ..evidence() };
    let open = ["feature-squeezing", "magnet-divergence", "magnet-reconstruction", "noise-odds"];
    for entry in DETECTORS {
        let outcome = quick(entry.name).fit(&closed).map(|_| ());
        if open.contains(&entry.name) {
            assert!(outcome.is_ok(), "{}", entry.name);
        } else {
            assert!(matches!(outcome, Err(Error::NoLayers { .. })), "{}", entry.name);
        }
    }
    let scan = "layer = 'hidden9'".parse().unwrap();
    let method = (find_detector("subset-scanning").unwrap().parse)(scan).unwrap();
    let error = method.fit(&evidence()).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("no layer `hidden9`; there are: hidden1, hidden2"), "{error}");
}

/// The hidden layers end in the logits, and each is what the next one is computed from.
#[test]
fn the_activations_of_a_network_end_in_its_logits() {
    let (model, (queries, _)) = (trained(), digits(0..3));
    let shown = model.activations(queries.clone());
    let names: Vec<&str> = shown.iter().map(|layer| layer.name.as_str()).collect();
    assert_eq!(names, ["hidden1", "hidden2", "logits"]);
    let Activation { values, .. } = &shown[2];
    let logits = host::floats(model.forward(queries)).unwrap();
    assert_eq!(host::floats(values.clone()).unwrap(), logits);
}
