//! Composite adversarial attack: colour, rotation and pixels, one after the other.
//!
//! Hsiung, Tsai, Chen, Ho. *Towards Compositional Adversarial Robustness: Generalizing Adversarial
//! Training to Composite Semantic Perturbations.* CVPR 2023, §3 (Comp-PGD).
//! <https://arxiv.org/abs/2202.04235>
mod blend;
mod component;
mod schedule;
mod walk;

use burn::prelude::*;
use duress_core::{
    Access, Algorithm, GradientAttack, GradientJob, Loss, Norm, Objective, Reach, Result, Setting,
};
use serde::{Deserialize, Serialize};

use crate::losses::LossKind;
use crate::table::{Entry, defaults, gradient};
pub use component::Component;
use walk::Walk;

/// In which order the components change a sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// As they are listed.
    Fixed,
    /// In an order that each sample draws for itself, anew in each round and restart.
    Random,
    /// In an order that climbs the loss from round to round.
    ///
    /// The gradient runs through all turns of the surrogate picture (the authors' code detaches all
    /// but the last), and the assignment is the best, not a greedy one; each round takes another
    /// order than the one before.
    #[default]
    Scheduled,
}

/// Each component in turn changes what the one before left: its parameter starts at a uniform draw
/// from its interval and takes sign steps up the loss, held inside the interval.
///
/// Intervals are for pictures with values in `[0, 1]`; another box is mapped there and back. A
/// sample that meets its goal at any point stays there. Forward passes of a sample that is never
/// solved: `rounds · components · steps`, one more after each component but the very last, and one
/// a round where the order is scheduled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Composite {
    /// What changes the picture, each at most once. Hue and saturation need three channels.
    pub components: Vec<Component>,
    /// In which order.
    pub order: Order,
    /// Runs through all components: each from the clean row, with the parameters that the one
    /// before ended at.
    pub rounds: usize,
    /// Gradient steps of each component.
    pub steps: usize,
    /// All steps of a component together, in halves of its interval.
    pub path: f64,
    /// Turn of the hue, in radians.
    pub hue: [f64; 2],
    /// Factor of the saturation.
    pub saturation: [f64; 2],
    /// Turn of the picture, in degrees.
    pub rotation: [f64; 2],
    /// What is added to each pixel.
    pub brightness: [f64; 2],
    /// Factor of each pixel.
    pub contrast: [f64; 2],
    /// Radius of the component that changes each pixel by itself, which starts at zero.
    pub linf: f64,
    /// Attempts on each sample, each with starts and orders of its own.
    pub restarts: u32,
    /// What the steps increase.
    pub loss: LossKind,
}

impl Composite {
    /// The paper's full attack: all six components, 5 rounds in scheduled orders, 10 steps each of
    /// 2.5 halves of the interval over 10, intervals as for CIFAR-10.
    #[must_use]
    pub fn paper() -> Self {
        use Component::{Brightness, Contrast, Hue, Linf, Rotation, Saturation};
        Self {
            components: vec![Hue, Saturation, Rotation, Brightness, Contrast, Linf],
            order: Order::Scheduled,
            rounds: 5,
            steps: 10,
            path: 2.5,
            hue: [-std::f64::consts::PI, std::f64::consts::PI],
            saturation: [0.7, 1.3],
            rotation: [-10.0, 10.0],
            brightness: [-0.2, 0.2],
            contrast: [0.7, 1.3],
            linf: 8.0 / 255.0,
            restarts: 1,
            loss: LossKind::CrossEntropy,
        }
    }

    /// The paper's semantic attack: without [`Component::Linf`].
    #[must_use]
    pub fn semantic() -> Self {
        let mut semantic = Self::paper();
        semantic.components.retain(|&component| component != Component::Linf);
        semantic
    }

    /// [`Composite::paper`] in one round of random order, as the authors' code runs by default.
    #[must_use]
    pub fn random_order() -> Self {
        Self { order: Order::Random, rounds: 1, ..Self::paper() }
    }

    /// The interval of a component's parameter.
    fn interval(&self, component: Component) -> [f64; 2] {
        match component {
            Component::Hue => self.hue,
            Component::Saturation => self.saturation,
            Component::Rotation => self.rotation,
            Component::Brightness => self.brightness,
            Component::Contrast => self.contrast,
            Component::Linf => [-self.linf, self.linf],
        }
    }

    /// The length of one step of a component.
    fn step_length(&self, component: Component) -> f64 {
        let [low, high] = self.interval(component);
        self.path * (high - low) / 2.0 / self.steps as f64
    }
}

impl Default for Composite {
    fn default() -> Self {
        Self::paper()
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "composite",
    summary: "hue, saturation, rotation, brightness, contrast and Linf one after the other",
    reference: "arXiv:2202.04235",
    norms: &Norm::ALL,
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<Composite>,
    parse: gradient::<Composite>,
};

impl Algorithm for Composite {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        ENTRY.norms
    }

    fn reach(&self) -> Reach {
        Reach::Box
    }

    fn restarts(&self) -> u32 {
        self.restarts
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        ENTRY.at_least_one("rounds", self.rounds as u64)?;
        ENTRY.at_least_one("steps", self.steps as u64)?;
        ENTRY.at_least_one("restarts", u64::from(self.restarts))?;
        ENTRY.positive("path", self.path)?;
        ENTRY.at_least_one("components", self.components.len() as u64)?;
        let repeated = (1..self.components.len())
            .find(|&at| self.components[..at].contains(&self.components[at]));
        // Each component once also bounds the number of orders.
        ENTRY.expect(repeated.is_none(), "components", "a list without repetition", "a second")?;
        for (field, [low, high]) in [
            ("hue", self.hue),
            ("saturation", self.saturation),
            ("rotation", self.rotation),
            ("brightness", self.brightness),
            ("contrast", self.contrast),
            ("linf", [0.0, self.linf]),
        ] {
            let ordered = low.is_finite() && high.is_finite() && low <= high;
            let not_negative = !matches!(field, "saturation" | "contrast") || low >= 0.0;
            let got = || format!("[{low}, {high}]");
            ENTRY.expect(ordered, field, "a finite interval", got())?;
            ENTRY.expect(not_negative, field, "an interval of factors of 0 or more", got())?;
        }
        let [channels, _, _] = setting.domain.image_shape()?;
        let colourful = self.components.iter().any(|component| component.needs_colour());
        let expected = "without hue and saturation on pictures that have not 3 channels";
        ENTRY.expect(!colourful || channels == 3, "components", expected, channels)?;
        self.loss.check(setting.classes, setting.targeted)
    }
}

impl GradientAttack for Composite {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        if job.active() == 0 || job.queries_left() == Some(0) {
            return Ok(job.clean());
        }
        let success = job.objective() == Objective::Succeed;
        let mut walk = Walk::new(self, job)?;
        let turns = self.components.len();
        for pass in 0..self.rounds * turns * self.steps {
            let (turn, step) = (pass / self.steps, pass % self.steps);
            let begins_round = step == 0 && turn.is_multiple_of(turns);
            let looks = step == 0 && pass > 0 && success;
            let schedules = begins_round && self.order == Order::Scheduled;
            let needed = 1 + u64::from(looks) + u64::from(schedules);
            if job.active() == 0 || job.queries_left().is_some_and(|left| left < needed) {
                break;
            }
            if looks {
                // What the component before ended at is lost otherwise.
                let logits = job.logits(walk.rows.clone())?;
                walk.hold(job.aim().met(logits));
            }
            if begins_round {
                walk.begin(job, turn / turns)?;
            }
            if step == 0 {
                walk.enter(job, turn % turns);
            }
            let at = job.gradient(walk.rows.clone(), &self.loss)?;
            if success {
                walk.hold(job.aim().met(at.logits));
            }
            let checkpoint = job.checkpoint(pass + 1)?;
            if checkpoint {
                job.ensure_finite(at.gradient.clone())?;
            }
            walk.step(job, at.gradient)?;
            if checkpoint && success {
                walk.retire(job)?;
            }
        }
        Ok(walk.rows)
    }
}
