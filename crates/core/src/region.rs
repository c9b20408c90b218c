//! The feasible set of a batch: a ball around each clean row, cut by the input box.
use std::sync::{Arc, OnceLock};

use burn::prelude::*;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Exp1, StandardNormal};

use crate::projection::{self, INSIDE};
use crate::{Domain, Error, HostRegion, Norm, Result, Seed, Threat, Use, host};

/// Halvings of a bisection: from the largest f32 threshold to below its rounding.
const HALVINGS: usize = 40;

/// Steps of the L2 projection's active-set iteration; it is exact once the set of clamped
/// features repeats, and inside the ball after each step.
const ACTIVE_SET_STEPS: usize = 12;

/// `{x : ‖x − x₀‖ ≤ radius, lower ≤ x ≤ upper, x = x₀ at immutable features}`, row by row.
#[derive(Clone, Debug)]
pub struct Region {
    norm: Norm,
    center: Tensor<2>,
    radius: Tensor<2>,
    /// Smallest and largest value of each feature that the box, the mask and (Linf) the ball
    /// allow, `[N, F]`.
    lower: Tensor<2>,
    upper: Tensor<2>,
    /// What the box and the mask alone allow, `[N, F]`.
    box_lower: Tensor<2>,
    box_upper: Tensor<2>,
    /// Features that may change, ascending; what draws run over.
    mutable: Vec<usize>,
    on_host: Arc<OnceLock<Option<HostRegion>>>,
}

impl Region {
    /// The region around `center` `[N, F]`.
    ///
    /// # Errors
    /// [`Error::Shape`] if the rows do not fit the domain or the radii the rows.
    pub fn new(center: Tensor<2>, threat: &Threat, domain: &Domain) -> Result<Self> {
        let [rows, features] = center.dims();
        if features != domain.features() {
            return Err(Error::Shape {
                what: "rows",
                expected: format!("[N, {}]", domain.features()),
                got: format!("[{rows}, {features}]"),
            });
        }
        let device = center.device();
        let radii: Vec<f32> = threat.radii(rows)?.into_iter().map(|radius| radius as f32).collect();
        let radius = Tensor::from_data(TensorData::new(radii, [rows, 1]), &device);
        let (lower, upper) = domain.bounds(&device);
        let (mut lower, mut upper) =
            (lower.expand([rows, features]), upper.expand([rows, features]));
        if let Some(mask) = domain.mutable_mask(&device) {
            let fixed = mask.equal_elem(0.0).expand([rows, features]);
            lower = lower.mask_where(fixed.clone(), center.clone());
            upper = upper.mask_where(fixed, center.clone());
        }
        let immutable = domain.immutable();
        let mutable =
            (0..features).filter(|feature| immutable.binary_search(feature).is_err()).collect();
        let whole = Self {
            norm: threat.norm(),
            center,
            radius: radius.clone(),
            lower: lower.clone(),
            upper: upper.clone(),
            box_lower: lower,
            box_upper: upper,
            mutable,
            on_host: Arc::default(),
        };
        Ok(whole.with_radius(radius))
    }

    /// The same rows and box with balls of other radii `[N, 1]`, larger or smaller.
    #[must_use]
    pub fn with_radius(&self, radius: Tensor<2>) -> Self {
        let (mut lower, mut upper) = (self.box_lower.clone(), self.box_upper.clone());
        if self.norm == Norm::Linf {
            lower = lower.max_pair(self.center() - radius.clone());
            upper = upper.min_pair(self.center() + radius.clone());
        }
        Self { radius, lower, upper, on_host: Arc::default(), ..self.clone() }
    }

    /// The same rows with balls that hold the whole box.
    #[must_use]
    pub fn whole_box(&self) -> Self {
        let reach = (self.box_upper.clone() - self.center())
            .max_pair(self.center() - self.box_lower.clone());
        let radius = match self.norm {
            Norm::L0 => reach.greater_elem(0.0).float().sum_dim(1),
            Norm::L1 => reach.sum_dim(1) * 1.001,
            Norm::L2 => reach.square().sum_dim(1).sqrt() * 1.001,
            Norm::Linf => reach.max_dim(1) * 1.001,
        };
        self.with_radius(radius)
    }

    /// The norm of the balls.
    #[must_use]
    pub fn norm(&self) -> Norm {
        self.norm
    }

    /// The clean rows `[N, F]`.
    #[must_use]
    pub fn center(&self) -> Tensor<2> {
        self.center.clone()
    }

    /// The radii `[N, 1]`.
    #[must_use]
    pub fn radius(&self) -> Tensor<2> {
        self.radius.clone()
    }

    /// Smallest allowed value of each feature, `[N, F]`.
    #[must_use]
    pub fn lower(&self) -> Tensor<2> {
        self.lower.clone()
    }

    /// Largest allowed value of each feature, `[N, F]`.
    #[must_use]
    pub fn upper(&self) -> Tensor<2> {
        self.upper.clone()
    }

    /// The features that may change, ascending.
    #[must_use]
    pub fn mutable(&self) -> &[usize] {
        &self.mutable
    }

    /// The rows at `positions` `[M]` only.
    #[must_use]
    pub fn select(&self, positions: &Tensor<1, Int>) -> Self {
        let select = |tensor: &Tensor<2>| tensor.clone().select(0, positions.clone());
        Self {
            norm: self.norm,
            center: select(&self.center),
            radius: select(&self.radius),
            lower: select(&self.lower),
            upper: select(&self.upper),
            box_lower: select(&self.box_lower),
            box_upper: select(&self.box_upper),
            mutable: self.mutable.clone(),
            on_host: Arc::default(),
        }
    }

    /// Each feature of the rows `[N, F]` moved into its allowed interval.
    #[must_use]
    pub fn clip(&self, rows: Tensor<2>) -> Tensor<2> {
        rows.max_pair(self.lower()).min_pair(self.upper())
    }

    /// The nearest point (Euclidean) of the region to each row, `[N, F] → [N, F]`.
    ///
    /// With `d = x − x₀` and the box around `x₀`, the minimiser of `½‖δ − d‖²` is, for the
    /// multiplier of the ball's constraint, a clamped shrinkage of each feature by itself:
    /// `clamp(t·d)` in L2, `clamp(sign(d)·max(|d| − θ, 0))` in L1. `t` and `θ` are found without
    /// sorting. L0 keeps the features that gain most, the earlier one of two that gain the same.
    #[must_use]
    pub fn project(&self, rows: Tensor<2>) -> Tensor<2> {
        if let Some(project) = projection::onto(self.norm)
            && let Some(host) = self.on_host()
        {
            return host.each_row(rows, |_, row, part, scratch| project(row, part, scratch));
        }
        self.project_by_tensors(rows)
    }

    /// The projection of a step of `length` `[N, 1]` up the `gradient` `[N, F]`:
    /// `Π(x + length · d)`, where `d` is [`Norm::steepest`].
    #[must_use]
    pub fn ascend(&self, rows: Tensor<2>, gradient: Tensor<2>, length: Tensor<2>) -> Tensor<2> {
        let features = rows.dims()[1];
        if matches!(self.norm, Norm::L2 | Norm::Linf)
            && let Some(project) = projection::onto(self.norm)
            && let Some(host) = self.on_host()
        {
            let (slopes, lengths) = (host::of_cpu(gradient), host::of_cpu(length));
            return host.each_row(rows, |index, row, part, scratch| {
                let slope = &slopes[index * features..][..features];
                projection::climb(self.norm, row, slope, lengths[index]);
                project(row, part, scratch);
            });
        }
        self.project(rows + self.norm.steepest(gradient) * length)
    }

    /// The region in the host's memory, copied there once; `None` on a device that is not a CPU.
    #[must_use]
    pub fn on_host(&self) -> Option<&HostRegion> {
        let fields = || [self.center(), self.lower(), self.upper(), self.radius()];
        self.on_host.get_or_init(|| HostRegion::new(fields())).as_ref()
    }

    /// [`Region::project`] by operations on whole tensors, in a number of steps that does not
    /// depend on the rows: nothing is read back from a GPU.
    pub(crate) fn project_by_tensors(&self, rows: Tensor<2>) -> Tensor<2> {
        match self.norm {
            Norm::Linf => self.clip(rows),
            Norm::L2 => self.recenter(self.shrink_l2(rows - self.center())),
            Norm::L1 => self.recenter(self.shrink_l1(rows - self.center())),
            Norm::L0 => self.keep_l0(rows),
        }
    }

    /// `x₀ + δ`, with the rounding of the sum kept inside the box.
    fn recenter(&self, delta: Tensor<2>) -> Tensor<2> {
        self.clip(self.center() + delta)
    }

    fn shrink_l2(&self, delta: Tensor<2>) -> Tensor<2> {
        let (low, high) = (self.lower() - self.center(), self.upper() - self.center());
        let budget = (self.radius() * (1.0 - INSIDE)).square();
        let squares = delta.clone().square();
        let mut scale =
            (budget.clone() / squares.clone().sum_dim(1).clamp_min(1e-30)).sqrt().clamp_max(1.0);
        for _ in 0..ACTIVE_SET_STEPS {
            let scaled = delta.clone() * scale.clone();
            let clamped = scaled.clone().max_pair(low.clone()).min_pair(high.clone());
            let free = clamped.clone().equal(scaled).float();
            let free_squares = (squares.clone() * free.clone()).sum_dim(1);
            let used = (clamped.square() * (-free + 1.0)).sum_dim(1);
            let left = (budget.clone() - used).clamp_min(0.0);
            // No free feature: any scale gives the same point, and that point is inside.
            let none = free_squares.clone().lower_equal_elem(0.0);
            let next = (left / free_squares.clamp_min(1e-30)).sqrt().clamp_max(1.0);
            scale = next.max_pair(scale.clone()).mask_where(none, scale);
        }
        (delta * scale).max_pair(low).min_pair(high)
    }

    fn shrink_l1(&self, delta: Tensor<2>) -> Tensor<2> {
        let (low, high) = (self.lower() - self.center(), self.upper() - self.center());
        let positive = delta.clone().greater_elem(0.0);
        let room = low.neg().mask_where(positive, high);
        let magnitude = delta.clone().abs();
        let budget = self.radius() * (1.0 - INSIDE);
        let shrink = |threshold: Tensor<2>| {
            (magnitude.clone() - threshold).clamp_min(0.0).min_pair(room.clone())
        };
        let fits = |threshold: Tensor<2>| shrink(threshold).sum_dim(1).lower_equal(budget.clone());

        let mut outside = self.radius().zeros_like();
        let mut inside = magnitude.clone().max_dim(1);
        let already = fits(outside.clone());
        for _ in 0..HALVINGS {
            let middle = (outside.clone() + inside.clone()) * 0.5;
            let fit = fits(middle.clone());
            inside = inside.mask_where(fit.clone(), middle.clone());
            outside = middle.mask_where(fit, outside);
        }
        let threshold = inside.mask_fill(already, 0.0);
        shrink(threshold) * delta.sign()
    }

    fn keep_l0(&self, rows: Tensor<2>) -> Tensor<2> {
        let clamped = self.clip(rows.clone());
        let gain = (rows.clone() - self.center()).square() - (rows - clamped.clone()).square();
        let most = self.radius().floor();
        let mut below = most.zeros_like();
        let mut above = gain.clone().max_dim(1).clamp_min(0.0);
        for _ in 0..HALVINGS {
            let middle = (below.clone() + above.clone()) * 0.5;
            let count = gain.clone().greater(middle.clone()).float().sum_dim(1);
            let few = count.lower_equal(most.clone());
            above = above.mask_where(few.clone(), middle.clone());
            below = middle.mask_where(few, below);
        }
        let sure = gain.clone().greater(above).float();
        let tied = gain.greater(below).float() - sure.clone();
        let left = most - sure.clone().sum_dim(1);
        let rank = tied.clone().cumsum(1);
        let kept = sure + tied * rank.lower_equal(left).float();
        self.center().mask_where(kept.greater_elem(0.5), clamped)
    }

    /// A point drawn uniformly from each ball over the mutable features, then projected onto the
    /// region: `[N, F]`. `ids` names the samples whose streams are used; a restart may take several
    /// draws.
    ///
    /// L1: `d` of `d + 1` exponentials over their sum, with random signs. L2: a Gaussian direction
    /// times `U^(1/d)`. L0: a random set of features, uniform in the box.
    #[must_use]
    pub fn sample(&self, seed: Seed, ids: &[u64], restart: u32, draw: u32) -> Tensor<2> {
        let features = self.center.dims()[1];
        let at = (restart, draw, Use::Start);
        let fill = |rng: &mut ChaCha8Rng, row: &mut [f32]| self.draw(rng, row);
        let unit = seed.rows(ids, at, features, &self.center.device(), fill);
        match self.norm {
            Norm::L0 => {
                // A draw in (0, 1] is a place in the box; zero leaves the feature alone.
                let chosen = unit.clone().greater_elem(0.0);
                let value = self.lower() + (self.upper() - self.lower()) * unit;
                let value = self.center().mask_where(chosen, value);
                let keep = self.radius().greater_equal_elem(1.0).expand(value.dims());
                self.center().mask_where(keep, self.project(value))
            }
            _ => self.project(self.center() + unit * self.radius()),
        }
    }

    /// One draw from the unit ball (L0: see [`Region::sample`]) over the mutable features.
    fn draw(&self, rng: &mut ChaCha8Rng, row: &mut [f32]) {
        let count = self.mutable.len();
        match self.norm {
            Norm::Linf => {
                for &feature in &self.mutable {
                    row[feature] = rng.random_range(-1.0..=1.0);
                }
            }
            Norm::L2 => {
                let mut square = 0.0_f64;
                for &feature in &self.mutable {
                    let draw: f64 = rng.sample(StandardNormal);
                    square += draw * draw;
                    row[feature] = draw as f32;
                }
                let length = rng.random::<f64>().powf(1.0 / count.max(1) as f64);
                let scale = (length / square.sqrt().max(f64::MIN_POSITIVE)) as f32;
                self.mutable.iter().for_each(|&feature| row[feature] *= scale);
            }
            Norm::L1 => {
                let mut total: f64 = rng.sample(Exp1);
                for &feature in &self.mutable {
                    let draw: f64 = rng.sample(Exp1);
                    total += draw;
                    row[feature] = if rng.random() { draw as f32 } else { -draw as f32 };
                }
                self.mutable.iter().for_each(|&feature| row[feature] /= total as f32);
            }
            Norm::L0 => {
                for &feature in &self.mutable {
                    row[feature] = 1.0 - rng.random::<f32>();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::floats;
    use rand::SeedableRng;

    fn region(norm: Norm, radius: f64, center: &[f32]) -> Region {
        let domain = Domain::image(1, 1, center.len()).unwrap();
        let rows =
            Tensor::from_data(TensorData::new(center.to_vec(), [1, center.len()]), &Device::flex());
        Region::new(rows, &Threat::new(norm, radius).unwrap(), &domain).unwrap()
    }

    fn project(region: &Region, point: &[f32]) -> Vec<f32> {
        let shape = [1, point.len()];
        let rows = Tensor::from_data(TensorData::new(point.to_vec(), shape), &Device::flex());
        floats(region.project(rows)).unwrap()
    }

    fn close(got: &[f32], expected: &[f32]) {
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 2e-5, "{got} {expected}");
        }
    }

    #[test]
    fn projections_by_hand() {
        let half = [0.5, 0.5, 0.5];
        close(&project(&region(Norm::Linf, 0.1, &half), &[0.9, 0.45, 0.0]), &[0.6, 0.45, 0.4]);
        // Along (3, 4, 0)/5.
        close(&project(&region(Norm::L2, 0.1, &half), &[0.8, 0.9, 0.5]), &[0.56, 0.58, 0.5]);
        // |d| = (0.4, 0.3, 0.1): θ = 0.25 leaves (0.15, 0.05, 0).
        close(&project(&region(Norm::L1, 0.2, &half), &[0.9, 0.2, 0.6]), &[0.65, 0.45, 0.5]);
        close(&project(&region(Norm::L0, 1.0, &half), &[0.9, 0.2, 0.6]), &[0.9, 0.5, 0.5]);
        close(&project(&region(Norm::L0, 2.9, &half), &[0.9, 0.2, 0.6]), &[0.9, 0.2, 0.5]);
    }

    /// The box stops feature 0 at +0.1; the ball's budget goes to the other.
    #[test]
    fn what_the_box_takes_the_other_features_get() {
        let at = [0.9, 0.5];
        let l2 = project(&region(Norm::L2, 0.5, &at), &[1.9, 1.5]);
        close(&l2, &[1.0, 0.5 + (0.25_f32 - 0.01).sqrt()]);
        let l1 = project(&region(Norm::L1, 0.4, &at), &[1.9, 1.5]);
        close(&l1, &[1.0, 0.8]);
    }

    #[test]
    fn equal_gains_keep_the_earlier_feature() {
        let got = project(&region(Norm::L0, 1.0, &[0.5, 0.5]), &[0.7, 0.7]);
        close(&got, &[0.7, 0.5]);
    }

    #[test]
    fn immutable_features_do_not_move() {
        let domain = Domain::image(1, 1, 3).unwrap().with_immutable(vec![1]).unwrap();
        let rows = Tensor::<2>::full([1, 3], 0.5, &Device::flex());
        for norm in Norm::ALL {
            let threat = Threat::new(norm, 1.0).unwrap();
            let region = Region::new(rows.clone(), &threat, &domain).unwrap();
            let far = floats(region.project(Tensor::full([1, 3], 0.9, &Device::flex()))).unwrap();
            let drawn = floats(region.sample(Seed(1), &[0], 0, 0)).unwrap();
            assert_eq!([far[1], drawn[1]].map(f32::to_bits), [0.5_f32.to_bits(); 2], "{norm}");
        }
    }

    /// Uniform in the ball: `P(‖δ‖ ≤ r/2) = 2^{-d}`; with `d = 2` a quarter, in each norm.
    #[test]
    fn a_quarter_of_the_draws_lies_in_the_half_ball_of_a_plane() {
        for norm in [Norm::L1, Norm::L2, Norm::Linf] {
            let region = region(norm, 1.0, &[0.5, 0.5]);
            let draws = 4000;
            let near = (0..draws).filter(|&index| {
                let mut row = [0.0; 2];
                region.draw(&mut ChaCha8Rng::seed_from_u64(index), &mut row);
                norm.of_slice(&row.map(f64::from)) <= 0.5
            });
            let share = near.count() as f64 / draws as f64;
            // Five standard deviations of a share of 4000 draws.
            assert!((share - 0.25).abs() < 5.0 * (0.25 * 0.75 / draws as f64).sqrt(), "{share}");
        }
    }
}
