//! The nearest point of a hyperplane inside the box, in L1, L2 and Linf.
//!
//! Croce, Hein. *Minimally distorted Adversarial Examples with a Fast Adaptive Boundary Attack.*
//! ICML 2020, the projections onto hyperplane and box of §2. <https://arxiv.org/abs/1907.02044>
use burn::prelude::*;
use duress_core::{Norm, Region};

use super::host_hyperplane::{Scratch, way};

/// Halvings of a bracket: from the ratio of the largest to the smallest f32 to below its rounding.
const HALVINGS: usize = 40;

/// Keeps divisions and roots off zero and infinity in f32.
const TINY: f64 = 1e-30;
const HUGE: f64 = 1e30;

/// The shortest step `δ` `[N, F]` from `points` `[N, F]` with `⟨w, δ⟩ = −gap`, inside the box of the
/// region; `weights` `[N, F]`, `gaps` `[N, 1]`. Where the box does not reach the hyperplane, the step
/// to its corner that comes nearest.
///
/// The features move, each towards the plane, by the same amount (Linf), by amounts in proportion
/// to their weights (L2) or one after the other, the heaviest first (L1), as far as the box lets
/// each: one number to be found a row.
pub(super) fn step_onto(
    region: &Region,
    weights: Tensor<2>,
    points: &Tensor<2>,
    gaps: Tensor<2>,
) -> Tensor<2> {
    let norm = region.norm();
    let Some(host) = region.on_host() else {
        return by_tensors(region, weights, points, gaps);
    };
    let features = weights.dims()[1];
    let (points, gaps) = (host.values(points.clone()), host.values(gaps));
    host.each_row(weights, |index, row, part, scratch: &mut Scratch| {
        way(norm, row, &points[index * features..][..features], gaps[index], part, scratch);
    })
}

/// [`step_onto`] by operations on whole tensors, in a number of steps that does not depend on the
/// rows: nothing is read back from a GPU.
fn by_tensors(
    region: &Region,
    weights: Tensor<2>,
    points: &Tensor<2>,
    gaps: Tensor<2>,
) -> Tensor<2> {
    let toward = -(weights.clone().sign() * gaps.clone().sign());
    let above = (region.upper() - points.clone()).clamp_min(0.0);
    let below = (points.clone() - region.lower()).clamp_min(0.0);
    let room = above
        .mask_where(toward.clone().lower_elem(0.0), below)
        .mask_fill(toward.clone().equal_elem(0.0), 0.0);
    let (size, need) = (weights.abs(), gaps.abs());
    let length = match region.norm() {
        Norm::L1 => greedy(&size, &room, need),
        Norm::L2 => level(&size, &room, need, size.clone()),
        Norm::Linf | Norm::L0 => level(&size, &room, need, size.ones_like()),
    };
    toward * length
}

/// `min(t · pace, room)` with `Σ size · min(t · pace, room) = need`: `t` is bracketed on a
/// logarithmic scale, and the last step is exact on its linear piece.
fn level(size: &Tensor<2>, room: &Tensor<2>, need: Tensor<2>, pace: Tensor<2>) -> Tensor<2> {
    let moves =
        |level: &Tensor<2>| (pace.clone() * level.clone()).clamp_max(HUGE).min_pair(room.clone());
    let free = (size.clone() * pace.clone()).sum_dim(1).clamp_min(TINY);
    // Without the box the solution is not larger, with it not smaller than this.
    let mut low = (need.clone() / free).clamp(TINY, HUGE);
    let mut high = (room.clone() / pace.clone().clamp_min(TINY)).max_dim(1).clamp(TINY, HUGE);
    for _ in 0..HALVINGS {
        let middle = low.clone().sqrt() * high.clone().sqrt();
        let short = (size.clone() * moves(&middle)).sum_dim(1).lower_equal(need.clone());
        low = low.mask_where(short.clone(), middle.clone());
        high = middle.mask_where(short, high);
    }
    let stopped = (pace.clone() * low.clone()).greater_equal(room.clone());
    let used = (size.clone() * room.clone()).mask_fill(stopped.clone().bool_not(), 0.0).sum_dim(1);
    let rate = (size.clone() * pace.clone()).mask_fill(stopped, 0.0).sum_dim(1);
    let exact = (need.clone() - used) / rate.clone().clamp_min(TINY);
    let exact = exact.mask_where(rate.lower_equal_elem(0.0), low);
    let none = need.lower_equal_elem(0.0);
    moves(&exact.clamp(0.0, HUGE).mask_fill(none, 0.0))
}

/// Whole rooms above a size, none below it, and equal shares of the rooms at it, so that
/// `Σ size · move = need`.
fn greedy(size: &Tensor<2>, room: &Tensor<2>, need: Tensor<2>) -> Tensor<2> {
    let gain = size.clone() * room.clone();
    let above = |level: &Tensor<2>| {
        gain.clone().mask_fill(size.clone().lower_equal(level.clone()), 0.0).sum_dim(1)
    };
    let mut high = size.clone().max_dim(1);
    let mut low = high.zeros_like();
    for _ in 0..HALVINGS {
        let middle = (low.clone() + high.clone()) * 0.5;
        let fits = above(&middle).lower_equal(need.clone());
        high = high.mask_where(fits.clone(), middle.clone());
        low = middle.mask_where(fits, low);
    }
    let whole = above(&high);
    let rest = above(&low) - whole.clone();
    let share = ((need - whole).clamp_min(0.0) / rest.clamp_min(TINY)).clamp_max(1.0);
    let partly = room.clone() * share;
    let partly = partly.mask_fill(size.clone().lower_equal(low), 0.0);
    partly.mask_where(size.clone().greater(high), room.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Domain, Threat, host::floats};
    use proptest::prelude::*;

    const FEATURES: usize = 6;

    fn tensor(values: &[f32]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len()]), &Device::flex())
    }

    /// The step by rows and by tensors.
    fn both(norm: Norm, weights: &[f32], point: &[f32], gap: f32) -> [Vec<f64>; 2] {
        let domain = Domain::image(1, 1, point.len()).unwrap().with_immutable(vec![1]).unwrap();
        let threat = Threat::new(norm, 100.0).unwrap();
        let region = Region::new(tensor(point), &threat, &domain).unwrap();
        let args = || (tensor(weights), tensor(point), tensor(&[gap]));
        let (w, x, g) = args();
        let alone = step_onto(&region, w, &x, g);
        let (w, x, g) = args();
        [alone, by_tensors(&region, w, &x, g)]
            .map(|step| floats(step).unwrap().into_iter().map(f64::from).collect())
    }

    /// The rooms towards the plane, none at the immutable feature.
    fn rooms(weights: &[f32], point: &[f32], gap: f32) -> Vec<f64> {
        let room = |index: usize| match (index, weights[index] * gap) {
            (1, _) => 0.0,
            (_, slope) if slope < 0.0 => 1.0 - f64::from(point[index]),
            (_, slope) if slope > 0.0 => f64::from(point[index]),
            _ => 0.0,
        };
        (0..weights.len()).map(room).collect()
    }

    /// The least length over all choices of the features that stand at the end of their rooms,
    /// and (L1) of the one that is on its way.
    fn brute_force(norm: Norm, size: &[f64], room: &[f64], need: f64) -> Option<f64> {
        let mut best: Option<f64> = None;
        let mut consider = |moves: &[f64]| {
            let reached: f64 = moves.iter().zip(size).map(|(step, size)| step * size).sum();
            let inside =
                moves.iter().zip(room).all(|(&step, &room)| step >= -1e-12 && step <= room + 1e-12);
            if inside && (reached - need).abs() < 1e-9 {
                let length = norm.of_slice(moves);
                best = Some(best.map_or(length, |best| best.min(length)));
            }
        };
        for stopped in 0..1_u32 << size.len() {
            let at_end = |index: usize| stopped >> index & 1 == 1;
            let used: f64 = (0..size.len()).filter(|&i| at_end(i)).map(|i| size[i] * room[i]).sum();
            let fill = |pace: &dyn Fn(usize) -> f64| -> Vec<f64> {
                let free = (0..size.len()).filter(|&i| !at_end(i));
                let rate: f64 = free.map(|i| size[i] * pace(i)).sum();
                let level = if rate > 0.0 { (need - used) / rate } else { 0.0 };
                (0..size.len()).map(|i| if at_end(i) { room[i] } else { level * pace(i) }).collect()
            };
            match norm {
                Norm::Linf => consider(&fill(&|_| 1.0)),
                Norm::L2 => consider(&fill(&|index| size[index])),
                _ => {
                    for moving in 0..size.len() {
                        consider(&fill(&|index| if index == moving { 1.0 } else { 0.0 }));
                    }
                }
            }
        }
        best
    }

    fn weights() -> impl Strategy<Value = Vec<f32>> {
        let weight =
            prop_oneof![Just(0.0_f32), Just(1.0), Just(-1.0), -3.0_f32..3.0, -0.01_f32..0.01];
        prop::collection::vec(weight, FEATURES)
    }

    fn points() -> impl Strategy<Value = Vec<f32>> {
        let value = prop_oneof![Just(0.0_f32), Just(1.0), 0.0_f32..=1.0];
        prop::collection::vec(value, FEATURES)
    }

    fn norms() -> impl Strategy<Value = Norm> {
        prop_oneof![Just(Norm::L1), Just(Norm::L2), Just(Norm::Linf)]
    }

    fn inner(a: &[f64], b: &[f32]) -> f64 {
        a.iter().zip(b).map(|(a, &b)| a * f64::from(b)).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn no_choice_of_stopped_features_is_shorter(
            weights in weights(), point in points(), gap in -4.0_f32..4.0, norm in norms(),
        ) {
            let size: Vec<f64> = weights.iter().map(|&weight| f64::from(weight).abs()).collect();
            let room = rooms(&weights, &point, gap);
            let need = f64::from(gap).abs();
            let most: f64 = size.iter().zip(&room).map(|(size, room)| size * room).sum();
            for (which, got) in both(norm, &weights, &point, gap).into_iter().enumerate() {
                for (&step, (&weight, &room)) in got.iter().zip(weights.iter().zip(&room)) {
                    prop_assert!(step.abs() <= room + 1e-6, "in the box");
                    prop_assert!(step * f64::from(weight * gap) <= 0.0, "towards the plane");
                }
                let reached = -inner(&got, &weights) * f64::from(gap.signum());
                prop_assert!((reached - need.min(most)).abs() < 2e-5, "{which} {norm}: {reached} {need} {most}");
                if let Some(best) = brute_force(norm, &size, &room, need) && most > need + 1e-3 {
                    let length = norm.of_slice(&got);
                    prop_assert!((length - best).abs() < 1e-4 * (1.0 + best), "{which} {norm}: {length} {best}");
                }
            }
        }

        /// Points of the plane in the box, drawn at random, are not nearer.
        #[test]
        fn no_feasible_point_is_nearer(
            weights in weights(), point in points(), gap in -2.0_f32..2.0, norm in norms(),
            shares in prop::collection::vec(0.0_f64..=1.0, FEATURES),
        ) {
            let room = rooms(&weights, &point, gap);
            let rival: Vec<f64> = room.iter().zip(&shares).map(|(room, share)| room * share).collect();
            let size: Vec<f32> = weights.iter().map(|weight| weight.abs()).collect();
            let reached = inner(&rival, &size);
            let need = f64::from(gap).abs();
            prop_assume!(reached >= need && reached > 0.0);
            let rival: Vec<f64> = rival.iter().map(|step| step * need / reached).collect();
            for got in both(norm, &weights, &point, gap) {
                prop_assert!(norm.of_slice(&got) <= norm.of_slice(&rival) + 2e-5);
            }
        }
    }
}
