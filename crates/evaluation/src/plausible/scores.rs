//! What the model's answers are: logits, probabilities, or no numbers.
use super::{Finding, Kind, Severity, Subject};

pub(super) fn findings(subject: &Subject<'_>) -> Option<Finding> {
    let logits = subject.logits.filter(|logits| !logits.is_empty())?;
    let rows = || logits.chunks_exact(subject.classes);
    let odd = rows().filter(|row| row.iter().any(|value| !value.is_finite())).count();
    if odd > 0 {
        return Some(Finding::new(
            Severity::Stop,
            Kind::NotFinite,
            format!("the model's answer to {odd} of {} samples is NaN or infinite", rows().len()),
            "check the scaling of the input and the weights",
        ));
    }
    let probabilities = |row: &[f32]| {
        let sum: f64 = row.iter().map(|&value| f64::from(value)).sum();
        row.iter().all(|&value| value >= 0.0) && (sum - 1.0).abs() <= TOLERANCE
    };
    let softmax = subject.classes > 1 && rows().all(probabilities);
    softmax.then(|| {
        let saturated = rows().filter(|row| row.iter().any(|&value| value >= 1.0 - 1e-6)).count();
        Finding::new(
            Severity::Warn,
            Kind::Softmax,
            format!(
                "the answers to all {} samples are probabilities, {saturated} of them 1 for one \
                 class: the network ends in a softmax",
                rows().len()
            ),
            "attacks need the logits before it: the gradients of saturated probabilities vanish and \
             the model seems robust; leave the softmax out, or take the logarithm (of a service: say that it answers with \
             probabilities)",
        )
    })
}

const TOLERANCE: f64 = 1e-4;
