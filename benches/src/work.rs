//! What is timed. Each piece of work ends when the device has done it.
use anyhow::Result;
use burn::prelude::*;
use duress_attacks::{LossKind, Pgd};
use duress_certification::Smoothing;
use duress_core::{
    Aim, Goal, GradientAttack, GradientOracle, Job, Norm, Passes, Region, Seed, Silent, Threat,
    Use, WhiteBox, fill_rows,
};
use rand::RngExt;
use rand_distr::StandardNormal;

use crate::Case;

/// PGD of `steps` steps from the clean rows, in which no sample leaves.
///
/// # Errors
/// Those of the attack.
pub fn maximise(case: &Case, passes: &Passes, region: &Region, steps: usize) -> Result<()> {
    let rows = region.center();
    let ids = (0..rows.dims()[0] as u64).collect();
    let oracle = WhiteBox::new(&case.model, passes);
    let aim = aim(&rows);
    let mut job =
        Job::maximise(&oracle as &dyn GradientOracle, region.clone(), aim, (Seed(0), ids), &Silent);
    Pgd { steps, random_start: false, ..Pgd::paper() }.perturb(&mut job)?;
    Ok(passes.device().sync()?)
}

/// The input gradients that PGD of `steps` steps takes, at the clean rows each time.
///
/// # Errors
/// Those of the passes.
pub fn gradients(case: &Case, passes: &Passes, rows: &Tensor<2>, steps: usize) -> Result<()> {
    let aim = aim(rows);
    for _ in 0..steps {
        passes.gradient(&case.model, rows.clone(), &aim, &LossKind::CrossEntropy)?;
    }
    Ok(passes.device().sync()?)
}

/// All labels zero: the time of a pass does not depend on them.
fn aim(rows: &Tensor<2>) -> Aim {
    Goal::Untargeted(vec![0; rows.dims()[0]]).aim(&rows.device())
}

/// A point one step outside the ball, and the region to project it onto.
///
/// # Errors
/// If the rows do not fit the domain.
pub fn step(case: &Case, norm: Norm, rows: usize) -> Result<(Region, Tensor<2>)> {
    let region = case.region(case.rows(rows), &threat(norm)?)?;
    let start = region.sample(Seed(1), &(0..rows as u64).collect::<Vec<_>>(), 0, 0);
    let direction = norm.steepest(start.clone() - region.center() + 1e-3);
    let out = start + direction * (region.radius() * 0.25);
    Ok((region, out))
}

/// Gaussian noise of `rows` rows, drawn as smoothing does.
#[must_use]
pub fn noise(rows: usize, features: usize, device: &Device) -> Tensor<2> {
    fill_rows(rows, features, device, |index, row| {
        let mut rng = Seed(3).stream(0, 0, index as u32, Use::Noise);
        row.fill_with(|| rng.sample(StandardNormal));
    })
}

/// A prediction of the smoothed network from `draws` draws at once around `row` `[1, F]`.
///
/// # Errors
/// Those of smoothing.
pub fn smooth(case: &Case, passes: &Passes, row: &Tensor<2>, draws: usize) -> Result<()> {
    let smoothing =
        Smoothing { estimation_draws: draws as u64, batch: draws, ..Smoothing::paper(0.25) };
    smoothing.predict(&case.model, passes, row.clone(), (Seed(3), 0), &Silent)?;
    Ok(passes.device().sync()?)
}

/// The radius of the literature for each norm on images: 8/255, 0.5, 12.
///
/// # Errors
/// Never: the radii are right.
pub fn threat(norm: Norm) -> Result<Threat> {
    let radius = match norm {
        Norm::Linf => 8.0 / 255.0,
        Norm::L2 => 0.5,
        Norm::L1 => 12.0,
        Norm::L0 => 20.0,
    };
    Ok(Threat::new(norm, radius)?)
}
