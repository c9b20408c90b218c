//! Norms, dual norms and steepest directions of rows `[N, F]`.
use std::fmt;

use burn::prelude::*;
use serde::{Deserialize, Serialize};

/// The norm that measures a perturbation, row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Norm {
    /// Number of changed features (no norm in the strict sense).
    L0,
    /// Sum of absolute values.
    L1,
    /// Euclidean length.
    L2,
    /// Largest absolute value.
    Linf,
}

/// Keeps divisions by a norm finite without changing any norm above it.
pub(crate) const TINY: f64 = 1e-12;

impl Norm {
    /// All of them.
    pub const ALL: [Norm; 4] = [Norm::L0, Norm::L1, Norm::L2, Norm::Linf];

    /// `‖δᵢ‖` of each row: `[N, F] → [N, 1]`.
    #[must_use]
    pub fn of(self, delta: Tensor<2>) -> Tensor<2> {
        match self {
            Norm::L0 => delta.not_equal_elem(0.0).float().sum_dim(1),
            Norm::L1 => delta.abs().sum_dim(1),
            Norm::L2 => delta.square().sum_dim(1).sqrt(),
            Norm::Linf => delta.abs().max_dim(1),
        }
    }

    /// `‖δ‖` of one row on the host, in f64.
    #[must_use]
    pub fn of_slice(self, delta: &[f64]) -> f64 {
        let magnitudes = delta.iter().map(|value| value.abs());
        match self {
            Norm::L0 => magnitudes.filter(|&value| value != 0.0).count() as f64,
            Norm::L1 => magnitudes.sum(),
            Norm::L2 => magnitudes.map(|value| value * value).sum::<f64>().sqrt(),
            Norm::Linf => magnitudes.fold(0.0, f64::max),
        }
    }

    /// The norm `‖·‖*` with `max_{‖δ‖≤1} ⟨g, δ⟩ = ‖g‖*`; `None` for L0, whose ball is unbounded.
    #[must_use]
    pub fn dual(self) -> Option<Norm> {
        match self {
            Norm::L0 => None,
            Norm::L1 => Some(Norm::Linf),
            Norm::L2 => Some(Norm::L2),
            Norm::Linf => Some(Norm::L1),
        }
    }

    /// The `d` with `‖d‖ ≤ 1` that maximises `⟨gradient, d⟩`, row by row; zero for a zero gradient.
    ///
    /// `[N, F] → [N, F]`. L1 shares the unit among the features that tie for the largest
    /// magnitude; L0 takes the sign at those features.
    #[must_use]
    pub fn steepest(self, gradient: Tensor<2>) -> Tensor<2> {
        match self {
            Norm::Linf => gradient.sign(),
            Norm::L2 => {
                let length = self.of(gradient.clone()).clamp_min(TINY);
                gradient / length
            }
            Norm::L1 => {
                let at_peak = peak(gradient.clone());
                let ties = at_peak.clone().sum_dim(1);
                gradient.sign() * at_peak / ties
            }
            Norm::L0 => gradient.clone().sign() * peak(gradient),
        }
    }
}

/// One at the features of the largest magnitude, `[N, F] → [N, F]`.
fn peak(gradient: Tensor<2>) -> Tensor<2> {
    let magnitude = gradient.abs();
    let largest = magnitude.clone().max_dim(1);
    magnitude.greater_equal(largest).float()
}

impl fmt::Display for Norm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Norm::L0 => "l0",
            Norm::L1 => "l1",
            Norm::L2 => "l2",
            Norm::Linf => "linf",
        })
    }
}

impl std::str::FromStr for Norm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Norm::ALL
            .into_iter()
            .find(|norm| norm.to_string() == text)
            .ok_or_else(|| format!("no norm `{text}`; known: l0, l1, l2, linf"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::floats;

    fn row(values: &[f32]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len()]), &Device::flex())
    }

    #[test]
    fn norms_of_three_and_four() {
        let expected = [2.0, 7.0, 5.0, 4.0];
        for (norm, expected) in Norm::ALL.into_iter().zip(expected) {
            assert_eq!(floats(norm.of(row(&[3.0, 0.0, -4.0]))).unwrap(), [expected]);
            assert!((norm.of_slice(&[3.0, 0.0, -4.0]) - f64::from(expected)).abs() < 1e-12);
        }
    }

    /// `⟨g, steepest(g)⟩ = ‖g‖*` and `‖steepest(g)‖ = 1`, also where features tie.
    #[test]
    fn the_steepest_direction_attains_the_dual_norm() {
        for gradient in [&[3.0, -1.0, 2.0, 0.5][..], &[-2.0, 2.0, 1.0]] {
            for norm in [Norm::L1, Norm::L2, Norm::Linf] {
                let direction = norm.steepest(row(gradient));
                let gain = floats((direction.clone() * row(gradient)).sum_dim(1)).unwrap()[0];
                let dual = floats(norm.dual().unwrap().of(row(gradient))).unwrap()[0];
                assert!((gain - dual).abs() < 1e-5, "{norm}: {gain} {dual}");
                let length = floats(norm.of(direction)).unwrap()[0];
                assert!((length - 1.0).abs() < 1e-5, "{norm}: {length}");
            }
        }
    }

    #[test]
    fn a_zero_gradient_has_no_direction() {
        for norm in Norm::ALL {
            assert_eq!(floats(norm.steepest(row(&[0.0, 0.0]))).unwrap(), [0.0, 0.0], "{norm}");
        }
    }

    #[test]
    fn names_round_trip() {
        for norm in Norm::ALL {
            assert_eq!(norm.to_string().parse(), Ok(norm));
        }
        assert!("l3".parse::<Norm>().is_err());
    }
}
