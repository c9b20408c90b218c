//! Pictures between their pixels.
use burn::prelude::*;

/// The pictures `[N, C · H · W]` at the points with rows `y` and columns `x` `[N, P]`, by bilinear
/// interpolation; pixels outside the picture are zero. `[N, C · P]`.
#[must_use]
pub fn sample_bilinear(
    rows: Tensor<2>,
    [channels, height, width]: [usize; 3],
    y: Tensor<2>,
    x: Tensor<2>,
) -> Tensor<2> {
    let [count, points] = y.dims();
    if count == 0 {
        return Tensor::empty([0, channels * points], &rows.device());
    }
    // The corner above and to the left does not move with a small change of the point.
    let (top, left) = (y.clone().inner().floor(), x.clone().inner().floor());
    let (down, right) = (y - top.clone(), x - left.clone());
    let planes = rows.reshape([count, channels, height * width]);
    let mut total: Option<Tensor<3>> = None;
    for (below, after) in [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)] {
        let (row, inside_rows) = pixel(top.clone() + below, height);
        let (column, inside_columns) = pixel(left.clone() + after, width);
        let index = (row * width as i64 + column).unsqueeze_dim::<3>(1);
        let weight = share(down.clone(), below) * share(right.clone(), after);
        let weight = weight.mask_fill(inside_rows.bool_and(inside_columns).bool_not(), 0.0);
        let values = planes.clone().gather(2, index.expand([count, channels, points]));
        let part = values * weight.unsqueeze_dim::<3>(1);
        total = Some(match total {
            None => part,
            Some(sum) => sum + part,
        });
    }
    // There are four corners.
    total.unwrap_or_else(|| unreachable!()).reshape([count, channels * points])
}

/// The nearest place among `size` pixels, and whether `at` is one of them.
fn pixel(at: Tensor<2>, size: usize) -> (Tensor<2, Int>, Tensor<2, Bool>) {
    let last = (size - 1) as f64;
    let inside = at.clone().greater_equal_elem(0.0).bool_and(at.clone().lower_equal_elem(last));
    (at.clamp(0.0, last).int(), inside)
}

/// The weight of the pixel before the point, or of the one behind it.
fn share(along: Tensor<2>, behind: f64) -> Tensor<2> {
    if behind > 0.0 { along } else { -along + 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{host::floats, pull_back};

    fn tensor<const A: usize, const B: usize>(values: [[f32; B]; A]) -> Tensor<2> {
        Tensor::from_data(values, &Device::flex())
    }

    /// ```text
    /// 1 2 3
    /// 4 5 6
    /// ```
    #[test]
    fn points_between_pixels_and_beyond_the_border_by_hand() {
        let rows = tensor([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]);
        let y = tensor([[0.0, 0.5, 1.0, -0.5, 5.0, 1.25]]);
        let x = tensor([[1.0, 0.5, 1.75, 2.0, 0.0, 0.0]]);
        let got = floats(sample_bilinear(rows, [1, 2, 3], y, x)).unwrap();
        assert_eq!(got, [2.0, 3.0, 5.75, 1.5, 0.0, 3.0]);
    }

    #[test]
    fn planes_and_samples_have_their_own_values_and_points() {
        let rows = tensor([[1.0, 2.0, 10.0, 20.0], [3.0, 4.0, 30.0, 40.0]]);
        let y = tensor([[0.0], [0.0]]);
        let x = tensor([[0.5], [1.0]]);
        let got = floats(sample_bilinear(rows, [2, 1, 2], y, x)).unwrap();
        assert_eq!(got, [1.5, 15.0, 4.0, 40.0]);
    }

    /// At (½, ½) of (1 2; 4 8): ∂y = mean of the lower minus mean of the upper row, ∂x alike.
    #[test]
    fn the_slopes_along_both_axes_by_hand() {
        let rows = tensor([[1.0, 2.0, 4.0, 8.0]]);
        let through = |point: Tensor<2>| {
            let (y, x) = (point.clone().narrow(1, 0, 1), point.narrow(1, 1, 1));
            sample_bilinear(rows.clone(), [1, 2, 2], y, x)
        };
        let got = pull_back(tensor([[0.5, 0.5]]), through, tensor([[1.0]])).unwrap();
        assert_eq!(floats(got).unwrap(), [6.0 - 1.5, 5.0 - 2.5]);
    }
}
