//! The box of a domain as the networks of this module see it: each feature a share of its way.
use std::sync::Arc;

use burn::prelude::*;
use duress_core::{Domain, Layout};

/// A domain, shared by all copies of a network.
#[derive(Clone, Debug)]
pub(crate) struct Space(Arc<Domain>);

impl Space {
    pub(crate) fn of(domain: &Domain) -> Self {
        Self(Arc::new(domain.clone()))
    }

    pub(crate) fn domain(&self) -> &Domain {
        &self.0
    }

    /// The length of each feature's box, 1 where it has none, `[1, F]`.
    pub(crate) fn span(&self, device: &Device) -> Tensor<2> {
        let (lower, upper) = self.0.bounds(device);
        let span = upper - lower;
        span.clone().mask_fill(span.equal_elem(0.0), 1.0)
    }

    /// Rows as shares of the box, `[N, F] → [N, F]`.
    pub(crate) fn shares(&self, rows: Tensor<2>) -> Tensor<2> {
        let device = rows.device().inner();
        (rows - self.0.bounds(&device).0) / self.span(&device)
    }

    /// Shares of the box as rows, none of them outside it, `[N, F] → [N, F]`.
    pub(crate) fn rows(&self, shares: Tensor<2>) -> Tensor<2> {
        let (lower, upper) = self.0.bounds(&shares.device().inner());
        let rows = shares * (upper.clone() - lower.clone()) + lower.clone();
        rows.max_pair(lower).min_pair(upper)
    }

    /// `[channels, height, width]` of a picture.
    pub(crate) fn picture(&self) -> Option<[usize; 3]> {
        picture(&self.0)
    }
}

/// `[channels, height, width]` of a picture.
pub(crate) fn picture(domain: &Domain) -> Option<[usize; 3]> {
    match domain.layout() {
        Layout::Image { channels, height, width } => Some([channels, height, width]),
        Layout::Waveform { .. } | Layout::Table { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use duress_core::host::floats;

    #[test]
    fn shares_go_there_and_back_and_never_leave_the_box() {
        let domain = Domain::table(vec![-1.0, 5.0, 2.0], vec![1.0, 9.0, 2.0]).unwrap();
        let space = Space::of(&domain);
        let rows = Tensor::<2>::from_data([[0.0, 6.0, 2.0]], &Device::flex());
        let shares = space.shares(rows.clone());
        assert_eq!(floats(shares.clone()).unwrap(), [0.5, 0.25, 0.0]);
        assert_eq!(floats(space.rows(shares)).unwrap(), [0.0, 6.0, 2.0]);
        let outside = Tensor::<2>::from_data([[1.5, -0.25, 7.0]], &Device::flex());
        assert_eq!(floats(space.rows(outside)).unwrap(), [1.0, 5.0, 2.0]);
    }
}
