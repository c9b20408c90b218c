//! A network through which bounds go, fixed by one pass of the clean batch.
use burn::prelude::*;

use super::crown::Functions;
use super::input::InputBox;
use super::interval::{Interval, Passed, before_relus, propagate};
use super::operation::{Linear, Operation, as_maps, as_rows, run, trace};
use crate::Result;
use crate::network::Layered;

/// A network with fixed batch-norm statistics.
#[derive(Clone, Debug)]
pub struct Propagation {
    operations: Vec<Operation>,
    /// The last linear layer, which margins are merged into.
    head: Linear,
    logits: Tensor<2>,
}

impl Propagation {
    /// The network after a pass of the rows `clean` `[N, F]` in raw units.
    ///
    /// On the tape ([`Tensor::autodiff`]) batch norms take the statistics of this batch, and move
    /// their running statistics once; off the tape they take the running ones. All later passes of
    /// this value use the same. Shi et al. 2021, §3.3, <https://arxiv.org/abs/2103.17268>.
    ///
    /// # Errors
    /// As [`Layered::layers`].
    pub fn new<M: Layered>(network: &M, clean: Tensor<2>) -> Result<Self> {
        let (mut operations, maps) = trace(&network.layers()?, as_maps(clean));
        let logits = as_rows(maps);
        let head = match operations.pop() {
            Some(Operation::Linear(head)) => head,
            last => {
                operations.extend(last);
                let weight = Tensor::eye(logits.dims()[1], &logits.device());
                Linear { weight, bias: None }
            }
        };
        Ok(Self { operations, head, logits })
    }

    /// The logits of the clean batch, `[N, K]`, on the tape if it was.
    #[must_use]
    pub fn logits(&self) -> Tensor<2> {
        self.logits.clone()
    }

    /// The logits of other rows `[N, F]`, with the statistics of the clean batch, `[N, K]`.
    #[must_use]
    pub fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let rows = if self.logits.is_autodiff() { rows.autodiff() } else { rows };
        self.head.forward(as_rows(run(&self.operations, as_maps(rows))))
    }

    /// Intervals of all values on the boxes `input`. Before each rectifier radii are multiplied by
    /// `shrink`: 1 for bounds that hold, less for a loss that wants them smaller.
    #[must_use]
    pub fn intervals(&self, input: &InputBox, shrink: f64) -> Intervals {
        let start = |rows: &Tensor<2>| {
            let rows = rows.clone();
            as_maps(if self.logits.is_autodiff() { rows.autodiff() } else { rows })
        };
        let start = Interval { centre: start(&input.centre), radius: start(&input.radius) };
        let (trail, features) = propagate(&self.operations, start.clone(), shrink);
        Intervals { start, trail, features }
    }

    /// Lower bounds of `z_y − z_j` by intervals, `[N, K]`, the difference merged into the last
    /// linear layer; 0 at the label. `labels` `[N]`.
    ///
    /// Gowal et al. 2018, §3 (elision of the last layer).
    ///
    /// # Panics
    /// Where the tensor library does, for intervals of other rows or a label that is no class.
    #[must_use]
    pub fn margins(&self, intervals: &Intervals, labels: Tensor<1, Int>) -> Tensor<2> {
        let (rows, constants) = self.specification(labels);
        let column = |maps: &Tensor<4>| as_rows(maps.clone()).unsqueeze_dim::<3>(2);
        let centre = rows.clone().matmul(column(&intervals.features.centre));
        let radius = rows.abs().matmul(column(&intervals.features.radius));
        (centre - radius).squeeze_dim::<2>(2) + constants
    }

    /// Lower bounds of `z_y − z_j` by linear bounds that go back to the input, on these intervals,
    /// `[N, K]`; 0 at the label. `labels` `[N]`. Memory grows with `K` times the largest layer.
    ///
    /// # Panics
    /// As [`Propagation::margins`].
    #[must_use]
    pub fn crown_margins(&self, intervals: &Intervals, labels: Tensor<1, Int>) -> Tensor<2> {
        let (rows, constants) = self.specification(labels);
        let [samples, classes, _] = rows.dims();
        let [_, channels, height, width] = intervals.features.centre.dims();
        let coefficients = rows.reshape([samples * classes, channels, height, width]);
        let functions = Functions { coefficients, constants };
        let Functions { coefficients, constants } =
            functions.back(&self.operations, &intervals.trail);
        let features = intervals.start.centre.dims()[1];
        let rows = coefficients.reshape([samples, classes, features]);
        let column = |maps: &Tensor<4>| as_rows(maps.clone()).unsqueeze_dim::<3>(2);
        let centre = rows.clone().matmul(column(&intervals.start.centre));
        let radius = rows.abs().matmul(column(&intervals.start.radius));
        (centre - radius).squeeze_dim::<2>(2) + constants
    }

    /// The intervals before each rectifier, in the order of the forward pass.
    #[must_use]
    pub fn before_relus<'a>(&'a self, intervals: &'a Intervals) -> Vec<&'a Interval> {
        let mut found = Vec::new();
        before_relus(&self.operations, &intervals.trail, &mut found);
        found
    }

    /// `Σ |w|` over the weights of linear layers and convolutions, `[1]`.
    #[must_use]
    pub fn absolute_weights(&self) -> Tensor<1> {
        let head = self.head.weight.clone().abs().sum();
        weights(&self.operations).into_iter().fold(head, |sum, weight| sum + weight)
    }

    /// Rows `W_y − W_j` of the last layer, `[N, K, F]`, and `b_y − b_j`, `[N, K]`.
    fn specification(&self, labels: Tensor<1, Int>) -> (Tensor<3>, Tensor<2>) {
        let Linear { weight, bias } = &self.head;
        let weight = weight.clone().transpose();
        let own = weight.clone().select(0, labels.clone());
        let rows = own.unsqueeze_dim::<3>(1) - weight.unsqueeze_dim::<3>(0);
        let [samples, classes, _] = rows.dims();
        let constants = match bias {
            Some(bias) => {
                let own = bias.clone().select(0, labels).unsqueeze_dim::<2>(1);
                own - bias.clone().unsqueeze_dim(0)
            }
            None => Tensor::zeros([samples, classes], &self.logits.device()),
        };
        (rows, constants)
    }
}

/// Intervals of the values of a network on boxes of inputs.
#[derive(Clone, Debug)]
pub struct Intervals {
    start: Interval,
    trail: Vec<Passed>,
    features: Interval,
}

impl Intervals {
    /// Of what enters the last linear layer.
    #[must_use]
    pub fn features(&self) -> &Interval {
        &self.features
    }
}

fn weights(operations: &[Operation]) -> Vec<Tensor<1>> {
    let of = |operation: &Operation| match operation {
        Operation::Linear(layer) => vec![layer.weight.clone().abs().sum()],
        Operation::Convolution(layer) => vec![layer.weight.clone().abs().sum()],
        Operation::Residual { body, shortcut } => [weights(body), weights(shortcut)].concat(),
        _ => Vec::new(),
    };
    operations.iter().flat_map(of).collect()
}
