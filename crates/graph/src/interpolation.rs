//! Linear interpolation along an axis, as a matrix.
use crate::array::checked;
use crate::{Array, Result};

/// How much each of `from` places counts in each of `to`, `[from, to]`; `place` says where in the input
/// an output place lies. Beyond the ends the last place counts.
///
/// # Errors
/// [`crate::Error::TooLarge`] for a matrix that is not to be held.
pub(crate) fn weights([from, to]: [usize; 2], place: impl Fn(usize) -> f64) -> Result<Array> {
    let mut values = vec![0.0; checked(&[from, to])?];
    let last = from.saturating_sub(1);
    for at in 0..to {
        let place = place(at).clamp(0.0, last as f64);
        let low = (place as usize).min(last);
        let share = place - low as f64;
        values[low * to + at] += 1.0 - share;
        values[(low + 1).min(last) * to + at] += share;
    }
    Array::new(vec![from, to], values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_between_two_counts_both_and_one_beyond_the_end_the_last() {
        let places = [-0.5, 0.25, 2.0];
        let matrix = weights([2, 3], |at| places[at]).unwrap();
        assert_eq!(matrix.values(), [1.0, 0.75, 0.0, 0.0, 0.25, 1.0]);
    }
}
