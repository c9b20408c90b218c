//! How unusual the shift of a row's logits is among those of clean rows of its predicted class.
use burn::prelude::*;

/// Clean rows of a class from which on its own mean and deviation are used; a class with fewer
/// takes those of all rows.
const ENOUGH: usize = 5;

/// The mean and deviation of `u_z − u_y` for each predicted class `y` and other class `z`,
/// `[K, K]`, where `u` is the shift of one of several settings: a row holds the shifts of all of
/// them, `K` each, and then the logits.
pub(super) fn pairs(
    rows: &[f32],
    settings: usize,
    setting: usize,
    classes: usize,
) -> (Vec<f32>, Vec<f32>) {
    // First and second moments by pair, and over all rows.
    let mut sums = vec![[0.0_f64; 3]; classes * classes];
    let mut total = [0.0_f64; 3];
    for row in rows.chunks_exact((settings + 1) * classes) {
        let (shift, logits) = (&row[setting * classes..][..classes], &row[settings * classes..]);
        let own = duress_core::arg_max(logits);
        for other in (0..classes).filter(|&other| other != own) {
            let value = f64::from(shift[other]) - f64::from(shift[own]);
            for sum in [&mut sums[own * classes + other], &mut total] {
                *sum = [sum[0] + 1.0, sum[1] + value, sum[2] + value * value];
            }
        }
    }
    let moments = |[count, sum, squares]: [f64; 3]| {
        let mean = sum / count.max(1.0);
        (mean, (squares / count.max(1.0) - mean * mean).max(0.0).sqrt())
    };
    let pooled = moments(total);
    // Noise that moves nothing at all has no unit.
    let least = (1e-3 * pooled.1).max(1e-6);
    let of = |sum: &[f64; 3]| if sum[0] < ENOUGH as f64 { pooled } else { moments(*sum) };
    sums.iter().map(of).map(|(mean, deviation)| (mean as f32, deviation.max(least) as f32)).unzip()
}

/// Far below any standardised shift.
const ABSENT: f32 = -1e30;

/// `max_{z≠y} mean_n (u_{n,z} − u_{n,y} − μ_{n,y,z}) / σ_{n,y,z}` for shifts `u_n` `[N, K]`, classes
/// `y` `[N, 1]`, and moments `μ_n`, `σ_n` `[K, K]`.
pub(super) fn odds(
    shifts: Vec<Tensor<2>>,
    own: Tensor<2, Int>,
    moments: &[[Tensor<2>; 2]],
) -> Tensor<1> {
    let Some([rows, classes]) = shifts.first().map(Tensor::dims) else {
        return Tensor::zeros([own.dims()[0]], &own.device());
    };
    let (of_class, settings) = (own.clone().squeeze_dim::<1>(1), shifts.len());
    let mut sum: Option<Tensor<2>> = None;
    for (shift, [mean, deviation]) in shifts.into_iter().zip(moments) {
        let against = shift.clone() - shift.gather(1, own.clone());
        let [mean, deviation] =
            [mean, deviation].map(|table| table.clone().select(0, of_class.clone()));
        let standard = (against - mean) / deviation;
        sum = Some(match sum {
            Some(sum) => sum + standard,
            None => standard,
        });
    }
    let Some(sum) = sum else { return Tensor::zeros([rows], &own.device()) };
    let all = Tensor::<1, Int>::arange(0..classes as i64, &own.device());
    let itself = all.unsqueeze::<2>().expand([rows, classes]).equal(own.expand([rows, classes]));
    (sum / settings as f64).mask_fill(itself, ABSENT).max_dim(1).squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host;

    fn square(row: [f32; 3]) -> Tensor<2> {
        Tensor::from_data([row; 3], &Device::flex())
    }

    /// Class 0 is predicted; u = (0, 1, 3): against 0 they are 1 and 3. With μ = (·, 0, 2) and
    /// σ = (·, 1, 4) the standardised ones are 1 and 1/4.
    #[test]
    fn the_largest_standardised_shift_by_hand() {
        let device = Device::flex();
        let moments = [[square([0.0, 0.0, 2.0]), square([1.0, 1.0, 4.0])]];
        let shift = Tensor::from_data([[0.0, 1.0, 3.0], [5.0, 6.0, 8.0]], &device);
        let own = Tensor::<2, Int>::from_data([[0], [0]], &device);
        let got = host::floats(odds(vec![shift], own, &moments)).unwrap();
        assert_eq!(got, [1.0, 1.0]);
    }

    /// Standardised shifts of the classes 1 and 2: (4, 1) under one noise, (−4, 2) under another.
    /// Their means are 0 and 1.5: the mean over noises comes before the largest class, which by
    /// itself would be 4.
    #[test]
    fn the_mean_over_noises_comes_before_the_largest_class() {
        let device = Device::flex();
        let unit = || [square([0.0; 3]), square([1.0; 3])];
        let shift = |row: [f32; 3]| Tensor::from_data([row], &device);
        let own = Tensor::<2, Int>::from_data([[0]], &device);
        let shifts = vec![shift([0.0, 4.0, 1.0]), shift([0.0, -4.0, 2.0])];
        let got = host::floats(odds(shifts, own, &[unit(), unit()])).unwrap();
        assert_eq!(got, [1.5]);
    }

    /// Five rows of class 0 whose `u₁ − u₀` are 1 to 5 under the second of two noises: mean 3,
    /// deviation √2; class 1 has no row and takes those of all.
    #[test]
    fn moments_are_those_of_the_rows_predicted_so() {
        let row = |value: i32| [7.0, 7.0, 0.0, value as f32, 9.0, 1.0];
        let rows: Vec<f32> = (1..=5).flat_map(row).collect();
        let (mean, deviation) = pairs(&rows, 2, 1, 2);
        for place in [1, 2] {
            assert!((mean[place] - 3.0).abs() < 1e-6);
            assert!((deviation[place] - 2.0_f32.sqrt()).abs() < 1e-6);
        }
        assert!(pairs(&rows, 2, 0, 2).0.iter().all(|mean| mean.abs() < 1e-6));
    }
}
