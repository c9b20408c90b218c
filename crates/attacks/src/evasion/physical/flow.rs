//! Spatially transformed adversarial examples.
//!
//! Xiao, Zhu, Li, He, Liu, Song. *Spatially Transformed Adversarial Examples.* ICLR 2018, eqs. 1
//! to 4. <https://arxiv.org/abs/1801.02612>
use burn::prelude::*;
use duress_core::search::{Gradients, search_gradients};
use duress_core::{
    Access, Algorithm, Asker, GradientAttack, GradientJob, Halt, Loss, Norm, Reach, Result, Search,
    Searching, Setting,
};
use serde::{Deserialize, Serialize};

use super::lbfgs::{Memory, add};
use crate::evasion::vectors::dot;
use crate::image::picture::Picture;
use crate::image::warp::{Outside, Place};
use crate::losses::LossKind;
use crate::table::{Entry, defaults, gradient};

/// Minimises `max(margin, 0) + τ · Σ_p Σ_{q∈N(p)} ‖f(p) − f(q)‖₂` over flow fields `f` by L-BFGS
/// with a backtracking line search, from the zero flow: each pixel shows the picture at its own
/// place plus `f`, bilinearly, and `N` are its four neighbours.
///
/// A sample stops at the first picture that meets its goal. (The paper goes on to smooth the flow;
/// its sum is zero in the first term from there on.)
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flow {
    /// Weight τ of the flow's total variation; the paper's 0.05.
    pub smoothness: f64,
    /// Difference of two neighbours' flows, in pixels, below which it costs a parabola instead of its
    /// length: the length has no slope at equal flows, and with a much sharper corner the zero flow
    /// itself is a minimum.
    pub rounding: f64,
    /// Steps of L-BFGS; the paper gives no number.
    pub steps: usize,
    /// Steps that L-BFGS remembers.
    pub memory: usize,
    /// Points tried along a direction, each half as far as the one before; one query each.
    pub backtracks: usize,
}

impl Flow {
    /// The paper's weight; corners rounded to a tenth of a pixel, 100 steps.
    #[must_use]
    pub fn paper() -> Self {
        Self { smoothness: 0.05, rounding: 0.1, steps: 100, memory: 10, backtracks: 20 }
    }
}

impl Default for Flow {
    fn default() -> Self {
        Self::paper()
    }
}

/// Part of the first-order decrease that a step must reach (Armijo).
const SUFFICIENT: f64 = 1e-4;

pub(crate) const ENTRY: Entry = Entry {
    name: "flow",
    summary: "smooth displacement of pixels (stAdv)",
    reference: "arXiv:1801.02612",
    norms: &Norm::ALL,
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<Flow>,
    parse: gradient::<Flow>,
};

impl Algorithm for Flow {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn reach(&self) -> Reach {
        Reach::Box
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        setting.domain.image_shape()?;
        ENTRY.not_negative("smoothness", self.smoothness)?;
        ENTRY.positive("rounding", self.rounding)?;
        ENTRY.at_least_one("steps", self.steps as u64)?;
        ENTRY.at_least_one("memory", self.memory as u64)?;
        ENTRY.at_least_one("backtracks", self.backtracks as u64)?;
        LossKind::Margin.check(setting.classes, setting.targeted)
    }
}

impl GradientAttack for Flow {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        search_gradients(job, self)
    }
}

impl Search<Gradients> for Flow {
    fn search<'s>(&'s self, asker: &'s mut Asker<Gradients>) -> Searching<'s> {
        Box::pin(self.minimise(asker))
    }

    fn loss(&self) -> Option<&dyn Loss> {
        Some(&LossKind::Margin)
    }
}

/// The objective at a flow.
struct Point {
    flow: Vec<f64>,
    value: f64,
    slope: Vec<f64>,
}

impl Flow {
    async fn minimise(&self, asker: &mut Asker<Gradients>) -> Result<(), Halt> {
        let picture = Picture::of(asker.clean(), asker.domain())?;
        let mut memory = Memory::new(self.memory);
        let mut at = self.at(asker, &picture, vec![0.0; 2 * picture.pixels()]).await?;
        for _ in 0..self.steps {
            let steepest = at.slope.iter().fold(0.0_f64, |most, slope| most.max(slope.abs()));
            if steepest <= 0.0 {
                break;
            }
            let mut direction = memory.direction(&at.slope);
            if dot(&direction, &at.slope) >= 0.0 {
                memory.clear();
                direction = memory.direction(&at.slope);
            }
            // Without a memory of scales no pixel moves by more than one.
            let first = if memory.is_empty() { 1.0 / steepest } else { 1.0 };
            match self.backtrack(asker, &picture, &at, &direction, first).await? {
                Some(next) => {
                    let difference = |new: &[f64], old: &[f64]| -> Vec<f64> {
                        new.iter().zip(old).map(|(new, old)| new - old).collect()
                    };
                    memory
                        .push(difference(&next.flow, &at.flow), difference(&next.slope, &at.slope));
                    at = next;
                }
                None if memory.is_empty() => break,
                None => memory.clear(),
            }
        }
        Ok(())
    }

    /// The first point along `direction` that decreases the objective enough.
    async fn backtrack(
        &self,
        asker: &mut Asker<Gradients>,
        picture: &Picture,
        at: &Point,
        direction: &[f64],
        first: f64,
    ) -> Result<Option<Point>, Halt> {
        let descent = dot(direction, &at.slope);
        let mut length = first;
        for _ in 0..self.backtracks {
            let mut flow = at.flow.clone();
            add(&mut flow, length, direction);
            let next = self.at(asker, picture, flow).await?;
            if next.value <= at.value + SUFFICIENT * length * descent {
                return Ok(Some(next));
            }
            length *= 0.5;
        }
        Ok(None)
    }

    /// The objective at a flow: one query with its gradient.
    async fn at(
        &self,
        asker: &mut Asker<Gradients>,
        picture: &Picture,
        flow: Vec<f64>,
    ) -> Result<Point, Halt> {
        let [_, height, width] = picture.shape;
        let place = |y: usize, x: usize| -> Place {
            let pixel = 2 * (y * width + x);
            (y as f64 + flow[pixel], x as f64 + flow[pixel + 1])
        };
        let shown = picture.warp(Outside::Edge, place).row(asker.domain());
        let mut row = shown.clone();
        asker.clip(&mut row);
        asker.settle(&row);
        let answer = asker.gradient(row.clone(), Vec::new()).await?;
        let margin = -f64::from(answer.loss[0]);
        let (mut value, mut slope) = self.variation(&flow, [height, width]);
        if margin > 0.0 {
            value += margin;
            let domain = asker.domain();
            // What the box or the mask holds in place does not follow the flow.
            let follows = |feature: usize| row[feature].to_bits() == shown[feature].to_bits();
            let side = |feature: usize| {
                f64::from(domain.upper().at(feature)) - f64::from(domain.lower().at(feature))
            };
            let cotangent = |(feature, &slope): (usize, &f32)| {
                if follows(feature) { -f64::from(slope) * side(feature) } else { 0.0 }
            };
            let cotangent: Vec<f64> = answer.gradient.iter().enumerate().map(cotangent).collect();
            for (pixel, (down, right)) in picture.slope(&cotangent, place).into_iter().enumerate() {
                slope[2 * pixel] += down;
                slope[2 * pixel + 1] += right;
            }
        }
        Ok(Point { flow, value, slope })
    }

    /// `τ` times the total variation of a flow and its slope. Each pair of neighbours counts twice,
    /// once from either side, as in eq. 4.
    fn variation(&self, flow: &[f64], [height, width]: [usize; 2]) -> (f64, Vec<f64>) {
        let (mut value, mut slope) = (0.0, vec![0.0; flow.len()]);
        let mut pair = |one: usize, other: usize| {
            let (down, right) =
                (flow[2 * one] - flow[2 * other], flow[2 * one + 1] - flow[2 * other + 1]);
            let length = down.hypot(right).hypot(self.rounding);
            value += 2.0 * self.smoothness * (length - self.rounding);
            for (part, by) in [(0, down), (1, right)] {
                let by = 2.0 * self.smoothness * by / length;
                slope[2 * one + part] += by;
                slope[2 * other + part] -= by;
            }
        };
        for y in 0..height {
            for x in 0..width {
                let pixel = y * width + x;
                if x + 1 < width {
                    pair(pixel, pixel + 1);
                }
                if y + 1 < height {
                    pair(pixel, pixel + width);
                }
            }
        }
        (value, slope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1 × 2 pixels that differ by (3, 4): 5 from either side.
    #[test]
    fn the_variation_by_hand_and_none_for_a_constant_flow() {
        let flow = Flow { smoothness: 0.5, rounding: 1e-4, ..Flow::paper() };
        let (value, slope) = flow.variation(&[3.0, 4.0, 0.0, 0.0], [1, 2]);
        assert!((value - 5.0).abs() < 1e-3, "{value}");
        for (got, expected) in slope.iter().zip([0.6, 0.8, -0.6, -0.8]) {
            assert!((got - expected).abs() < 1e-6, "{slope:?}");
        }
        let (value, slope) = flow.variation(&[0.7; 24], [3, 4]);
        assert!(value.abs() < 1e-12 && slope.iter().all(|slope| slope.abs() < 1e-12));
    }

    #[test]
    fn the_slope_of_the_variation_is_its_derivative() {
        let shape = [3, 4];
        let flow = Flow::paper();
        let at: Vec<f64> = (0..24).map(|index| (f64::from(index) * 0.9).sin()).collect();
        let (_, slope) = flow.variation(&at, shape);
        for (index, slope) in slope.into_iter().enumerate() {
            let value = |by: f64| {
                let mut at = at.clone();
                at[index] += by;
                flow.variation(&at, shape).0
            };
            let expected = (value(1e-5) - value(-1e-5)) / 2e-5;
            assert!((slope - expected).abs() < 1e-7, "{index}: {slope} {expected}");
        }
    }
}
