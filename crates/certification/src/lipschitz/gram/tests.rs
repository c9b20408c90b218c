use super::*;
use duress_core::{Seed, Use};
use rand::RngExt;

fn random(rows: usize, columns: usize, seed: u64) -> Vec<f64> {
    let mut rng = Seed(seed).stream(0, 0, 0, Use::Weights);
    (0..rows * columns).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// The spectral norm by many steps of power iteration: from below.
fn by_power(rows: usize, columns: usize, values: &[f64]) -> f64 {
    let mut vector: Vec<f64> = (0..columns).map(|at| 1.0 + (at as f64 * 0.7).sin()).collect();
    let mut norm = 0.0;
    for _ in 0..20_000 {
        let image: Vec<f64> = (0..rows)
            .map(|row| (0..columns).map(|at| values[row * columns + at] * vector[at]).sum())
            .collect();
        let back: Vec<f64> = (0..columns)
            .map(|at| (0..rows).map(|row| values[row * columns + at] * image[row]).sum())
            .collect();
        let length = back.iter().map(|x| x * x).sum::<f64>().sqrt();
        norm = length.sqrt();
        vector = back.into_iter().map(|x| x / length).collect();
    }
    norm
}

#[test]
fn the_bound_is_above_the_norm_and_within_one_percent_after_ten_steps() {
    for (rows, columns, seed) in [(5, 5, 1), (12, 40, 2), (40, 12, 3), (1, 9, 4), (30, 30, 5)] {
        let values = random(rows, columns, seed);
        let norm = by_power(rows, columns, &values);
        let kernel = Kernel::matrix(rows, columns, values);
        let mut before = f64::INFINITY;
        for iterations in [0, 2, 4, 10] {
            let bound = kernel.spectral_bound(iterations);
            assert!(bound >= norm * (1.0 - 1e-9) && bound <= before, "{bound} {norm} {before}");
            before = bound;
        }
        assert!(before <= norm * 1.01, "{before} {norm}");
    }
}

/// (3, 0; 4, 5): `WᵀW` has the eigenvalues 45 and 5.
#[test]
fn a_norm_by_hand() {
    let kernel = Kernel::matrix(2, 2, vec![3.0, 0.0, 4.0, 5.0]);
    let (bound, norm) = (kernel.spectral_bound(12), 45.0_f64.sqrt());
    assert!(bound >= norm && bound < norm * (1.0 + 1e-12), "{bound}");
}

#[test]
fn sizes_far_from_one_do_not_overflow_and_zeros_are_zero() {
    for size in [1e-150, 1e-30, 1e30, 1e150] {
        let kernel = Kernel::matrix(2, 2, [3.0, 0.0, 4.0, 5.0].map(|x| x * size).to_vec());
        let (bound, norm) = (kernel.spectral_bound(10) / size, 45.0_f64.sqrt());
        assert!(bound >= norm * (1.0 - 1e-12) && bound < norm * 1.001, "{size}: {bound}");
    }
    assert!(Kernel::matrix(2, 1, vec![0.0; 2]).spectral_bound(3).abs() < f64::MIN_POSITIVE);
    for bad in [f64::NAN, f64::INFINITY] {
        for place in 0..2 {
            let mut values = vec![1.0; 2];
            values[place] = bad;
            let bound = Kernel::matrix(1, 2, values).spectral_bound(3);
            assert!(bound.is_infinite() && bound > 0.0, "{bound}");
        }
    }
}

/// The symbol of (1, −2, 1) is `2 cos ω − 2`: at most 4 in magnitude; of (1, 2, 3) the largest is 6.
#[test]
fn a_convolution_has_the_largest_value_of_its_symbol() {
    for (taps, norm) in [([1.0, -2.0, 1.0], 4.0), ([1.0, 2.0, 3.0], 6.0)] {
        let parts = (0_isize..).zip(taps).map(|(at, tap)| (vec![at], vec![tap])).collect();
        let kernel = Kernel::new(1, 1, parts);
        let bound = kernel.spectral_bound(4);
        assert!(bound >= norm && bound < norm * 1.000_001, "{bound} {norm}");
    }
    // 1 + z − z²: |·|² = 3 − 2 cos 2ω is at most 5, which the sums of magnitudes do not see.
    let taps = [(vec![0], vec![1.0]), (vec![1], vec![1.0]), (vec![2], vec![-1.0])];
    let kernel = Kernel::new(1, 1, taps.into());
    let bounds = [0, 2, 4, 8].map(|steps| kernel.spectral_bound(steps));
    assert!(bounds[3] >= 5.0_f64.sqrt() && bounds[3] < 2.3 && bounds[0] > 2.99, "{bounds:?}");
}
