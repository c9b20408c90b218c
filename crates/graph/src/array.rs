//! Arrays on the host in f64: constants, and what the reference computes.
use crate::{Error, Result};

/// Largest array that is made (not read): 2^26 values, 512 MiB. A file of a few bytes must not be
/// able to ask for more.
pub const MOST_VALUES: usize = 1 << 26;

/// Values in row-major order. An `f32`, and an integer below 2^53, is held exactly.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl Array {
    /// An array of `shape`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there are as many values as the shape has places.
    pub fn new(shape: Vec<usize>, values: Vec<f64>) -> Result<Self> {
        if product(&shape) == Some(values.len()) {
            return Ok(Self { shape, values });
        }
        Err(Error::Shape(format!("{} values do not fill the shape {shape:?}", values.len())))
    }

    /// One value, without an axis.
    #[must_use]
    pub fn scalar(value: f64) -> Self {
        Self { shape: Vec::new(), values: vec![value] }
    }

    /// Values along one axis.
    #[must_use]
    pub fn vector(values: Vec<f64>) -> Self {
        Self { shape: vec![values.len()], values }
    }

    /// The same value everywhere.
    ///
    /// # Errors
    /// [`Error::TooLarge`] above [`MOST_VALUES`].
    pub fn full(shape: &[usize], value: f64) -> Result<Self> {
        Self::from_fn(shape, |_| value)
    }

    /// The value at each place, by its position in row-major order.
    ///
    /// # Errors
    /// [`Error::TooLarge`] above [`MOST_VALUES`].
    pub fn from_fn(shape: &[usize], value: impl FnMut(usize) -> f64) -> Result<Self> {
        let count = checked(shape)?;
        Ok(Self { shape: shape.to_vec(), values: (0..count).map(value).collect() })
    }

    /// Length of each axis.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Values in row-major order.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The same values in another shape.
    ///
    /// # Errors
    /// [`Error::Shape`] if it has another number of places.
    pub fn reshape(self, shape: &[usize]) -> Result<Self> {
        Self::new(shape.to_vec(), self.values)
    }

    /// Each value mapped.
    #[must_use]
    pub fn map(mut self, f: impl Fn(f64) -> f64) -> Self {
        self.values.iter_mut().for_each(|value| *value = f(*value));
        self
    }

    /// The array whose value at `index` is that of this one at `source(index)`.
    ///
    /// # Errors
    /// [`Error::TooLarge`] above [`MOST_VALUES`].
    pub fn gather(&self, shape: &[usize], source: impl Fn(&[usize]) -> usize) -> Result<Self> {
        let mut index = vec![0; shape.len()];
        Self::from_fn(shape, |place| {
            if place > 0 {
                advance(&mut index, shape);
            }
            self.values[source(&index)]
        })
    }
}

/// Number of places of a shape; `None` if it overflows.
#[must_use]
pub fn product(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |product, &side| product.checked_mul(side))
}

/// Number of places of a shape that is about to be made.
///
/// # Errors
/// [`Error::TooLarge`] above [`MOST_VALUES`].
pub(crate) fn checked(shape: &[usize]) -> Result<usize> {
    match product(shape) {
        Some(count) if count <= MOST_VALUES => Ok(count),
        _ => Err(Error::TooLarge { shape: shape.to_vec() }),
    }
}

/// Distance in memory between neighbours along each axis.
#[must_use]
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// The next index in row-major order.
pub(crate) fn advance(index: &mut [usize], shape: &[usize]) {
    for axis in (0..shape.len()).rev() {
        index[axis] += 1;
        if index[axis] < shape[axis] {
            return;
        }
        index[axis] = 0;
    }
}

/// The shape that two shapes broadcast to, aligned at their last axes.
///
/// # Errors
/// [`Error::Shape`] if a pair of lengths differs and neither is 1.
pub fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let rank = a.len().max(b.len());
    let side = |shape: &[usize], axis: usize| {
        (axis + shape.len()).checked_sub(rank).map_or(1, |axis| shape[axis])
    };
    (0..rank)
        .map(|axis| match (side(a, axis), side(b, axis)) {
            (x, y) if x == y || y == 1 => Ok(x),
            (1, y) => Ok(y),
            _ => Err(Error::Shape(format!("{a:?} and {b:?} do not broadcast"))),
        })
        .collect()
}

/// Strides of `shape` as it broadcasts to `target`: 0 along repeated axes.
pub(crate) fn broadcast_strides(shape: &[usize], target: &[usize]) -> Vec<usize> {
    let own = strides(shape);
    let missing = target.len() - shape.len();
    (0..target.len())
        .map(|axis| match axis.checked_sub(missing) {
            Some(axis) if shape[axis] != 1 => own[axis],
            _ => 0,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_broadcast_from_the_last_axis() {
        assert_eq!(broadcast(&[3, 1, 5], &[4, 1]).unwrap(), [3, 4, 5]);
        assert_eq!(broadcast(&[], &[2]).unwrap(), [2]);
        assert!(broadcast(&[3], &[2]).is_err());
        assert_eq!(broadcast_strides(&[3, 1], &[2, 3, 4]), [0, 1, 0]);
    }

    #[test]
    fn an_array_that_nobody_could_hold_is_an_error_and_takes_no_memory() {
        assert!(matches!(Array::full(&[1 << 20, 1 << 20], 0.0), Err(Error::TooLarge { .. })));
        assert!(matches!(Array::full(&[usize::MAX, 2], 0.0), Err(Error::TooLarge { .. })));
        assert!(Array::new(vec![2, 2], vec![0.0; 3]).is_err());
    }

    #[test]
    fn gathering_goes_through_the_places_in_order() {
        let array = Array::new(vec![2, 3], (0..6).map(f64::from).collect()).unwrap();
        let turned = array.gather(&[3, 2], |at| at[1] * 3 + at[0]).unwrap();
        assert_eq!(turned.values(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    }
}
