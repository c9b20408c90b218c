//! `SparseFool`: few features, along the boundary that `DeepFool` finds.
//!
//! Modas, Moosavi-Dezfooli, Frossard. *`SparseFool`: a few pixels make a big difference.* CVPR 2019,
//! algorithms 1 and 2. <https://arxiv.org/abs/1811.02248>
use burn::prelude::*;
use duress_core::search::{Gradients, search_gradients};
use duress_core::{
    Access, Algorithm, Asker, Error, GradientAttack, GradientJob, Halt, Loss, Norm, Reach, Result,
    Search, Searching, Setting, arg_max,
};
use serde::{Deserialize, Serialize};

use super::ranked_others;
use crate::losses::RivalMargin;
use crate::table::{Entry, defaults, gradient};

/// `DeepFool` estimates the boundary, a linear solver goes to it one feature after the other, the
/// steepest first, and both are repeated from where it ends.
///
/// The estimate stays in the box: the model is never asked about a row outside. Its points count if
/// they meet the goal and are nearer, which in L1 they can be. A feature is used
/// once by a solution. Each step of `DeepFool` takes one gradient for each other class, a few at a
/// time. Goals that name their class are refused, as the paper defines none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SparseFool {
    /// Solutions of the linearised problem, at most; the authors' code has 20.
    pub steps: usize,
    /// Factor λ by which the estimated boundary is moved away: larger is faster and less sparse. The
    /// paper's is 3.
    pub lambda: f64,
    /// Share by which the perturbation is enlarged in the end; the authors' code has 0.02.
    pub overshoot: f64,
    /// Steps of each `DeepFool`, at most; the authors' code has 50.
    pub estimate_steps: usize,
    /// Share by which `DeepFool` passes the boundary; its paper's is 0.02.
    pub estimate_overshoot: f64,
    /// Likeliest other classes that `DeepFool` looks at; 0 for all, as in the papers (the authors'
    /// code looks at 9).
    pub candidates: usize,
}

impl SparseFool {
    /// The paper's: λ = 3, with the authors' 20 solutions, 50 steps and overshoots of 0.02.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            steps: 20,
            lambda: 3.0,
            overshoot: 0.02,
            estimate_steps: 50,
            estimate_overshoot: 0.02,
            candidates: 0,
        }
    }
}

impl Default for SparseFool {
    fn default() -> Self {
        Self::paper()
    }
}

/// How far past the boundary the linear solver goes, in units of the margin along its unit normal.
const PAST: f64 = 1e-3;

/// Smallest step of `DeepFool` and of the linear solver, in raw units.
const SMALLEST: f64 = 1e-4;

/// Values that one question may hold: limits the classes asked about at a time, never the result.
const VALUES: usize = 1 << 17;

pub(crate) const ENTRY: Entry = Entry {
    name: "sparsefool",
    summary: "few features, along the boundary that DeepFool finds",
    reference: "arXiv:1811.02248",
    norms: &[Norm::L0, Norm::L1],
    access: Access::Gradients,
    targeted: false,
    defaults: defaults::<SparseFool>,
    parse: gradient::<SparseFool>,
};

impl Algorithm for SparseFool {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn reach(&self) -> Reach {
        Reach::Nearest
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        if setting.targeted {
            return Err(Error::Parameter {
                algorithm: ENTRY.name,
                field: "goal",
                expected: "untargeted",
                got: "targeted".into(),
            });
        }
        ENTRY.at_least_one("steps", self.steps as u64)?;
        ENTRY.at_least_one("estimate_steps", self.estimate_steps as u64)?;
        ENTRY.positive("lambda", self.lambda)?;
        ENTRY.share("overshoot", self.overshoot)?;
        ENTRY.share("estimate_overshoot", self.estimate_overshoot)
    }
}

impl GradientAttack for SparseFool {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        search_gradients(job, self)
    }
}

impl Search<Gradients> for SparseFool {
    fn search<'s>(&'s self, asker: &'s mut Asker<Gradients>) -> Searching<'s> {
        Box::pin(async move {
            let mut row = wide(asker.clean());
            for _ in 0..self.steps {
                let Some(plane) = self.estimate(asker, &row).await? else { break };
                row = solve(asker, row, &plane, self.lambda);
                let fooling = extended(asker, &wide(asker.clean()), &row, self.overshoot);
                asker.settle(&fooling);
                if asker.meets(&fooling).await? {
                    break;
                }
            }
            Ok(())
        })
    }

    fn loss(&self) -> Option<&dyn Loss> {
        Some(&RivalMargin)
    }
}

/// A boundary near a row: the step that leads there, and its unit normal there.
struct Plane {
    step: Vec<f64>,
    normal: Vec<f64>,
}

/// One linearised margin.
struct Slope {
    distance: f64,
    length: f64,
    gradient: Vec<f32>,
}

impl SparseFool {
    /// `DeepFool` in L2 from `row`; `None` where no class has a slope.
    async fn estimate(
        &self,
        asker: &mut Asker<Gradients>,
        row: &[f64],
    ) -> Result<Option<Plane>, Halt> {
        let mut at = row.to_vec();
        let logits = asker.logits(narrow(&at)).await?;
        let mut classes = ranked_others(&logits, asker.label());
        if self.candidates > 0 {
            classes.truncate(self.candidates);
        }
        let mut reached = classes.first().copied().unwrap_or_default();
        for _ in 0..self.estimate_steps {
            let Some(nearest) = nearest_boundary(asker, &at, &classes).await? else {
                return Ok(None);
            };
            let length = nearest.distance.max(SMALLEST) / nearest.length;
            for (value, slope) in at.iter_mut().zip(&nearest.gradient) {
                *value += length * f64::from(*slope);
            }
            clip(asker, &mut at);
            let passed = extended(asker, row, &at, self.estimate_overshoot);
            let logits = asker.logits(passed).await?;
            let class = arg_max(&logits);
            if class != asker.label() {
                reached = class;
                break;
            }
        }
        let slope = asker.gradient(narrow(&at), vec![reached]).await?.gradient;
        let length = slope.iter().map(|&slope| f64::from(slope).powi(2)).sum::<f64>().sqrt();
        if length <= 0.0 {
            return Ok(None);
        }
        let normal = slope.iter().map(|&slope| f64::from(slope) / length).collect();
        let step = at.iter().zip(row).map(|(new, old)| new - old).collect();
        Ok(Some(Plane { step, normal }))
    }
}

/// The boundary with the smallest `|z_k − z_y| / ‖∇‖₂` at `row`.
async fn nearest_boundary(
    asker: &mut Asker<Gradients>,
    row: &[f64],
    classes: &[usize],
) -> Result<Option<Slope>, Halt> {
    let row = narrow(row);
    let at_once = (VALUES / row.len().max(1)).max(1);
    let mut nearest: Option<Slope> = None;
    for some in classes.chunks(at_once) {
        let slopes = asker.gradient(row.repeat(some.len()), some.to_vec()).await?;
        for (&margin, gradient) in slopes.loss.iter().zip(slopes.gradient.chunks(row.len())) {
            let length = gradient.iter().map(|&slope| f64::from(slope).powi(2)).sum::<f64>().sqrt();
            let distance = f64::from(margin).abs() / length;
            if length > 0.0 && nearest.as_ref().is_none_or(|best| distance < best.distance) {
                nearest = Some(Slope { distance, length, gradient: gradient.to_vec() });
            }
        }
    }
    Ok(nearest)
}

/// The linear solver: each feature once, in the order of falling `|normal|`, towards the other class
/// as far as the plane at λ times the estimated step asks and the box allows.
///
/// A row that lies beyond its estimate already goes on by the same length: the authors' code then
/// moves every feature.
fn solve(asker: &Asker<Gradients>, mut row: Vec<f64>, plane: &Plane, lambda: f64) -> Vec<f64> {
    let Plane { step, normal } = plane;
    let inner: f64 = normal.iter().zip(step).map(|(normal, step)| normal * step).sum();
    // What is left to the plane, along its normal.
    let mut left = lambda * inner.abs();
    let mut order: Vec<usize> =
        (0..row.len()).filter(|&feature| normal[feature].abs() > 0.0).collect();
    order.sort_unstable_by(|&a, &b| normal[b].abs().total_cmp(&normal[a].abs()).then(a.cmp(&b)));
    for feature in order {
        if left <= 0.0 {
            break;
        }
        let (slope, old) = (normal[feature], row[feature]);
        let length = ((left + PAST) / slope.abs()).max(SMALLEST);
        let (low, high) = (asker.lower()[feature], asker.upper()[feature]);
        row[feature] = (old + length * slope.signum()).clamp(f64::from(low), f64::from(high));
        left -= slope * (row[feature] - old);
    }
    row
}

/// `from + (1 + overshoot)(to − from)`, in the box.
fn extended(asker: &Asker<Gradients>, from: &[f64], to: &[f64], overshoot: f64) -> Vec<f32> {
    let pairs = from.iter().zip(to);
    let mut row: Vec<f32> =
        pairs.map(|(from, to)| (from + (1.0 + overshoot) * (to - from)) as f32).collect();
    asker.clip(&mut row);
    row
}

fn clip(asker: &Asker<Gradients>, row: &mut [f64]) {
    for (value, (&low, &high)) in row.iter_mut().zip(asker.lower().iter().zip(asker.upper())) {
        *value = value.clamp(f64::from(low), f64::from(high));
    }
}

fn wide(row: &[f32]) -> Vec<f64> {
    row.iter().map(|&value| f64::from(value)).collect()
}

fn narrow(row: &[f64]) -> Vec<f32> {
    row.iter().map(|&value| value as f32).collect()
}
