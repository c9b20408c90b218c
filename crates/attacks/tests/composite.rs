//! Composite perturbations of pictures whose worst case is on paper.
#![allow(clippy::unwrap_used)]
mod common;

use burn::prelude::*;
use common::Linear;
use duress_attacks::image::rotate;
use duress_attacks::{Component, Composite, LossKind, Order};
use duress_core::{
    Attack, Domain, Error, Goal, Norm, Oracle, Passes, Problem, Sample, Seed, Threat, WhiteBox,
    host::floats, run,
};

use Component::{Brightness, Contrast, Hue, Linf, Rotation, Saturation};

/// A model that no change of a picture takes across its boundary.
fn model(weights: &[f32], domain: Domain) -> Linear {
    Linear { domain, ..Linear::new(weights, 1000.0) }
}

fn attack(components: &[Component], order: Order) -> Composite {
    Composite {
        components: components.to_vec(),
        order,
        loss: LossKind::Margin,
        ..Composite::random_order()
    }
}

/// Where the attack takes `count` times the `picture`.
fn try_all(
    attack: &Composite,
    model: &Linear,
    picture: &[f32],
    count: usize,
) -> Result<(Vec<f32>, Vec<Sample>), Error> {
    let device = Device::flex();
    let passes = Passes::new(&device).unwrap();
    let oracle = WhiteBox::new(model, &passes);
    let rows = TensorData::new(picture.to_vec().repeat(count), [count, picture.len()]);
    let rows = Tensor::from_data(rows, &device);
    let goal = Goal::Untargeted(vec![0; count]);
    let threat = Threat::new(Norm::Linf, 10.0).unwrap();
    let problem = Problem::new(Oracle::Gradients(&oracle), rows, goal, threat).with_seed(Seed(2));
    let outcome = run(&Attack::Gradient(Box::new(attack.clone())), &problem)?;
    Ok((floats(outcome.rows).unwrap(), outcome.samples))
}

fn ends(attack: &Composite, model: &Linear, picture: &[f32]) -> Vec<f32> {
    try_all(attack, model, picture, 1).unwrap().0
}

fn close(got: &[f32], expected: &[f32]) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() < 1e-5, "{got} {expected}");
    }
}

const PICTURE: [f32; 4] = [0.5, 0.4, 0.6, 0.3];

/// `Σw > 0`: the darkest; `⟨w, x⟩ > 0`: the least contrast; Linf: against each weight's sign.
#[test]
fn each_grey_component_alone_reaches_the_end_of_its_interval() {
    let grey = Domain::image(1, 2, 2).unwrap();
    let model = model(&[1.0, -0.5, 2.0, 1.0], grey);
    let alone = |component| ends(&attack(&[component], Order::Fixed), &model, &PICTURE);
    close(&alone(Brightness), &[0.3, 0.2, 0.4, 0.1]);
    close(&alone(Contrast), &[0.35, 0.28, 0.42, 0.21]);
    let step = 8.0 / 255.0;
    close(&alone(Linf), &[0.5 - step, 0.4 + step, 0.6 - step, 0.3 - step]);
}

/// In a box `[−1, 3]` the intervals are four times as long, and zero is −1.
#[test]
fn another_box_is_mapped_to_the_unit_one() {
    use duress_core::{Bound, Layout};
    let layout = Layout::Image { channels: 1, height: 2, width: 2 };
    let wide = Domain::new(layout, Bound::Uniform(-1.0), Bound::Uniform(3.0)).unwrap();
    let model = model(&[1.0, -0.5, 2.0, 1.0], wide);
    let picture = PICTURE.map(|value| value * 4.0 - 1.0);
    let alone = |component| ends(&attack(&[component], Order::Fixed), &model, &picture);
    close(&alone(Brightness), &[0.3, 0.2, 0.4, 0.1].map(|value| value * 4.0 - 1.0));
    close(&alone(Contrast), &[0.35, 0.28, 0.42, 0.21].map(|value| value * 4.0 - 1.0));
}

/// Red is `v`, blue `v (1 − s)`: for a blue that counts more, the least saturation is worst for a
/// weight below zero. Saturation ¾ times 1.3 is 0.975.
#[test]
fn saturation_alone_reaches_the_end_of_its_interval() {
    let colour = Domain::image(3, 1, 1).unwrap();
    let alone = |weights: &[f32]| {
        let model = model(weights, colour.clone());
        ends(&attack(&[Saturation], Order::Fixed), &model, &[0.8, 0.5, 0.2])
    };
    close(&alone(&[0.0, 0.0, 1.0]), &[0.8, 0.8 - 0.3 * 1.3, 0.8 - 0.6 * 1.3]);
    close(&alone(&[0.0, 0.0, -1.0]), &[0.8, 0.8 - 0.3 * 0.7, 0.8 - 0.6 * 0.7]);
}

/// Three half-turns of steps find the hues without red: from green to blue.
#[test]
fn hue_alone_keeps_value_and_chroma_and_removes_the_red() {
    let model = model(&[1.0, 0.0, 0.0], Domain::image(3, 1, 1).unwrap());
    let attack = Composite { restarts: 3, ..attack(&[Hue], Order::Fixed) };
    let got = ends(&attack, &model, &[0.8, 0.5, 0.2]);
    let (most, least) = (got[1].max(got[2]), got[0].min(got[1]).min(got[2]));
    assert!((most - 0.8).abs() < 1e-5 && (least - 0.2).abs() < 1e-5, "{got:?}");
    assert!((got[0] - 0.2).abs() < 1e-5, "{got:?}");
}

/// The margin is smooth in the angle: the attack is not worse than the best of forty-one angles by
/// more than a step, and its result is a rotation.
#[test]
fn rotation_alone_finds_the_worst_angle() {
    let weights: Vec<f32> = (0..25).map(|at| (at as f32 * 0.9).sin()).collect();
    let picture: Vec<f32> = (0..25).map(|at| (at as f32 * 0.5).cos() * 0.4 + 0.5).collect();
    let model = model(&weights, Domain::image(1, 5, 5).unwrap());
    let turned = |degrees: f32| {
        let device = Device::flex();
        let rows = Tensor::from_data(TensorData::new(picture.clone(), [1, 25]), &device);
        let angle = Tensor::<2>::from_data([[degrees.to_radians()]], &device);
        floats(rotate(rows, [1, 5, 5], angle)).unwrap()
    };
    let score = |row: &[f32]| row.iter().zip(&weights).map(|(x, w)| x * w).sum::<f32>();
    let best = (-20..=20).map(|half| score(&turned(half as f32 / 2.0))).fold(f32::MAX, f32::min);
    let attack = Composite { steps: 40, ..attack(&[Rotation], Order::Fixed) };
    let got = ends(&attack, &model, &picture);
    assert!(score(&got) < best + 0.05, "{} {best}", score(&got));
    assert!(score(&got) < score(&picture) - 0.1, "{} {}", score(&got), score(&picture));
    let nearest = (-200..=200)
        .map(|part| {
            let other = turned(part as f32 / 20.0);
            got.iter().zip(&other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        })
        .fold(f32::MAX, f32::min);
    assert!(nearest < 2e-3, "{nearest}");
}

/// `(x − 0.2) · 0.7` or `0.7 x − 0.2`.
#[test]
fn the_order_matters_and_each_sample_draws_its_own() {
    let model = model(&[1.0; 4], Domain::image(1, 2, 2).unwrap());
    let darker_first = PICTURE.map(|value| (value - 0.2) * 0.7);
    let flatter_first = PICTURE.map(|value| (value * 0.7 - 0.2).max(0.0));
    let fixed = |order: &[Component]| ends(&attack(order, Order::Fixed), &model, &PICTURE);
    close(&fixed(&[Brightness, Contrast]), &darker_first);
    close(&fixed(&[Contrast, Brightness]), &flatter_first);

    let random = attack(&[Brightness, Contrast], Order::Random);
    let (rows, _) = try_all(&random, &model, &PICTURE, 40).unwrap();
    let mut first = 0;
    for row in rows.chunks(4) {
        let darker = (row[0] - darker_first[0]).abs() < 1e-5;
        close(row, if darker { &darker_first } else { &flatter_first });
        first += usize::from(darker);
    }
    // Five standard deviations of forty coins.
    assert!((5..=35).contains(&first), "{first}");
}

/// The first feature ends at 0.21 or at 0.15: the order shows.
#[test]
fn a_scheduled_order_takes_another_in_each_round_and_no_sample_sees_another() {
    let model = model(&[1.0; 4], Domain::image(1, 2, 2).unwrap());
    let scheduled =
        |rounds: usize| Composite { rounds, ..attack(&[Brightness, Contrast], Order::Scheduled) };
    let lowest = |rounds: usize| {
        let (rows, _) = try_all(&scheduled(rounds), &model, &PICTURE, 20).unwrap();
        rows.chunks(4).map(|row| row[0] < 0.18).collect::<Vec<_>>()
    };
    let (one, two) = (lowest(1), lowest(2));
    // With two components, the second round has the other order.
    for (one, two) in one.iter().zip(&two) {
        assert_ne!(one, two);
    }
    let alone = try_all(&scheduled(2), &model, &PICTURE, 1).unwrap().0;
    let all = try_all(&scheduled(2), &model, &PICTURE, 20).unwrap().0;
    assert_eq!(all[..4], alone);
}

#[test]
fn passes_are_those_of_the_formula_and_immutable_features_stay() {
    let domain = Domain::image(3, 1, 2).unwrap().with_immutable(vec![0, 3]).unwrap();
    let model = model(&[1.0, 2.0, 3.0, -1.0, -2.0, 0.5], domain);
    let picture = [0.5, 0.4, 0.6, 0.3, 0.2, 0.9];
    for (attack, components, rounds, schedules) in [
        (Composite::paper(), 6, 5, 5),
        (Composite::semantic(), 5, 5, 5),
        (Composite::random_order(), 6, 1, 0),
    ] {
        let attack = Composite { loss: LossKind::Margin, ..attack };
        let (rows, samples) = try_all(&attack, &model, &picture, 3).unwrap();
        for sample in samples {
            let turns = rounds * components;
            assert_eq!(sample.backwards, turns * 10 + schedules);
            assert_eq!(sample.forwards, turns * 10 + schedules + turns - 1);
        }
        for row in rows.chunks(6) {
            assert_eq!([row[0], row[3]].map(f32::to_bits), [0.5_f32, 0.3].map(f32::to_bits));
        }
    }
}

/// A sample that breaks at its first component is not changed by the others.
#[test]
fn a_solved_sample_stays() {
    let domain = Domain::image(1, 2, 2).unwrap();
    // ⟨w, x⟩ = 1.8; darkness breaks it at once, and brightness cannot be drawn.
    let model = Linear { domain, ..Linear::new(&[1.0; 4], -1.75) };
    let attack = Composite {
        brightness: [-0.2, -0.1],
        ..attack(&[Brightness, Contrast, Rotation, Linf], Order::Fixed)
    };
    let (rows, samples) = try_all(&attack, &model, &PICTURE, 5).unwrap();
    for (row, sample) in rows.chunks(4).zip(samples) {
        let change = row[0] - PICTURE[0];
        assert!((-0.2..=-0.1).contains(&change), "{change}");
        close(row, &PICTURE.map(|value| value + change));
        assert!(sample.forwards < 10, "{}", sample.forwards);
    }
}

#[test]
fn what_it_is_not_defined_for_is_named() {
    let grey = model(&[1.0; 4], Domain::image(1, 2, 2).unwrap());
    let error = try_all(&Composite::paper(), &grey, &PICTURE, 1).unwrap_err();
    assert!(matches!(error, Error::Parameter { field: "components", .. }), "{error}");
    let table = model(&[1.0; 4], Domain::table(vec![0.0; 4], vec![1.0; 4]).unwrap());
    let error = try_all(&attack(&[Contrast], Order::Fixed), &table, &PICTURE, 1).unwrap_err();
    assert!(matches!(error, Error::NotAnImage(_)), "{error}");
    for (bad, field) in [
        (Composite { contrast: [-0.1, 1.0], ..attack(&[Contrast], Order::Fixed) }, "contrast"),
        (Composite { rotation: [1.0, -1.0], ..attack(&[Contrast], Order::Fixed) }, "rotation"),
        (attack(&[Contrast, Contrast], Order::Fixed), "components"),
        (attack(&[], Order::Fixed), "components"),
    ] {
        let error = try_all(&bad, &grey, &PICTURE, 1).unwrap_err();
        assert!(matches!(error, Error::Parameter { field: got, .. } if got == field), "{error}");
    }
}
