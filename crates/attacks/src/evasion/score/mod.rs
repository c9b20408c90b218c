//! Attacks that see logits only.
mod grid;
mod scores;
mod square;

pub(crate) use square::ENTRY as SQUARE;
pub use square::Square;

use burn::prelude::*;
use duress_core::search::{Scores, search_scores};
use duress_core::{Asker, Result, ScoreJob, Search};

use scores::{log_probability, margin, minimised};

/// Runs a search on the active samples, if there are any.
fn run(job: &mut ScoreJob<'_>, search: &dyn Search<Scores>) -> Result<Tensor<2>> {
    if job.active() == 0 { Ok(job.clean()) } else { search_scores(job, search) }
}

/// Whether any other row than the clean one may be tried.
fn can_move(asker: &Asker<Scores>) -> bool {
    let mut sides = asker.lower().iter().zip(asker.upper());
    asker.radius() > 0.0 && sides.any(|(lower, upper)| lower < upper)
}
