//! The seam between overlapping patches: the cheapest way down, by dynamic programming.

/// For each of `lines` lines the first column of the new patch, from 0 to `shared`, the number of
/// columns that both patches have. `cost` says how much the patches differ at a line and a column.
///
/// The seam runs through one shared column a line, moves by at most one column from line to line,
/// and its costs sum to the least. The new patch begins on the seam.
pub(super) fn columns(
    lines: usize,
    shared: usize,
    cost: impl Fn(usize, usize) -> f64,
) -> Vec<usize> {
    if shared == 0 {
        return vec![0; lines];
    }
    let mut total: Vec<Vec<f64>> = vec![(0..shared).map(|column| cost(0, column)).collect()];
    let near = |column: usize| column.saturating_sub(1)..=(column + 1).min(shared - 1);
    for line in 1..lines {
        let above = &total[line - 1];
        let least = |column| near(column).map(|other| above[other]).fold(f64::INFINITY, f64::min);
        total.push((0..shared).map(|column| cost(line, column) + least(column)).collect());
    }
    // Of equal costs the leftmost column.
    let cheapest = |line: usize, among: std::ops::RangeInclusive<usize>| {
        let by_cost = |a: &usize, b: &usize| total[line][*a].total_cmp(&total[line][*b]);
        among.min_by(by_cost).unwrap_or(0)
    };
    let mut seam = vec![0; lines];
    let mut among = 0..=shared - 1;
    for line in (0..lines).rev() {
        seam[line] = cheapest(line, among);
        among = near(seam[line]);
    }
    seam
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seam_takes_the_cheapest_connected_way() {
        let costs = [[1.0, 9.0, 0.0], [9.0, 2.0, 9.0], [0.0, 9.0, 9.0]];
        // 0.0 + 2.0 + 0.0 from right to left, one column a line.
        assert_eq!(columns(3, 3, |line, column| costs[line][column]), [2, 1, 0]);
        // A jump of two columns is not allowed, however cheap.
        let jump = [[5.0, 4.0, 0.0], [0.0, 9.0, 9.0]];
        assert_eq!(columns(2, 3, |line, column| jump[line][column]), [1, 0]);
    }

    #[test]
    fn without_shared_columns_the_patch_begins_at_once() {
        assert_eq!(columns(4, 0, |_, _| 1.0), [0; 4]);
    }
}
