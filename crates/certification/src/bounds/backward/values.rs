//! Values of a step and their negatives as rows: the way back of CROWN for what enters a relaxation.
use super::pass::Pass;
use super::{Analysis, Rows, TOGETHER, Until};
use crate::bounds::network::Step;

/// Lower bounds of values of a step and of their negatives, in turn.
///
/// A linear step is left at once: the first rows are those of its maps.
pub(in crate::bounds) fn value_bounds(
    analysis: &Analysis<'_>,
    target: usize,
    places: &[usize],
) -> Vec<f64> {
    let wanted = 2 * places.len();
    let count = wanted.next_multiple_of(TOGETHER);
    let mut lines: Vec<(u32, usize)> =
        places.iter().enumerate().map(|(row, &place)| (place as u32, row)).collect();
    lines.sort_unstable();
    let results: Vec<u32> = lines.iter().map(|(place, _)| *place).collect();
    let rows = Rows { target, count, coefficients: Vec::new(), constants: vec![0.0; count] };
    let mut pass = Pass::new(analysis, rows);
    let network = analysis.network;
    let mut bounds = if let Step::Affine { parts, bias } = &network.steps[target] {
        for &(place, row) in &lines {
            let at = place as usize;
            let bias = bias.get(at).copied().unwrap_or(0.0);
            let error = analysis.weights[target][at] + analysis.underflow[target];
            for (row, sign) in [(2 * row, 1.0), (2 * row + 1, -1.0)] {
                pass.constants[row] += sign * bias;
                pass.errors[row] += error + f64::MIN_POSITIVE;
            }
        }
        let mut terms = Vec::new();
        for (source, map) in parts {
            let size = network.sizes[*source];
            let reached = map.reach(&results, network.sizes[target], size);
            let block = pass.open(*source, reached);
            let starts = block.starts(size, count);
            for &(place, row) in &lines {
                map.row(place as usize, &mut terms);
                for &(operand, weight) in &terms {
                    let line = &mut block.coefficients[starts[operand]..][..count];
                    line[2 * row] += weight;
                    line[2 * row + 1] -= weight;
                }
            }
        }
        pass.back(target - 1, Until::Input, None, None)
    } else {
        let block = pass.open(target, results);
        for (line, (_, row)) in block.coefficients.chunks_exact_mut(count).zip(&lines) {
            line[2 * row] = 1.0;
            line[2 * row + 1] = -1.0;
        }
        pass.back(target, Until::Input, None, None)
    };
    bounds.truncate(wanted);
    bounds
}
