//! Boxes of raw inputs.
use burn::prelude::*;
use duress_core::Domain;

/// One box a row: what an Linf adversary can reach, in raw units.
#[derive(Clone, Debug)]
pub struct InputBox {
    pub(super) centre: Tensor<2>,
    pub(super) radius: Tensor<2>,
}

impl InputBox {
    /// The points of `domain` that are at most `radius` from `rows` `[N, F]` in each feature.
    /// Features that no adversary may change stay where they are.
    ///
    /// The boxes are off the tape: they depend on no weight.
    #[must_use]
    pub fn around(rows: Tensor<2>, radius: f64, domain: &Domain) -> Self {
        let rows = rows.inner();
        let (device, shape) = (rows.device(), rows.dims());
        let reach = match domain.mutable_mask(&device) {
            Some(mask) => (mask * radius).expand(shape),
            None => Tensor::full(shape, radius, &device),
        };
        let (low, high) = domain.bounds(&device);
        let lower = (rows.clone() - reach.clone()).max_pair(low.expand(shape));
        let upper = (rows + reach).min_pair(high.expand(shape));
        Self { centre: (lower.clone() + upper.clone()) * 0.5, radius: (upper - lower) * 0.5 }
    }

    /// Mean radius over rows and features, `[1]`.
    #[must_use]
    pub fn mean_radius(&self) -> Tensor<1> {
        self.radius.clone().mean()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    #[test]
    fn a_box_stays_in_the_domain_and_spares_what_may_not_change() {
        let domain = Domain::table(vec![0.0; 3], vec![1.0; 3]).unwrap();
        let rows = Tensor::<2>::from_data([[0.5, 0.25, 0.875]], &Device::flex());
        let around = InputBox::around(rows.clone(), 0.5, &domain);
        assert_eq!(floats(around.centre).unwrap(), [0.5, 0.375, 0.6875]);
        assert_eq!(floats(around.radius).unwrap(), [0.5, 0.375, 0.3125]);
        let fixed = domain.with_immutable(vec![0, 2]).unwrap();
        let around = InputBox::around(rows, 0.25, &fixed);
        assert_eq!(floats(around.centre.clone()).unwrap(), [0.5, 0.25, 0.875]);
        assert_eq!(floats(around.radius).unwrap(), [0.0, 0.25, 0.0]);
    }
}
