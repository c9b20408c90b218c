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
