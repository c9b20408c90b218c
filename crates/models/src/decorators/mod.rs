//! Classifiers around classifiers: what an attack sees through them is said at each.
mod ensemble;
mod normalized;
mod quantized;

pub use ensemble::{Averaged, Ensemble, Vote};
pub use normalized::Normalized;
pub use quantized::Quantized;

#[cfg(test)]
pub(crate) mod test {
    //! A linear classifier of two features, whose values and gradients are known on paper.
    use burn::prelude::*;
    use duress_core::{Aim, Classifier, Domain, Loss};

    #[derive(Clone, Debug)]
    pub(crate) struct Linear {
        weights: Tensor<2>,
        domain: Domain,
    }

    impl Linear {
        /// `logits = rows · weights`.
        pub(crate) fn new(weights: [[f32; 2]; 2]) -> Self {
            Self::of(Tensor::from_data(weights, &Device::flex()))
        }

        /// The same with three classes.
        pub(crate) fn wide(weights: [[f32; 3]; 2]) -> Self {
            Self::of(Tensor::from_data(weights, &Device::flex()))
        }

        fn of(weights: Tensor<2>) -> Self {
            Self { weights, domain: Domain::image(1, 1, 2).unwrap() }
        }
    }

    impl Classifier for Linear {
        fn domain(&self) -> &Domain {
            &self.domain
        }

        fn classes(&self) -> usize {
            self.weights.dims()[1]
        }

        fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
            rows.matmul(self.weights.clone())
        }
    }

    /// The first logit.
    #[derive(Debug)]
    pub(crate) struct First;

    impl Loss for First {
        fn name(&self) -> &'static str {
            "first"
        }

        fn per_sample(&self, logits: Tensor<2>, _: &Aim) -> Tensor<1> {
            logits.narrow(1, 0, 1).squeeze_dim(1)
        }
    }
}
