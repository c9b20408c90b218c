//! Exact cases for each finding.
use std::cell::Cell;

use duress_core::Domain;

use super::*;

fn names(classes: usize) -> Vec<String> {
    (0..classes).map(|class| format!("c{class}")).collect()
}

/// A table of one column that numbers the rows.
fn labelled(labels: Vec<usize>, classes: usize) -> Dataset {
    let values = (0..labels.len()).map(|row| row as f32).collect();
    Dataset::table("t", 1, values, labels, names(classes)).unwrap()
}

/// `count` labels of `classes` classes in turn.
fn turns(count: usize, classes: usize) -> Vec<usize> {
    (0..count).map(|index| index % classes).collect()
}

fn look(data: &Dataset, predicted: &[usize], classes: usize) -> Vec<Finding> {
    examine(&Subject { data, predicted, classes, logits: None }, Vec::new()).unwrap()
}

fn kinds(findings: &[Finding]) -> Vec<(Severity, Kind)> {
    findings.iter().map(|finding| (finding.severity, finding.kind)).collect()
}

#[test]
fn a_model_that_is_mostly_right_has_no_findings() {
    let labels = turns(200, 4);
    let data = labelled(labels.clone(), 4);
    let mostly: Vec<usize> =
        (0..200).map(|index| if index < 120 { labels[index] } else { 0 }).collect();
    assert_eq!(look(&data, &mostly, 4), []);
    assert_eq!(look(&data.select(&[]), &[], 4), []);
}

/// Predictions that do not depend on the labels: (index / 4) % 4 against index % 4 agree in 1/4.
#[test]
fn accuracy_at_chance_stops() {
    let data = labelled(turns(160, 4), 4);
    let predicted: Vec<usize> = (0..160).map(|index| index / 4 % 4).collect();
    let findings = look(&data, &predicted, 4);
    assert_eq!(kinds(&findings), [(Severity::Stop, Kind::Chance)]);
    let seen = "the accuracy without an attack is 25.00 % [18.50, 32.45] (40 of 160); the most \
                frequent class is 25.00 % of the samples, a uniform guess is right in 25.00 %";
    assert_eq!(findings[0].seen, seen);
    let error = refuse("net.onnx", findings).unwrap_err();
    assert!(error.is_bad_input());
    assert!(error.to_string().starts_with("`net.onnx` and the data do not fit: the accuracy"));
}

#[test]
fn a_good_model_on_few_samples_is_a_warning() {
    let data = labelled(turns(8, 2), 2);
    let findings = look(&data, &[0, 1, 0, 1, 0, 1, 1, 0], 2);
    assert_eq!(kinds(&findings), [(Severity::Warn, Kind::Chance)]);
    assert!(findings[0].advice.starts_with("take more samples"));
    assert_eq!(refuse("m", findings.clone()).unwrap(), findings);
}

/// 90 of 100 are class 0. Half of the others are found, at the price of five false alarms: as right
/// as always saying 0, and yet far from chance.
#[test]
fn a_model_of_unbalanced_data_is_no_guess() {
    let labels: Vec<usize> = (0..100).map(|index| usize::from(index >= 90)).collect();
    let predicted: Vec<usize> =
        (0..100).map(|index| usize::from((85..95).contains(&index))).collect();
    let findings = look(&labelled(labels.clone(), 2), &predicted, 2);
    assert_eq!(kinds(&findings), [(Severity::Warn, Kind::Chance)]);
    assert!(findings[0].advice.contains("most frequent class is as right"));
    // Always 0 is as right, but by chance.
    let findings = look(&labelled(labels, 2), &[0; 100], 2);
    assert_eq!(findings[0].severity, Severity::Stop);
}

#[test]
fn one_answer_to_all_samples_points_at_the_scale() {
    let data = labelled(turns(100, 5), 5);
    let findings = look(&data, &[3; 100], 5);
    assert_eq!(
        kinds(&findings),
        [(Severity::Stop, Kind::Chance), (Severity::Stop, Kind::OneAnswer)]
    );
    assert_eq!(findings[1].seen, "100 of 100 predictions are class 3");
    assert!(findings[1].advice.contains("scaled wrongly"));
}

#[test]
fn labels_off_by_one_are_recognised_in_both_directions() {
    // Labels 1 to 4 of a model with five classes 0 to 4, which answers 0 to 3.
    let labels: Vec<usize> = turns(100, 4).into_iter().map(|label| label + 1).collect();
    let findings = look(&labelled(labels.clone(), 5), &turns(100, 4), 5);
    assert_eq!(
        kinds(&findings),
        [(Severity::Stop, Kind::Chance), (Severity::Stop, Kind::LabelOffset)]
    );
    let seen = "with 1 subtracted from each label the accuracy is 100.00 % [96.38, 100.00] (100 of \
                100)";
    assert_eq!(findings[1].seen, seen);
    assert!(findings[1].advice.ends_with("`label_offset = 1`"));
    let findings = look(&labelled(turns(100, 4), 4), &labels, 5);
    assert_eq!(findings[1].kind, Kind::LabelOffset);
    assert!(findings[1].advice.ends_with("`label_offset = -1`"));
}

#[test]
fn another_order_of_the_classes_is_recognised() {
    // Classes 0 and 2 are swapped, and 1 and 3.
    let labels = turns(80, 4);
    let predicted: Vec<usize> = labels.iter().map(|label| (label + 2) % 4).collect();
    let findings = look(&labelled(labels, 4), &predicted, 4);
    assert_eq!(
        kinds(&findings),
        [(Severity::Stop, Kind::Chance), (Severity::Stop, Kind::ClassOrder)]
    );
    let seen = "with the classes in another order the accuracy is 100.00 % [95.49, 100.00] (80 of \
                80): the model's class 0 is `c2` of the data, the model's class 1 is `c3` of the \
                data, the model's class 2 is `c0` of the data, the model's class 3 is `c1` of the data";
    assert_eq!(findings[1].seen, seen);
    // Of ten samples an order can always be made to fit.
    let labels = turns(10, 4);
    let predicted: Vec<usize> = labels.iter().map(|label| (label + 2) % 4).collect();
    assert_eq!(kinds(&look(&labelled(labels, 4), &predicted, 4)), [(Severity::Stop, Kind::Chance)]);
}

#[test]
fn the_best_other_form_is_reported_and_only_tried_when_needed() {
    let labels = turns(100, 4);
    let data = labelled(labels.clone(), 4);
    let calls = Cell::new(0);
    let alternatives = || {
        let right = |upto: usize| -> Vec<usize> {
            (0..100).map(|at| if at < upto { labels[at] } else { 0 }).collect()
        };
        [
            ("the channels last", right(70)),
            ("values up to 255", right(95)),
            ("nothing new", vec![1; 100]),
        ]
        .map(|(name, predicted)| Alternative {
            name: name.into(),
            advice: format!("choose {name}"),
            predict: Box::new(|| {
                calls.set(calls.get() + 1);
                Ok(predicted)
            }),
        })
        .into_iter()
        .collect::<Vec<_>>()
    };
    let subject = |predicted| Subject { data: &data, predicted, classes: 4, logits: None };
    assert_eq!(examine(&subject(&labels), alternatives()).unwrap(), []);
    assert_eq!(calls.get(), 0, "the model is right as it is");
    let findings = examine(&subject(&[2; 100]), alternatives()).unwrap();
    assert_eq!(calls.get(), 3);
    let [_, _, other] = &findings[..] else { panic!("{findings:?}") };
    // 95 rows are right, and of the last five the one whose label is 0.
    assert!(other.seen.starts_with("with values up to 255 the accuracy is 96.00 %"), "{other}");
    assert_eq!((other.kind, other.advice.as_str()), (Kind::OtherForm, "choose values up to 255"));
    let swapped: Vec<usize> = labels.iter().map(|label| 3 - label).collect();
    examine(&subject(&swapped), alternatives()).unwrap();
    assert_eq!(calls.get(), 3, "the order of the classes explains it");
}

#[test]
fn labels_without_a_class_stop() {
    let findings = look(&labelled(vec![0, 1, 2, 2, 1, 0], 3), &[0, 1, 0, 1, 1, 0], 2);
    assert_eq!(findings[0].kind, Kind::MissingClasses);
    let seen = "2 of 6 samples have labels that the model has no class for: the largest label is 2, \
                the model has 2 classes, 0 to 1";
    assert_eq!(findings[0].seen, seen);
    assert!(findings[0].advice.contains("`label_offset = 1`"));
    assert!(matches!(refuse("m", findings), Err(Error::Implausible { .. })));
}

#[test]
fn samples_of_one_label_are_a_warning() {
    let findings = look(&labelled(vec![2; 50], 4), &[2; 50], 4);
    assert_eq!(kinds(&findings), [(Severity::Warn, Kind::OneLabel)]);
}

#[test]
fn pictures_that_look_normalised_are_a_warning() {
    let picture = |low: f32, values: Vec<f32>| {
        let domain = Domain::new(
            duress_core::Layout::Image { channels: 1, height: 1, width: 2 },
            duress_core::Bound::Uniform(low),
            duress_core::Bound::Uniform(2.5),
        );
        Dataset::new("p", domain.unwrap(), values, vec![0, 1], names(2)).unwrap()
    };
    let seen = |data: &Dataset| samples::findings(data);
    let findings = seen(&picture(-2.0, vec![-1.0, 1.0, 1.0, -1.0]));
    assert_eq!(kinds(&findings), [(Severity::Warn, Kind::Normalised)]);
    assert!(findings[0].seen.contains("[-2, 2.5] with mean 0.000 and standard deviation 1.000"));
    assert_eq!(seen(&picture(0.0, vec![0.0, 1.0, 1.0, 0.0])), []);
    assert_eq!(seen(&picture(-2.0, vec![2.0, 2.5, 2.5, 2.0])), [], "the mean is far from 0");
}

#[test]
fn probabilities_and_answers_that_are_no_numbers_are_found() {
    let data = labelled(vec![0, 1], 2);
    let look = |logits: &[f32]| {
        let subject = Subject { data: &data, predicted: &[0, 1], classes: 2, logits: Some(logits) };
        scores::findings(&subject)
    };
    assert_eq!(look(&[2.0, -1.0, 0.5, 0.5]), None);
    assert_eq!(look(&[0.5, 0.5, 0.7, 0.4]), None, "a sum of 1.1");
    let softmax = look(&[1.0, 0.0, 0.300_05, 0.7]).unwrap();
    assert_eq!((softmax.severity, softmax.kind), (Severity::Warn, Kind::Softmax));
    assert!(
        softmax.seen.starts_with("the answers to all 2 samples are probabilities, 1 of them 1")
    );
    let odd = look(&[1.0, 0.0, f32::NAN, 0.7]).unwrap();
    assert_eq!((odd.severity, odd.kind), (Severity::Stop, Kind::NotFinite));
}

#[test]
fn constant_columns_and_copies_are_warnings() {
    let values = vec![1.0, 7.0, 2.0, 7.0, 1.0, 7.0];
    let data = Dataset::table("t", 2, values, vec![0, 1, 1], names(2)).unwrap();
    let data = data.with_feature_names(vec!["age".into(), "weight".into()]).unwrap();
    let findings = samples::findings(&data);
    assert_eq!(
        kinds(&findings),
        [(Severity::Warn, Kind::ConstantFeatures), (Severity::Warn, Kind::Duplicates)]
    );
    assert_eq!(findings[0].seen, "1 of 2 features are the same in all samples: `weight`");
    let seen = "1 of 3 samples are copies of another; 2 samples have a copy with another label";
    assert_eq!(findings[1].seen, seen);
    // One copy in a hundred is not more than one in a hundred.
    let mut values: Vec<f32> = (0..100).map(|row| row as f32).collect();
    values[99] = 0.0;
    let data = Dataset::table("t", 1, values, vec![0; 100], names(1)).unwrap();
    assert_eq!(samples::findings(&data), []);
}

#[test]
fn lists_that_do_not_fit_are_errors() {
    let data = labelled(vec![0, 1], 2);
    let subject = Subject { data: &data, predicted: &[0], classes: 2, logits: None };
    let message = examine(&subject, Vec::new()).unwrap_err().to_string();
    assert_eq!(message, "predictions: expected 2 for the samples, got 1");
    let subject = Subject { data: &data, predicted: &[0, 1], classes: 2, logits: Some(&[0.0; 3]) };
    assert!(examine(&subject, Vec::new()).unwrap_err().to_string().starts_with("logits"));
}
