//! Losses of a clean and a moved row.
use duress_models::Objective;
use duress_models::train::Memory;

use super::linear::{
    CLEAN, Linear, MOVED, WEIGHTS, batch, divergence, logits, mean, probabilities, rows, softmax,
    value, with_step,
};
use crate::training::minimax::Minimax;
use crate::training::{
    DefensiveDistillation, HelperTraining, LogitPairing, Mart, PgdTraining, Trades,
};

fn close(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-5 * expected.abs().max(1.0), "{got} is not {expected}");
}

fn loss_of(recipe: &impl Minimax<Linear>) -> f64 {
    with_step(|step| {
        let output = recipe.loss_at(rows(MOVED), &Linear::new(), &batch(), step).unwrap();
        value(&output)
    })
}

#[test]
fn pgd_training_takes_the_cross_entropy_at_the_moved_rows() {
    close(
        loss_of(&PgdTraining::default()),
        mean(|_, moved, label| -probabilities(moved)[label].ln()),
    );
}

#[test]
fn trades_adds_the_divergence_of_clean_from_moved() {
    let expected = mean(|clean, moved, label| {
        let (p, q) = (probabilities(clean), probabilities(moved));
        -p[label].ln() + 6.0 * divergence(p, q)
    });
    close(loss_of(&Trades::default()), expected);
    let plain = mean(|clean, _, label| -probabilities(clean)[label].ln());
    close(loss_of(&Trades { beta: 0.0, ..Trades::default() }), plain);
}

#[test]
fn mart_boosts_the_cross_entropy_and_weighs_the_divergence_by_what_is_wrong() {
    let expected = mean(|clean, moved, label| {
        let (p, q) = (probabilities(clean), probabilities(moved));
        let others = (0..3).filter(|&class| class != label).map(|class| q[class]);
        let rival = others.fold(0.0, f64::max);
        let boosted = -q[label].ln() - (1.0001 - rival).ln();
        boosted + 5.0 * divergence(p, q) * (1.000_000_1 - p[label])
    });
    close(loss_of(&Mart { lambda: 5.0, ..Mart::default() }), expected);
}

#[test]
fn logit_pairing_takes_half_of_both_and_the_mean_square_between_logits() {
    let expected = mean(|clean, moved, label| {
        let (z, w) = (logits(clean, WEIGHTS), logits(moved, WEIGHTS));
        let pairing = z.iter().zip(w).map(|(z, w)| (z - w).powi(2)).sum::<f64>() / 3.0;
        let both = -probabilities(clean)[label].ln() - probabilities(moved)[label].ln();
        0.5 * both + 0.5 * pairing
    });
    close(loss_of(&LogitPairing::default()), expected);
}

/// The gradient runs into the clean logits too: at equal rows TRADES has that of the cross-entropy.
#[test]
fn at_the_clean_rows_nothing_is_added() {
    with_step(|step| {
        let output = Trades::default().loss_at(rows(CLEAN), &Linear::new(), &batch(), step);
        let plain = mean(|clean, _, label| -probabilities(clean)[label].ln());
        close(value(&output.unwrap()), plain);
    });
}

/// Without a ball the points are the rows: what is left is the label and what the helper says.
#[test]
fn helpers_are_labelled_by_the_network_trained_without_an_adversary() {
    let zero = "0".parse().unwrap();
    let recipe = HelperTraining { epsilon: zero, gamma: 0.75, ..HelperTraining::default() };
    let mut memory = Memory::default();
    memory.keep_network("plain", &Linear::with([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]));
    let got = with_step(|step| {
        let traced = recipe.loss_by(&Linear::new(), &batch(), step, &mut memory).unwrap();
        value(&traced.output)
    });
    let expected = mean(|clean, _, label| {
        let p = probabilities(clean);
        -p[label].ln() - 0.75 * p[2].ln()
    });
    close(got, expected);
}

/// At temperature 2: `−Σ softmax(t/2) log softmax(z/2)`, whatever the labels say.
#[test]
fn a_student_learns_the_teachers_probabilities_at_the_temperature() {
    let theirs = [[0.5, 1.0, -1.0], [2.0, 0.0, 1.0]];
    let mut memory = Memory::default();
    memory.keep_network("teacher", &Linear::with(theirs));
    let got = with_step(|step| {
        let recipe = DefensiveDistillation { temperature: 2.0 };
        let traced = recipe.loss_by(&Linear::new(), &batch(), step, &mut memory).unwrap();
        value(&traced.output)
    });
    let expected = mean(|clean, _, _| {
        let t = softmax(logits(clean, theirs).map(|z| z / 2.0));
        let p = softmax(logits(clean, WEIGHTS).map(|z| z / 2.0));
        -t.iter().zip(p).map(|(t, p)| t * p.ln()).sum::<f64>()
    });
    close(got, expected);
}
