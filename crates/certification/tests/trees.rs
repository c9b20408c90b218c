//! Certificates of tree ensembles against every input there is.
#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]
use duress_certification::trees::{FeatureBox, Node, TreeCertifier, TreeEnsemble, Verdict};
use duress_core::{Domain, Seed, Use};
use rand::RngExt;

const FEATURES: usize = 3;

/// A random forest on a grid of thresholds k/8, so that a few inputs stand for all.
fn forest(number: u64, trees: usize, depth: usize, classes: usize) -> TreeEnsemble {
    let mut rng = Seed(number).stream(0, 0, 0, Use::Weights);
    let mut tree = || {
        let inner = (1 << depth) - 1;
        let mut nodes: Vec<Node> = (0..inner)
            .map(|index| Node::Split {
                feature: rng.random_range(0..FEATURES),
                threshold: f32::from(rng.random_range(1..8_u8)) / 8.0,
                left: 2 * index + 1,
                right: 2 * index + 2,
            })
            .collect();
        nodes.extend((0..=inner).map(|_| Node::Leaf {
            scores: (0..classes).map(|class| (class, rng.random_range(-1.0..1.0))).collect(),
        }));
        nodes
    };
    let trees = (0..trees).map(|_| tree()).collect();
    TreeEnsemble::new(FEATURES, vec![0.0; classes], trees).unwrap()
}

/// One input of each cell of the grid that meets the box, and the ends of the box.
fn inputs(all: &FeatureBox) -> Vec<[f32; FEATURES]> {
    let values = |feature: usize| {
        let (low, high) = (all.lower()[feature], all.upper()[feature]);
        let mut values: Vec<f32> = (0..8).map(|k| k as f32 / 8.0).collect();
        values.extend([low, high]);
        values.retain(|value| low <= *value && *value <= high);
        values
    };
    let (first, second, third) = (values(0), values(1), values(2));
    let mut rows = Vec::new();
    for &a in &first {
        for &b in &second {
            rows.extend(third.iter().map(|&c| [a, b, c]));
        }
    }
    rows
}

fn row(number: u64) -> [f32; FEATURES] {
    let mut rng = Seed(number).stream(1, 0, 0, Use::Start);
    [0; FEATURES].map(|_| rng.random())
}

#[test]
fn the_search_agrees_with_every_input_and_the_clique_bound_never_says_too_much() {
    let exact = TreeCertifier { levels: 0, ..TreeCertifier::default() };
    let (mut robust, mut broken, mut missed) = (0, 0, [0; 3]);
    for number in 0..60 {
        let ensemble = forest(number, 6, 3, 2 + number as usize % 3);
        let row = row(number);
        let class = ensemble.predict(&row).unwrap();
        for epsilon in [0.02, 0.1, 0.25] {
            let ball = FeatureBox::linf(&row, epsilon, None).unwrap();
            let truth = inputs(&ball).iter().all(|row| ensemble.predict(row).unwrap() == class);
            match exact.certify(&ensemble, &row, &ball).unwrap() {
                Verdict::Robust { margin } => {
                    assert!(truth && margin > 0.0, "forest {number} at {epsilon}");
                    robust += 1;
                }
                Verdict::NotRobust { witness, prediction } => {
                    assert!(!truth && ball.holds(&witness) && prediction != class);
                    assert_eq!(ensemble.predict(&witness).unwrap(), prediction);
                    broken += 1;
                }
                Verdict::Unknown { margin } => panic!("forest {number}: unknown at {margin}"),
            }
            for (levels, missed) in missed.iter_mut().enumerate() {
                let bound = TreeCertifier { levels, search_steps: 0, ..exact };
                match bound.certify(&ensemble, &row, &ball).unwrap() {
                    Verdict::Robust { .. } => assert!(truth, "forest {number} at {epsilon}"),
                    Verdict::Unknown { .. } => *missed += usize::from(truth),
                    Verdict::NotRobust { .. } => panic!("a bound finds no witness"),
                }
            }
        }
    }
    assert!(robust > 30 && broken > 30, "{robust} {broken}");
    // Each level is at least as good, and joining trees is worth something.
    assert!(missed[0] > missed[1] && missed[1] >= missed[2], "{missed:?}");
}

/// Joined to one list, the clique bound is the minimum: six trees in three levels of two.
#[test]
fn enough_levels_make_the_clique_bound_exact() {
    for number in 100..120 {
        let ensemble = forest(number, 6, 3, 2);
        let row = row(number);
        let class = ensemble.predict(&row).unwrap();
        let ball = FeatureBox::linf(&row, 0.1, None).unwrap();
        let lead = |row: &[f32; FEATURES]| {
            let scores = ensemble.scores(row).unwrap();
            scores[class] - scores[1 - class]
        };
        let least = inputs(&ball).iter().map(lead).fold(f64::INFINITY, f64::min);
        let bound = TreeCertifier { levels: 3, search_steps: 0, ..TreeCertifier::default() };
        let (Verdict::Robust { margin } | Verdict::Unknown { margin }) =
            bound.certify(&ensemble, &row, &ball).unwrap()
        else {
            panic!("a bound finds no witness")
        };
        assert!(margin <= least && least - margin < 1e-10, "{number}: {margin} {least}");
    }
}

/// One stump at 0.5: the largest ball around 0.3 that stays below it has the radius 0.2.
#[test]
fn the_radius_of_a_stump_is_the_distance_to_its_threshold() {
    let stump = vec![
        Node::Split { feature: 0, threshold: 0.5, left: 1, right: 2 },
        Node::Leaf { scores: vec![(0, 1.0)] },
        Node::Leaf { scores: vec![(1, 1.0)] },
    ];
    let ensemble = TreeEnsemble::new(2, vec![0.0, 0.0], vec![stump]).unwrap();
    let certifier = TreeCertifier::default();
    let certificate = certifier.linf_radius(&ensemble, &[0.3, 0.9], None, (1.0, 1e-9)).unwrap();
    let distance = 0.5 - f64::from(0.3_f32);
    assert_eq!(certificate.prediction, 0);
    assert!(certificate.radius < distance && distance - certificate.radius < 1e-7);
    assert_eq!(certificate.witness.unwrap(), [0.5, 0.9]);
    // From the right the threshold itself still goes right: the ball may be one f32 larger.
    let right = certifier.linf_radius(&ensemble, &[0.75, 0.9], None, (1.0, 1e-12)).unwrap();
    assert!(right.radius >= 0.25 && right.radius < 0.25 + 1e-7, "{right:?}");
    // A feature that cannot move breaks nothing.
    let domain =
        Domain::table(vec![0.0; 2], vec![1.0; 2]).unwrap().with_immutable(vec![0]).unwrap();
    let all = certifier.linf_radius(&ensemble, &[0.3, 0.9], Some(&domain), (1.0, 1e-9)).unwrap();
    assert_eq!((all.radius.to_bits(), all.uncertified), (1.0_f64.to_bits(), None));
}

#[test]
fn a_tie_is_not_certified_and_a_search_without_steps_says_unknown() {
    let tie = TreeEnsemble::new(1, vec![0.0, 0.0], vec![]).unwrap();
    let point = FeatureBox::linf(&[0.5], 0.1, None).unwrap();
    let verdict = TreeCertifier::default().certify(&tie, &[0.5], &point).unwrap();
    assert!(matches!(verdict, Verdict::Unknown { margin } if margin <= 0.0));
    let ensemble = forest(3, 6, 3, 2);
    let ball = FeatureBox::linf(&row(3), 0.5, None).unwrap();
    let hasty = TreeCertifier { levels: 0, search_steps: 1, ..TreeCertifier::default() };
    assert!(matches!(hasty.certify(&ensemble, &row(3), &ball).unwrap(), Verdict::Unknown { .. }));
    let narrow = FeatureBox::linf(&[0.5], 0.1, None).unwrap();
    assert!(hasty.certify(&ensemble, &row(3), &narrow).is_err());
}
