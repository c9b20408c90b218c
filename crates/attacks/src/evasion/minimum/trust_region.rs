//! The step of the Brendel–Bethge attack: as near to the clean row as a hyperplane, the box and a
//! trust region allow.
//!
//! `min_δ ‖d − δ‖_p` with `⟨b, δ⟩ = c`, `low ≤ δ ≤ high` and `‖δ‖₂ ≤ r`, where `d` leads to the clean
//! row. With a multiplier for the hyperplane and one for the trust region each feature has its
//! solution by itself (in Linf: with the distance itself as a bound). Both numbers are found by
//! bracketing, one inside the other, because hyperplane and length depend on them monotonously.
use duress_core::Norm;

/// Enough to bring any bracket to neighbouring numbers.
const ITERATIONS: usize = 160;

/// How near to the hyperplane and to the end of the trust region is near enough, relative.
const CLOSE: f64 = 1e-10;

/// Doublings of a multiplier, before its end is taken for unreachable.
const DOUBLINGS: usize = 400;

/// The largest and the smallest price of distance over length in L1, in units of the distance:
/// beyond these the price no longer changes the solution.
const PRICES: (f64, f64) = (1e-8, 1e8);

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
        let clamp = |index: usize, shift: f64| shift.clamp(self.low[index], self.high[index]);
        let Some(shortest) = self.on_plane(clamp) else {
            return self.push();
        };
        if length(&shortest) > self.radius {
            return self.push();
        }
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
            self.on_plane(|index, shift| {
                (share * self.to_clean[index] + shift).clamp(self.low[index], self.high[index])
            })
        };
        self.farthest_along(shortest, (0.0, 1.0), at)
    }

    /// `clamp(d + soft(ν b − d, t))`: each feature goes back to the clean row unless that costs more
    /// than the price `t`. The path rises with `ln t`.
    fn nearest_l1(&self, shortest: Vec<f64>) -> Vec<f64> {
        let scale = self.to_clean.iter().fold(0.0, |most: f64, step| most.max(step.abs()));
        if scale <= 0.0 {
            return shortest;
        }
        let at = |log_price: f64| {
            let price = log_price.exp();
            self.on_plane(|index, shift| {
                let (aim, low, high) = (self.to_clean[index], self.low[index], self.high[index]);
                let excess = shift - aim;
                (aim + (excess.abs() - price).max(0.0).copysign(excess)).clamp(low, high)
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
                shift.clamp(low.max(aim - distance), high.min(aim + distance))
            })
        };
        let pairs = shortest.iter().zip(self.to_clean);
        let mut high = pairs.map(|(step, aim)| (step - aim).abs()).fold(0.0, f64::max);
        let (mut low, mut best) = (0.0, shortest);
        while high - low > CLOSE * high {
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
        let rise = |place| at(place).map_or(end_excess, |step| excess(&step));
        let close = CLOSE * self.radius;
        let (place, _) = zero(rise, (first, start_excess), (last, end_excess), close);
        at(place).unwrap_or(shortest)
    }

    /// Features restored to the clean row, at a price `t` for each that is not: those with
    /// `(d − ν b)² ≤ t + (clamp(ν b) − ν b)²`.
    fn fewest(&self, shortest: Vec<f64>) -> Vec<f64> {
        let far = self.to_clean.iter().fold(0.0, |most: f64, step| most.max(step.abs()));
        let (mut low, mut high) = (0.0, 4.0 * far * far);
        let none = vec![false; self.normal.len()];
        let mut best = (none.clone(), shortest, 0);
        for _ in 0..ITERATIONS {
            if high - low <= 1e-6 * high {
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
        let (mut restored, mut step, _) = best;
        let mut open: Vec<usize> = (0..restored.len()).filter(|&index| !restored[index]).collect();
        let cost = |index: usize| {
            let aim = self.to_clean[index];
            aim * aim - step[index] * step[index]
        };
        let costs: Vec<f64> = (0..restored.len()).map(cost).collect();
        open.sort_unstable_by(|&a, &b| costs[a].total_cmp(&costs[b]).then(a.cmp(&b)));
        for index in open {
            restored[index] = true;
            match self.with_restored(&restored) {
                Some(more) => step = more,
                None => restored[index] = false,
            }
        }
        step
    }

    /// The features restored at a price, on both sides of the jump over the hyperplane.
    fn restored_at(&self, price: f64) -> [Vec<bool>; 2] {
        let restores = |index: usize, shift: f64| {
            let free = shift.clamp(self.low[index], self.high[index]);
            (self.to_clean[index] - shift).powi(2) <= price + (free - shift).powi(2)
        };
        let feature = |index: usize, shift: f64| {
            if restores(index, shift) {
                self.to_clean[index]
            } else {
                shift.clamp(self.low[index], self.high[index])
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
            if restored[index] {
                self.to_clean[index]
            } else {
                shift.clamp(self.low[index], self.high[index])
            }
        })?;
        (length(&step) <= self.radius).then_some(step)
    }

    /// The step `δᵢ = feature(i, ν bᵢ)` with `⟨b, δ⟩ = c`; `None` if no `ν` gives that. `feature` rises
    /// with its argument.
    fn on_plane(&self, feature: impl Fn(usize, f64) -> f64) -> Option<Vec<f64>> {
        let (multiplier, _) = self.multiplier(&feature)?;
        let all = self.normal.iter().enumerate();
        Some(all.map(|(index, &slope)| feature(index, multiplier * slope)).collect())
    }

    /// The `ν` of [`Self::on_plane`], from both sides.
    fn multiplier(&self, feature: impl Fn(usize, f64) -> f64) -> Option<(f64, f64)> {
        let excess = |multiplier: f64| {
            let all = self.normal.iter().enumerate();
            let terms = all.map(|(index, &slope)| slope * feature(index, multiplier * slope));
            terms.sum::<f64>() - self.offset
        };
        let squares: f64 = self.normal.iter().map(|slope| slope * slope).sum();
        if squares <= 0.0 || !squares.is_finite() {
            return None;
        }
        let start = excess(0.0);
        let close = CLOSE * (self.offset.abs() + self.radius * squares.sqrt());
        if start.abs() <= close {
            return Some((0.0, 0.0));
        }
        let direction = -start.signum();
        let (mut near, mut far) = ((0.0, start), (0.0, start));
        let mut stride = start.abs() / squares;
        for _ in 0..DOUBLINGS {
            far.0 = direction * stride;
            far.1 = excess(far.0);
            if far.1 * start <= 0.0 || far.1.abs() <= close {
                break;
            }
            near = far;
            stride *= 2.0;
            if !stride.is_finite() {
                break;
            }
        }
        if far.1.abs() <= close {
            return Some((far.0, far.0));
        }
        if far.1 * start > 0.0 {
            return None;
        }
        Some(if near.0 < far.0 {
            zero(excess, near, far, close)
        } else {
            zero(excess, far, near, close)
        })
    }

    /// The step of the trust region and the box that goes farthest towards the hyperplane.
    fn push(&self) -> Vec<f64> {
        let towards = |multiplier: f64| -> Vec<f64> {
            let all = self.normal.iter().enumerate();
            let shift = |(index, &slope): (usize, &f64)| {
                (multiplier * slope * self.offset.signum()).clamp(self.low[index], self.high[index])
            };
            all.map(shift).collect()
        };
        let longest = self.normal.iter().map(|slope| slope * slope).sum::<f64>().sqrt();
        if longest <= 0.0 || !longest.is_finite() {
            return vec![0.0; self.normal.len()];
        }
        let excess = |multiplier: f64| length(&towards(multiplier)) - self.radius;
        // Not longer than the radius, because the box only shortens it.
        let first = self.radius / longest;
        let (mut low, mut high) = ((first, excess(first)), (first, excess(first)));
        for _ in 0..DOUBLINGS {
            if high.1 >= 0.0 || !(2.0 * high.0).is_finite() {
                break;
            }
            low = high;
            high = (2.0 * high.0, excess(2.0 * high.0));
        }
        if high.1 <= 0.0 {
            return towards(high.0);
        }
        towards(zero(excess, low, high, CLOSE * self.radius).0)
    }
}

/// The zero of a rising function between two places where it is not positive and not negative:
/// neighbouring numbers around it, or twice one at which the function is `close` to zero.
///
/// Regula falsi, exact on a linear piece, with a halving every third time.
fn zero(
    mut rising: impl FnMut(f64) -> f64,
    mut low: (f64, f64),
    mut high: (f64, f64),
    close: f64,
) -> (f64, f64) {
    for iteration in 1..=ITERATIONS {
        let middle = 0.5 * (low.0 + high.0);
        let secant = low.0 - low.1 * (high.0 - low.0) / (high.1 - low.1);
        let usable = iteration % 3 != 0 && low.0 < secant && secant < high.0;
        let place = if usable { secant } else { middle };
        if place <= low.0 || place >= high.0 {
            break;
        }
        let value = rising(place);
        if value.abs() <= close {
            return (place, place);
        }
        if value < 0.0 {
            low = (place, value);
        } else {
            high = (place, value);
        }
    }
    (low.0, high.0)
}

fn length(step: &[f64]) -> f64 {
    step.iter().map(|value| value * value).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests;
