//! Affine scaling of the columns of a table, fitted on one part and applied to another.
//!
//! One ℓ∞ radius for all columns means nothing while they have different units; after scaling it
//! does. A scaler changes values *and* domain, so the box stays the box of the same rows.
use duress_core::{Bound, Domain};
use serde::{Deserialize, Serialize};

use crate::{Dataset, Error, Result};

/// `(x − mean) / deviation`, column by column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Affine", into = "Affine")]
pub struct StandardScaler(Affine);

/// `(x − minimum) / (maximum − minimum)`, column by column: the fitted rows land in `[0, 1]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Affine", into = "Affine")]
pub struct MinMaxScaler(Affine);

impl StandardScaler {
    /// Mean and population standard deviation (divisor `N`) of each column, summed in `f64`.
    /// A constant column is centred and keeps its unit.
    ///
    /// # Errors
    /// [`Error::Empty`] for a data set without rows.
    pub fn fit(data: &Dataset) -> Result<Self> {
        let (features, count) = (data.features(), data.len() as f64);
        if data.is_empty() {
            return Err(Error::Empty { file: data.name().into() });
        }
        let mut mean = vec![0.0_f64; features];
        let mut square = vec![0.0_f64; features];
        for row in data.values().chunks_exact(features) {
            for (sum, &value) in mean.iter_mut().zip(row) {
                *sum += f64::from(value);
            }
        }
        for sum in &mut mean {
            *sum /= count;
        }
        for row in data.values().chunks_exact(features) {
            for ((sum, &mean), &value) in square.iter_mut().zip(&mean).zip(row) {
                *sum += (f64::from(value) - mean).powi(2);
            }
        }
        let (lower, upper) = column_range(data.name(), data.values(), features)?;
        let scale = square
            .iter()
            .zip(lower.iter().zip(&upper))
            .map(|(sum, (lower, upper))| if lower < upper { (sum / count).sqrt() } else { 1.0 });
        Ok(Self(Affine { scale: scale.collect(), offset: mean }))
    }

    /// Mean of each fitted column.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        &self.0.offset
    }

    /// Standard deviation of each fitted column, 1 for a constant one.
    #[must_use]
    pub fn deviation(&self) -> &[f64] {
        &self.0.scale
    }

    /// Scaled values in the scaled domain.
    ///
    /// # Errors
    /// [`Error::Core`] for another number of columns.
    pub fn transform(&self, data: &Dataset) -> Result<Dataset> {
        self.0.apply(data, Affine::forward)
    }

    /// Undoes [`transform`](Self::transform), up to rounding.
    ///
    /// # Errors
    /// [`Error::Core`] for another number of columns.
    pub fn inverse(&self, data: &Dataset) -> Result<Dataset> {
        self.0.apply(data, Affine::backward)
    }
}

impl MinMaxScaler {
    /// Smallest and largest value of each column. A constant column becomes 0 and keeps its unit.
    ///
    /// # Errors
    /// [`Error::Empty`] for a data set without rows.
    pub fn fit(data: &Dataset) -> Result<Self> {
        let (lower, upper) = column_range(data.name(), data.values(), data.features())?;
        let width = lower.iter().zip(&upper).map(|(&lower, &upper)| {
            if lower < upper { f64::from(upper) - f64::from(lower) } else { 1.0 }
        });
        Ok(Self(Affine {
            scale: width.collect(),
            offset: lower.into_iter().map(f64::from).collect(),
        }))
    }

    /// Smallest value of each fitted column.
    #[must_use]
    pub fn minimum(&self) -> &[f64] {
        &self.0.offset
    }

    /// Largest less smallest value of each fitted column, 1 for a constant one.
    #[must_use]
    pub fn width(&self) -> &[f64] {
        &self.0.scale
    }

    /// Scaled values in the scaled domain. Rows outside the fitted range leave `[0, 1]`.
    ///
    /// # Errors
    /// [`Error::Core`] for another number of columns.
    pub fn transform(&self, data: &Dataset) -> Result<Dataset> {
        self.0.apply(data, Affine::forward)
    }

    /// Undoes [`transform`](Self::transform), up to rounding.
    ///
    /// # Errors
    /// [`Error::Core`] for another number of columns.
    pub fn inverse(&self, data: &Dataset) -> Result<Dataset> {
        self.0.apply(data, Affine::backward)
    }
}

/// `(x − offset) / scale`. Computed in `f64` and rounded once: monotone, so the box stays a box.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Affine {
    offset: Vec<f64>,
    scale: Vec<f64>,
}

impl Affine {
    fn forward(&self, column: usize, value: f32) -> f32 {
        ((f64::from(value) - self.offset[column]) / self.scale[column]) as f32
    }

    fn backward(&self, column: usize, value: f32) -> f32 {
        (f64::from(value) * self.scale[column] + self.offset[column]) as f32
    }

    fn apply(&self, data: &Dataset, map: fn(&Self, usize, f32) -> f32) -> Result<Dataset> {
        let features = data.features();
        if features != self.offset.len() {
            return Err(Error::Core(duress_core::Error::Shape {
                what: "columns of a scaler",
                expected: format!("{}", self.offset.len()),
                got: format!("{features}"),
            }));
        }
        let domain = data.domain();
        let side = |bound: &Bound| {
            Bound::PerFeature(
                (0..features).map(|column| map(self, column, bound.at(column))).collect(),
            )
        };
        let scaled = Domain::new(domain.layout(), side(domain.lower()), side(domain.upper()))?
            .with_immutable(domain.immutable().to_vec())?;
        let rows = data.values().chunks_exact(features);
        let values = rows.flat_map(|row| row.iter().enumerate());
        let values = values.map(|(column, &value)| map(self, column, value)).collect();
        data.with_values(scaled, values)
    }

    fn checked(self) -> Result<Self> {
        let finite = self.offset.iter().all(|offset| offset.is_finite());
        let positive = self.scale.iter().all(|&scale| scale.is_finite() && scale > 0.0);
        if self.offset.len() != self.scale.len() || !finite || !positive {
            let expected = "finite offsets and as many positive scales";
            return Err(Error::parameter("scaler", expected, format!("{self:?}")));
        }
        Ok(self)
    }
}

impl TryFrom<Affine> for StandardScaler {
    type Error = Error;

    fn try_from(raw: Affine) -> Result<Self> {
        raw.checked().map(Self)
    }
}

impl TryFrom<Affine> for MinMaxScaler {
    type Error = Error;

    fn try_from(raw: Affine) -> Result<Self> {
        raw.checked().map(Self)
    }
}

impl From<StandardScaler> for Affine {
    fn from(scaler: StandardScaler) -> Self {
        scaler.0
    }
}

impl From<MinMaxScaler> for Affine {
    fn from(scaler: MinMaxScaler) -> Self {
        scaler.0
    }
}

/// Smallest and largest value of each of `features` columns.
pub(crate) fn column_range(
    name: &str,
    values: &[f32],
    features: usize,
) -> Result<(Vec<f32>, Vec<f32>)> {
    if features == 0 || values.len() < features {
        return Err(Error::Empty { file: name.into() });
    }
    let (first, rest) = values.split_at(features);
    let (mut lower, mut upper) = (first.to_vec(), first.to_vec());
    for row in rest.chunks_exact(features) {
        for ((lower, upper), &value) in lower.iter_mut().zip(&mut upper).zip(row) {
            *lower = lower.min(value);
            *upper = upper.max(value);
        }
    }
    Ok((lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::numbered;
    use proptest::{collection::vec, prelude::*};

    fn table(values: Vec<f32>, features: usize) -> Dataset {
        let labels = vec![0; values.len() / features];
        Dataset::table("t", features, values, labels, numbered(1)).unwrap()
    }

    /// Columns (1, 3), mean 2 and deviation 1; (7, 7), constant; (0, 10), mean 5 and deviation 5.
    #[test]
    fn the_standard_scaler_centres_and_divides_by_the_population_deviation() {
        let data = table(vec![1.0, 7.0, 0.0, 3.0, 7.0, 10.0], 3);
        let scaler = StandardScaler::fit(&data).unwrap();
        assert_eq!(scaler.mean(), [2.0, 7.0, 5.0]);
        assert_eq!(scaler.deviation(), [1.0, 1.0, 5.0]);
        let result = scaler.transform(&data).unwrap();
        assert_eq!(result.values(), [-1.0, 0.0, -1.0, 1.0, 0.0, 1.0]);
        assert_eq!(*result.domain().lower(), Bound::PerFeature(vec![-1.0, 0.0, -1.0]));
        assert_eq!(scaler.inverse(&result).unwrap().values(), data.values());
    }

    #[test]
    fn another_part_is_scaled_by_the_fitted_range_and_may_leave_the_unit_interval() {
        let train = table(vec![2.0, 6.0], 1);
        let scaler = MinMaxScaler::fit(&train).unwrap();
        assert_eq!(scaler.transform(&train).unwrap().values(), [0.0, 1.0]);
        let test = scaler.transform(&table(vec![0.0, 4.0, 8.0], 1)).unwrap();
        assert_eq!(test.values(), [-0.5, 0.5, 1.5]);
        assert_eq!((test.domain().lower().at(0), test.domain().upper().at(0)), (-0.5, 1.5));
        assert!(scaler.transform(&table(vec![0.0, 1.0], 2)).is_err());
    }

    #[test]
    fn immutable_columns_ids_and_labels_survive() {
        let domain = Domain::table(vec![0.0; 2], vec![4.0; 2]).unwrap();
        let domain = domain.with_immutable(vec![1]).unwrap();
        let data = Dataset::new("d", domain, vec![0.0, 4.0, 2.0, 2.0], vec![1, 0], numbered(2));
        let data = data.unwrap().select(&[1]);
        let scaled = StandardScaler::fit(&data).unwrap().transform(&data).unwrap();
        assert_eq!(scaled.domain().immutable(), [1]);
        assert_eq!((scaled.ids(), scaled.labels()), (&[1][..], &[0][..]));
    }

    #[test]
    fn a_scaler_survives_its_file_and_a_broken_file_is_rejected() {
        let scaler = MinMaxScaler::fit(&table(vec![2.0, 6.0], 1)).unwrap();
        let text = serde_json::to_string(&scaler).unwrap();
        assert_eq!(text, r#"{"offset":[2.0],"scale":[4.0]}"#);
        assert_eq!(serde_json::from_str::<MinMaxScaler>(&text).unwrap(), scaler);
        for wrong in [r#"{"offset":[2.0],"scale":[0.0]}"#, r#"{"offset":[],"scale":[1.0]}"#] {
            assert!(serde_json::from_str::<StandardScaler>(wrong).is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_fitted_rows_fill_the_unit_box_and_come_back(values in vec(-1e4_f32..1e4, 1..60)) {
            let data = table(values.clone(), 1);
            let scaler = MinMaxScaler::fit(&data).unwrap();
            let scaled = scaler.transform(&data).unwrap();
            prop_assert!(scaled.values().iter().all(|value| (0.0..=1.0).contains(value)));
            prop_assert!(scaled.values().contains(&0.0));
            let back = scaler.inverse(&scaled).unwrap();
            for (a, b) in back.values().iter().zip(&values) {
                prop_assert!((a - b).abs() <= 2e-3);
            }
        }
    }
}
