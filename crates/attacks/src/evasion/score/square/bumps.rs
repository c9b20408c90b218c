//! The bumps that Square lays into its windows in L1 and L2 (equation 2).

/// How the length of a perturbation is measured: a sum of powers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Power {
    /// Sum of absolute values.
    One,
    /// Root of the sum of squares.
    Two,
}

impl Power {
    pub(super) fn length(self, values: impl Iterator<Item = f32>) -> f64 {
        match self {
            Power::One => values.map(|value| f64::from(value.abs())).sum(),
            Power::Two => values.map(|value| f64::from(value).powi(2)).sum::<f64>().sqrt(),
        }
    }
}

/// A window's pattern: a hill and beside it a valley, of length one. Line by line.
///
/// `across` lays them beside each other instead of one above the other. One line has them beside
/// each other, one column above each other, and a single place is a hill.
pub(super) fn bump([height, width]: [usize; 2], across: bool, power: Power) -> Vec<f32> {
    let mut values = vec![0.0; height * width];
    let across = (across && width > 1) || height == 1;
    let (long, short) = if across { (width, height) } else { (height, width) };
    let half = if long == 1 { 1 } else { long / 2 };
    for (range, sign) in [(0..half, 1.0), (half..long, -1.0)] {
        let start = range.start;
        let hill = hill([range.len(), short], power);
        for (place, value) in hill.into_iter().enumerate() {
            let (along, aside) = (start + place / short, place % short);
            let at = if across { aside * width + along } else { along * width + aside };
            values[at] = sign * value;
        }
    }
    scale(&mut values, power);
    values
}

/// `Σ_{j=d}^{n} (1 + j)⁻ᵉ`, where `d` is the distance from the middle (in the larger coordinate),
/// `n` half the longer side, and `e` is 2 in L2 and 4 in L1; of length one.
fn hill([height, width]: [usize; 2], power: Power) -> Vec<f32> {
    let exponent = match power {
        Power::One => 4,
        Power::Two => 2,
    };
    let (middle_y, middle_x) = (height / 2, width / 2);
    let last = middle_y.max(middle_x);
    // From the rim inwards.
    let mut heights = vec![0.0_f64; last + 1];
    let mut sum = 0.0;
    for distance in (0..=last).rev() {
        sum += (1.0 + distance as f64).powi(-exponent);
        heights[distance] = sum;
    }
    let mut values: Vec<f32> = (0..height * width)
        .map(|place| {
            let (y, x) = (place / width, place % width);
            heights[y.abs_diff(middle_y).max(x.abs_diff(middle_x))] as f32
        })
        .collect();
    scale(&mut values, power);
    values
}

/// Divides by the length.
fn scale(values: &mut [f32], power: Power) {
    let length = power.length(values.iter().copied());
    if length > 0.0 {
        for value in values {
            *value = (f64::from(*value) / length) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 3 × 3: the hill is one line of 3, (¼, 1¼, ¼) before scaling, the valley two lines; the
    /// middle of two lines is the second.
    #[test]
    fn a_bump_of_three_by_three_by_hand() {
        let got = bump([3, 3], false, Power::Two);
        let hill: f32 = (2.0 * 0.0625_f32 + 1.5625).sqrt();
        let valley = (5.0 * 0.0625_f32 + 1.5625).sqrt();
        let half = 0.5_f32.sqrt();
        let expected = [
            [0.25 / hill, 1.25 / hill, 0.25 / hill],
            [-0.25 / valley, -0.25 / valley, -0.25 / valley],
            [-0.25 / valley, -1.25 / valley, -0.25 / valley],
        ];
        for (got, expected) in got.iter().zip(expected.as_flattened()) {
            assert!((got - expected * half).abs() < 1e-6, "{got} {expected}");
        }
        let across = bump([3, 3], true, Power::Two);
        for place in 0..9 {
            assert_eq!(across[place].to_bits(), got[place % 3 * 3 + place / 3].to_bits());
        }
    }

    #[test]
    fn every_shape_has_length_one_and_two_halves_of_equal_length() {
        for power in [Power::One, Power::Two] {
            for sides in [[1, 1], [1, 7], [7, 1], [2, 2], [3, 5], [25, 25]] {
                for across in [false, true] {
                    let got = bump(sides, across, power);
                    assert!((power.length(got.iter().copied()) - 1.0).abs() < 1e-5);
                    let hill = power.length(got.iter().copied().filter(|&value| value > 0.0));
                    let expected = match (sides, power) {
                        ([1, 1], _) => 1.0,
                        (_, Power::One) => 0.5,
                        (_, Power::Two) => 0.5_f64.sqrt(),
                    };
                    assert!((hill - expected).abs() < 1e-5, "{sides:?} {hill}");
                }
            }
        }
    }

    /// In L1 the second ring is 2⁻⁴.
    #[test]
    fn l1_bumps_are_steeper() {
        let got = hill([3, 3], Power::One);
        assert!((got[0] / got[4] - 0.0625 / 1.0625).abs() < 1e-6);
    }
}
