//! Baselines that look at nothing: an attack that does not beat them found no direction.
mod gaussian;
mod uniform;

pub(crate) use gaussian::ENTRY as GAUSSIAN_NOISE;
pub use gaussian::GaussianNoise;
pub(crate) use uniform::ENTRY as UNIFORM_NOISE;
pub use uniform::UniformNoise;

use burn::prelude::*;
use duress_core::{LabelJob, Result};

/// The first of `draws` points that meets the goal, else the last one drawn.
fn first_hit(
    job: &mut LabelJob<'_>,
    draws: u32,
    point: impl Fn(&LabelJob<'_>, u32) -> Tensor<2>,
) -> Result<Tensor<2>> {
    let mut rows = job.clean();
    // One where the row meets the goal and stays, `[N, 1]`.
    let mut held = Tensor::zeros([job.active(), 1], &rows.device());
    for draw in 0..draws {
        if job.active() == 0 || job.queries_left() == Some(0) {
            break;
        }
        let keep = held.greater_elem(0.5).expand(rows.dims());
        rows = point(job, draw).mask_where(keep, rows);
        let predicted = job.labels(rows.clone())?;
        let met = job.aim().met_by(predicted);
        held = met.clone().float().unsqueeze_dim(1);
        if job.checkpoint(draw as usize + 1)? {
            job.retire(met, &mut rows, &mut [&mut held])?;
        }
    }
    Ok(rows)
}
