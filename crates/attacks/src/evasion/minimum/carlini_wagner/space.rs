//! The change of variables `x = m + h tanh w`, which has no box, and Adam in it.
//!
//! Kingma, Ba. *Adam: A Method for Stochastic Optimization.* ICLR 2015, algorithm 1.
//! <https://arxiv.org/abs/1412.6980>
use burn::prelude::*;
use duress_core::Region;

/// Shrinks the box on the way in, as in the authors' code: at its very faces `w` would be infinite
/// and never move.
pub(super) const SHRINK: f64 = 0.999_999;

/// Decay of the mean of the gradients, of that of their squares, and what keeps a division finite.
pub(super) const DECAY: [f64; 2] = [0.9, 0.999];
pub(super) const TINY: f64 = 1e-8;

fn middle_and_half(region: &Region) -> [Tensor<2>; 2] {
    [(region.upper() + region.lower()) * 0.5, (region.upper() - region.lower()) * 0.5]
}

/// `w` of `rows`, `[N, F] → [N, F]`; zero at immutable features.
pub(super) fn variable_of(region: &Region, rows: Tensor<2>) -> Tensor<2> {
    let [middle, half] = middle_and_half(region);
    ((rows - middle) / half.clamp_min(f32::MIN_POSITIVE))
        .clamp(-1.0, 1.0)
        .mul_scalar(SHRINK)
        .atanh()
}

/// The rows of `w`, in the box, and `dx/dw`.
pub(super) fn rows_of(region: &Region, variable: &Tensor<2>) -> [Tensor<2>; 2] {
    let [middle, half] = middle_and_half(region);
    let tanh = variable.clone().tanh();
    let rows = region.clip(middle + half.clone() * tanh.clone());
    [rows, half * (-tanh.square() + 1.0)]
}

/// Adam's state; samples restart it each by itself.
pub(super) struct Adam {
    pub(super) mean: Tensor<2>,
    pub(super) square: Tensor<2>,
}

impl Adam {
    pub(super) fn new(variable: &Tensor<2>) -> Self {
        Self { mean: variable.zeros_like(), square: variable.zeros_like() }
    }

    /// The descent step for a `gradient`, of length about `rate` a feature. `taken` `[N, 1]` counts
    /// the steps before this one.
    pub(super) fn step(&mut self, gradient: Tensor<2>, taken: Tensor<2>, rate: f64) -> Tensor<2> {
        let [slow, slower] = DECAY;
        self.mean = self.mean.clone() * slow + gradient.clone() * (1.0 - slow);
        self.square = self.square.clone() * slower + gradient.square() * (1.0 - slower);
        let unbias = |decay: f64| ((taken.clone() + 1.0) * decay.ln()).exp().neg() + 1.0;
        let mean = self.mean.clone() / unbias(slow);
        let spread = (self.square.clone() / unbias(slower)).sqrt() + TINY;
        mean / spread * -rate
    }

    /// Forgets the samples in `mask` `[N, F]`.
    pub(super) fn restart(&mut self, mask: &Tensor<2, Bool>) {
        self.mean = self.mean.clone().mask_fill(mask.clone(), 0.0);
        self.square = self.square.clone().mask_fill(mask.clone(), 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Domain, Norm, Threat, host::floats};

    fn region(center: &[f32]) -> Region {
        let domain = Domain::image(1, 1, center.len()).unwrap().with_immutable(vec![0]).unwrap();
        let rows =
            Tensor::from_data(TensorData::new(center.to_vec(), [1, center.len()]), &Device::flex());
        Region::new(rows, &Threat::new(Norm::L2, 9.0).unwrap(), &domain).unwrap()
    }

    #[test]
    fn there_and_back_and_the_faces_of_the_box_are_not_flat() {
        let center = [0.3, 0.0, 1.0, 0.25, 0.5];
        let region = region(&center);
        let variable = variable_of(&region, region.center());
        let [rows, slope] = rows_of(&region, &variable);
        for (got, expected) in floats(rows).unwrap().into_iter().zip(center) {
            assert!((got - expected).abs() < 1e-6, "{got} {expected}");
        }
        let slope = floats(slope).unwrap();
        assert!(slope[0].abs() < f32::MIN_POSITIVE, "immutable");
        assert!(slope[1] > 1e-7 && slope[2] > 1e-7, "{slope:?}");
        // h (1 − tanh²): ½ (1 − ¼) and ½.
        assert!((slope[3] - 0.375).abs() < 1e-5 && (slope[4] - 0.5).abs() < 1e-5, "{slope:?}");
    }

    /// The first step has length `rate` whatever the gradient; a second equal one too.
    #[test]
    fn the_first_steps_of_adam_by_hand() {
        let device = Device::flex();
        let zero = Tensor::<2>::zeros([2, 2], &device);
        let mut adam = Adam::new(&zero);
        let gradient = Tensor::<2>::from_data([[3.0, -0.01], [1.0, 0.0]], &device);
        for taken in 0..2 {
            let count = Tensor::full([2, 1], taken as f32, &device);
            let step = floats(adam.step(gradient.clone(), count, 0.1)).unwrap();
            for (got, expected) in step.into_iter().zip([-0.1, 0.1, -0.1, 0.0]) {
                assert!((got - expected).abs() < 1e-4, "{got} {expected}");
            }
        }
    }
}
