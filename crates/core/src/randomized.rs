//! Classifiers that answer differently each time, and the oracle that averages their answers.
use burn::prelude::*;
use rand::Rng;

use crate::classifier::Evaluation;
use crate::oracle::{GradientOracle, LabelOracle, ScoreOracle, WhiteBox};
use crate::{Aim, Classifier, Cut, Domain, Loss, Passes, Result, Seed, Use};

/// A classifier whose answer depends on a draw (a random resize, noise, a sampled submodel).
///
/// The draw is the same for all rows of a pass, so that a row's answer does not depend on its
/// neighbours.
pub trait Randomized: Send + Sync {
    /// The input space.
    fn domain(&self) -> &Domain;

    /// Number of classes.
    fn classes(&self) -> usize;

    /// The logits `[N, K]` of rows `[N, F]` under the draw named `draw`, differentiable.
    fn forward(&self, rows: Tensor<2>, draw: u64) -> Tensor<2>;
}

/// A randomized classifier at one draw.
pub struct Drawn<'a> {
    model: &'a dyn Randomized,
    draw: u64,
}

impl Classifier for Drawn<'_> {
    fn domain(&self) -> &Domain {
        self.model.domain()
    }

    fn classes(&self) -> usize {
        self.model.classes()
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        self.model.forward(rows, self.draw)
    }
}

/// Expectation over transformation: mean loss, mean gradient and mean logits over draws.
///
/// Athalye, Engstrom, Ilyas, Kwok. *Synthesizing Robust Adversarial Examples.* ICML 2018, §2.
/// <https://arxiv.org/abs/1707.07397>. The mean is that of the gradients, taken before any sign.
///
/// The draws are fixed with the oracle, so that two losses of an attack compare. Judge its results
/// by an oracle with other draws ([`crate::Problem::judged_by`]).
pub struct Expectation<'a> {
    draws: Vec<Drawn<'a>>,
    passes: &'a Passes,
}

impl<'a> Expectation<'a> {
    /// The mean over `draws` draws (at least one) that follow from `seed`. Different `set`s are
    /// independent.
    #[must_use]
    pub fn new(
        model: &'a dyn Randomized,
        passes: &'a Passes,
        draws: u32,
        seed: Seed,
        set: u32,
    ) -> Self {
        let draw = |step| seed.stream(0, set, step, Use::Noise).next_u64();
        let draws = (0..draws.max(1)).map(|step| Drawn { model, draw: draw(step) }).collect();
        Self { draws, passes }
    }

    /// The mean of what `ask` says of each draw.
    fn mean<const P: usize>(
        &self,
        ask: impl Fn(&WhiteBox<'_>) -> Result<[Tensor<2>; P]>,
    ) -> Result<[Tensor<2>; P]> {
        let mut total: Option<[Tensor<2>; P]> = None;
        for draw in &self.draws {
            let one = ask(&WhiteBox::with_cut(draw, self.passes, Cut::FULL))?;
            total = Some(match total {
                None => one,
                Some(sum) => {
                    let mut parts = sum.into_iter().zip(one).map(|(sum, one)| sum + one);
                    std::array::from_fn(|_| parts.next().unwrap_or_else(|| unreachable!()))
                }
            });
        }
        let count = self.draws.len() as f64;
        // There is at least one draw.
        Ok(total.unwrap_or_else(|| unreachable!()).map(|sum| sum / count))
    }
}

impl LabelOracle for Expectation<'_> {
    fn domain(&self) -> &Domain {
        self.draws[0].domain()
    }

    fn classes(&self) -> usize {
        self.draws[0].classes()
    }

    fn device(&self) -> &Device {
        self.passes.device()
    }

    fn granularity(&self) -> usize {
        if crate::device::is_cpu(self.passes.device()) { crate::SUB_BATCH } else { 1 }
    }

    fn cost(&self) -> u64 {
        self.draws.len() as u64
    }

    fn labels(&self, rows: Tensor<2>) -> Result<Tensor<1, Int>> {
        Ok(self.logits(rows)?.argmax(1).squeeze_dim(1))
    }
}

impl ScoreOracle for Expectation<'_> {
    fn logits(&self, rows: Tensor<2>) -> Result<Tensor<2>> {
        let [logits] = self.mean(|draw| Ok([draw.logits(rows.clone())?]))?;
        Ok(logits)
    }
}

impl GradientOracle for Expectation<'_> {
    fn gradient(&self, rows: Tensor<2>, aim: &Aim, loss: &dyn Loss) -> Result<Evaluation> {
        let [logits, loss, gradient] = self.mean(|draw| {
            let at = draw.gradient(rows.clone(), aim, loss)?;
            Ok([at.logits, at.loss.unsqueeze_dim(1), at.gradient])
        })?;
        Ok(Evaluation { logits, loss: loss.squeeze_dim(1), gradient })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Goal, host};

    /// Logits (0, s·x) with s = ±1 by the draw's lowest bit.
    struct Coin(Domain);

    impl Randomized for Coin {
        fn domain(&self) -> &Domain {
            &self.0
        }

        fn classes(&self) -> usize {
            2
        }

        fn forward(&self, rows: Tensor<2>, draw: u64) -> Tensor<2> {
            let sign = if draw & 1 == 0 { 1.0 } else { -1.0 };
            Tensor::cat(vec![rows.clone() * 0.0, rows * sign], 1)
        }
    }

    #[derive(Debug)]
    struct Second;

    impl Loss for Second {
        fn name(&self) -> &'static str {
            "second"
        }

        fn per_sample(&self, logits: Tensor<2>, _: &Aim) -> Tensor<1> {
            logits.narrow(1, 1, 1).squeeze_dim(1)
        }
    }

    #[test]
    fn the_gradient_is_the_mean_over_the_draws_and_each_draw_is_a_query() {
        let device = Device::flex();
        let (model, passes) =
            (Coin(Domain::image(1, 1, 1).unwrap()), Passes::new(&device).unwrap());
        let oracle = Expectation::new(&model, &passes, 9, Seed(3), 0);
        let heads = oracle.draws.iter().filter(|draw| draw.draw & 1 == 0).count() as f32;
        let rows = Tensor::<2>::full([2, 1], 0.5, &device);
        let aim = Goal::Untargeted(vec![0, 0]).aim(&device);
        let at = oracle.gradient(rows, &aim, &Second).unwrap();
        let mean = (2.0 * heads - 9.0) / 9.0;
        for slope in host::floats(at.gradient).unwrap() {
            assert!((slope - mean).abs() < 1e-6, "{slope} {mean}");
        }
        for loss in host::floats(at.loss).unwrap() {
            assert!((loss - 0.5 * mean).abs() < 1e-6);
        }
        assert_eq!(oracle.cost(), 9);
        let other = Expectation::new(&model, &passes, 9, Seed(3), 1);
        assert_ne!(oracle.draws[0].draw, other.draws[0].draw);
    }
}
