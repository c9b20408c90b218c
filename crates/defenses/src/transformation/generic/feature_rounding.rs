//! Rounding of table features.
//!
//! Feature squeezing (Xu, Evans, Qi, NDSS 2018, §III.A) for columns instead of colours.
//! <https://arxiv.org/abs/1704.01155>
use burn::prelude::*;
use duress_core::{Domain, Error, Layout, Result};
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::by_row;
use crate::transformation::mapping::wrong;
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// Rounds each feature to a grid that begins at its lower bound; halves away from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeatureRounding {
    /// Values on the grid of each feature, from its lower to its upper bound, at least 2; not used
    /// where `steps` are given.
    pub levels: u32,
    /// Width of the grid of each feature, in its own unit; 0 leaves a feature as it is.
    pub steps: Vec<f64>,
}

impl Default for FeatureRounding {
    fn default() -> Self {
        Self { levels: 32, steps: Vec::new() }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "feature-rounding",
    summary: "each feature of a table to a grid (feature squeezing)",
    reference: "arXiv:1704.01155",
    defaults: defaults::<FeatureRounding>,
    parse: transformation::<FeatureRounding>,
};

impl Transformation for FeatureRounding {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Identity
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        let got = domain.layout();
        if !matches!(got, Layout::Table { .. }) {
            return Err(Error::Layout { algorithm: ENTRY.name, expected: "a table", got });
        }
        if self.levels < 2 {
            return wrong(ENTRY.name, "levels", "at least 2", self.levels);
        }
        if !self.steps.is_empty() && self.steps.len() != domain.features() {
            let got = format!("{} for {} features", self.steps.len(), domain.features());
            return wrong(ENTRY.name, "steps", "one a feature, or none", got);
        }
        match self.steps.iter().find(|step| !(step.is_finite() && **step >= 0.0)) {
            Some(step) => wrong(ENTRY.name, "steps", "finite and at least 0", step),
            None => Ok(()),
        }
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let column = |index: usize| {
            let [lower, upper] = [domain.lower(), domain.upper()].map(|b| f64::from(b.at(index)));
            let even = (upper - lower) / f64::from(self.levels - 1);
            Column { lower, upper, step: self.steps.get(index).copied().unwrap_or(even) }
        };
        Ok(Box::new(Grid((0..domain.features()).map(column).collect())))
    }
}

struct Column {
    lower: f64,
    upper: f64,
    step: f64,
}

struct Grid(Vec<Column>);

impl Mapping for Grid {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        by_row(rows, draws, |row, _| {
            for (value, Column { lower, upper, step }) in row.iter_mut().zip(&self.0) {
                if *step > 0.0 {
                    let place = ((f64::from(*value) - lower) / step).round();
                    *value = (lower + place * step).min(*upper) as f32;
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    #[test]
    fn each_feature_goes_to_its_own_grid_and_not_past_its_bound() {
        let domain = Domain::table(vec![0.0, 1.0, 0.0], vec![10.0, 2.0, 1.0]).unwrap();
        let got = |settings: &FeatureRounding| {
            settings.check(&domain).unwrap();
            let rows = Tensor::<2>::from_data([[9.9, 1.3, 0.123]], &Device::flex());
            let mapping = settings.prepare(&domain).unwrap();
            floats(mapping.apply(rows, &Draws::shared(0))).unwrap()
        };
        let steps = FeatureRounding { steps: vec![4.0, 0.25, 0.0], ..Default::default() };
        // 9.9 / 4 rounds to 2; 2.5 would be 10.
        assert_eq!(got(&steps), [8.0, 1.25, 0.123]);
        assert_eq!(got(&FeatureRounding { levels: 2, steps: vec![] }), [10.0, 1.0, 0.0]);
        let past = FeatureRounding { steps: vec![7.0, 0.0, 0.0], ..Default::default() };
        assert_eq!(got(&past)[0].to_bits(), 7.0_f32.to_bits());
    }

    #[test]
    fn steps_that_do_not_fit_and_pictures_are_refused() {
        let table = Domain::table(vec![0.0; 2], vec![1.0; 2]).unwrap();
        let short = FeatureRounding { steps: vec![0.1], ..Default::default() };
        assert!(short.check(&table).is_err());
        let picture = Domain::image(1, 2, 2).unwrap();
        let error = FeatureRounding::default().check(&picture).unwrap_err();
        assert!(matches!(error, Error::Layout { expected: "a table", .. }));
    }
}
