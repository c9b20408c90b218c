//! What purifiers do to noisy and to attacked digits.
#![allow(clippy::unwrap_used)]
mod watched;

use std::sync::{Arc, OnceLock};

use burn::prelude::*;
use duress_attacks::Pgd;
use duress_core::{
    Attack, Classifier, Domain, Expectation, Goal, Norm, Oracle, Passes, Problem, Seed, Threat,
    Use, WhiteBox, host, run,
};
use duress_defenses::transformation::Draws;
use duress_defenses::{Defended, Defense, TrainingRows, Transformation, find};
use rand::RngExt;
use rand_distr::StandardNormal;
use watched::{digits, trained};

fn passes() -> &'static Passes {
    static PASSES: OnceLock<Passes> = OnceLock::new();
    PASSES.get_or_init(|| Passes::with_workers(&Device::flex(), 2).unwrap())
}

/// The transformation `name`, fitted on so many digits.
fn fitted(name: &str, fields: &str, count: usize) -> Box<dyn Transformation> {
    let Defense::Transformation(bare) =
        (find(name).unwrap().parse)(fields.parse().unwrap()).unwrap()
    else {
        panic!("{name} is no transformation")
    };
    let values = host::floats(digits(0..count).0).unwrap();
    let domain = Domain::image(1, 8, 8).unwrap();
    let data = TrainingRows::new(&values, &domain).unwrap().on(passes());
    bare.fit(&data).unwrap().unwrap()
}

/// A small diffusion, trained once.
fn diffusion() -> &'static dyn Transformation {
    static DIFFUSION: OnceLock<Box<dyn Transformation>> = OnceLock::new();
    let fields = "strength = 0.2\n[diffusion]\nsteps = 40\nwidth = 12\nepochs = 25\n\
                  learning_rate = 0.006\nweight_average = 0.98\n\
                  batch_size = 64";
    DIFFUSION.get_or_init(|| fitted("diffusion-purifier", fields, 1000)).as_ref()
}

/// A small GAN, trained once.
fn gan() -> &'static dyn Transformation {
    static GAN: OnceLock<Box<dyn Transformation>> = OnceLock::new();
    let fields = "restarts = 4\nsteps = 60\n[gan]\nlatent = 16\nwidth = 8\nepochs = 30\n\
                  batch_size = 32\nlearning_rate = 0.002";
    GAN.get_or_init(|| fitted("defense-gan", fields, 1000)).as_ref()
}

/// Digits that no purifier is fitted on, and the same under Gaussian noise, in the box.
fn clean_and_noisy(sigma: f64) -> (Tensor<2>, Tensor<2>) {
    let clean = digits(1200..1300).0;
    let ids: Vec<u64> = (0..100).collect();
    let noise = Seed(8).rows(&ids, (0, 0, Use::Noise), 64, &Device::flex(), |generator, row| {
        row.fill_with(|| generator.sample(StandardNormal));
    });
    (clean.clone(), (clean + noise * sigma).clamp(0.0, 1.0))
}

fn error(a: Tensor<2>, b: Tensor<2>) -> f32 {
    host::floats((a - b).square().mean()).unwrap()[0]
}

fn mean_errors(purifier: &dyn Transformation, sigma: f64) -> (f32, f32) {
    let (clean, noisy) = clean_and_noisy(sigma);
    let mapping = purifier.prepare(&Domain::image(1, 8, 8).unwrap()).unwrap();
    let values = host::floats(noisy.clone()).unwrap();
    let restored = mapping.apply(noisy.clone(), &Draws::of_rows(&values, 64, Seed(1)));
    (error(noisy, clean.clone()), error(restored, clean))
}

#[test]
fn the_reformer_lowers_the_error_of_noisy_digits() {
    let fields = "[autoencoder]\nwidth = 16\nnoise = 0.25\nepochs = 60\nbatch_size = 64\n\
                  learning_rate = 0.01";
    let (before, after) = mean_errors(fitted("magnet-reformer", fields, 1000).as_ref(), 0.25);
    assert!(after < 0.7 * before, "{before} {after}");
}

#[test]
fn the_diffusion_lowers_the_error_of_noisy_digits() {
    let (before, after) = mean_errors(diffusion(), 0.3);
    assert!(after < 0.8 * before, "{before} {after}");
}

#[test]
fn the_generator_takes_strong_noise_off_digits() {
    let (before, after) = mean_errors(gan(), 0.5);
    assert!(after < 0.7 * before, "{before} {after}");
}

fn accuracy(model: &Defended, rows: Tensor<2>, labels: &[usize]) -> usize {
    let logits = passes().logits(model, rows).unwrap();
    let predicted = host::labels(logits.argmax(1).squeeze_dim(1)).unwrap();
    predicted.iter().zip(labels).filter(|(a, b)| a == b).count()
}

/// An attack on the bare classifier that the purifier undoes in part, and one on the whole with
/// draws of the adversary's own, judged by the deployed model, that gets past it again.
#[test]
fn an_adaptive_attack_on_a_purifier_is_stronger_than_an_unaware_one() {
    let base: Arc<dyn Classifier> = trained();
    let defended = diffusion().wrap(Arc::clone(&base), Seed(77)).unwrap();
    let (clean, labels) = digits(1200..1232);
    let threat = Threat::new(Norm::Linf, 0.25).unwrap();
    let pgd = || {
        let plan = Pgd { steps: 6, step_size: 0.3, ..Pgd::paper() };
        Attack::Gradient(Box::new(plan))
    };
    let undefended = WhiteBox::new(&*base, passes());
    let goal = Goal::Untargeted(labels.clone());
    let problem =
        Problem::new(Oracle::Gradients(&undefended), clean.clone(), goal.clone(), threat.clone());
    let unaware = run(&pgd(), &problem).unwrap().rows;

    let adversary = defended.adversary();
    let expectation = Expectation::new(&adversary, passes(), 2, Seed(5), 0);
    let judge = WhiteBox::new(&defended, passes());
    let problem = Problem::new(Oracle::Gradients(&expectation), clean.clone(), goal, threat)
        .judged_by(Oracle::Gradients(&judge));
    let aware = run(&pgd(), &problem).unwrap().rows;

    let [clean, unaware, aware] =
        [clean, unaware, aware].map(|rows| accuracy(&defended, rows, &labels));
    assert!(clean > 24, "{clean}");
    assert!(aware + 3 < unaware && unaware < clean, "{aware} {unaware} {clean}");
}
