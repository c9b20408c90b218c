//! The little linear algebra that fitting needs, in f64 on the host.

/// The lower triangle `L` with `L Lᵀ = matrix` for a symmetric positive definite `matrix`
/// `[n, n]`; `None` where it is not.
pub(super) fn cholesky(matrix: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut lower = vec![0.0; n * n];
    for row in 0..n {
        let (above, own) = lower.split_at_mut(row * n);
        for column in 0..=row {
            let other = if column == row { &own[..] } else { &above[column * n..column * n + n] };
            let known: f64 = own[..column].iter().zip(&other[..column]).map(|(a, b)| a * b).sum();
            let rest = matrix[row * n + column] - known;
            own[column] = if column == row {
                if rest <= 0.0 || !rest.is_finite() {
                    return None;
                }
                rest.sqrt()
            } else {
                rest / other[column]
            };
        }
    }
    Some(lower)
}

/// The inverse of a lower triangle `[n, n]`.
pub(super) fn invert_lower(lower: &[f64], n: usize) -> Vec<f64> {
    let mut inverse = vec![0.0; n * n];
    for row in 0..n {
        let (above, own) = inverse.split_at_mut(row * n);
        for column in 0..row {
            let known: f64 =
                (column..row).map(|k| lower[row * n + k] * above[k * n + column]).sum();
            own[column] = -known / lower[row * n + row];
        }
        own[row] = 1.0 / lower[row * n + row];
    }
    inverse
}

/// The solution of `L Lᵀ x = right`.
pub(super) fn solve(lower: &[f64], right: &[f64]) -> Vec<f64> {
    let n = right.len();
    let mut x = right.to_vec();
    for row in 0..n {
        let known: f64 = (0..row).map(|k| lower[row * n + k] * x[k]).sum();
        x[row] = (x[row] - known) / lower[row * n + row];
    }
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|k| lower[k * n + row] * x[k]).sum();
        x[row] = (x[row] - known) / lower[row * n + row];
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(got: &[f64], expected: &[f64]) {
        let pairs = got.iter().zip(expected);
        assert!(pairs.clone().all(|(a, b)| (a - b).abs() < 1e-12), "{got:?}");
    }

    /// `[[4, 2], [2, 10]] = L Lᵀ` with `L = [[2, 0], [1, 3]]`.
    #[test]
    fn a_triangle_by_hand_its_inverse_and_a_solution() {
        let lower = cholesky(&[4.0, 2.0, 2.0, 10.0], 2).unwrap();
        close(&lower, &[2.0, 0.0, 1.0, 3.0]);
        close(&invert_lower(&lower, 2), &[0.5, 0.0, -1.0 / 6.0, 1.0 / 3.0]);
        close(&solve(&lower, &[8.0, 22.0]), &[1.0, 2.0]);
        assert!(cholesky(&[1.0, 2.0, 2.0, 1.0], 2).is_none());
    }
}
