//! The row of a generator nearest to a given one, by descent from several starts.
use std::cell::RefCell;

use burn::prelude::*;
use duress_core::{Result, pull_back};

use crate::generative::adversarial::LatentMap;
use crate::generative::space::Space;

/// Descent on the mean squared distance `mean((G(z) − x)²)` over the features, by shares of the
/// box.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Inversion {
    /// Starts for each row.
    pub restarts: usize,
    /// Steps from each start.
    pub steps: usize,
    /// Length of a step as a multiple of the gradient.
    pub step_size: f64,
    /// Momentum in `[0, 1)`.
    pub momentum: f64,
}

/// The best point of a search.
#[derive(Clone, Debug)]
pub struct Inverted {
    /// Latent vectors `[N, Z]`.
    pub latent: Tensor<2>,
    /// What the generator makes of them, `[N, F]`.
    pub rows: Tensor<2>,
    /// Mean squared distances, `[N, 1]`.
    pub error: Tensor<2>,
}

impl Inversion {
    /// Searches for `rows` `[N, F]` from `starts` `[N · restarts, Z]`, those of a row one after
    /// the other. Of all points on the way of all starts the nearest counts.
    ///
    /// # Errors
    /// [`duress_core::Error::NoGradient`] if the rows of the generator do not depend on `z`.
    ///
    /// # Panics
    /// If there are not as many starts.
    pub fn search(
        &self,
        map: &dyn LatentMap,
        rows: Tensor<2>,
        starts: Tensor<2>,
    ) -> Result<Inverted> {
        let rows = rows.inner();
        let [count, features] = rows.dims();
        let (device, tries) = (rows.device(), self.restarts.max(1));
        let all = count * tries;
        let wanted = rows.unsqueeze_dim::<3>(1).repeat_dim(1, tries).reshape([all, features]);
        let span = Space::of(map.domain()).span(&device);
        let mut latent = starts.inner();
        let width = latent.dims()[1];
        let mut velocity = latent.zeros_like();
        let mut best = latent.clone();
        let mut least = Tensor::<2>::full([all, 1], f32::INFINITY, &device);
        for step in 0..=self.steps {
            let seen = RefCell::new(None);
            let slope = pull_back(
                latent.clone(),
                |latent| {
                    let off = (map.generate(latent) - wanted.clone()) / span.clone();
                    let error = off.square().mean_dim(1);
                    seen.replace(Some(error.clone().inner()));
                    error
                },
                Tensor::ones([all, 1], &device),
            )?;
            let error = seen.take().unwrap_or_else(|| unreachable!("the error was computed"));
            // False for what is no number: such a point is never the best.
            let better = error.clone().lower(least.clone());
            best = best.mask_where(better.clone().repeat_dim(1, width), latent.clone());
            least = least.mask_where(better, error);
            if step < self.steps {
                velocity = velocity * self.momentum - slope * self.step_size;
                latent = latent + velocity.clone();
            }
        }
        let chosen: Tensor<1, Int> = least.clone().reshape([count, tries]).argmin(1).squeeze_dim(1);
        let first = Tensor::<1, Int>::arange(0..count as i64, &device) * tries as i64;
        let chosen = chosen + first;
        let latent = best.select(0, chosen.clone());
        let rows = map.generate(latent.clone());
        Ok(Inverted { latent, rows, error: least.select(0, chosen) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::{Domain, host};

    /// `G(z) = (z₀, z₁, z₀ + z₁)`.
    #[derive(Debug)]
    struct Plane(Domain);

    impl LatentMap for Plane {
        fn latent(&self) -> usize {
            2
        }

        fn domain(&self) -> &Domain {
            &self.0
        }

        fn generate(&self, latent: Tensor<2>) -> Tensor<2> {
            let matrix =
                Tensor::<2>::from_data([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]], &Device::flex());
            latent.matmul(matrix)
        }
    }

    fn plane() -> Plane {
        Plane(Domain::table(vec![0.0; 3], vec![1.0; 3]).unwrap())
    }

    /// The normal of the plane is `(1, 1, −1)/√3`: the least-squares projection of `(1, 0, 0)` is
    /// `(1, 0, 0) − 1/3 (1, 1, −1)`.
    #[test]
    fn with_a_linear_generator_it_finds_the_least_squares_projection() {
        let device = Device::flex();
        let search = Inversion { restarts: 2, steps: 300, step_size: 0.4, momentum: 0.5 };
        let rows = Tensor::<2>::from_data([[1.0, 0.0, 0.0], [0.2, 0.3, 0.5]], &device);
        let starts =
            Tensor::<2>::from_data([[0.0, 0.0], [3.0, -2.0], [1.0, 1.0], [-1.0, 0.5]], &device);
        let found = search.search(&plane(), rows, starts).unwrap();
        let expected = [2.0 / 3.0, -1.0 / 3.0, 1.0 / 3.0, 0.2, 0.3, 0.5];
        for (got, expected) in host::floats(found.rows).unwrap().into_iter().zip(expected) {
            assert!((got - expected).abs() < 1e-5, "{got} {expected}");
        }
        // (1/3)² · 3 over three features; 0 in the plane.
        let error = host::floats(found.error).unwrap();
        assert!((error[0] - 1.0 / 9.0).abs() < 1e-6 && error[1] < 1e-10, "{error:?}");
    }

    #[test]
    fn a_descent_that_diverges_keeps_the_best_point_of_its_way() {
        let device = Device::flex();
        let search = Inversion { restarts: 1, steps: 200, step_size: 1e6, momentum: 0.0 };
        let rows = Tensor::<2>::from_data([[0.5, 0.5, 1.0]], &device);
        let starts = Tensor::<2>::from_data([[0.4, 0.5]], &device);
        let found = search.search(&plane(), rows, starts).unwrap();
        assert_eq!(host::floats(found.latent).unwrap(), [0.4, 0.5]);
    }
}
