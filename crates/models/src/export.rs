//! Models as graphs, and as files for other runtimes.
use std::path::Path;

use burn::prelude::*;
use duress_graph::{Graph, onnx};

use crate::{Model, Network, Result};

impl Model {
    /// What the model computes of a raw sample, its normalisation included: from the shape of the
    /// domain's layout (`[C, H, W]`, `[C, samples]` or `[F]`) to the logits `[K]`.
    ///
    /// Batch normalisations become part of the convolutions before them where there are any.
    ///
    /// # Errors
    /// [`crate::Error::Graph`]; none for the architectures of this crate.
    pub fn graph(&self) -> Result<Graph> {
        let forward = |network: &Network, rows: Tensor<2>| network.forward(rows);
        Ok(Graph::capture(self.network(), &self.card().domain, forward)?)
    }

    /// Writes the model as an ONNX file: raw samples `input` `[N, ..]`, logits `output` `[N, K]`.
    /// The file appears whole or not at all. It holds no card: [`Model::save`] does.
    ///
    /// # Errors
    /// [`crate::Error::Graph`] if the file cannot be written, or a weight is not finite.
    pub fn export_onnx(&self, path: impl AsRef<Path>) -> Result<()> {
        Ok(onnx::write(&self.graph()?, path.as_ref())?)
    }
}
