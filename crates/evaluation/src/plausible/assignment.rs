//! The one-to-one assignment with the most agreement.

/// For each row of `counts` `[size, size]` its column, each once, so that the sum is the largest.
///
/// The Hungarian method with potentials, rows added one by one along a shortest path:
/// Kuhn. *The Hungarian Method for the Assignment Problem.* Naval Research Logistics 2, 1955.
/// `O(size³)`.
pub(super) fn best_assignment(counts: &[u32], size: usize) -> Vec<usize> {
    let cost = |row: usize, column: usize| -i64::from(counts[row * size + column]);
    let (mut row_potential, mut potential) = (vec![0_i64; size], vec![0_i64; size + 1]);
    // Row of each column; column `size` stands for the row that is being added.
    let mut row_of = vec![usize::MAX; size + 1];
    for row in 0..size {
        row_of[size] = row;
        let mut at = size;
        let (mut slack, mut from) = (vec![i64::MAX; size], vec![size; size]);
        let mut used = vec![false; size + 1];
        while row_of[at] != usize::MAX {
            used[at] = true;
            let here = row_of[at];
            let (mut least, mut next) = (i64::MAX, size);
            for column in (0..size).filter(|&column| !used[column]) {
                let reduced = cost(here, column) - row_potential[here] - potential[column];
                if reduced < slack[column] {
                    (slack[column], from[column]) = (reduced, at);
                }
                if slack[column] < least {
                    (least, next) = (slack[column], column);
                }
            }
            for column in 0..=size {
                if used[column] {
                    row_potential[row_of[column]] += least;
                    potential[column] -= least;
                } else {
                    slack[column] -= least;
                }
            }
            at = next;
        }
        while at != size {
            let before = from[at];
            row_of[at] = row_of[before];
            at = before;
        }
    }
    let mut column_of = vec![0; size];
    for column in 0..size {
        column_of[row_of[column]] = column;
    }
    column_of
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::{collection::vec, prelude::*};

    fn total(counts: &[u32], size: usize, columns: &[usize]) -> u32 {
        columns.iter().enumerate().map(|(row, column)| counts[row * size + column]).sum()
    }

    /// The best of all orders, tried one by one.
    fn exhaustive(counts: &[u32], size: usize, taken: &mut Vec<usize>) -> u32 {
        if taken.len() == size {
            return total(counts, size, taken);
        }
        let mut best = 0;
        for column in 0..size {
            if !taken.contains(&column) {
                taken.push(column);
                best = best.max(exhaustive(counts, size, taken));
                taken.pop();
            }
        }
        best
    }

    #[test]
    fn greed_is_not_the_best() {
        // Greed takes 10 and then 0; 9 + 9 is more.
        assert_eq!(best_assignment(&[10, 9, 9, 0], 2), [1, 0]);
        assert_eq!(best_assignment(&[5], 1), [0]);
        assert!(best_assignment(&[], 0).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]
        #[test]
        fn no_order_is_better(size in 1_usize..6, counts in vec(0_u32..20, 25)) {
            let counts = &counts[..size * size];
            let columns = best_assignment(counts, size);
            let mut sorted = columns.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..size).collect::<Vec<_>>());
            let best = exhaustive(counts, size, &mut Vec::new());
            prop_assert_eq!(total(counts, size, &columns), best);
        }
    }
}
