//! Counting parameters on paper, before anything is allocated.

/// A sum of parameter counts that remembers overflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count(Option<u64>);

impl Count {
    /// No parameter.
    pub(crate) fn zero() -> Self {
        Self(Some(0))
    }

    /// Weights and biases of a fully connected layer.
    pub(crate) fn linear(self, inputs: usize, outputs: usize) -> Self {
        self.product(&[inputs, outputs]).product(&[outputs])
    }

    /// Weights of a square convolution without bias.
    pub(crate) fn conv(self, inputs: usize, outputs: usize, kernel: usize) -> Self {
        self.product(&[inputs, outputs, kernel, kernel])
    }

    /// Biases of a layer.
    pub(crate) fn bias(self, outputs: usize) -> Self {
        self.product(&[outputs])
    }

    /// Scales and shifts of a batch norm.
    pub(crate) fn norm(self, channels: usize) -> Self {
        self.product(&[2, channels])
    }

    /// `times` copies of `other`.
    pub(crate) fn repeat(self, times: usize, other: Self) -> Self {
        let sum = |have: u64| have.checked_add(other.0?.checked_mul(times as u64)?);
        Self(self.0.and_then(sum))
    }

    /// The sum; `None` if it does not fit.
    pub(crate) fn total(self) -> Option<u64> {
        self.0
    }

    fn product(self, factors: &[usize]) -> Self {
        let product = factors
            .iter()
            .try_fold(1_u64, |so_far, &factor| so_far.checked_mul(u64::try_from(factor).ok()?));
        Self(self.0.zip(product).and_then(|(have, more)| have.checked_add(more)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_add_up_and_an_overflow_is_not_a_small_number() {
        let layer = Count::zero().linear(3, 2);
        assert_eq!(layer.total(), Some(8));
        assert_eq!(layer.conv(2, 3, 5).bias(3).norm(4).total(), Some(8 + 150 + 3 + 8));
        assert_eq!(Count::zero().repeat(3, layer).total(), Some(24));
        assert_eq!(Count::zero().linear(usize::MAX, 2).total(), None);
        assert_eq!(Count::zero().repeat(usize::MAX, layer).total(), None);
    }
}
