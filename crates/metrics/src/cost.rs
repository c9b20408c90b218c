//! What an attack or a certificate costs.
use serde::{Deserialize, Serialize};

use crate::{Result, Summary};

/// What was spent on one sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cost {
    /// Forward passes.
    pub forwards: u64,
    /// Passes back to the input.
    pub backwards: u64,
    /// Answers of the model the threat model charges for.
    pub queries: u64,
    /// Wall-clock time, seconds.
    pub seconds: f64,
}

/// The cost of many samples: totals, and how they spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CostSummary {
    /// Sums over all samples.
    pub total: Cost,
    /// Forward passes per sample.
    pub forwards: Summary,
    /// Backward passes per sample.
    pub backwards: Summary,
    /// Queries per sample.
    pub queries: Summary,
    /// Seconds per sample.
    pub seconds: Summary,
}

impl CostSummary {
    /// Summarises one entry a sample; `None` without samples.
    ///
    /// For the queries of successful attacks only, as the black-box literature reports them,
    /// pass the successful samples.
    ///
    /// # Errors
    /// [`crate::Error::Value`] for a time that is infinite or not a number.
    pub fn of(costs: &[Cost]) -> Result<Option<Self>> {
        let summary =
            |pick: fn(&Cost) -> f64| Summary::of(&costs.iter().map(pick).collect::<Vec<f64>>());
        let (Some(forwards), Some(backwards), Some(queries), Some(seconds)) = (
            summary(|cost| cost.forwards as f64)?,
            summary(|cost| cost.backwards as f64)?,
            summary(|cost| cost.queries as f64)?,
            summary(|cost| cost.seconds)?,
        ) else {
            return Ok(None);
        };
        let total = Cost {
            forwards: costs.iter().map(|cost| cost.forwards).sum(),
            backwards: costs.iter().map(|cost| cost.backwards).sum(),
            queries: costs.iter().map(|cost| cost.queries).sum(),
            seconds: costs.iter().map(|cost| cost.seconds).collect::<crate::Mean>().sum(),
        };
        Ok(Some(Self { total, forwards, backwards, queries, seconds }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn totals_are_exact_and_quantiles_are_per_sample() {
        let cost = |forwards, queries, seconds| Cost { forwards, backwards: 1, queries, seconds };
        let got = CostSummary::of(&[cost(1, 10, 0.5), cost(3, 30, 0.25), cost(2, 500, 0.25)]);
        let got = got.unwrap().unwrap();
        assert_eq!(got.total, Cost { forwards: 6, backwards: 3, queries: 540, seconds: 1.0 });
        assert!((got.queries.median - 30.0).abs() < 1e-15);
        assert!((got.queries.mean - 180.0).abs() < 1e-12);
        assert!((got.backwards.max - 1.0).abs() < 1e-15);
    }

    #[test]
    fn no_samples_cost_nothing_and_an_undefined_time_is_an_error() {
        assert_eq!(CostSummary::of(&[]), Ok(None));
        assert!(CostSummary::of(&[Cost { seconds: f64::NAN, ..Cost::default() }]).is_err());
    }

    proptest! {
        #[test]
        fn the_mean_times_the_count_is_the_total(queries in vec(0_u64..1_000_000, 1..50)) {
            let costs: Vec<_> =
                queries.iter().map(|&queries| Cost { queries, ..Cost::default() }).collect();
            let got = CostSummary::of(&costs).unwrap().unwrap();
            let product = got.queries.mean * got.queries.count as f64;
            prop_assert!((product - got.total.queries as f64).abs() < 1e-6);
        }
    }
}
