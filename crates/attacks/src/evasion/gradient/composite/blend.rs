//! The surrogate pictures that tell how the loss depends on the order.
use std::ops::Range;

use burn::prelude::*;

use super::Composite;
use super::component::{Component, Space, cut};

/// What the surrogate pictures are made of.
pub(super) struct Blend<'a> {
    pub(super) attack: &'a Composite,
    pub(super) space: &'a Space,
    /// Clean rows, smallest and largest allowed values, `[N, F]`.
    pub(super) region: [Tensor<2>; 3],
    /// The components' parameters, `[N, K]`.
    pub(super) values: Tensor<2>,
    /// What the pixels had from [`Component::Linf`], `[N, F]`.
    pub(super) pixels: Tensor<2>,
}

impl Blend<'_> {
    /// The samples in `range` only: the tape of all would be long.
    pub(super) fn part(&self, range: &Range<usize>) -> Self {
        let part = |tensor: &Tensor<2>| tensor.clone().narrow(0, range.start, range.len());
        Self {
            attack: self.attack,
            space: self.space,
            region: self.region.each_ref().map(part),
            values: part(&self.values),
            pixels: part(&self.pixels),
        }
    }

    /// The surrogates: at each turn the sum of what all components make of the rows, weighed by the
    /// turn's entries of the `matrix` `[N, K · K]`.
    pub(super) fn rows(&self, matrix: Tensor<2>) -> Tensor<2> {
        let [clean, lower, upper] = &self.region;
        let count = self.attack.components.len();
        let mut rows = clean.clone();
        for turn in 0..count {
            let mut sum = clean.zeros_like();
            for (at, &component) in self.attack.components.iter().enumerate() {
                let changed = if component == Component::Linf {
                    rows.clone() + self.pixels.clone()
                } else {
                    let by = self.values.clone().narrow(1, at, 1);
                    self.space.change(component, rows.clone(), by)
                };
                let weight = matrix.clone().narrow(1, turn * count + at, 1);
                sum = sum + cut(changed, lower, upper) * weight;
            }
            rows = sum;
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Domain, host::floats, pull_back};

    /// Darker by 0.2 or times 0.7, from ½: x₁ = 0.3 a + 0.35 b, x₂ = (x₁ − 0.2) c + 0.7 x₁ d.
    #[test]
    fn surrogates_and_their_slopes_through_all_turns_by_hand() {
        let device = Device::flex();
        let space = Space::of(&Domain::image(1, 1, 1).unwrap(), &device).unwrap();
        let mut attack = Composite::paper();
        attack.components = vec![Component::Brightness, Component::Contrast];
        let one = |value: f32| Tensor::<2>::from_data([[value]], &device);
        let blend = Blend {
            attack: &attack,
            space: &space,
            region: [one(0.5), one(0.0), one(1.0)],
            values: Tensor::from_data([[-0.2, 0.7]], &device),
            pixels: one(0.0),
        };
        let rows =
            |matrix: [f32; 4]| floats(blend.rows(Tensor::from_data([matrix], &device))).unwrap()[0];
        assert!((rows([1.0, 0.0, 0.0, 1.0]) - 0.21).abs() < 1e-6);
        assert!((rows([0.0, 1.0, 1.0, 0.0]) - 0.15).abs() < 1e-6);
        assert!((rows([0.5; 4]) - 0.17625).abs() < 1e-6);
        let half = Tensor::<2>::full([1, 4], 0.5, &device);
        let slopes = pull_back(half, |matrix| blend.rows(matrix), one(1.0)).unwrap();
        for (got, expected) in floats(slopes).unwrap().iter().zip([0.255, 0.2975, 0.125, 0.2275]) {
            assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        }
    }
}
