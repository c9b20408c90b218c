//! Accuracy that is no better than a guess, and what would explain it.
use duress_metrics::{Confidence, Interval, Proportion};

use super::assignment::best_assignment;
use super::wording::{rate, some};
use super::{Alternative, Finding, Kind, Severity, Subject};
use crate::Result;

/// Labels that the model has no class for.
pub(super) fn missing_classes(subject: &Subject<'_>) -> Option<Finding> {
    let (labels, classes) = (subject.data.labels(), subject.classes);
    let missing = labels.iter().filter(|&&label| label >= classes).count();
    let largest = labels.iter().max().filter(|_| missing > 0)?;
    Some(Finding::new(
        Severity::Stop,
        Kind::MissingClasses,
        format!(
            "{missing} of {} samples have labels that the model has no class for: the largest label \
             is {largest}, the model has {classes} classes, 0 to {}",
            labels.len(),
            classes.saturating_sub(1)
        ),
        if *largest == classes {
            "check whether the labels begin at 1 (`label_offset = 1`)"
        } else {
            "check that these data are of the model's classes"
        },
    ))
}

/// What guesses would score on these samples.
struct Guesses {
    /// Of a class drawn uniformly.
    uniform: f64,
    /// Of the most frequent class, always.
    constant: f64,
    /// Of the model's own predictions, dealt out to the samples at random: the agreement by chance
    /// of Cohen. *A Coefficient of Agreement for Nominal Scales.* Educ. Psychol. Meas. 20, 1960.
    shuffled: f64,
}

impl Guesses {
    fn of(labels: &[usize], predicted: &[usize], classes: usize) -> Self {
        let size = labels.iter().chain(predicted).max().map_or(0, |most| most + 1);
        let shares = |list: &[usize]| {
            let mut shares = vec![0.0; size];
            for &class in list {
                shares[class] += 1.0 / list.len() as f64;
            }
            shares
        };
        let (labels, predicted) = (shares(labels), shares(predicted));
        Self {
            uniform: 1.0 / classes.max(1) as f64,
            constant: labels.iter().copied().fold(0.0, f64::max),
            shuffled: labels.iter().zip(&predicted).map(|(a, b)| a * b).sum(),
        }
    }
}

/// The share of the way from a guess to all right.
fn above(rate: f64, guess: f64) -> f64 {
    if guess < 1.0 { (rate - guess) / (1.0 - guess) } else { 0.0 }
}

fn interval(proportion: Proportion) -> Interval {
    proportion.clopper_pearson(Confidence::P95).unwrap_or(Interval { lower: 0.0, upper: 1.0 })
}

fn agreement(labels: &[usize], fits: impl Fn(usize, usize) -> bool) -> Proportion {
    Proportion::of(labels.iter().enumerate().map(|(index, &label)| fits(index, label)))
}

pub(super) fn findings(
    subject: &Subject<'_>,
    alternatives: Vec<Alternative<'_>>,
) -> Result<Vec<Finding>> {
    let (labels, predicted) = (subject.data.labels(), subject.predicted);
    let clean = agreement(labels, |index, label| predicted[index] == label);
    let Some(accuracy) = clean.rate() else { return Ok(Vec::new()) };
    let guesses = Guesses::of(labels, predicted, subject.classes);
    let range = interval(clean);
    let one_label = labels.iter().all(|&label| label == labels[0]);
    // No better than the predictions would do by chance, or worse.
    let at_chance =
        range.lower <= guesses.uniform || (!one_label && range.lower <= guesses.shuffled);
    let at_constant = !one_label && range.contains(guesses.constant);
    let mut findings = Vec::new();
    if one_label {
        findings.push(Finding::new(
            Severity::Warn,
            Kind::OneLabel,
            format!("all {} samples have the label {}", labels.len(), labels[0]),
            "check that the file is not sorted by class; one class says little of a model",
        ));
    }
    if !(at_chance || at_constant) {
        return Ok(findings);
    }
    // With few samples a good model cannot be told from a guess: that does not stop.
    let guess = if one_label { guesses.uniform } else { guesses.uniform.max(guesses.shuffled) };
    let promising = above(accuracy, guess) >= PROMISING;
    let severity = if at_chance && !promising { Severity::Stop } else { Severity::Warn };
    let advice = match (severity, at_chance) {
        (Severity::Stop, _) => {
            "check the scaling of the input, the order of its axes and of the classes, and that the \
             model was trained on such data"
        }
        (Severity::Warn, true) => {
            "take more samples: these are too few to tell the model from a guess"
        }
        (Severity::Warn, false) => {
            "take more samples, or balanced ones: always answering the most frequent class is as right"
        }
    };
    findings.push(Finding::new(
        severity,
        Kind::Chance,
        format!(
            "the accuracy without an attack is {}; the most frequent class is {:.2} % of the \
             samples, a uniform guess is right in {:.2} %",
            rate(clean),
            100.0 * guesses.constant,
            100.0 * guesses.uniform
        ),
        advice,
    ));
    let explained =
        Explained { subject, clean, guess: guesses.uniform.max(guesses.constant), severity };
    findings.extend(explained.one_answer());
    let labelling = explained.offset().or_else(|| explained.order());
    match labelling {
        Some(finding) => findings.push(finding),
        None => findings.extend(explained.other_form(alternatives)?),
    }
    Ok(findings)
}

/// Looks for what would make the accuracy far better.
struct Explained<'a> {
    subject: &'a Subject<'a>,
    clean: Proportion,
    guess: f64,
    severity: Severity,
}

impl Explained<'_> {
    fn far_better(&self, other: Proportion) -> bool {
        interval(other).lower > interval(self.clean).upper
            && above(other.rate().unwrap_or(0.0), self.guess) >= FAR_BETTER
    }

    fn finding(&self, kind: Kind, seen: String, advice: impl Into<String>) -> Finding {
        Finding::new(self.severity, kind, seen, advice)
    }

    fn one_answer(&self) -> Option<Finding> {
        let (predicted, labels) = (self.subject.predicted, self.subject.data.labels());
        let mut counts = vec![0_usize; predicted.iter().max()? + 1];
        for &class in predicted {
            counts[class] += 1;
        }
        let (class, &count) = counts.iter().enumerate().max_by_key(|(_, count)| **count)?;
        let right = labels.iter().filter(|&&label| label == class).count();
        let all = predicted.len();
        let nearly = |count: usize| count as f64 >= NEARLY_ALL * all as f64;
        (nearly(count) && !nearly(right)).then(|| {
            self.finding(
                Kind::OneAnswer,
                format!("{count} of {all} predictions are class {class}"),
                "the input is probably scaled wrongly: try the scale, mean and standard deviation \
                 that the model was trained with",
            )
        })
    }

    /// Labels that are one too large or too small.
    fn offset(&self) -> Option<Finding> {
        let (predicted, labels) = (self.subject.predicted, self.subject.data.labels());
        [1_i64, -1].into_iter().find_map(|offset| {
            let fits =
                |index: usize, label: usize| predicted[index] as i64 == label as i64 - offset;
            let shifted = agreement(labels, fits);
            self.far_better(shifted).then(|| {
                self.finding(
                    Kind::LabelOffset,
                    format!(
                        "with {offset} subtracted from each label the accuracy is {}",
                        rate(shifted)
                    ),
                    if offset == 1 {
                        "the labels begin at 1, the model's classes at 0: `label_offset = 1`"
                    } else {
                        "the model has a class before the first of the data: `label_offset = -1`"
                    },
                )
            })
        })
    }

    /// Classes in another order.
    fn order(&self) -> Option<Finding> {
        let (predicted, data) = (self.subject.predicted, self.subject.data);
        let size =
            data.class_names().len().max(self.subject.classes).max(predicted.iter().max()? + 1);
        // Below this an assignment fits samples by chance, as there are enough to choose from.
        if size > MOST_ASSIGNED || data.len() < SAMPLES_A_CLASS * size {
            return None;
        }
        let mut counts = vec![0_u32; size * size];
        for (&answer, &label) in predicted.iter().zip(data.labels()) {
            counts[answer * size + label] += 1;
        }
        let label_of = best_assignment(&counts, size);
        let matched = agreement(data.labels(), |index, label| label_of[predicted[index]] == label);
        if !self.far_better(matched) {
            return None;
        }
        let name = |label: usize| match data.class_names().get(label) {
            Some(name) => format!("`{name}`"),
            None => label.to_string(),
        };
        let moved = |&answer: &usize| {
            label_of[answer] != answer && counts[answer * size + label_of[answer]] > 0
        };
        let moved: Vec<String> = (0..size)
            .filter(moved)
            .map(|answer| {
                format!("the model's class {answer} is {} of the data", name(label_of[answer]))
            })
            .collect();
        Some(self.finding(
            Kind::ClassOrder,
            format!(
                "with the classes in another order the accuracy is {}: {}",
                rate(matched),
                some(&moved, 4)
            ),
            "the class order differs: give `classes` in the order of the model, or number the labels \
             as the model does",
        ))
    }

    /// The best of the alternatives, if it is far better.
    fn other_form(&self, alternatives: Vec<Alternative<'_>>) -> Result<Option<Finding>> {
        let labels = self.subject.data.labels();
        let mut best: Option<(Proportion, String, String)> = None;
        for Alternative { name, advice, predict } in alternatives {
            let predicted = predict()?;
            super::check("predictions of an alternative", labels.len(), predicted.len())?;
            let fits = agreement(labels, |index, label| predicted[index] == label);
            let better = best.as_ref().is_none_or(|(most, ..)| fits.successes() > most.successes());
            if self.far_better(fits) && better {
                best = Some((fits, name, advice));
            }
        }
        Ok(best.map(|(fits, name, advice)| {
            let seen = format!("with {name} the accuracy is {}", rate(fits));
            self.finding(Kind::OtherForm, seen, advice)
        }))
    }
}

/// Share of the way from a guess to all right that a model on few samples must have gone.
const PROMISING: f64 = 0.25;
/// Share of that way that an explanation must reach.
const FAR_BETTER: f64 = 0.5;
const NEARLY_ALL: f64 = 0.99;
const SAMPLES_A_CLASS: usize = 5;
/// The assignment takes the cube of the classes.
const MOST_ASSIGNED: usize = 1024;
