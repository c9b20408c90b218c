//! What the players of a GAN minimise, each by its own weights, in one backward pass.
use burn::module::Module;
use burn::prelude::*;
use burn::tensor::activation::log_sigmoid;
use duress_core::{Aim, Goal, Loss, Use};
use duress_models::train::{LossOutput, Step, snapshot};
use duress_models::{Batch, Objective, Result};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::players::Players;
use crate::generative::normal;
use crate::generative::space::Space;

/// The game that generator and critic play.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Game {
    /// Cross-entropy of a discriminator; the generator raises `log D(G(z))`.
    ///
    /// Goodfellow et al. *Generative Adversarial Nets.* NIPS 2014, §3, end.
    /// <https://arxiv.org/abs/1406.2661>
    NonSaturating {},
    /// Wasserstein distance by a critic whose slope is drawn towards 1.
    ///
    /// Gulrajani et al. *Improved Training of Wasserstein GANs.* `NeurIPS` 2017, alg. 1
    /// (<https://arxiv.org/abs/1704.00028>), but for the penalty: its gradient by the weights is a
    /// second derivative, which the tape does not have. In its place the slope is a central
    /// difference along the critic's own gradient, `(f(x + h u) − f(x − h u)) / 2h` with
    /// `u = ∇f / ‖∇f‖` held fixed. At `h → 0` value and gradient by the weights are those of
    /// `(‖∇f‖ − 1)²` (the direction of a maximum has no first-order effect). This is not WGAN-GP
    /// to the letter, hence the name. Slopes are by shares of the box.
    WassersteinFiniteDifferencePenalty {
        /// Steps of the critic for each step of the generator, at least 1.
        #[serde(default = "five")]
        critic_steps: u32,
        /// Weight λ of the penalty.
        #[serde(default = "ten")]
        penalty: f64,
        /// Length `h` of the difference, as a share of the box.
        #[serde(default = "distance")]
        distance: f64,
    },
}

fn five() -> u32 {
    5
}

fn ten() -> f64 {
    10.0
}

fn distance() -> f64 {
    0.01
}

impl Default for Game {
    fn default() -> Self {
        Self::NonSaturating {}
    }
}

/// One step of the game, played on the rows of a batch and as many generated ones.
///
/// Both players move at once: the critic's loss sees generated rows off the tape, the generator's
/// sees the critic with its weights off the tape, so their sum gives each player its own gradient.
/// In a step of the critic alone the generator's weights have no gradient and keep their values.
pub(super) struct Play {
    pub(super) game: Game,
}

impl Objective<Players> for Play {
    fn name(&self) -> &'static str {
        match self.game {
            Game::NonSaturating {} => "gan-non-saturating",
            Game::WassersteinFiniteDifferencePenalty { .. } => {
                "wgan-finite-difference-gradient-penalty"
            }
        }
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::to_value(&self.game).unwrap_or_default()
    }

    fn loss(&self, players: &Players, batch: &Batch, step: &Step<'_>) -> Result<LossOutput> {
        let real = batch.rows.clone().inner();
        let (count, device) = (real.dims()[0], real.device());
        let seed = step.epoch_seed();
        let width = super::LatentMap::latent(&players.generator);
        let latent = normal::rows(seed, &batch.ids, 0, width, &device);
        let made = players.generator.forward(latent.autodiff());
        let apart = made.clone().inner();
        let both = Tensor::cat(vec![real.clone(), apart.clone()], 0);
        let scores = players.critic.forward(both.autodiff());
        let (of_real, of_made) =
            (scores.clone().narrow(0, 0, count), scores.narrow(0, count, count));
        // The weights off the tape, the generated rows on it.
        let judged = || players.critic.valid().forward(made.clone());
        let loss = match self.game {
            Game::NonSaturating {} => {
                let critic = -(log_sigmoid(of_real).mean() + log_sigmoid(-of_made).mean());
                critic - log_sigmoid(judged()).mean()
            }
            Game::WassersteinFiniteDifferencePenalty { critic_steps, penalty, distance } => {
                let slope = slopes(players, &real, &apart, distance, batch, step)?;
                let critic =
                    of_made.mean() - of_real.mean() + (slope - 1.0).square().mean() * penalty;
                let played = u64::from(step.epoch) * step.steps + step.step + 1;
                if played.is_multiple_of(u64::from(critic_steps.max(1))) {
                    critic - judged().mean()
                } else {
                    critic
                }
            }
        };
        Ok(LossOutput { loss, logits: None })
    }
}

/// The slope of the critic along its gradient, by a share of the box, at a point between each real
/// and generated row, `[N, 1]`, on the tape of the weights.
fn slopes(
    players: &Players,
    real: &Tensor<2>,
    made: &Tensor<2>,
    distance: f64,
    batch: &Batch,
    step: &Step<'_>,
) -> Result<Tensor<2>> {
    let (count, device) = (real.dims()[0], real.device());
    let place = (0, 1, Use::Noise);
    let share = step.epoch_seed().rows(&batch.ids, place, 1, &device, |generator, row| {
        row.fill_with(|| generator.random::<f32>());
    });
    let between = real.clone() * share.clone() + made.clone() * (-share + 1.0);
    let aim = Goal::Untargeted(vec![0; count]).aim(&device);
    let frozen = snapshot(players, step.domain)?;
    let gradient = step.passes.gradient(&frozen, between.clone(), &aim, &Score)?.gradient;
    let span = Space::of(step.domain).span(&device);
    let gradient = gradient * span.clone();
    let length = gradient.clone().square().sum_dim(1).sqrt().clamp_min(1e-12);
    let ahead = gradient / length * span * distance;
    let ends = Tensor::cat(vec![between.clone() + ahead.clone(), between - ahead], 0);
    let scores = players.critic.forward(ends.autodiff());
    let rise = scores.clone().narrow(0, 0, count) - scores.narrow(0, count, count);
    Ok(rise / (2.0 * distance))
}

/// The score of a critic.
#[derive(Debug)]
struct Score;

impl Loss for Score {
    fn name(&self) -> &'static str {
        "score"
    }

    fn per_sample(&self, logits: Tensor<2>, _: &Aim) -> Tensor<1> {
        logits.squeeze_dim(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Domain, Passes, Seed, Silent, host};
    use duress_models::he_normal;

    fn with_step<T>(domain: &Domain, work: impl FnOnce(&Step<'_>) -> T) -> T {
        let passes = Passes::with_batch(&Device::flex(), 64);
        work(&Step {
            epoch: 0,
            step: 0,
            steps: 3,
            epochs: 1,
            seed: Seed(1),
            label_smoothing: 0.0,
            domain,
            classes: 1,
            passes: &passes,
            progress: &Silent,
        })
    }

    fn batch(domain: &Domain, count: usize) -> Batch {
        let ids: Vec<u64> = (0..count as u64).collect();
        let rows = normal::rows(Seed(2), &ids, 0, domain.features(), &Device::flex());
        Batch { rows, labels: vec![0; count], ids }
    }

    /// Between a row and itself there is the row alone: there the slope must be the length of the
    /// critic's gradient by shares, here that by raw values over a box of length 4.
    #[test]
    fn the_finite_difference_is_the_length_of_the_critic_s_gradient() {
        let domain = Domain::table(vec![-2.0; 3], vec![2.0; 3]).unwrap();
        let players = he_normal(Players::blank(&domain, 2, 8, &Device::flex()), Seed(3));
        let batch = batch(&domain, 12);
        let rows = batch.rows.clone();
        with_step(&domain, |step| {
            let got = slopes(&players, &rows, &rows, 1e-3, &batch, step).unwrap();
            let aim = Goal::Untargeted(vec![0; 12]).aim(&Device::flex());
            let frozen = snapshot(&players, &domain).unwrap();
            let at = step.passes.gradient(&frozen, rows.clone(), &aim, &Score).unwrap();
            let length = at.gradient.square().sum_dim(1).sqrt() * 4.0;
            let pairs = host::floats(got).unwrap().into_iter().zip(host::floats(length).unwrap());
            for (got, expected) in pairs {
                assert!((got - expected).abs() < 0.01 * (1.0 + expected), "{got} {expected}");
            }
        });
    }

    /// The generator's loss is not there in the critic's own steps, and comes with each third.
    #[test]
    fn the_critic_takes_steps_of_its_own() {
        let domain = Domain::table(vec![-2.0; 2], vec![2.0; 2]).unwrap();
        let players = he_normal(Players::blank(&domain, 2, 4, &Device::flex()), Seed(3)).train();
        let (critic_steps, penalty, distance) = (3, 0.0, 0.01);
        let game = Game::WassersteinFiniteDifferencePenalty { critic_steps, penalty, distance };
        let batch = batch(&domain, 9);
        let loss = |at: u64| {
            with_step(&domain, |step| {
                let step = Step { step: at, ..*step };
                let output = Play { game: game.clone() }.loss(&players, &batch, &step).unwrap();
                f64::from(host::floats(output.loss).unwrap()[0])
            })
        };
        let latent = with_step(&domain, |step| {
            normal::rows(step.epoch_seed(), &batch.ids, 0, 2, &Device::flex())
        });
        let made = players.generator.valid().forward(latent);
        let critic = players.critic.valid();
        let mean = |rows| f64::from(host::floats(critic.forward(rows).mean()).unwrap()[0]);
        let (of_made, of_real) = (mean(made), mean(batch.rows.clone()));
        assert!((loss(0) - (of_made - of_real)).abs() < 1e-5);
        assert!((loss(2) + of_real).abs() < 1e-5, "{} {of_real}", loss(2));
    }
}
