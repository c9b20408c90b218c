//! Hue and saturation of RGB pictures with values in `[0, 1]`.
//!
//! Smith. *Color Gamut Transform Pairs.* SIGGRAPH 1978 (the HSV cone).
use burn::prelude::*;

/// The pictures `[N, 3 · H · W]` with their hues turned by `angle` `[N, 1]` radians (a third of a
/// turn takes red to green).
///
/// Grey pixels have no hue and do not change.
#[must_use]
pub fn rotate_hue(rows: Tensor<2>, angle: Tensor<2>) -> Tensor<2> {
    let Cone { red, green, blue, value, chroma, safe } = Cone::of(&rows);
    let is_red = red.clone().inner().equal(value.clone().inner());
    let is_green = green.clone().inner().equal(value.clone().inner());
    // Sixths of a turn from red.
    let hue = (red.clone() - green.clone()) / safe.clone() + 4.0;
    let hue = hue.mask_where(is_green, (blue.clone() - red) / safe.clone() + 2.0);
    let hue = hue.mask_where(is_red, (green - blue) / safe);
    let hue = hue + angle * (3.0 / std::f64::consts::PI);
    let plane = |offset: f64| {
        let place = hue.clone() + offset;
        let turns = (place.clone().inner() / 6.0).floor();
        let place = place - turns * 6.0;
        let share = place.clone().min_pair(-place + 4.0).clamp(0.0, 1.0);
        value.clone() - chroma.clone() * share
    };
    Tensor::cat(vec![plane(5.0), plane(3.0), plane(1.0)], 1)
}

/// The pictures `[N, 3 · H · W]` with their saturations multiplied by `factor` `[N, 1]`, at most to
/// full saturation. Hue and value stay.
#[must_use]
pub fn scale_saturation(rows: Tensor<2>, factor: Tensor<2>) -> Tensor<2> {
    let Cone { red, green, blue, value, safe, .. } = Cone::of(&rows);
    let full = value.clone() / safe;
    let factor = factor.expand(full.dims()).min_pair(full);
    let plane = |plane: Tensor<2>| value.clone() - (value.clone() - plane) * factor.clone();
    Tensor::cat(vec![plane(red), plane(green), plane(blue)], 1)
}

/// The planes of a picture `[N, P]` and what the HSV cone needs of them.
struct Cone {
    red: Tensor<2>,
    green: Tensor<2>,
    blue: Tensor<2>,
    /// The largest of the three.
    value: Tensor<2>,
    /// The largest minus the smallest.
    chroma: Tensor<2>,
    /// The chroma; one at grey pixels.
    safe: Tensor<2>,
}

impl Cone {
    fn of(rows: &Tensor<2>) -> Self {
        let points = rows.dims()[1] / 3;
        let plane = |channel: usize| rows.clone().narrow(1, channel * points, points);
        let [red, green, blue] = [plane(0), plane(1), plane(2)];
        let value = red.clone().max_pair(green.clone()).max_pair(blue.clone());
        let least = red.clone().min_pair(green.clone()).min_pair(blue.clone());
        let chroma = value.clone() - least;
        let grey = chroma.clone().lower_equal_elem(0.0);
        let safe = chroma.clone().mask_fill(grey, 1.0);
        Self { red, green, blue, value, chroma, safe }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{host::floats, pull_back};
    use std::f32::consts::PI;

    fn row(values: &[f32]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len()]), &Device::flex())
    }

    fn close(got: Tensor<2>, expected: &[f32]) {
        for (got, expected) in floats(got).unwrap().iter().zip(expected) {
            assert!((got - expected).abs() < 1e-5, "{got} {expected}");
        }
    }

    /// Two pixels: red and a grey.
    #[test]
    fn a_third_of_a_turn_takes_red_to_green_and_leaves_grey() {
        let rows = row(&[1.0, 0.4, 0.0, 0.4, 0.0, 0.4]);
        let third = 2.0 * PI / 3.0;
        close(rotate_hue(rows.clone(), row(&[third])), &[0.0, 0.4, 1.0, 0.4, 0.0, 0.4]);
        close(rotate_hue(rows.clone(), row(&[-third])), &[0.0, 0.4, 0.0, 0.4, 1.0, 0.4]);
        close(rotate_hue(rows, row(&[PI])), &[0.0, 0.4, 1.0, 0.4, 1.0, 0.4]);
    }

    /// (0.8, 0.5, 0.2): hue 30°; a sixth of a turn on is 90°: (0.5, 0.8, 0.2).
    #[test]
    fn a_mixed_colour_by_hand_and_back() {
        let turned = rotate_hue(row(&[0.8, 0.5, 0.2]), row(&[PI / 3.0]));
        close(turned.clone(), &[0.5, 0.8, 0.2]);
        close(rotate_hue(turned, row(&[-PI / 3.0])), &[0.8, 0.5, 0.2]);
        for colour in [[0.1, 0.9, 0.3], [0.2, 0.3, 0.7], [0.6, 0.1, 0.5]] {
            close(rotate_hue(row(&colour), row(&[0.0])), &colour);
            close(rotate_hue(row(&colour), row(&[2.0 * PI])), &colour);
        }
    }

    /// (0.8, 0.5, 0.2) has value 0.8 and saturation ¾: half of it, and more than is possible.
    #[test]
    fn saturation_by_hand_and_at_most_full() {
        let rows = row(&[0.8, 0.5, 0.2]);
        close(scale_saturation(rows.clone(), row(&[0.5])), &[0.8, 0.65, 0.5]);
        close(scale_saturation(rows.clone(), row(&[0.0])), &[0.8, 0.8, 0.8]);
        close(scale_saturation(rows, row(&[5.0])), &[0.8, 0.4, 0.0]);
        close(scale_saturation(row(&[0.3, 0.3, 0.3]), row(&[1.3])), &[0.3, 0.3, 0.3]);
    }

    /// At hue 30° only green moves: 0.6 of value for a sixth of a turn.
    #[test]
    fn the_slopes_by_the_parameters_by_hand() {
        let colour = || row(&[0.8, 0.5, 0.2]);
        let ones = || row(&[1.0, 1.0, 1.0]);
        let got = pull_back(row(&[0.0]), |angle| rotate_hue(colour(), angle), ones()).unwrap();
        close(got, &[0.6 * 3.0 / PI]);
        let got = pull_back(row(&[1.0]), |by| scale_saturation(colour(), by), ones()).unwrap();
        close(got, &[-0.9]);
    }

    /// Central differences; and black, grey and white give numbers.
    #[test]
    fn the_slopes_by_the_pixels_are_those_of_differences() {
        let cotangent = row(&[0.3, -0.7, 1.1]);
        let at = |colour: &[f32]| {
            let out = rotate_hue(scale_saturation(row(colour), row(&[1.1])), row(&[0.4]));
            floats((out * cotangent.clone()).sum_dim(1)).unwrap()[0]
        };
        let through = |x: Tensor<2>| rotate_hue(scale_saturation(x, row(&[1.1])), row(&[0.4]));
        let colour = [0.7, 0.45, 0.3];
        let got = floats(pull_back(row(&colour), through, cotangent.clone()).unwrap()).unwrap();
        for channel in 0..3 {
            let nudged = |by: f32| {
                let mut colour = colour;
                colour[channel] += by;
                at(&colour)
            };
            let expected = (nudged(1e-3) - nudged(-1e-3)) / 2e-3;
            assert!((got[channel] - expected).abs() < 2e-3, "{}: {expected}", got[channel]);
        }
        for grey in [0.0, 0.5, 1.0] {
            let got = pull_back(row(&[grey; 3]), through, cotangent.clone()).unwrap();
            assert!(floats(got).unwrap().iter().all(|slope| slope.is_finite()));
        }
    }
}
