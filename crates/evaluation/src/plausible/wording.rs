//! Rates in words.
use duress_metrics::{Confidence, Proportion};

/// `9.80 % [8.03, 11.81] (98 of 1000)`, with the Clopper-Pearson interval at 95 %.
pub(super) fn rate(proportion: Proportion) -> String {
    let (Some(rate), Some(interval)) =
        (proportion.rate(), proportion.clopper_pearson(Confidence::P95))
    else {
        return "no samples".into();
    };
    let (part, whole) = (proportion.successes(), proportion.total());
    format!("{:.2} % {interval} ({part} of {whole})", 100.0 * rate)
}

/// The first few of a list, and how many more there are.
pub(super) fn some(items: &[String], most: usize) -> String {
    let shown = items.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
