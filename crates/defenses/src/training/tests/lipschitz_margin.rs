//! The loss that asks for a margin.
use duress_models::Objective;

use super::linear::{Linear, WEIGHTS, batch, logits, mean, softmax, value, with_step};
use crate::training::LipschitzMarginTraining;

#[test]
fn the_label_is_moved_back_by_the_offset_and_the_temperature_divides() {
    for (offset, temperature) in [(0.0, 1.0), (2.0_f64.sqrt(), 0.25)] {
        let expected = mean(|clean, _, label| {
            let mut z = logits(clean, WEIGHTS);
            z[label] -= offset;
            -temperature * softmax(z.map(|z| z / temperature))[label].ln()
        });
        let recipe = LipschitzMarginTraining { offset, temperature };
        let got = with_step(|step| value(&recipe.loss(&Linear::new(), &batch(), step).unwrap()));
        assert!((got - expected).abs() < 1e-5, "{got} is not {expected}");
    }
}
