//! Total-variation minimisation of a picture with random holes.
//!
//! Guo, Rana, Cissé, van der Maaten. *Countering Adversarial Images using Input Transformations.*
//! ICLR 2018, §4.2. <https://arxiv.org/abs/1711.00117>
use burn::prelude::*;
use duress_core::{Domain, Result};
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::table::{Entry, defaults, transformation};
use crate::transformation::host_rows::{UnitBox, by_row};
use crate::transformation::mapping::{in_range, wrong};
use crate::transformation::{Backward, Draws, Mapping, Transformation};

/// Keeps each pixel with probability `1 − dropout` and hands on the picture `z` that minimises
/// `Σ (z − x)²` over the kept pixels `+ weight · TV(z)`: the sum of the Euclidean lengths of the
/// differences between neighbouring lines and neighbouring columns, plane by plane.
///
/// Minimised by the primal-dual method of Chambolle and Pock (J. Math. Imaging Vis. 40 (2011),
/// algorithm 1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TotalVariation {
    /// Probability that a pixel is dropped, in `[0, 1)`.
    pub dropout: f64,
    /// Weight of the total variation, at least 0, for values in `[0, 1]`.
    pub weight: f64,
    /// Steps of the minimisation.
    pub steps: usize,
}

impl Default for TotalVariation {
    fn default() -> Self {
        Self { dropout: 0.5, weight: 0.03, steps: 200 }
    }
}

pub(crate) const ENTRY: Entry = Entry {
    name: "total-variation",
    summary: "the smoothest picture near a random part of the pixels",
    reference: "arXiv:1711.00117",
    defaults: defaults::<TotalVariation>,
    parse: transformation::<TotalVariation>,
};

impl Transformation for TotalVariation {
    fn name(&self) -> &'static str {
        ENTRY.name
    }

    fn gradient(&self) -> Backward {
        Backward::Identity
    }

    fn is_random(&self) -> bool {
        self.dropout > 0.0
    }

    fn check(&self, domain: &Domain) -> Result<()> {
        domain.image_shape()?;
        in_range(ENTRY.name, "dropout", self.dropout, 0.0..1.0, "at least 0 and below 1")?;
        in_range(ENTRY.name, "weight", self.weight, 0.0.., "at least 0")?;
        if self.steps == 0 {
            return wrong(ENTRY.name, "steps", "at least 1", self.steps);
        }
        Ok(())
    }

    fn prepare(&self, domain: &Domain) -> Result<Box<dyn Mapping>> {
        let [_, height, width] = domain.image_shape()?;
        Ok(Box::new(Minimiser {
            plane: Plane { height, width },
            within: UnitBox::of(domain),
            settings: self.clone(),
        }))
    }
}

struct Minimiser {
    plane: Plane,
    within: UnitBox,
    settings: TotalVariation,
}

impl Mapping for Minimiser {
    fn apply(&self, rows: Tensor<2>, draws: &Draws) -> Tensor<2> {
        let pixels = self.plane.height * self.plane.width;
        by_row(rows, draws, |row, generator: &mut dyn Rng| {
            let mut keep = |_| generator.random::<f64>() >= self.settings.dropout;
            let kept: Vec<bool> = (0..pixels).map(&mut keep).collect();
            self.within.within(row, |row| {
                for plane in row.chunks_mut(pixels) {
                    let smooth = self.plane.minimise(plane, &kept, &self.settings);
                    plane.copy_from_slice(&smooth);
                }
            });
        })
    }
}

/// The size of a plane.
#[derive(Clone, Copy)]
struct Plane {
    height: usize,
    width: usize,
}

impl Plane {
    /// The minimiser of one plane.
    fn minimise(self, plane: &[f32], kept: &[bool], settings: &TotalVariation) -> Vec<f32> {
        let Self { height, width } = self;
        let given: Vec<f64> = plane.iter().map(|&value| f64::from(value)).collect();
        let (mut z, mut ahead) = (given.clone(), given.clone());
        let mut lines = vec![0.0; (height - 1) * width];
        let mut columns = vec![0.0; height * (width - 1)];
        // The squared norm of the differences is at most 8.
        let step = 1.0 / 8.0_f64.sqrt();
        for _ in 0..settings.steps {
            for y in 0..height - 1 {
                for x in 0..width {
                    let at = y * width + x;
                    lines[at] += step * (ahead[at + width] - ahead[at]);
                }
                shorten(&mut lines[y * width..][..width], settings.weight);
            }
            // The dual of the columns is stored column by column.
            for x in 0..width - 1 {
                for y in 0..height {
                    let at = y * width + x;
                    columns[x * height + y] += step * (ahead[at + 1] - ahead[at]);
                }
                shorten(&mut columns[x * height..][..height], settings.weight);
            }
            for y in 0..height {
                for x in 0..width {
                    let at = y * width + x;
                    let mut pull = 0.0;
                    if y > 0 {
                        pull += lines[at - width];
                    }
                    if y + 1 < height {
                        pull -= lines[at];
                    }
                    if x > 0 {
                        pull += columns[(x - 1) * height + y];
                    }
                    if x + 1 < width {
                        pull -= columns[x * height + y];
                    }
                    let before = z[at];
                    let moved = before - step * pull;
                    z[at] = if kept[at] {
                        (moved + 2.0 * step * given[at]) / (1.0 + 2.0 * step)
                    } else {
                        moved
                    };
                    ahead[at] = 2.0 * z[at] - before;
                }
            }
        }
        z.into_iter().map(|value| value as f32).collect()
    }
}

/// The nearest vector whose length is at most `longest`.
fn shorten(vector: &mut [f64], longest: f64) {
    let length = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
    if length > longest {
        for value in vector {
            *value *= longest / length;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variation(plane: &[f32], Plane { height, width }: Plane) -> f64 {
        let value = |y: usize, x: usize| f64::from(plane[y * width + x]);
        let line = |y| (0..width).map(|x| (value(y + 1, x) - value(y, x)).powi(2)).sum::<f64>();
        let column = |x| (0..height).map(|y| (value(y, x + 1) - value(y, x)).powi(2)).sum::<f64>();
        (0..height - 1).map(|y| line(y).sqrt()).sum::<f64>()
            + (0..width - 1).map(|x| column(x).sqrt()).sum::<f64>()
    }

    fn settings(weight: f64) -> TotalVariation {
        TotalVariation { dropout: 0.0, weight, steps: 2000 }
    }

    /// Two halves of `a` columns of height `h`, a step of 1 between them: each side moves by `c`,
    /// where `2 h a c² + w √h (1 − 2c)` is least: `c = w / (2 a √h)`.
    #[test]
    fn a_step_edge_shrinks_by_the_amount_on_paper_and_keeps_its_mean() {
        let size = Plane { height: 4, width: 6 };
        let plane: Vec<f32> = (0..24).map(|at| if at % 6 < 3 { 0.0 } else { 1.0 }).collect();
        let got = size.minimise(&plane, &[true; 24], &settings(0.6));
        let moved = 0.6 / (2.0 * 3.0 * 2.0);
        for (at, value) in got.iter().enumerate() {
            let expected = if at % 6 < 3 { moved } else { 1.0 - moved };
            assert!((f64::from(*value) - expected).abs() < 1e-4, "{at}: {value} {expected}");
        }
        assert!(variation(&got, size) < variation(&plane, size));
        let mean = got.iter().sum::<f32>() / 24.0;
        assert!((mean - 0.5).abs() < 1e-6, "{mean}");
    }

    #[test]
    fn a_hole_is_filled_from_around_it_and_weight_zero_changes_nothing() {
        let size = Plane { height: 5, width: 5 };
        let mut plane = vec![0.5; 25];
        plane[12] = 1.0;
        let mut kept = [true; 25];
        assert_eq!(size.minimise(&plane, &kept, &settings(0.0)), plane);
        kept[12] = false;
        let got = size.minimise(&plane, &kept, &settings(0.01));
        assert!((got[12] - 0.5).abs() < 0.01, "{}", got[12]);
    }
}
