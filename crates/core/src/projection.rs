//! The projection of one row onto ball and box, on a CPU: [`crate::Region::project`] says onto what.
//!
//! A tensor that is projected by operations on the whole batch needs a fixed number of steps that
//! is enough for every row. A row by itself stops when it is exact, mostly after two to six.
use crate::{Norm, Part, norm};

/// Sums of many f32 squares round; L1 and L2 projections aim this much (relative) inside.
pub(crate) const INSIDE: f64 = 1e-5;

/// How near the exact threshold the L1 search stops, relative to the radius: far below [`INSIDE`].
const CLOSE: f64 = 1e-9;

/// Lanes of a sum, so that it does not wait for its last addition.
const LANES: usize = 8;

/// Magnitudes `|d|` and the rooms that the box leaves them, reused from row to row.
#[derive(Default)]
pub(crate) struct Scratch {
    magnitude: Vec<f32>,
    room: Vec<f32>,
}

/// The projection of a row onto its part, in place; `None` in L0, where the operations on whole
/// tensors do.
pub(crate) fn onto(norm: Norm) -> Option<fn(&mut [f32], Part<'_>, &mut Scratch)> {
    match norm {
        Norm::L1 => Some(l1),
        Norm::L2 => Some(l2),
        Norm::Linf => Some(linf),
        Norm::L0 => None,
    }
}

/// The projection of a row onto its L0 part, in place: the features that gain most, the earlier one
/// of two that gain the same, as [`crate::Region::project`] does on whole tensors.
pub(crate) fn keep(row: &mut [f32], part: Part<'_>) {
    let Part { center, lower, upper, radius } = part;
    let mut gains: Vec<(f32, usize)> = Vec::with_capacity(row.len());
    for (index, value) in row.iter_mut().enumerate() {
        let clamped = clamp(*value, lower[index], upper[index]);
        gains.push(((*value - center[index]).powi(2) - (*value - clamped).powi(2), index));
        *value = clamped;
    }
    gains.sort_by(|a, b| b.0.total_cmp(&a.0));
    for &(_, index) in gains.iter().skip(radius.floor() as usize) {
        row[index] = center[index];
    }
}

/// `x + length · d`, where `d` is the steepest direction of `gradient` in L2 and Linf.
pub(crate) fn climb(kind: Norm, row: &mut [f32], gradient: &[f32], length: f32) {
    if kind == Norm::Linf {
        for (value, &slope) in row.iter_mut().zip(gradient) {
            // As `sign` of tensors: zero for zero and for what is not a number.
            let sign = f32::from(i8::from(slope > 0.0) - i8::from(slope < 0.0));
            *value += sign * length;
        }
    } else {
        let [square, _] = sums(gradient, |slope, _| [f64::from(slope).powi(2), 0.0]);
        let length_of_slope = square.sqrt().max(norm::TINY) as f32;
        for (value, &slope) in row.iter_mut().zip(gradient) {
            *value += slope / length_of_slope * length;
        }
    }
}

fn linf(row: &mut [f32], part: Part<'_>, _: &mut Scratch) {
    for (value, (&low, &high)) in row.iter_mut().zip(part.lower.iter().zip(part.upper)) {
        *value = clamp(*value, low, high);
    }
}

/// `clamp(t·d)` with the largest `t ≤ 1` that stays in the ball.
///
/// `t` rises from the scale of an unbounded box: with the features that it stops held fixed, the
/// others share what they leave of the budget. More stop with each rise, so that the set repeats
/// after finitely many, and then `t` is exact.
fn l2(row: &mut [f32], part: Part<'_>, _: &mut Scratch) {
    let Part { center, lower, upper, radius } = part;
    let budget = (f64::from(radius) * (1.0 - INSIDE)).powi(2);
    for (value, center) in row.iter_mut().zip(center) {
        *value -= center;
    }
    let [all, _] = sums(row, |delta, _| [f64::from(delta).powi(2), 0.0]);
    let mut scale = 0.0_f32;
    let mut next = (budget / all.max(f64::MIN_POSITIVE)).sqrt().min(1.0) as f32;
    while next > scale {
        scale = next;
        let [free, used] = sums(row, |delta, index| {
            let scaled = delta * scale;
            let clamped = clamp(scaled, lower[index] - center[index], upper[index] - center[index]);
            if clamped.to_bits() == scaled.to_bits() {
                [f64::from(delta).powi(2), 0.0]
            } else {
                [0.0, f64::from(clamped).powi(2)]
            }
        });
        if free > 0.0 {
            next = ((budget - used).max(0.0) / free).sqrt().min(1.0) as f32;
        }
    }
    for (index, value) in row.iter_mut().enumerate() {
        let delta =
            clamp(*value * scale, lower[index] - center[index], upper[index] - center[index]);
        *value = clamp(center[index] + delta, lower[index], upper[index]);
    }
}

/// `clamp(sign(d)·max(|d| − θ, 0))` with the least `θ ≥ 0` that stays in the ball.
///
/// The length is piecewise linear and falls with `θ`: Newton's steps are exact once `θ` is on the
/// right piece; a halving now and then bounds their number.
fn l1(row: &mut [f32], part: Part<'_>, scratch: &mut Scratch) {
    let Part { center, lower, upper, radius } = part;
    let budget = f64::from(radius) * (1.0 - INSIDE);
    let Scratch { magnitude, room } = scratch;
    magnitude.clear();
    room.clear();
    for (index, value) in row.iter_mut().enumerate() {
        *value -= center[index];
        magnitude.push(value.abs());
        room.push(if *value > 0.0 {
            upper[index] - center[index]
        } else {
            center[index] - lower[index]
        });
    }
    let theta = threshold(magnitude, room, budget);
    for (index, value) in row.iter_mut().enumerate() {
        let shrunk = clamp(magnitude[index] - theta, 0.0, room[index]).copysign(*value);
        *value = clamp(center[index] + shrunk, lower[index], upper[index]);
    }
}

/// The `θ` of [`l1`].
fn threshold(magnitude: &[f32], room: &[f32], budget: f64) -> f32 {
    // Length at θ, and minus its slope.
    let at = |theta: f64| {
        sums(magnitude, |magnitude, index| {
            let (over, room) = (f64::from(magnitude) - theta, f64::from(room[index]));
            let moves = over > 0.0 && over < room;
            [clamp64(over, room), if moves { 1.0 } else { 0.0 }]
        })
    };
    let [mut length, mut slope] = at(0.0);
    if length <= budget {
        return 0.0;
    }
    let mut outside = 0.0;
    let mut inside = f64::from(magnitude.iter().copied().fold(0.0, f32::max));
    let mut theta = 0.0;
    for step in 1.. {
        let middle = 0.5 * (outside + inside);
        if middle <= outside || middle >= inside {
            break;
        }
        let newton = theta + (length - budget) / slope;
        let halve = step % 4 == 0 || !(outside < newton && newton < inside);
        theta = if halve { middle } else { newton };
        [length, slope] = at(theta);
        if (length - budget).abs() <= CLOSE * budget {
            return up(theta);
        }
        if length <= budget {
            inside = theta;
        } else {
            outside = theta;
        }
    }
    up(inside)
}

/// The next f32 that is not below: a rounded-down threshold would leave the ball.
fn up(theta: f64) -> f32 {
    let rounded = theta as f32;
    if f64::from(rounded) < theta { rounded.next_up() } else { rounded }
}

/// `Σ term(valueᵢ, i)` of two terms at once.
fn sums(values: &[f32], term: impl Fn(f32, usize) -> [f64; 2]) -> [f64; 2] {
    let mut lanes = [[0.0; 2]; LANES];
    let whole = values.len() / LANES * LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            let [first, second] = term(values[start + lane], start + lane);
            *sum = [sum[0] + first, sum[1] + second];
        }
    }
    let rest = (whole..values.len()).map(|index| term(values[index], index));
    lanes.into_iter().chain(rest).fold([0.0; 2], |a, b| [a[0] + b[0], a[1] + b[1]])
}

/// Into `[low, high]`; what is not a number stays so.
fn clamp(value: f32, low: f32, high: f32) -> f32 {
    let value = if value < low { low } else { value };
    if value > high { high } else { value }
}

/// Into `[0, high]`, in f64.
fn clamp64(value: f64, high: f64) -> f64 {
    let value = if value < 0.0 { 0.0 } else { value };
    if value > high { high } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::floats;
    use crate::{Domain, Region, Threat};
    use burn::prelude::*;
    use proptest::prelude::*;

    /// Wider than [`LANES`], and no multiple of it.
    const FEATURES: usize = 21;

    fn row(values: &[f32]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len()]), &Device::flex())
    }

    /// The row by itself and by operations on tensors.
    fn both(norm: Norm, radius: f64, center: &[f32], point: &[f32]) -> [Vec<f32>; 2] {
        let domain = Domain::image(1, 1, center.len()).unwrap().with_immutable(vec![3]).unwrap();
        let region =
            Region::new(row(center), &Threat::new(norm, radius).unwrap(), &domain).unwrap();
        [region.project(row(point)), region.project_by_tensors(row(point))]
            .map(|rows| floats(rows).unwrap())
    }

    fn features(of: impl Strategy<Value = f32>) -> impl Strategy<Value = Vec<f32>> {
        prop::collection::vec(of, FEATURES)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// In the corners of the box, near the centre and far outside.
        #[test]
        fn a_row_by_itself_agrees_with_the_tensors(
            center in features(prop_oneof![Just(0.0_f32), Just(1.0), 0.0..=1.0_f32]),
            point in features(prop_oneof![-0.5_f32..1.5, -30.0_f32..30.0, Just(0.5)]),
            radius in prop_oneof![Just(0.0), 0.0_f64..0.1, 0.0_f64..8.0],
            norm in prop_oneof![Just(Norm::L1), Just(Norm::L2), Just(Norm::Linf)],
        ) {
            let [alone, tensors] = both(norm, radius, &center, &point);
            for (a, b) in alone.iter().zip(&tensors) {
                prop_assert!((a - b).abs() < 2e-5, "{norm}: {a} {b}");
            }
        }
    }

    /// Gains 0.09, 0.25 (the box stops it), 0 (immutable) and 0.09 again, the later one of a tie.
    #[test]
    fn the_features_that_gain_most_are_kept() {
        let mut changed = [0.2, 1.5, 0.9, 0.8];
        let (center, lower, upper) = ([0.5; 4], [0.0, 0.0, 0.5, 0.0], [1.0, 1.0, 0.5, 1.0]);
        let part = Part { center: &center, lower: &lower, upper: &upper, radius: 2.5 };
        keep(&mut changed, part);
        assert_eq!(changed.map(f32::to_bits), [0.2_f32, 1.0, 0.5, 0.5].map(f32::to_bits));
    }

    #[test]
    fn a_climb_is_the_step_that_the_tensors_make() {
        let center: Vec<f32> =
            (0..FEATURES).map(|index| (index as f32 * 0.7).sin().abs()).collect();
        let mut slope: Vec<f32> = (0..FEATURES).map(|index| (index as f32 * 1.3).cos()).collect();
        slope[4] = 0.0;
        for norm in [Norm::L1, Norm::L2, Norm::Linf] {
            for slope in [&slope[..], &[0.0; FEATURES]] {
                let domain = Domain::image(1, 1, FEATURES).unwrap();
                let threat = Threat::new(norm, 0.4).unwrap();
                let region = Region::new(row(&center), &threat, &domain).unwrap();
                let length = region.radius() * 0.7;
                let got = region.ascend(row(&center), row(slope), length.clone());
                let step = norm.steepest(row(slope)) * length;
                let expected = floats(region.project_by_tensors(row(&center) + step)).unwrap();
                for (got, expected) in floats(got).unwrap().iter().zip(&expected) {
                    assert!((got - expected).abs() < 1e-5, "{norm}: {got} {expected}");
                }
            }
        }
    }

    /// Each rise of the scale stops more features, until those left share the rest of the budget.
    #[test]
    fn a_box_that_stops_one_feature_after_another_leaves_no_budget_unused() {
        let count = 20;
        let (mut row, center) = (vec![1.0_f32; count], vec![0.0; count]);
        let upper: Vec<f32> = (1..=count).map(|index| index as f32 / count as f32).collect();
        let lower = vec![0.0; count];
        let part = Part { center: &center, lower: &lower, upper: &upper, radius: 2.0 };
        l2(&mut row, part, &mut Scratch::default());
        let square: f64 = row.iter().map(|&value| f64::from(value).powi(2)).sum();
        assert!((square.sqrt() - 2.0).abs() < 4e-5, "{square}");
    }

    #[test]
    fn what_is_not_a_number_stays_so_and_ends() {
        for norm in [Norm::L1, Norm::L2] {
            let mut row = vec![f32::NAN, 0.9];
            let (center, lower, upper) = ([0.5; 2], [0.0; 2], [1.0; 2]);
            let part = Part { center: &center, lower: &lower, upper: &upper, radius: 0.1 };
            onto(norm).unwrap()(&mut row, part, &mut Scratch::default());
            assert!(row[0].is_nan(), "{norm}");
        }
    }
}
