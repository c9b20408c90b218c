//! Where the time of a gradient goes: layer by layer, and what passes and attacks add.
//!
//! Each piece runs on one thread, on batches of as many rows as a pass computes at once.
use anyhow::Result;
use burn::prelude::*;
use burn::tensor::activation::relu;
use duress_attacks::LossKind;
use duress_core::{
    Classifier, Goal, Norm, Oracle, Passes, Problem, SUB_BATCH, Threat, WhiteBox, input_gradient,
    run,
};

use duress_models::max_pool2d;

use crate::clock::Clock;
use crate::folder::Folder;
use crate::measure::attack;
use crate::net::SmallNet;

/// Seconds that a piece is repeated for.
const SECONDS: f64 = 0.6;

/// One piece, in microseconds of processor time a row.
pub(crate) struct Piece {
    /// What was timed.
    pub(crate) name: &'static str,
    /// Forward only; `None` where there is none.
    pub(crate) forward: Option<f64>,
    /// Forward and the gradient by the input.
    pub(crate) gradient: f64,
}

/// Times every piece on images of `folder`.
pub(crate) fn pieces(folder: &Folder) -> Result<Vec<Piece>> {
    let device = Device::flex();
    let images: Vec<usize> = (0..SUB_BATCH).map(|at| at % folder.labels.len()).collect();
    let rows = folder.rows(&images, &device);
    let [_, height, width] = folder.meta.input.shape;
    let images4 = rows.clone().reshape([SUB_BATCH, 1, height, width]);
    let net = &folder.net;
    let first = net.conv1.forward(images4.clone());
    let second_in = max_pool2d(relu(first.clone()), [2, 2], [2, 2]);
    let second = net.conv2.forward(second_in.clone());
    let flat: Tensor<2> = max_pool2d(relu(second.clone()), [2, 2], [2, 2]).flatten(1, 3);
    let hidden = net.fc1.forward(flat.clone());
    let mut pieces = vec![
        layer("conv1", &images4, |x| net.conv1.forward(x))?,
        layer("relu 1", &first, relu)?,
        layer("maxpool 1", &first, |x| max_pool2d(x, [2, 2], [2, 2]))?,
        layer("conv2", &second_in, |x| net.conv2.forward(x))?,
        layer("relu 2", &second, relu)?,
        layer("maxpool 2", &second, |x| max_pool2d(x, [2, 2], [2, 2]))?,
        layer("fc1", &flat, |x| net.fc1.forward(x))?,
        layer("fc2", &hidden, |x| net.fc2.forward(relu(x)))?,
        layer("network", &images4, |x| SmallNet::forward(net, x))?,
    ];

    let model = folder.classifier()?;
    let passes = Passes::with_workers(&device, 1)?;
    let goal = Goal::Untargeted(vec![0; SUB_BATCH]);
    let aim = goal.aim(&device);
    let loss = LossKind::CrossEntropy;
    for (name, count) in [
        ("input_gradient of 4 rows", 4),
        ("input_gradient of 8 rows", 8),
        ("input_gradient of 16 rows", 16),
        ("input_gradient of 32 rows", 32),
    ] {
        let (rows, aim) = (rows.clone().narrow(0, 0, count), aim.slice(0..count));
        pieces.push(Piece {
            name,
            forward: Some(each(count, || Ok(model.forward(rows.clone())))?),
            gradient: each(count, || Ok(input_gradient(&model, rows.clone(), &aim, &loss)?))?,
        });
    }
    let many = 4 * SUB_BATCH;
    let wide = rows.clone().repeat_dim(0, 4);
    let wide_aim = Goal::Untargeted(vec![0; many]).aim(&device);
    pieces.push(Piece {
        name: "passes of 128 rows",
        forward: Some(each(many, || Ok(passes.logits(&model, wide.clone())?))?),
        gradient: each(many, || Ok(passes.gradient(&model, wide.clone(), &wide_aim, &loss)?))?,
    });
    // Twenty steps towards a class, in a ball too small for anybody to get there.
    let oracle = WhiteBox::new(&model, &passes);
    let goal = Goal::Targeted(
        (0..many).map(|at| (folder.labels[images[at % SUB_BATCH]] + 1) % 10).collect(),
    );
    for (name, attack) in [
        ("pgd, a step", attack("pgd", r#"{"steps": 20}"#)?),
        ("apgd, a step", attack("apgd", r#"{"steps": 20}"#)?),
    ] {
        let threat = Threat::new(Norm::Linf, 1e-3)?;
        let oracle = Oracle::Gradients(&oracle);
        let problem = Problem::new(oracle, wide.clone(), goal.clone(), threat);
        let whole = each(20 * many, || Ok(run(&attack, &problem)?))?;
        pieces.push(Piece { name, forward: None, gradient: whole });
    }
    Ok(pieces)
}

/// A layer on `input`, and its gradient.
fn layer<const D: usize, const E: usize>(
    name: &'static str,
    input: &Tensor<D>,
    forward: impl Fn(Tensor<D>) -> Tensor<E>,
) -> Result<Piece> {
    let rows = input.dims()[0];
    Ok(Piece {
        name,
        forward: Some(each(rows, || Ok(forward(input.clone())))?),
        gradient: each(rows, || {
            let leaf = input.clone().autodiff().require_grad();
            let gradients = forward(leaf.clone()).sum().backward();
            Ok(leaf.grad(&gradients))
        })?,
    })
}

/// Microseconds of processor time a row, of wall time where the system does not tell.
fn each<T>(rows: usize, work: impl Fn() -> Result<T>) -> Result<f64> {
    drop(work()?);
    let clock = Clock::start();
    let mut runs = 0;
    while clock.seconds() < SECONDS {
        drop(work()?);
        runs += 1;
    }
    let seconds = clock.cpu_seconds().unwrap_or_else(|| clock.seconds());
    Ok(seconds * 1e6 / (runs * rows) as f64)
}
