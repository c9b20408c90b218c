//! The way of one row to a hyperplane inside the box, exact, on a CPU: [`super::hyperplane`] says
//! which.
use duress_core::{Norm, Part};

/// Buffers, reused from row to row.
#[derive(Default)]
pub(super) struct Scratch {
    room: Vec<f64>,
    order: Vec<usize>,
}

/// The shortest `δ` with `⟨w, δ⟩ = −gap` and `point + δ` in the box; the farthest corner of the box
/// if none reaches so far. `row` holds `w` and becomes `δ`.
pub(super) fn way(
    norm: Norm,
    row: &mut [f32],
    point: &[f32],
    gap: f32,
    part: Part<'_>,
    scratch: &mut Scratch,
) {
    let Scratch { room, order } = scratch;
    room.clear();
    room.extend(row.iter().enumerate().map(|(index, &weight)| {
        let at = f64::from(point[index]);
        let room = if weight == 0.0 {
            0.0
        } else if (weight > 0.0) == (gap < 0.0) {
            f64::from(part.upper[index]) - at
        } else {
            at - f64::from(part.lower[index])
        };
        room.max(0.0)
    }));
    let need = f64::from(gap).abs();
    match norm {
        Norm::L1 => greedy(row, room, need, order),
        Norm::L2 => level(row, room, need, f64::abs),
        Norm::Linf | Norm::L0 => level(row, room, need, |_| 1.0),
    }
    for (weight, &length) in row.iter_mut().zip(room.iter()) {
        let up = (*weight > 0.0) == (gap < 0.0);
        *weight = if up { length } else { -length } as f32;
    }
}

/// Each feature moves `min(t · pace(w), room)`: `room` becomes that, for the `t` at which
/// `Σ |w| · move` is `need`.
///
/// That sum is concave and piecewise linear in `t`: Newton's steps from 0 never pass the solution,
/// stop one more feature each and are exact once none is stopped.
fn level(weights: &[f32], room: &mut [f64], need: f64, pace: impl Fn(f64) -> f64) {
    let mut level = 0.0;
    loop {
        let (mut used, mut rate) = (0.0, 0.0);
        for (&weight, &room) in weights.iter().zip(room.iter()) {
            let (size, pace) = (f64::from(weight).abs(), pace(f64::from(weight)));
            if level * pace < room {
                rate += size * pace;
            } else {
                used += size * room;
            }
        }
        let next = if rate > 0.0 { (need - used) / rate } else { level };
        if next > level {
            level = next;
        } else {
            break;
        }
    }
    for (&weight, room) in weights.iter().zip(room) {
        *room = room.min(level * pace(f64::from(weight)));
    }
}

/// Whole rooms in the order of falling `|w|`, until `need` is met: `room` becomes the moves. Of
/// equal weights the earlier feature goes first.
fn greedy(weights: &[f32], room: &mut [f64], need: f64, order: &mut Vec<usize>) {
    order.clear();
    order.extend((0..weights.len()).filter(|&index| room[index] > 0.0));
    let size = |index: usize| weights[index].abs();
    order.sort_unstable_by(|&a, &b| size(b).total_cmp(&size(a)).then(a.cmp(&b)));
    let mut left = need;
    for &index in order.iter() {
        let size = f64::from(size(index));
        room[index] = room[index].min(left / size);
        left = (left - size * room[index]).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(norm: Norm, weights: &[f32], point: &[f32], gap: f32) -> Vec<f32> {
        let (lower, upper) = (vec![0.0; point.len()], vec![1.0; point.len()]);
        let part = Part { center: point, lower: &lower, upper: &upper, radius: 1.0 };
        let mut row = weights.to_vec();
        way(norm, &mut row, point, gap, part, &mut Scratch::default());
        row
    }

    /// w = (2, −1, 0), from ½: rooms ½. To climb by 1: L1 takes ½ of the first; L2 t = 1/5; Linf
    /// t = 1/3.
    #[test]
    fn ways_by_hand() {
        let at = [0.5; 3];
        let close = |got: Vec<f32>, expected: [f32; 3]| {
            for (got, expected) in got.iter().zip(expected) {
                assert!((got - expected).abs() < 1e-6, "{got} {expected}");
            }
        };
        let third = 1.0 / 3.0;
        close(moved(Norm::L1, &[2.0, -1.0, 0.0], &at, -1.0), [0.5, 0.0, 0.0]);
        close(moved(Norm::L2, &[2.0, -1.0, 0.0], &at, -1.0), [0.4, -0.2, 0.0]);
        close(moved(Norm::Linf, &[2.0, -1.0, 0.0], &at, -1.0), [third, -third, 0.0]);
        // Down by 1.2: the first is stopped at ½, the second does the rest.
        close(moved(Norm::L1, &[2.0, -1.0, 0.0], &at, 1.2), [-0.5, 0.2, 0.0]);
        close(moved(Norm::L2, &[2.0, -1.0, 0.0], &at, 1.4), [-0.5, 0.4, 0.0]);
    }

    #[test]
    fn a_hyperplane_out_of_reach_gives_the_farthest_corner() {
        for norm in [Norm::L1, Norm::L2, Norm::Linf] {
            let got = moved(norm, &[2.0, -1.0, 0.0], &[0.25, 0.5, 0.5], -9.0);
            assert_eq!(got[..2], [0.75, -0.5], "{norm}");
            assert!(got[2].abs() < 1e-9);
            let got = moved(norm, &[0.0, 0.0, 0.0], &[0.25, 0.5, 0.5], -9.0);
            assert!(got.iter().all(|step| step.abs() < 1e-9), "{norm}: a plane without a normal");
        }
    }

    #[test]
    fn what_is_not_a_number_ends() {
        for norm in [Norm::L1, Norm::L2, Norm::Linf] {
            assert_eq!(moved(norm, &[f32::NAN, 1.0], &[0.5, 0.5], -0.1).len(), 2);
            assert_eq!(moved(norm, &[1.0, 1.0], &[0.5, 0.5], f32::NAN).len(), 2);
        }
    }
}
