//! Gradients at points that the model sees changed: scaled down, or resized and padded at random.
use burn::prelude::*;
use duress_core::{GradientJob, Result, pull_back};
use rand::{Rng, RngExt};

use super::IterativeFgsm;
use crate::image::{Placement, place_resized, resize_bilinear};

/// What the model says at a point.
pub(super) struct Probe {
    /// Mean over the copies of the gradient of the loss by the point, `[N, F]`.
    pub(super) gradient: Tensor<2>,
    /// Logits of the first copy, `[N, K]`.
    pub(super) logits: Tensor<2>,
}

/// The probe of points `at` `[N, F]`. `draw` names the draws.
///
/// The gradient is by the point, through the change: `∇ₓ J(x / 2ⁱ)` has the factor `2⁻ⁱ`.
pub(super) fn probe(
    attack: &IterativeFgsm,
    job: &mut GradientJob<'_>,
    at: Tensor<2>,
    draw: u32,
) -> Result<Probe> {
    let copies = attack.scales as usize;
    if copies == 1 && attack.diversity <= 0.0 {
        let there = job.gradient(at, &attack.loss)?;
        return Ok(Probe { gradient: there.gradient, logits: there.logits });
    }
    let resizing =
        if attack.diversity > 0.0 { Some(Resizing::draw(attack, job, draw)?) } else { None };
    let seen = |point: Tensor<2>| {
        let copies = scaled(point, copies);
        match &resizing {
            Some(resizing) => resizing.apply(copies),
            None => copies,
        }
    };
    let there = job.gradient(seen(at.clone()), &attack.loss)?;
    let gradient = pull_back(at, seen, there.gradient)? / copies as f64;
    let [rows, classes] = there.logits.dims();
    let logits = there.logits.reshape([rows / copies, copies, classes]);
    Ok(Probe { gradient, logits: logits.narrow(1, 0, 1).squeeze_dim(1) })
}

/// `x, x/2, x/4, …` of each row, together: `[N, F] → [N · copies, F]`.
fn scaled(rows: Tensor<2>, copies: usize) -> Tensor<2> {
    let [count, features] = rows.dims();
    let factors: Vec<f32> = (0..copies).map(|copy| 0.5_f32.powi(copy as i32)).collect();
    let factors = TensorData::new(factors, [1, copies, 1]);
    let factors = Tensor::<3>::from_data(factors, &rows.device());
    (rows.unsqueeze_dim::<3>(1) * factors).reshape([count * copies, features])
}

/// The random resizing and padding of each copy.
struct Resizing {
    shape: [usize; 3],
    canvas: [usize; 2],
    placement: Placement,
    /// Which copies are resized, `[N · copies, F]`.
    chosen: Tensor<2, Bool>,
}

impl Resizing {
    fn draw(attack: &IterativeFgsm, job: &GradientJob<'_>, draw: u32) -> Result<Self> {
        let shape = job.domain().image_shape()?;
        let canvas = [shape[1], shape[2]].map(|size| canvas(size, attack.diversity_ratio));
        let copies = attack.scales as usize;
        let values = job.draw_values(draw, copies * VALUES, |rng, row| {
            for copy in row.chunks_exact_mut(VALUES) {
                place(rng, attack.diversity, [shape[1], shape[2]], canvas, copy);
            }
        });
        let rows = job.active() * copies;
        let values = values.reshape([rows, VALUES]);
        let value = |at: usize| values.clone().narrow(1, at, 1);
        let features: usize = shape.iter().product();
        let chosen = value(0).greater_elem(0.5).expand([rows, features]);
        let placement =
            Placement { height: value(1), width: value(2), top: value(3), left: value(4) };
        Ok(Self { shape, canvas, placement, chosen })
    }

    /// The copies `[N · copies, F]`: the chosen ones on their canvas, which is then brought back to
    /// the size that the model takes.
    fn apply(&self, copies: Tensor<2>) -> Tensor<2> {
        let [channels, height, width] = self.shape;
        let on_canvas = place_resized(copies.clone(), self.shape, self.canvas, &self.placement);
        let canvas = [channels, self.canvas[0], self.canvas[1]];
        let back = resize_bilinear(on_canvas, canvas, [height, width]);
        copies.mask_where(self.chosen.clone(), back)
    }
}

/// Drawn values of a copy: whether it is resized, its height, width, top and left.
const VALUES: usize = 5;

/// The side of the canvas: the least whole number that is not below the ratio.
fn canvas(size: usize, ratio: f64) -> usize {
    // 299 · (330 / 299) may round above 330.
    ((size as f64 * ratio - 1e-6).ceil() as usize).max(size + 1)
}

/// The place of one copy: sizes of `[size, canvas)` pixels, at the same share along both sides, and
/// any place on the canvas.
fn place(
    rng: &mut impl Rng,
    probability: f64,
    size: [usize; 2],
    canvas: [usize; 2],
    values: &mut [f32],
) {
    let chosen = rng.random::<f64>() < probability;
    let growth: f64 = rng.random();
    values[0] = f32::from(u8::from(chosen));
    for axis in 0..2 {
        let grown = size[axis] + (growth * (canvas[axis] - size[axis]) as f64) as usize;
        values[1 + axis] = grown as f32;
        values[3 + axis] = rng.random_range(0..=canvas[axis] - grown) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn canvases_of_the_paper_and_of_small_pictures() {
        let ratio = 330.0 / 299.0;
        let sides = [299, 32, 28, 8, 1].map(|size| canvas(size, ratio));
        assert_eq!(sides, [330, 36, 31, 9, 2]);
    }

    /// Sizes are below the canvas, and places inside it, for pictures that are not square.
    #[test]
    fn places_lie_on_the_canvas_and_half_of_the_copies_move() {
        let mut rng = StdRng::seed_from_u64(0);
        let (size, canvas) = ([20, 40], [24, 48]);
        let (mut moved, mut heights) = (0, [0; 4]);
        for _ in 0..4000 {
            let mut values = [0.0; VALUES];
            place(&mut rng, 0.5, size, canvas, &mut values);
            let [chosen, height, width, top, left] = values.map(|value| value as usize);
            moved += chosen;
            heights[height - 20] += 1;
            assert!((40..48).contains(&width) && (width - 40) / 2 == height - 20);
            assert!(top + height <= 24 && left + width <= 48);
        }
        // Five standard deviations of a share of 4000 draws.
        assert!((moved as f64 - 2000.0).abs() < 5.0 * 31.7, "{moved}");
        for count in heights {
            assert!((f64::from(count) - 1000.0).abs() < 5.0 * 27.4, "{heights:?}");
        }
    }

    #[test]
    fn copies_halve_and_stay_together() {
        let rows = Tensor::<2>::from_data([[8.0, 4.0], [2.0, 1.0]], &Device::flex());
        let got = floats(scaled(rows, 3)).unwrap();
        assert_eq!(got, [8.0, 4.0, 4.0, 2.0, 2.0, 1.0, 2.0, 1.0, 1.0, 0.5, 0.5, 0.25]);
    }

    /// Grey and colour pictures, square or not: the pull-back of each unit cotangent is the row of
    /// the matrix that the resizing multiplies by.
    #[test]
    fn the_pull_back_of_a_resizing_is_the_transposed_matrix() {
        let device = Device::flex();
        for shape in [[1, 2, 3], [2, 2, 2]] {
            let features: usize = shape.iter().product();
            let one = |value: f64| Tensor::<2>::full([1, 1], value, &device);
            let resizing = Resizing {
                shape,
                canvas: [4, 5],
                placement: Placement {
                    height: one(3.0),
                    width: one(4.0),
                    top: one(1.0),
                    left: one(0.0),
                },
                chosen: Tensor::<2>::ones([1, features], &device).greater_elem(0.5),
            };
            let unit = |at: usize| {
                let mut values = vec![0.0_f32; features];
                values[at] = 1.0;
                Tensor::<2>::from_data(TensorData::new(values, [1, features]), &device)
            };
            // Column by column: what each pixel alone becomes.
            let columns: Vec<Vec<f32>> =
                (0..features).map(|at| floats(resizing.apply(unit(at))).unwrap()).collect();
            for (row, point) in (0..features).map(|row| (row, unit(0) * 0.3)) {
                let back = pull_back(point, |x| resizing.apply(x), unit(row)).unwrap();
                for (column, got) in floats(back).unwrap().into_iter().enumerate() {
                    assert!((got - columns[column][row]).abs() < 1e-6, "{shape:?} {row} {column}");
                }
            }
            let total: f32 = columns.iter().flatten().sum();
            assert!(total > 0.5 * features as f32, "{shape:?}: {total}");
        }
    }
}
