//! The boundary attack.
//!
//! Brendel, Rauber, Bethge. *Decision-Based Adversarial Attacks: Reliable Attacks Against Black-Box
//! Machine Learning Models.* ICLR 2018, algorithm 1. <https://arxiv.org/abs/1712.04248>
use std::collections::VecDeque;

use burn::prelude::*;
use duress_core::search::{Labels, search_labels};
use duress_core::{
    Access, Algorithm, Asker, Halt, LabelAttack, LabelJob, Norm, Reach, Result, Search, Searching,
    Setting,
};
use rand::Rng;
use serde::{Deserialize, Serialize};

use super::probe::{Probe, Room, unit};
use super::start::{Start, find};
use crate::evasion::vectors::dot;
use crate::table::{Entry, defaults, label};

/// A random walk along the boundary: a Gaussian step on the sphere around the clean row, then a
/// step towards it, kept if it still meets the goal.
///
/// One query a step. Every `update_every`-th step asks about the point on the sphere too, for one
/// query more; the rates at which the two meet the goal steer the step sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Boundary {
    /// Candidates tried.
    pub steps: u32,
    /// First step δ on the sphere, as a share of the distance.
    pub spherical_step: f64,
    /// First step ε towards the clean row, as a share of the distance.
    pub source_step: f64,
    /// Factor by which the steps change.
    pub step_adaptation: f64,
    /// The step towards the clean row below which the walk has converged.
    pub convergence: f64,
    /// Steps from one measurement of the rates to the next.
    pub update_every: u32,
    /// Where it begins.
    pub start: Start,
    /// Rows tried to begin at, of each kind.
    pub initial_draws: u32,
}

impl Boundary {
    /// The authors': 25,000 steps, δ = ε = 0.01 at first, factor 1.5, converged at 10⁻⁷.
    #[must_use]
    pub fn paper() -> Self {
        Self {
            steps: 25_000,
            spherical_step: 0.01,
            source_step: 0.01,
            step_adaptation: 1.5,
            convergence: 1e-7,
            update_every: 10,
            start: Start::Noise,
            initial_draws: 100,
        }
    }
}

impl Default for Boundary {
    fn default() -> Self {
        Self::paper()
    }
}

/// Answers over which the rates are taken: on the sphere, and after the step inwards.
const SPHERE_WINDOW: usize = 100;
const SOURCE_WINDOW: usize = 30;
/// Rates above which the steps grow and below which they shrink.
const SPHERE_RATES: (f64, f64) = (0.2, 0.5);
const SOURCE_RATES: (f64, f64) = (0.1, 0.25);

pub(crate) const ENTRY: Entry = Entry {
    name: "boundary",
    summary: "random walk along the boundary",
    reference: "arXiv:1712.04248",
    norms: &[Norm::L2],
    access: Access::Labels,
    targeted: true,
    defaults: defaults::<Boundary>,
    parse: label::<Boundary>,
};

impl Algorithm for Boundary {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn reach(&self) -> Reach {
        Reach::Nearest
    }

    fn check(&self, _: &Setting<'_>) -> Result<()> {
        ENTRY.positive("spherical_step", self.spherical_step)?;
        ENTRY.positive("source_step", self.source_step)?;
        ENTRY.share("source_step", self.source_step)?;
        ENTRY.positive("step_adaptation", self.step_adaptation)?;
        ENTRY.positive("convergence", self.convergence)?;
        ENTRY.at_least_one("update_every", u64::from(self.update_every))?;
        ENTRY.at_least_one("initial_draws", u64::from(self.initial_draws))
    }
}

impl LabelAttack for Boundary {
    fn perturb(&self, job: &mut LabelJob<'_>) -> Result<Tensor<2>> {
        search_labels(job, self)
    }
}

impl Search<Labels> for Boundary {
    fn search<'s>(&'s self, asker: &'s mut Asker<Labels>) -> Searching<'s> {
        Box::pin(async move { self.walk(&mut Probe::new(asker)).await })
    }
}

impl Boundary {
    async fn walk(&self, probe: &mut Probe<'_>) -> Result<(), Halt> {
        let Some(mut best) = find(probe, self.start, self.initial_draws).await? else {
            return Ok(());
        };
        let mut steps = Steps { sphere: self.spherical_step, source: self.source_step };
        let (mut spheres, mut sources) = (Window::new(SPHERE_WINDOW), Window::new(SOURCE_WINDOW));
        for step in 1..=self.steps {
            let distance = probe.distance(&best);
            if steps.source < self.convergence || distance <= 0.0 {
                break;
            }
            let mut rng = probe.generator(step);
            let (sphere, candidate) = steps.propose(&probe.room, &best, &mut rng);
            let measured = step.is_multiple_of(self.update_every);
            let mut rows = candidate.clone();
            if measured {
                rows.extend(&sphere);
            }
            let met = probe.decisions(rows).await?;
            if met[0] && probe.distance(&candidate) < distance {
                best = candidate;
            }
            if measured {
                spheres.push(met[1]);
                sources.push(met[0]);
                let factor = spheres.verdict(SPHERE_RATES, self.step_adaptation);
                steps.sphere *= factor;
                steps.source *= factor;
                steps.source *= sources.verdict(SOURCE_RATES, self.step_adaptation);
            }
        }
        Ok(())
    }
}

/// The two relative step sizes.
struct Steps {
    sphere: f64,
    source: f64,
}

impl Steps {
    /// The point on the sphere around the clean row, and that after the step inwards.
    fn propose(&self, room: &Room, best: &[f32], rng: &mut impl Rng) -> (Vec<f32>, Vec<f32>) {
        let offset = room.offset(best);
        let distance = Norm::L2.of_slice(&offset);
        let mut noise = room.gaussian(rng);
        let share = dot(&noise, &offset) / (distance * distance);
        noise.iter_mut().zip(&offset).for_each(|(noise, offset)| *noise -= share * offset);
        // One feature alone has no direction along the sphere.
        let noise = unit(noise, Norm::L2).unwrap_or_else(|| vec![0.0; best.len()]);
        let turned = offset.iter().zip(&noise);
        let turned: Vec<f64> =
            turned.map(|(offset, noise)| offset + self.sphere * distance * noise).collect();
        let onto_sphere = 1.0 / self.sphere.hypot(1.0);
        let sphere = room.along(&room.clean, &turned, onto_sphere);
        // The box may have cut the point off the sphere already; the rest of the step is made here.
        let radius = Norm::L2.of_slice(&room.offset(&sphere));
        let target = distance * (1.0 - self.source);
        let share = if radius > target { target / radius } else { 1.0 };
        let candidate = room.between(&sphere, share);
        (sphere, candidate)
    }
}

/// The last answers of one kind.
struct Window {
    size: usize,
    answers: VecDeque<bool>,
}

impl Window {
    fn new(size: usize) -> Self {
        Self { size, answers: VecDeque::with_capacity(size) }
    }

    fn push(&mut self, answer: bool) {
        if self.answers.len() == self.size {
            self.answers.pop_front();
        }
        self.answers.push_back(answer);
    }

    /// The factor for a step: once the window is full, `growth` above the second of `rates`, its
    /// inverse below the first, and then it fills anew.
    fn verdict(&mut self, rates: (f64, f64), growth: f64) -> f64 {
        if self.answers.len() < self.size {
            return 1.0;
        }
        let met = self.answers.iter().filter(|&&met| met).count();
        let rate = met as f64 / self.size as f64;
        let factor = if rate > rates.1 {
            growth
        } else if rate < rates.0 {
            growth.recip()
        } else {
            return 1.0;
        };
        self.answers.clear();
        factor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_change_once_a_full_window_leaves_the_band() {
        let mut window = Window::new(4);
        for _ in 0..3 {
            window.push(true);
            assert_eq!(window.verdict((0.2, 0.5), 1.5).to_bits(), 1.0_f64.to_bits());
        }
        window.push(false);
        assert_eq!(window.verdict((0.2, 0.5), 1.5).to_bits(), 1.5_f64.to_bits());
        assert!(window.answers.is_empty(), "it fills anew");
        for answer in [false, true, true, false] {
            window.push(answer);
        }
        assert_eq!(window.verdict((0.2, 0.5), 1.5).to_bits(), 1.0_f64.to_bits());
        for answer in [false; 3] {
            window.push(answer);
        }
        // true, false, false, false: a quarter.
        assert_eq!(window.verdict((0.3, 0.5), 2.0).to_bits(), 0.5_f64.to_bits());
    }
}
