//! The smallest radius at which a fixed-budget attack succeeds: doubling, then bisection.
use burn::prelude::*;
use duress_core::{
    Access, Algorithm, Attack, Error, GradientAttack, GradientJob, Norm, Reach, Result, Setting,
};
use serde::{Deserialize, Serialize, de::Error as _};

use super::nearest::Nearest;
use crate::table::{self, Entry, defaults};

/// Runs another attack in balls of growing radius until it succeeds, then bisects between the last
/// radius at which it failed and the distance of the nearest point found. Each sample has its own
/// radius.
///
/// The result bounds the attack, not the model: an attack that fails at a large radius and succeeds
/// at a small one misleads the bisection, never the distance that is reported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmallestRadius {
    /// Name of the attack: one that follows gradients in a ball.
    pub attack: String,
    /// Its hyperparameters; missing ones take their defaults.
    pub hyperparameters: toml::Table,
    /// First radius, as a share of the radius of the smallest ball that holds the whole box.
    pub first_radius: f64,
    /// Factor by which the radius grows while the attack fails.
    pub growth: f64,
    /// Halvings after the first success.
    pub bisections: usize,
}

impl Default for SmallestRadius {
    /// PGD as its paper has it, radii from a 256th of the box by doubling, 10 halvings.
    fn default() -> Self {
        Self {
            attack: "pgd".into(),
            hyperparameters: toml::Table::new(),
            first_radius: 1.0 / 256.0,
            growth: 2.0,
            bisections: 10,
        }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "smallest-radius",
    summary: "smallest radius at which another attack succeeds",
    reference: "plain bisection",
    norms: &[Norm::L1, Norm::L2, Norm::Linf],
    access: Access::Gradients,
    targeted: true,
    defaults: defaults::<SmallestRadius>,
    parse,
};

/// Reads the inner attack's hyperparameters too, so that a wrong one is told at once.
fn parse(table: toml::Table) -> Result<Attack, toml::de::Error> {
    let outer: SmallestRadius = table.try_into()?;
    outer.read()?;
    Ok(Attack::Gradient(Box::new(outer)))
}

impl Algorithm for SmallestRadius {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn norms(&self) -> &[Norm] {
        table::find(&self.attack).map_or(&[], |entry| entry.norms)
    }

    fn reach(&self) -> Reach {
        Reach::Nearest
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        ENTRY.positive("first_radius", self.first_radius)?;
        ENTRY.share("first_radius", self.first_radius)?;
        let grows = self.growth.is_finite() && self.growth > 1.0;
        ENTRY.expect(grows, "growth", "above 1", self.growth)?;
        self.inner()?.check(setting)
    }
}

impl SmallestRadius {
    fn read(&self) -> Result<Attack, toml::de::Error> {
        let entry = table::find(&self.attack);
        let entry =
            entry.ok_or_else(|| toml::de::Error::custom(format!("no attack `{}`", self.attack)))?;
        (entry.parse)(self.hyperparameters.clone())
    }

    /// The attack at each radius.
    fn inner(&self) -> Result<Box<dyn GradientAttack>> {
        let fault = |got: String| Error::Parameter {
            algorithm: ENTRY.name,
            field: "attack",
            expected: "a gradient attack of a fixed budget",
            got,
        };
        match self.read().map_err(|error| fault(error.to_string()))? {
            Attack::Gradient(attack) if attack.reach() == Reach::Ball && !attack.joint() => {
                Ok(attack)
            }
            _ => Err(fault(self.attack.clone())),
        }
    }
}

impl GradientAttack for SmallestRadius {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let inner = self.inner()?;
        let mut last = job.clean();
        if job.active() == 0 {
            return Ok(last);
        }
        let mut nearest = Nearest::none(job);
        let mut radius = job.region().radius() * self.first_radius;
        let mut failed = radius.zeros_like();
        // Halvings made, and one where the attack fails in the whole box.
        let (mut halvings, mut ended) = (failed.clone(), failed.clone());
        let mut attempt = 0;
        while job.active() > 0 && job.queries_left() != Some(0) {
            let before = nearest.found();
            let open = ended.clone().equal_elem(0.0);
            let mut success = open.clone().bool_not();
            for _ in 0..inner.restarts().max(1) {
                let number = job.restart().wrapping_mul(ATTEMPTS).wrapping_add(attempt);
                attempt += 1;
                last = job.within(radius.clone(), number, |inside| inner.perturb(inside))?;
                if job.queries_left() == Some(0) {
                    return Ok(nearest.or(last));
                }
                let logits = job.logits(last.clone())?;
                let met = job.aim().met(logits).unsqueeze_dim::<2>(1);
                let counts = met.clone().bool_and(open.clone()).squeeze_dim(1);
                nearest.offer(job.region(), last.clone(), counts);
                success = success.bool_or(met);
            }
            let (found, upper) = (nearest.found(), nearest.distance.clone());
            let whole = job.region().radius();
            let hopeless =
                radius.clone().greater_equal(whole.clone()).bool_and(found.clone().bool_not());
            failed = radius.clone().mask_where(success, failed);
            // A failure beyond a success says nothing about what lies below.
            failed = failed.clone().mask_fill(failed.greater_equal(upper.clone()), 0.0);
            halvings = halvings + before.float();
            let spent = halvings.clone().greater_equal_elem(self.bisections as f32);
            let spent = spent.bool_and(found.clone());
            ended = ended.mask_fill(hopeless.bool_or(spent), 1.0);
            let grown = (radius * self.growth).min_pair(whole);
            radius = grown.mask_where(found, (failed.clone() + upper) * 0.5);
            let done = nearest.solved().bool_or(ended.clone().greater_elem(0.0).squeeze_dim(1));
            let mut state = vec![&mut last, &mut radius, &mut failed, &mut halvings, &mut ended];
            nearest.leave(done, job, &mut state)?;
        }
        Ok(nearest.or(last))
    }
}

/// Attempts of one restart of this attack that have streams of their own.
const ATTEMPTS: u32 = 1 << 16;
