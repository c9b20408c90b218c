//! Adversarial weight perturbation by hand.
use duress_core::host;
use duress_models::Objective;

use super::linear::{CLEAN, LABELS, Linear, WEIGHTS, batch, logits, softmax, value, with_step};
use crate::training::{BaseRecipe, WeightPerturbation};

fn length(weights: [[f64; 3]; 2]) -> f64 {
    weights.iter().flatten().map(|w| w * w).sum::<f64>().sqrt()
}

/// The mean cross-entropy of the clean rows and its gradient, in f64.
fn cross_entropy(weights: [[f64; 3]; 2]) -> (f64, [[f64; 3]; 2]) {
    let (mut loss, mut gradient) = (0.0, [[0.0; 3]; 2]);
    for (x, label) in CLEAN.into_iter().zip(LABELS) {
        let p = softmax(logits(x, weights));
        loss -= p[label].ln() / 2.0;
        for feature in 0..2 {
            for class in 0..3 {
                let error = p[class] - f64::from(u8::from(class == label));
                gradient[feature][class] += x[feature] * error / 2.0;
            }
        }
    }
    (loss, gradient)
}

#[test]
fn the_loss_is_taken_at_weights_one_step_up() {
    let gamma = 0.1;
    let (at_rest, gradient) = cross_entropy(WEIGHTS);
    let scale = gamma * length(WEIGHTS) / length(gradient);
    let mut up = WEIGHTS;
    for feature in 0..2 {
        for class in 0..3 {
            up[feature][class] += scale * gradient[feature][class];
        }
    }
    let (expected, _) = cross_entropy(up);
    let recipe = WeightPerturbation { inner: BaseRecipe::standard(), gamma, warmup_epochs: 0 };
    let net = Linear::new();
    let bits = || -> Vec<u32> {
        host::floats(net.weight.val()).unwrap().into_iter().map(f32::to_bits).collect()
    };
    let before = bits();
    let (got, early) = with_step(|step| {
        let early = WeightPerturbation { warmup_epochs: 1, ..recipe.clone() };
        let loss = |recipe: &WeightPerturbation| recipe.loss(&net, &batch(), step).unwrap();
        (value(&loss(&recipe)), value(&loss(&early)))
    });
    assert!((got - expected).abs() < 1e-5, "{got} is not {expected}");
    assert!(expected > at_rest + 1e-3);
    assert!((early - at_rest).abs() < 1e-6, "no perturbation during the warm-up");
    assert_eq!(bits(), before, "the weights themselves never move");
}

#[test]
fn the_inner_recipe_is_read_by_its_name() {
    let recipe: WeightPerturbation =
        toml::from_str("gamma = 0.01\ninner = { name = \"mart\", lambda = 5 }").unwrap();
    let BaseRecipe::Mart(mart) = &recipe.inner else { panic!("{recipe:?}") };
    assert_eq!((mart.lambda.to_bits(), mart.steps), (5.0_f64.to_bits(), 10));
    for wrong in ["{ name = \"mart\", lambada = 5 }", "{ name = \"marx\" }", "\"mart\""] {
        let text = format!("inner = {wrong}");
        assert!(toml::from_str::<WeightPerturbation>(&text).is_err(), "{wrong}");
    }
    let misspelt =
        toml::from_str::<WeightPerturbation>("inner = { name = \"standard\", beta = 1 }");
    assert!(misspelt.is_err());
}
