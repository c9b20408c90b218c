//! Interval bounds, CROWN-IBP and CROWN: one way back from the results, with other intervals.
//!
//! Gowal et al., *On the Effectiveness of Interval Bound Propagation for Training Verifiably Robust
//! Models*, 2018, <https://arxiv.org/abs/1810.12715>: the rows go back through the last linear
//! steps, then meet intervals (so a specification is merged into the last layer).
//! Zhang et al., *Efficient Neural Network Robustness Certification with General Activation
//! Functions*, `NeurIPS` 2018, <https://arxiv.org/abs/1811.00866>: the rows go back to the input.
use rayon::prelude::*;

use super::backward::{Analysis, Rows, Until, lower_bounds};
use super::specification::Specification;
use super::{Options, Result};

/// Lower bounds of the rows of a specification.
pub(super) fn bound(
    analysis: &Analysis<'_>,
    specification: &Specification,
    until: Until,
    options: &Options,
) -> Result<Vec<f64>> {
    let bounds: Vec<Vec<f64>> = chunks(analysis, specification, options, 1)?
        .into_par_iter()
        .map(|rows| lower_bounds(analysis, rows, until))
        .collect();
    Ok(bounds.into_iter().flatten().collect())
}

/// The rows of a specification in chunks that together fit the memory `copies` times.
pub(super) fn chunks(
    analysis: &Analysis<'_>,
    specification: &Specification,
    options: &Options,
    copies: usize,
) -> Result<Vec<Rows>> {
    let (network, target) = (analysis.network, analysis.network.output);
    let granted = Options { memory: options.memory / copies.max(1), ..options.clone() };
    let most = granted.chunk(network, target)?;
    // Few rows are shared out among the threads.
    let even = specification.len().div_ceil(rayon::current_num_threads().max(1)).max(1);
    let all: Vec<usize> = (0..specification.len()).collect();
    let chunk = |rows: &[usize]| {
        let count = rows.len();
        let mut coefficients = vec![0.0; network.outputs() * count];
        for (at, &row) in rows.iter().enumerate() {
            for (output, &value) in specification.row(row).iter().enumerate() {
                coefficients[output * count + at] = value;
            }
        }
        let constants = rows.iter().map(|&row| specification.offset(row)).collect();
        Rows { target, count, coefficients, constants }
    };
    Ok(all.chunks(most.min(even)).map(chunk).collect())
}
