//! The attack made for a defence by a generator: it looks for its points among those the generator
//! makes, since the defence leaves these as they are.
//!
//! Jalal, Ilyas, Daskalakis, Dimakis. *The Robust Manifold Defense: Adversarial Training using
//! Generative Models.* 2017, §3 ("overpowered attack") <https://arxiv.org/abs/1712.09196>; Athalye,
//! Carlini, Wagner, ICML 2018, §5.3.2 <https://arxiv.org/abs/1802.00420>.
use std::sync::Arc;

use burn::prelude::*;
use duress_attacks::losses::LossKind;
use duress_core::{
    Algorithm, Error, GradientAttack, GradientJob, Loss, Norm, Objective, Result, Setting,
    pull_back,
};

use super::inversion::Inversion;
use crate::generative::adversarial::LatentMap;
use crate::generative::normal;
use crate::transformation::mapping::{in_range, wrong};

/// Ascends the loss at `Π(G(z))` over `z`, `Π` the projection onto ball and box, from the `z` whose
/// row is nearest to the clean one.
///
/// The gradient passes the projection as through the identity; a term
/// `−pull · ‖G(z) − Π(G(z))‖²` draws `G(z)` into the ball. A step has the same length in `z` for
/// each row. Works on the classifier, or on the defended one, whose gradient then is that at
/// `G(z*)`. Needs the defence's generator, so that no configuration file names it: experiments run it by
/// themselves where a model has one ([`crate::Defended::latent_map`]).
#[derive(Clone, Debug)]
pub struct LatentAttack {
    /// The generator of the defence.
    pub map: Arc<dyn LatentMap>,
    /// How the first `z` is looked for.
    pub inversion: Inversion,
    /// Steps of the ascent.
    pub steps: usize,
    /// Length of a step in `z`.
    pub step_size: f64,
    /// Weight of the distance from the ball, by the squared raw unit.
    pub pull: f64,
    /// Attempts on each row.
    pub restarts: u32,
    /// What the steps increase.
    pub loss: LossKind,
}

const NAME: &str = LatentAttack::NAME;

impl LatentAttack {
    /// The name in rows.
    pub const NAME: &'static str = "latent-attack";

    /// An attack of 100 steps of 0.1 with the margin loss, from the nearest of four descents.
    #[must_use]
    pub fn new(map: Arc<dyn LatentMap>) -> Self {
        Self {
            map,
            inversion: Inversion { restarts: 4, steps: 100, step_size: 10.0, momentum: 0.7 },
            steps: 100,
            step_size: 0.1,
            pull: 10.0,
            restarts: 1,
            loss: LossKind::Margin,
        }
    }

    /// All hyperparameters, for rows.
    #[must_use]
    pub fn parameters(&self) -> serde_json::Value {
        let Inversion { restarts, steps, step_size, momentum } = self.inversion;
        serde_json::json!({
            "inversion": {
                "restarts": restarts, "steps": steps, "step_size": step_size, "momentum": momentum,
            },
            "steps": self.steps,
            "step_size": self.step_size,
            "pull": self.pull,
            "restarts": self.restarts,
            "loss": self.loss,
        })
    }
}

impl Algorithm for LatentAttack {
    fn name(&self) -> &'static str {
        NAME
    }

    fn norms(&self) -> &[Norm] {
        &[Norm::L1, Norm::L2, Norm::Linf]
    }

    fn restarts(&self) -> u32 {
        self.restarts
    }

    fn check(&self, setting: &Setting<'_>) -> Result<()> {
        if self.restarts == 0 || self.inversion.restarts == 0 {
            return wrong(NAME, "restarts", "at least 1", 0);
        }
        let positive = f64::MIN_POSITIVE..;
        in_range(NAME, "step_size", self.step_size, positive, "positive")?;
        in_range(NAME, "pull", self.pull, 0.0.., "at least 0")?;
        if self.map.domain().layout() != setting.domain.layout() {
            return Err(Error::Shape {
                what: "rows of the generator of a latent attack",
                expected: format!("{:?}", setting.domain.layout()),
                got: format!("{:?}", self.map.domain().layout()),
            });
        }
        self.loss.check(setting.classes, setting.targeted)
    }
}

impl GradientAttack for LatentAttack {
    fn perturb(&self, job: &mut GradientJob<'_>) -> Result<Tensor<2>> {
        let map = self.map.as_ref();
        let (count, width, tries) = (job.active(), map.latent(), self.inversion.restarts);
        let starts = job.draw_values(0, width * tries, |generator, row| {
            normal::fill(generator, row);
        });
        let starts = starts.reshape([count * tries, width]);
        let mut latent = self.inversion.search(map, job.clean(), starts)?.latent;
        let mut rows = job.region().project(map.generate(latent.clone()));
        for step in 1..=self.steps {
            if job.active() == 0 || job.queries_left() == Some(0) {
                break;
            }
            let at = job.gradient(rows.clone(), &self.loss)?;
            let checkpoint = job.checkpoint(step)?;
            if checkpoint {
                job.ensure_finite(at.gradient.clone())?;
            }
            let outside = map.generate(latent.clone()) - rows.clone();
            let ascent = at.gradient - outside * (2.0 * self.pull);
            let slope = pull_back(latent.clone(), |latent| map.generate(latent), ascent)?;
            let length = slope.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
            let moved = latent.clone() + slope / length * self.step_size;
            let next = job.region().project(map.generate(moved.clone()));
            let solved = (job.objective() == Objective::Succeed).then(|| job.aim().met(at.logits));
            let Some(solved) = solved else {
                (latent, rows) = (moved, next);
                continue;
            };
            let keep = |now: Tensor<2>, before: Tensor<2>| {
                let columns = now.dims()[1];
                let mask = solved.clone().unsqueeze_dim::<2>(1).repeat_dim(1, columns);
                now.mask_where(mask, before)
            };
            latent = keep(moved, latent);
            rows = keep(next, rows);
            if checkpoint {
                job.retire(solved, &mut rows, &mut [&mut latent])?;
            }
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{
        Attack, Classifier, Domain, Goal, Oracle, Passes, Problem, Threat, WhiteBox, host, run,
    };

    /// `G(z) = (1/2, 1/2) + z (0.6, 0.8)`.
    #[derive(Debug)]
    struct Line(Domain);

    impl LatentMap for Line {
        fn latent(&self) -> usize {
            1
        }

        fn domain(&self) -> &Domain {
            &self.0
        }

        fn generate(&self, latent: Tensor<2>) -> Tensor<2> {
            latent.matmul(Tensor::<2>::from_data([[0.6, 0.8]], &Device::flex())) + 0.5
        }
    }

    /// Logits `(x₀ − x₁ + 0.02, 0)`.
    struct Linear(Domain);

    impl Classifier for Linear {
        fn domain(&self) -> &Domain {
            &self.0
        }

        fn classes(&self) -> usize {
            2
        }

        fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
            rows.matmul(Tensor::<2>::from_data([[1.0, 0.0], [-1.0, 0.0]], &Device::flex()))
                + Tensor::<2>::from_data([[0.02, 0.0]], &Device::flex())
        }
    }

    fn attacked(radius: f64) -> (bool, Vec<f32>) {
        let domain = Domain::image(1, 1, 2).unwrap();
        let (model, passes) = (Linear(domain.clone()), Passes::with_batch(&Device::flex(), 8));
        let oracle = WhiteBox::new(&model, &passes);
        let clean = Tensor::<2>::from_data([[0.5, 0.5]], &Device::flex());
        let threat = Threat::new(Norm::L2, radius).unwrap();
        let goal = Goal::Untargeted(vec![0]);
        let problem = Problem::new(Oracle::Gradients(&oracle), clean, goal, threat);
        let attack = LatentAttack { step_size: 0.02, ..LatentAttack::new(Arc::new(Line(domain))) };
        let rows = run(&Attack::Gradient(Box::new(attack)), &problem).unwrap().rows;
        let broken = host::labels(model.forward(rows.clone()).argmax(1).squeeze_dim(1)).unwrap();
        (broken == [1], host::floats(rows).unwrap())
    }

    /// Along the line the logit falls by 0.2 a unit, so that it takes a radius of 0.1 to get from
    /// 0.02 to 0; a free attack falls by √2 a unit and would need 0.0142.
    #[test]
    fn it_finds_what_is_on_the_line_and_in_the_ball_and_nothing_else() {
        let (broken, rows) = attacked(0.12);
        assert!(broken, "{rows:?}");
        let (x, y) = (f64::from(rows[0]) - 0.5, f64::from(rows[1]) - 0.5);
        assert!((x * 0.8 - y * 0.6).abs() < 1e-5, "off the line: {rows:?}");
        assert!(!attacked(0.09).0);
    }
}
