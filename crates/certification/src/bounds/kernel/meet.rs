//! Lines of coefficients where they meet intervals, planes, and the cost of rounding.
use macerator::{AutoArch, Simd, WithSimd};

use super::lanes::{lanes, load, splat, store};

/// What a coefficient of a value meets. Where a coefficient is 0, nothing of it counts, not even what
/// is infinite.
#[derive(Clone, Copy, Debug)]
pub(in crate::bounds) struct Meeting {
    /// What it is replaced by a multiple of, where it is positive and where it is not.
    pub(in crate::bounds) slopes: (f64, f64),
    /// What a unit of it adds to the constant of its row, where it is positive and where it is not.
    pub(in crate::bounds) constants: (f64, f64),
    /// What a unit of it adds to the error of its row.
    pub(in crate::bounds) weight: f64,
}

/// Adds to the constants and errors of rows what their coefficients meet: a line of rows for each
/// meeting.
pub(in crate::bounds) fn meet(
    lines: &mut [f64],
    meetings: &[Meeting],
    constants: &mut [f64],
    errors: &mut [f64],
) {
    AutoArch::new().dispatch(Meet::<false> { lines, meetings, constants, errors });
}

/// The same, and multiplies the coefficients by the slopes.
pub(in crate::bounds) fn cross(
    lines: &mut [f64],
    meetings: &[Meeting],
    constants: &mut [f64],
    errors: &mut [f64],
) {
    AutoArch::new().dispatch(Meet::<true> { lines, meetings, constants, errors });
}

struct Meet<'a, const CROSS: bool> {
    lines: &'a mut [f64],
    meetings: &'a [Meeting],
    constants: &'a mut [f64],
    errors: &'a mut [f64],
}

impl<const CROSS: bool> WithSimd for Meet<'_, CROSS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self) {
        let (count, lanes) = (self.constants.len(), lanes::<S>());
        let mut column = 0;
        while column + 4 * lanes <= count {
            self.columns::<S, 4>(column);
            column += 4 * lanes;
        }
        while column + lanes <= count {
            self.columns::<S, 1>(column);
            column += lanes;
        }
        for column in column..count {
            self.single(column);
        }
    }
}

impl<const CROSS: bool> Meet<'_, CROSS> {
    /// `N` vectors of rows.
    #[inline(always)]
    fn columns<S: Simd, const N: usize>(&mut self, column: usize) {
        let (count, lanes) = (self.constants.len(), lanes::<S>());
        let zero = splat::<S>(0.0);
        let (mut constants, mut errors) = ([zero; N], [zero; N]);
        for at in 0..N {
            constants[at] = load::<S>(&self.constants[column + at * lanes..]);
            errors[at] = load::<S>(&self.errors[column + at * lanes..]);
        }
        // An iterator over both would not be inlined.
        for at in 0..self.meetings.len() {
            let meeting = self.meetings[at];
            let line = &mut self.lines[at * count + column..][..N * lanes];
            let pair = |(one, two)| (splat::<S>(one), splat::<S>(two));
            let (sides, slopes) = (pair(meeting.constants), pair(meeting.slopes));
            let weight = splat::<S>(meeting.weight);
            for at in 0..N {
                let own = &mut line[at * lanes..][..lanes];
                let a = load::<S>(own);
                let side = a.gt(zero).select(sides.0, sides.1);
                constants[at] += a.eq(zero).select(zero, a * side);
                errors[at] += a.eq(zero).select(zero, a.abs() * weight);
                if CROSS {
                    // NaN is neither 0 nor positive: it stays.
                    let slope = a.gt(zero).select(slopes.0, slopes.1);
                    store::<S>(own, a.eq(zero).select(zero, a * slope));
                }
            }
        }
        for at in 0..N {
            store::<S>(&mut self.constants[column + at * lanes..], constants[at]);
            store::<S>(&mut self.errors[column + at * lanes..], errors[at]);
        }
    }

    /// One row.
    #[inline(always)]
    fn single(&mut self, column: usize) {
        let count = self.constants.len();
        let (mut constant, mut error) = (self.constants[column], self.errors[column]);
        for (line, meeting) in self.lines.chunks_exact_mut(count).zip(self.meetings) {
            let a = line[column];
            if a == 0.0 {
                continue;
            }
            let positive = a > 0.0;
            constant += a * if positive { meeting.constants.0 } else { meeting.constants.1 };
            error += a.abs() * meeting.weight;
            if CROSS {
                line[column] = a * if positive { meeting.slopes.0 } else { meeting.slopes.1 };
            }
        }
        (self.constants[column], self.errors[column]) = (constant, error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFINITE: Meeting = Meeting {
        slopes: (0.5, 2.0),
        constants: (f64::NEG_INFINITY, f64::INFINITY),
        weight: f64::INFINITY,
    };

    #[test]
    fn each_sign_takes_its_side() {
        let meeting = Meeting { slopes: (0.5, 2.0), constants: (1.0, 10.0), weight: 0.25 };
        // Three rows, and as many copies of them as fill vectors.
        for copies in [1, 2, 7] {
            let two =
                |one: [f64; 3], two: [f64; 3]| [one.repeat(copies), two.repeat(copies)].concat();
            let same = |values: [f64; 3]| values.repeat(copies);
            let mut lines = two([4.0, -4.0, 0.0], [8.0, 0.0, -2.0]);
            let (mut constants, mut errors) = (same([1.0; 3]), same([0.0; 3]));
            meet(&mut lines, &[meeting; 2], &mut constants, &mut errors);
            assert_eq!(
                (&constants, &errors),
                (&same([13.0, -39.0, -19.0]), &same([3.0, 1.0, 0.5]))
            );
            cross(&mut lines, &[meeting; 2], &mut constants, &mut errors);
            assert_eq!(lines, two([2.0, -8.0, 0.0], [4.0, 0.0, -4.0]));
            assert_eq!(
                (&constants, &errors),
                (&same([25.0, -79.0, -39.0]), &same([6.0, 2.0, 1.0]))
            );
        }
    }

    #[test]
    fn zeros_meet_nothing_and_what_is_not_a_number_stays() {
        for copies in [1, 5] {
            let mut lines = [0.0, f64::NAN, -0.0, 1.0].repeat(copies);
            let count = 4 * copies;
            let (mut constants, mut errors) = (vec![1.0; count], vec![0.0; count]);
            cross(&mut lines, &[INFINITE], &mut constants, &mut errors);
            for at in (0..count).step_by(4) {
                let (constants, errors) = (&constants[at..], &errors[at..]);
                assert_eq!(
                    (constants[0], constants[2], errors[0], errors[2]),
                    (1.0, 1.0, 0.0, 0.0)
                );
                assert!(constants[1].is_nan() && lines[at + 1].is_nan());
                assert!(constants[3].is_infinite() && errors[3] == f64::INFINITY);
            }
        }
    }
}
