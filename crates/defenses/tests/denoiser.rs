//! Denoised smoothing.
#![allow(clippy::unwrap_used)]
mod recipes;

use std::sync::Arc;

use burn::prelude::*;
use duress_certification::{Certifier, Smoothing};
use duress_core::{Classifier, Error, Seed, Silent, Use, host};
use duress_defenses::transformation::Denoising;
use duress_defenses::{TrainingRows, Transformation};
use duress_models::train::{OptimizerRecipe, Run, Schedule};
use duress_models::{Architecture, Card, Model, Recipe, Standard, train};
use rand::RngExt;
use rand_distr::StandardNormal;
use recipes::{Stripes, passes};

const SIGMA: f64 = 0.2;

fn small() -> Denoising {
    Denoising {
        sigma: SIGMA,
        width: 8,
        depth: 3,
        epochs: 12,
        batch_size: 32,
        learning_rate: 0.01,
        ..Denoising::default()
    }
}

/// A classifier that never saw noise.
fn base(set: &Stripes) -> Arc<Model> {
    let architecture = Architecture::Mlp { hidden: vec![16] };
    let network = architecture.init(&set.domain, 3, Seed(1), &Device::flex()).unwrap();
    let optimizer = OptimizerRecipe::Adam {
        learning_rate: 0.01,
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        weight_decay: 0.0,
    };
    let schedule = Schedule::Constant {};
    let recipe = Recipe { epochs: 20, batch_size: 32, optimizer, schedule, ..Recipe::default() };
    let passes = passes();
    let trained = train(&network, &Standard, &set.data(), &recipe, Run::new(&passes)).unwrap();
    let card = Card::new(architecture, set.domain.clone(), 3);
    Arc::new(Model::new(&trained.last, card).unwrap())
}

fn tensor(values: &[f32]) -> Tensor<2> {
    let shape = [values.len() / 64, 64];
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
}

fn square_error(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
    squares.sum::<f64>() / a.len() as f64
}

#[test]
fn less_noise_is_left_and_two_trainings_are_the_same() {
    let (set, passes) = (Stripes::new(160), passes());
    let data = TrainingRows::new(&set.rows, &set.domain).unwrap().on(&passes);
    let clean = &Stripes::new(160).rows[128 * 64..];
    let mut rng = Seed(3).stream(0, 0, 0, Use::Noise);
    let mut draw = |value: &f32| {
        let normal: f32 = rng.sample(StandardNormal);
        value + SIGMA as f32 * normal
    };
    let noisy: Vec<f32> = clean.iter().map(&mut draw).collect();
    let base = base(&set);
    let denoised = || {
        let fitted = small().fit(&data).unwrap().unwrap();
        let defended = fitted.wrap(base.clone(), Seed(0)).unwrap();
        host::floats(defended.transformed(tensor(&noisy))).unwrap()
    };
    let once = denoised();
    let (before, after) = (square_error(&noisy, clean), square_error(&once, clean));
    assert!(after < 0.7 * before, "{after} of {before}");
    assert_eq!(once, denoised());
}

/// The smoothed pipeline answers under noise what its base answers without, and is certified.
#[test]
fn a_smoothing_certifier_takes_the_pipeline_for_a_classifier() {
    let (set, passes) = (Stripes::new(160), passes());
    let data = TrainingRows::new(&set.rows, &set.domain).unwrap().on(&passes);
    let base = base(&set);
    let certifier: Smoothing =
        toml::from_str("sigma = 0.1\nselection_draws = 32\nestimation_draws = 200\nbatch = 128")
            .unwrap();
    for stability in [false, true] {
        let oracle = stability.then_some(base.as_ref() as &dyn Classifier);
        let trained = Denoising { sigma: 0.1, ..small() }.trained(&data, &passes, oracle).unwrap();
        let defended = trained.wrap(base.clone(), Seed(0)).unwrap();
        let mut count = 0;
        for index in 0..9 {
            let row = tensor(&set.rows[index * 64..][..64]);
            let sample = (Seed(1), index as u64);
            let found = certifier.certify(&defended, &passes, row, sample, &Silent).unwrap();
            let right = found.prediction == Some(set.labels[index]);
            count += usize::from(right && found.radius > 0.05);
        }
        assert!(count >= 7, "stability {stability}: {count} of 9");
    }
}

#[test]
fn what_it_cannot_be_trained_with_is_refused() {
    let (set, passes) = (Stripes::new(3), passes());
    let bare = TrainingRows::new(&set.rows, &set.domain).unwrap();
    let error = small().fit(&bare).unwrap_err();
    assert!(matches!(error, Error::Device(_)), "{error}");
    for (denoising, field) in [
        (Denoising { sigma: 0.0, ..small() }, "`sigma`"),
        (Denoising { depth: 1, ..small() }, "`depth`"),
        (Denoising { epochs: 0, ..small() }, "`epochs`"),
        (Denoising { learning_rate: f64::NAN, ..small() }, "`learning_rate`"),
        (Denoising { learning_rate: 1e30, ..small() }, "`learning_rate`"),
    ] {
        let error = denoising.fit(&bare.on(&passes)).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    }
}
