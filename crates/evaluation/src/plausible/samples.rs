//! What is odd about the samples themselves.
use duress_core::Layout;
use duress_datasets::Dataset;

use super::wording::some;
use super::{Finding, Kind, Severity};

pub(super) fn findings(data: &Dataset) -> Vec<Finding> {
    [normalised(data), constant_features(data), duplicates(data)].into_iter().flatten().collect()
}

/// Pictures with negative values, a mean near 0 and a standard deviation near 1.
fn normalised(data: &Dataset) -> Option<Finding> {
    let domain = data.domain();
    let (low, high) = (domain.lower().at(0), domain.upper().at(0));
    if !matches!(domain.layout(), Layout::Image { .. }) || low >= 0.0 || data.is_empty() {
        return None;
    }
    let count = data.values().len() as f64;
    let mean = data.values().iter().map(|&value| f64::from(value)).sum::<f64>() / count;
    let square: f64 = data.values().iter().map(|&value| (f64::from(value) - mean).powi(2)).sum();
    let deviation = (square / count).sqrt();
    (mean.abs() <= 0.5 && (0.5..=1.5).contains(&deviation)).then(|| {
        Finding::new(
            Severity::Warn,
            Kind::Normalised,
            format!(
                "the pictures are in [{low}, {high}] with mean {mean:.3} and standard deviation \
                 {deviation:.3}: they look normalised"
            ),
            "a radius is then in units of standard deviations, so 8/255 is no longer 8 levels of a \
             pixel: better give raw pixels, and mean and standard deviation to the model",
        )
    })
}

/// Columns of a table with one value; of pictures and sounds only if most are like that.
fn constant_features(data: &Dataset) -> Option<Finding> {
    let features = data.features();
    if data.len() < 2 {
        return None;
    }
    let first = data.row(0);
    let mut constant = vec![true; features];
    for row in data.values().chunks_exact(features) {
        for ((constant, value), first) in constant.iter_mut().zip(row).zip(first) {
            *constant &= value.to_bits() == first.to_bits();
        }
    }
    let which: Vec<usize> = (0..features).filter(|&feature| constant[feature]).collect();
    let is_table = matches!(data.domain().layout(), Layout::Table { .. });
    if which.is_empty() || (!is_table && 2 * which.len() <= features) {
        return None;
    }
    let name = |&feature: &usize| match data.feature_names().get(feature) {
        Some(name) => format!("`{name}`"),
        None => feature.to_string(),
    };
    let names: Vec<String> = which.iter().map(name).collect();
    Some(Finding::new(
        Severity::Warn,
        Kind::ConstantFeatures,
        format!(
            "{} of {features} features are the same in all samples: {}",
            which.len(),
            some(&names, 5)
        ),
        "check that the right columns or pixels were read; in a box of the data's own range no \
         attack can move them",
    ))
}

/// Samples equal to one before them, bit for bit.
fn duplicates(data: &Dataset) -> Option<Finding> {
    let mut order: Vec<usize> = (0..data.len()).collect();
    let bits = |index: usize| data.row(index).iter().map(|value| value.to_bits());
    order.sort_unstable_by(|&a, &b| bits(a).cmp(bits(b)));
    let (mut repeated, mut contradicting) = (0, 0);
    for group in order.chunk_by(|&a, &b| data.row(a) == data.row(b)) {
        repeated += group.len() - 1;
        if group.iter().any(|&index| data.label(index) != data.label(group[0])) {
            contradicting += group.len();
        }
    }
    // More than one in a hundred.
    (repeated * 100 > data.len()).then(|| {
        Finding::new(
            Severity::Warn,
            Kind::Duplicates,
            format!(
                "{repeated} of {} samples are copies of another; {contradicting} samples have a copy \
                 with another label",
                data.len()
            ),
            "check how the file was made: copies count several times, and intervals are too narrow",
        )
    })
}
