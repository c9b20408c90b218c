//! The nearest decision boundary as the gradients at a point see it: what `DeepFool` steps onto.
use burn::prelude::*;
use duress_core::{GradientJob, Norm, Result};

use crate::losses::{LossKind, MASKED, RivalMargin, own_class, ranks};

/// Rows whose gradients are held on the device at once.
const ROWS_AT_ONCE: usize = 8192;

/// Keeps a division by the length of a gradient finite.
const TINY: f64 = 1e-12;

/// The classes that samples may cross over to.
pub(super) struct Rivals {
    /// `[N, R]`, as numbers, so that they leave the batch with their samples; `None` with a target,
    /// whose rival is the largest other class.
    pub(super) classes: Option<Tensor<2>>,
}

/// Each sample's nearest boundary in the linear model at its row.
pub(super) struct Boundary {
    /// Which samples `[N]` meet the goal at their rows.
    pub(super) met: Tensor<1, Bool>,
    /// Distance `|f|/‖w‖*` to the boundary, `[N, 1]`.
    pub(super) distance: Tensor<2>,
    /// Normal `w` of the boundary, towards the goal; zero at immutable features. `[N, F]`.
    pub(super) normal: Tensor<2>,
}

impl Rivals {
    /// The `candidates` classes (0: all) with the largest logits at the clean rows besides the
    /// label: one query a sample, none with a target.
    pub(super) fn at_clean(job: &mut GradientJob<'_>, candidates: usize) -> Result<Self> {
        if job.aim().is_targeted() {
            return Ok(Self { classes: None });
        }
        let logits = job.logits(job.clean())?;
        let most = logits.dims()[1].saturating_sub(1);
        let own = own_class(&logits, &job.aim().labels());
        let others = logits.mask_fill(own, MASKED);
        let count = if candidates == 0 { most } else { candidates.min(most) };
        Ok(Self { classes: Some(ranks(&others, count).narrow(1, 0, count).float()) })
    }

    /// Queries that [`Rivals::nearest`] takes of each sample.
    pub(super) fn queries(&self) -> u64 {
        self.classes.as_ref().map_or(1, |classes| classes.dims()[1] as u64)
    }

    /// The boundary nearest to each of `rows` `[N, F]`; beyond a boundary, the one to the class
    /// that is predicted. One gradient a rival.
    pub(super) fn nearest(&self, job: &mut GradientJob<'_>, rows: &Tensor<2>) -> Result<Boundary> {
        let Some(classes) = &self.classes else {
            let at = job.gradient(rows.clone(), &LossKind::Margin)?;
            let found = Found {
                met: job.aim().met(at.logits),
                margin: at.loss.unsqueeze_dim(1),
                normals: at.gradient.unsqueeze_dim(1),
            };
            return Ok(found.nearest(job).1);
        };
        let ([count, features], rivals) = (rows.dims(), classes.dims()[1]);
        let at_once = (ROWS_AT_ONCE / count.max(1)).max(1);
        let mut best: Option<(Tensor<2>, Boundary)> = None;
        for start in (0..rivals).step_by(at_once) {
            let many = at_once.min(rivals - start);
            let part = classes.clone().narrow(1, start, many).reshape([count * many]).int();
            let aim = job.aim().repeat(many).with_rivals(part);
            let copies = rows.clone().unsqueeze_dim::<3>(1).repeat_dim(1, many);
            let copies = copies.reshape([count * many, features]);
            let at = job.gradient_towards(copies, &aim, &RivalMargin)?;
            let width = at.logits.dims()[1];
            let logits = at.logits.reshape([count, many, width]).narrow(1, 0, 1).squeeze_dim(1);
            let found = Found {
                met: job.aim().met(logits),
                margin: at.loss.reshape([count, many]),
                normals: at.gradient.reshape([count, many, features]),
            };
            let next = found.nearest(job);
            best = Some(match best {
                Some(best) => nearer(best, next),
                None => next,
            });
        }
        match best {
            Some((_, boundary)) => Ok(boundary),
            // No rival: nothing to cross over to.
            None => Ok(Boundary {
                met: job.aim().labels().not_equal(job.aim().labels()),
                distance: Tensor::zeros([count, 1], &rows.device()),
                normal: rows.zeros_like(),
            }),
        }
    }
}

/// Margins and gradients of several rivals.
struct Found {
    met: Tensor<1, Bool>,
    /// `[N, R]`, positive beyond the boundary.
    margin: Tensor<2>,
    /// `[N, R, F]`.
    normals: Tensor<3>,
}

impl Found {
    /// The boundary that counts and its rank among others, lower first, `[N, 1]`.
    fn nearest(self, job: &GradientJob<'_>) -> (Tensor<2>, Boundary) {
        let [count, many, features] = self.normals.dims();
        let region = job.region();
        let fixed = region.upper().lower_equal(region.lower());
        let fixed = fixed.unsqueeze_dim::<3>(1).expand([count, many, features]);
        let normals = self.normals.mask_fill(fixed, 0.0);
        let dual = region.norm().dual().unwrap_or(Norm::L2);
        let lengths = dual.of(normals.clone().reshape([count * many, features]));
        let distance = self.margin.clone().abs() / lengths.reshape([count, many]).clamp_min(TINY);
        let beyond = self.met.clone().unsqueeze_dim::<2>(1).expand([count, many]);
        let rank = distance.clone().mask_where(beyond, self.margin.neg());
        let first = rank.clone().argmin(1);
        let wide = first.clone().unsqueeze_dim::<3>(2).expand([count, 1, features]);
        let boundary = Boundary {
            met: self.met,
            distance: distance.gather(1, first.clone()),
            normal: normals.gather(1, wide).squeeze_dim(1),
        };
        (rank.gather(1, first), boundary)
    }
}

/// Of two boundaries of each sample the one that counts.
fn nearer(
    (old_rank, old): (Tensor<2>, Boundary),
    (rank, new): (Tensor<2>, Boundary),
) -> (Tensor<2>, Boundary) {
    let better = rank.clone().lower(old_rank.clone());
    let wide = better.clone().expand(new.normal.dims());
    let boundary = Boundary {
        met: new.met,
        distance: old.distance.mask_where(better.clone(), new.distance),
        normal: old.normal.mask_where(wide, new.normal),
    };
    (old_rank.mask_where(better, rank), boundary)
}
