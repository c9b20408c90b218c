//! The step of the Brendel–Bethge attack: as near to the clean row as a hyperplane, the box and a
//! trust region allow.
//!
//! `min_δ ‖d − δ‖_p` with `⟨b, δ⟩ = c`, `low ≤ δ ≤ high` and `‖δ‖₂ ≤ r`, where `d` leads to the clean
//! row. With a multiplier for the hyperplane and one for the trust region each feature has its
//! solution by itself (in Linf: with the distance itself as a bound). Both numbers are found by
//! bracketing, one inside the other, because hyperplane and length depend on them monotonously.
use duress_core::Norm;

/// Enough to bring any bracket to neighbours.
const ITERATIONS: usize = 160;

/// Relative distance of two multipliers that are not told apart.
const NEIGHBOURS: f64 = 4e-16;

/// How far the price of a feature is searched in L0, relative: the greedy end does the rest.
const PRICE: f64 = 1e-3;

/// How near to the hyperplane is near enough, relative to the trust region.
const CLOSE: f64 = 1e-10;

/// How near to the end of the trust region, and (Linf) to the least distance, relative: f32 rows do
/// not resolve less.
const RESOLUTION: f64 = 1e-7;

/// Doublings of a multiplier: the range of f64 in both directions.
const DOUBLINGS: usize = 2100;

/// The largest and the smallest price of distance over length in L1, in units of the distance:
/// beyond these the price no longer changes the solution.
const PRICES: (f64, f64) = (1e-6, 1e6);

/// The problem of one step.
pub(super) struct TrustRegion<'a> {
    pub(super) norm: Norm,
    /// From the iterate to the clean row.
    pub(super) to_clean: &'a [f64],
    /// Normal of the hyperplane.
    pub(super) normal: &'a [f64],
    /// Smallest and largest change that the box allows: at most and at least zero.
    pub(super) low: &'a [f64],
    pub(super) high: &'a [f64],
    /// What `⟨normal, δ⟩` has to be.
    pub(super) offset: f64,
    /// Largest `‖δ‖₂`.
    pub(super) radius: f64,
}

impl TrustRegion<'_> {
    /// The step. Where the hyperplane is out of reach, the one that comes nearest to it.
    ///
    /// Exact in L1, L2 and Linf. In L0 the problem is that of a knapsack: the features to restore
    /// are those of its Lagrangian dual, and more as long as one fits.
    pub(super) fn solve(&self) -> Vec<f64> {
        let shortest = self.on_plane(|index, shift| self.clamped(index, shift));
        let Some(shortest) = shortest.filter(|step| length(step) <= self.radius) else {
            return self.push();
        };
        match self.norm {
            Norm::L0 => self.fewest(shortest),
            Norm::L1 => self.nearest_l1(shortest),
            Norm::L2 => self.nearest_l2(shortest),
            Norm::Linf => self.nearest_linf(shortest),
        }
    }

    /// `clamp(t d + ν b)`: the path from the shortest step (`t = 0`) to the unbounded one (`t = 1`).
    fn nearest_l2(&self, shortest: Vec<f64>) -> Vec<f64> {
        let at = |share: f64| {
            self.on_plane(|index, shift| self.clamped(index, share * self.to_clean[index] + shift))
        };
        self.farthest_along(shortest, (0.0, 1.0), at)
    }

    /// `clamp(d + soft(ν b − d, t))`: each feature goes back to the clean row unless that costs more
    /// than the price `t`. The path rises with `ln t`.
    fn nearest_l1(&self, shortest: Vec<f64>) -> Vec<f64> {
        let scale = largest(self.to_clean).max(largest(&shortest));
        if scale <= 0.0 {
            return shortest;
        }
        let at = |log_price: f64| {
            let price = log_price.exp();
            self.on_plane(|index, shift| {
                let aim = self.to_clean[index];
                let excess = shift - aim;
                if excess.abs() <= price {
                    (aim, false)
                } else {
                    self.clamped(index, shift - price.copysign(excess))
                }
            })
        };
        let ends = ((scale * PRICES.0).ln(), (scale * PRICES.1).ln());
        self.farthest_along(shortest, ends, at)
    }

    /// The smallest distance at which the shortest step to the hyperplane fits the trust region.
    fn nearest_linf(&self, shortest: Vec<f64>) -> Vec<f64> {
        let within = |distance: f64| {
            self.on_plane(|index, shift| {
                let aim = self.to_clean[index];
                let (low, high) = (self.low[index], self.high[index]);
                clamped(shift, low.max(aim - distance), high.min(aim + distance))
            })
        };
        let pairs = shortest.iter().zip(self.to_clean);
        let mut high = pairs.map(|(step, aim)| (step - aim).abs()).fold(0.0, f64::max);
        let (mut low, mut best) = (0.0, shortest);
        while high - low > RESOLUTION * high {
            let middle = 0.5 * (low + high);
            match within(middle).filter(|step| length(step) <= self.radius) {
                Some(step) => (high, best) = (middle, step),
                None => low = middle,
            }
        }
        best
    }

    /// The last step of a path that lies in the trust region; its length rises from that of
    /// `shortest`.
    fn farthest_along(
        &self,
        shortest: Vec<f64>,
        (first, last): (f64, f64),
        at: impl Fn(f64) -> Option<Vec<f64>>,
    ) -> Vec<f64> {
        let excess = |step: &[f64]| length(step) - self.radius;
        let Some(end) = at(last) else { return shortest };
        let (start_excess, end_excess) = (excess(&shortest), excess(&end));
        if end_excess <= 0.0 {
            return end;
        }
        let rise = |place| (at(place).map_or(end_excess, |step| excess(&step)), 0.0);
        let close = RESOLUTION * self.radius;
        let (place, _) = zero(rise, (first, start_excess), (last, end_excess), close);
        at(place).unwrap_or(shortest)
    }

    /// Features restored to the clean row, at a price `t` for each that is not: those with
    /// `(d − ν b)² ≤ t + (clamp(ν b) − ν b)²`.
    fn fewest(&self, shortest: Vec<f64>) -> Vec<f64> {
        let far = largest(self.to_clean).max(largest(&shortest));
        let (mut low, mut high) = (0.0, 4.0 * far * far);
        let mut best = (vec![false; self.normal.len()], shortest, 0);
        for _ in 0..ITERATIONS {
            if high - low <= PRICE * high {
                break;
            }
            let price = 0.5 * (low + high);
            let mut fits = false;
            for restored in self.restored_at(price) {
                if let Some(step) = self.with_restored(&restored) {
                    fits = true;
                    let count = restored.iter().filter(|&&restored| restored).count();
                    if count > best.2 {
                        best = (restored, step, count);
                    }
                }
            }
            if fits {
                low = price;
            } else {
                high = price;
            }
        }
        let (mut restored, step, _) = best;
        self.restore_more(&mut restored).unwrap_or(step)
    }

    /// Restores one feature after the other, the nearest to the clean row first, as long as the step
    /// fits: the step, if there is another one.
    fn restore_more(&self, restored: &mut [bool]) -> Option<Vec<f64>> {
        let mut order: Vec<usize> = (0..restored.len()).filter(|&index| !restored[index]).collect();
        let size = |index: usize| self.to_clean[index].abs();
        order.sort_unstable_by(|&a, &b| size(a).total_cmp(&size(b)).then(a.cmp(&b)));
        let mut bounds = self.bounds(restored);
        let mut step = None;
        for index in order {
            let next = bounds.restore(self, index);
            // Three sums tell most of those that do not fit.
            if !next.admits(self) {
                continue;
            }
            restored[index] = true;
            if let Some(more) = self.with_restored(restored) {
                (step, bounds) = (Some(more), next);
            } else {
                restored[index] = false;
            }
        }
        step
    }

    fn bounds(&self, restored: &[bool]) -> Bounds {
        let mut bounds =
            Bounds { square: 0.0, left: self.offset, least: 0.0, most: 0.0, slopes: 0.0 };
        for (index, &slope) in self.normal.iter().enumerate() {
            let (least, most) = self.ends(index);
            bounds.least += least;
            bounds.most += most;
            bounds.slopes += slope * slope;
        }
        for index in (0..restored.len()).filter(|&index| restored[index]) {
            bounds = bounds.restore(self, index);
        }
        bounds
    }

    /// The least and the most that a feature can add to `⟨b, δ⟩`.
    fn ends(&self, index: usize) -> (f64, f64) {
        let (low, high) =
            (self.normal[index] * self.low[index], self.normal[index] * self.high[index]);
        (low.min(high), low.max(high))
    }

    /// The features restored at a price, on both sides of the jump over the hyperplane.
    fn restored_at(&self, price: f64) -> [Vec<bool>; 2] {
        // `(d − s)² ≤ t + (f − s)²`, written so that it holds for an infinite `s` too.
        let restores = |index: usize, shift: f64| {
            let (aim, (free, _)) = (self.to_clean[index], self.clamped(index, shift));
            (aim - free) * (aim + free - 2.0 * shift) <= price
        };
        let feature = |index: usize, shift: f64| {
            if restores(index, shift) {
                (self.to_clean[index], false)
            } else {
                self.clamped(index, shift)
            }
        };
        let (below, above) = self.multiplier(feature).unwrap_or((0.0, 0.0));
        [below, above].map(|multiplier| {
            let all = self.normal.iter().enumerate();
            all.map(|(index, &slope)| restores(index, multiplier * slope)).collect()
        })
    }

    /// The shortest step that restores these features, if it reaches the hyperplane inside the trust
    /// region.
    fn with_restored(&self, restored: &[bool]) -> Option<Vec<f64>> {
        let step = self.on_plane(|index, shift| {
            if restored[index] { (self.to_clean[index], false) } else { self.clamped(index, shift) }
        })?;
        (length(&step) <= self.radius).then_some(step)
    }

    /// Into the box, and whether the shift decides.
    fn clamped(&self, index: usize, shift: f64) -> (f64, bool) {
        clamped(shift, self.low[index], self.high[index])
    }

    /// The step `δᵢ = feature(i, ν bᵢ)` with `⟨b, δ⟩ = c`; `None` if no `ν` gives that. `feature` rises
    /// with its argument, and says whether it does so there, one to one.
    fn on_plane(&self, feature: impl Fn(usize, f64) -> (f64, bool)) -> Option<Vec<f64>> {
        let (multiplier, _) = self.multiplier(&feature)?;
        let all = self.normal.iter().enumerate();
        Some(all.map(|(index, &slope)| feature(index, multiplier * slope).0).collect())
    }

    /// The `ν` of [`Self::on_plane`], from both sides.
    fn multiplier(&self, feature: impl Fn(usize, f64) -> (f64, bool)) -> Option<(f64, f64)> {
        let excess = |multiplier: f64| {
            let (mut sum, mut rate) = (-self.offset, 0.0);
            for (index, &slope) in self.normal.iter().enumerate() {
                if slope.abs() > 0.0 {
                    let (value, moves) = feature(index, multiplier * slope);
                    sum += slope * value;
                    rate += if moves { slope * slope } else { 0.0 };
                }
            }
            (sum, rate)
        };
        let squares: f64 = self.normal.iter().map(|slope| slope * slope).sum();
        if squares <= 0.0 || !squares.is_finite() {
            return None;
        }
        let (start, _) = excess(0.0);
        let close = CLOSE * (self.offset.abs() + self.radius * squares.sqrt());
        if start.abs() <= close {
            return Some((0.0, 0.0));
        }
        let direction = -start.signum();
        if excess(direction * f64::INFINITY).0 * start > 0.0 {
            return None;
        }
        let (mut near, mut far) = ((0.0, start), (0.0, start));
        let mut stride = start.abs() / squares;
        for _ in 0..DOUBLINGS {
            far = (direction * stride, excess(direction * stride).0);
            if far.1 * start <= 0.0 {
                break;
            }
            near = far;
            stride = (2.0 * stride).min(f64::MAX);
        }
        if far.1.abs() <= close {
            return Some((far.0, far.0));
        }
        let (low, high) = if near.0 < far.0 { (near, far) } else { (far, near) };
        Some(zero(excess, low, high, close))
    }

    /// The step of the trust region and the box that goes farthest towards the hyperplane.
    fn push(&self) -> Vec<f64> {
        let towards = |multiplier: f64| -> Vec<f64> {
            let side = multiplier * self.offset.signum();
            let all = self.normal.iter().enumerate();
            let shift = |(index, &slope): (usize, &f64)| {
                if slope.abs() > 0.0 { self.clamped(index, side * slope).0 } else { 0.0 }
            };
            all.map(shift).collect()
        };
        let corner = towards(f64::INFINITY);
        let longest = length(self.normal);
        if length(&corner) <= self.radius || longest <= 0.0 {
            return corner;
        }
        let excess = |multiplier: f64| (length(&towards(multiplier)) - self.radius, 0.0);
        // Not longer than the radius, because the box only shortens it.
        let mut low = (self.radius / longest, 0.0_f64.min(excess(self.radius / longest).0));
        let mut high = low;
        for _ in 0..DOUBLINGS {
            if high.1 > 0.0 {
                break;
            }
            low = high;
            let next = (2.0 * high.0).min(f64::MAX);
            high = (next, excess(next).0);
        }
        towards(zero(excess, low, high, RESOLUTION * self.radius).0)
    }
}

/// What a choice of restored features leaves to the others.
#[derive(Clone, Copy)]
struct Bounds {
    /// Square of the step's length so far.
    square: f64,
    /// What is left of the offset.
    left: f64,
    /// The least and the most that the other features can add to `⟨b, δ⟩`.
    least: f64,
    most: f64,
    /// Sum of the squares of their slopes.
    slopes: f64,
}

impl Bounds {
    fn restore(self, region: &TrustRegion<'_>, index: usize) -> Self {
        let (aim, slope) = (region.to_clean[index], region.normal[index]);
        let (least, most) = region.ends(index);
        Self {
            square: self.square + aim * aim,
            left: self.left - slope * aim,
            least: self.least - least,
            most: self.most - most,
            slopes: self.slopes - slope * slope,
        }
    }

    /// Whether the others may reach the hyperplane inside the trust region, as far as sums tell.
    fn admits(&self, region: &TrustRegion<'_>) -> bool {
        let slack = 1e-9 * (1.0 + self.left.abs());
        let shortest = self.left * self.left / self.slopes.max(f64::MIN_POSITIVE);
        self.least - slack <= self.left
            && self.left <= self.most + slack
            && (self.square + shortest) * (1.0 - 1e-9) <= region.radius * region.radius + slack
    }
}

/// The zero of a rising function between two places where it is not positive and not negative:
/// neighbours around it, or twice one at which the function is `close` to zero.
///
/// The function tells its slope too, or zero: Newton's steps or those of the regula falsi, exact on
/// a linear piece, with a halving after each that did less.
fn zero(
    mut rising: impl FnMut(f64) -> (f64, f64),
    mut low: (f64, f64),
    mut high: (f64, f64),
    close: f64,
) -> (f64, f64) {
    let (mut newton, mut halve) = (None, false);
    for _ in 0..ITERATIONS {
        let width = high.0 - low.0;
        if width <= NEIGHBOURS * low.0.abs().max(high.0.abs()) {
            break;
        }
        let guess = newton.unwrap_or_else(|| low.0 - low.1 * width / (high.1 - low.1));
        let usable = !halve && low.0 < guess && guess < high.0;
        let place = if usable { guess } else { 0.5 * low.0 + 0.5 * high.0 };
        let (value, slope) = rising(place);
        if value.abs() <= close {
            return (place, place);
        }
        newton = (slope > 0.0).then(|| place - value / slope);
        if value < 0.0 {
            low = (place, value);
        } else {
            high = (place, value);
        }
        halve = high.0 - low.0 > 0.5 * width;
    }
    (low.0, high.0)
}

/// Into the interval, and whether the value was inside.
fn clamped(value: f64, low: f64, high: f64) -> (f64, bool) {
    if value <= low {
        (low, false)
    } else if value >= high {
        (high, false)
    } else {
        (value, true)
    }
}

fn largest(step: &[f64]) -> f64 {
    step.iter().fold(0.0, |most, value| most.max(value.abs()))
}

fn length(step: &[f64]) -> f64 {
    step.iter().map(|value| value * value).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests;
