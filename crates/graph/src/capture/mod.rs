//! Graphs of burn modules: a forward pass is recorded, not run, and its operations are translated.
//!
//! The pass is recorded with a batch of 1 and with a batch of 3, of different rows; both must give
//! the same graph, so that neither the batch nor a value read from the input is part of it.
mod activation;
mod base;
mod choice;
mod constants;
mod float;
mod layers;
mod numeric;
mod pooling;
mod recording;
mod translation;

use burn::module::Module;
use burn::prelude::*;
use duress_core::{Domain, Input, Layout};

use crate::{Error, Graph, Node, Result, simplify};
use recording::record;
use translation::translate;

/// What the input is called.
const INPUT: &str = "input";

impl Graph {
    /// The graph of what `forward` computes with `module`, in evaluation mode, of raw rows of
    /// `domain`: `[N, F]`, in the shape `I` that the forward pass takes.
    ///
    /// Its input is a sample in the shape of the domain's layout, its output has the shape `[K]`.
    /// Weights are kept exactly, but not the type of floats that the module computes in: a graph
    /// is evaluated in 64 bits and runs in 32. A batch normalisation and a bias are part of the
    /// layer before them.
    ///
    /// # Errors
    /// [`Error::Unsupported`] with all operations that cannot be translated; [`Error::Mixes`] for
    /// a forward pass whose result for a sample depends on the others or on the size of the batch;
    /// [`Error::ConstantOutput`]; [`Error::Recording`].
    ///
    /// # Panics
    /// Where the forward pass does: above all if it reads the values of tensors, because none are
    /// computed while it is recorded.
    pub fn capture<M, I, F>(module: &M, domain: &Domain, forward: F) -> Result<Self>
    where
        M: Module,
        I: Input,
        F: Fn(&M, I) -> Tensor<2>,
    {
        Self::record(domain, |device, rows| {
            // A copy: running statistics are shared between the clones of a module, and what is on
            // a recording device does not come back.
            let module = module.valid().to_device(device);
            forward(&module, I::from_rows(rows, domain))
        })
    }

    /// The graph of what `forward` computes of raw rows `[N, F]` of `domain`. It is called twice,
    /// with a recording device, to which it has to move a copy of its weights, and with rows there:
    /// for a classifier, `|device, rows| classifier.to_device(device).forward(rows)`.
    ///
    /// Batch normalisations share their running statistics between clones: move
    /// [`Module::valid`] of a module, which has its own.
    ///
    /// # Errors
    /// As [`Graph::capture`].
    ///
    /// # Panics
    /// As [`Graph::capture`].
    pub fn record(
        domain: &Domain,
        forward: impl Fn(&Device, Tensor<2>) -> Tensor<2>,
    ) -> Result<Self> {
        let shape = match domain.layout() {
            Layout::Image { channels, height, width } => vec![channels, height, width],
            Layout::Waveform { channels, samples } => vec![channels, samples],
            Layout::Table { features } => vec![features],
        };
        let at = |batch: usize| translate(&record(batch, domain, &forward)?, &shape, batch);
        let single = at(1)?;
        let several = at(3).map_err(|error| match error {
            Error::Unsupported { nodes } => {
                Error::Mixes(nodes.first().map(ToString::to_string).unwrap_or_default())
            }
            other => other,
        })?;
        if !alike(&single, &several) {
            let reason = "what it computes of a sample depends on the batch it is in";
            return Err(Error::Mixes(reason.into()));
        }
        simplify::simplify(single)
    }
}

/// Whether two graphs compute the same; names, which count the recorded operations, may differ.
fn alike(one: &Graph, other: &Graph) -> bool {
    let same =
        |(a, b): (&Node, &Node)| a.op == b.op && a.operands == b.operands && a.shape == b.shape;
    one.nodes().len() == other.nodes().len()
        && one.nodes().iter().zip(other.nodes()).all(same)
        && one.constants() == other.constants()
        && one.output() == other.output()
}
