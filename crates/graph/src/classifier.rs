//! A graph as a classifier of raw rows.
use std::path::Path;

use burn::prelude::*;
use duress_core::{Activation, Classifier, Domain};

use crate::onnx::{Imported, Options, read};
use crate::{Ending, Error, Graph, Network, Preparation, Result};

/// A network of an ONNX file with what leads to it, seen as a [`Classifier`].
#[derive(Clone, Debug)]
pub struct Onnx {
    network: Network,
    domain: Domain,
    classes: usize,
    digest: String,
    ending: Ending,
    operators: Vec<(String, usize)>,
}

impl Onnx {
    /// The network of the file at `path`, which takes pictures in `[0, 1]`, channels first or last,
    /// or waveforms in `[−1, 1]` as they are.
    ///
    /// # Errors
    /// As [`read`]; [`Error::Interface`] for a network of table rows, whose box nobody knows: give
    /// it to [`Onnx::with_domain`].
    pub fn load(path: &Path, device: &Device) -> Result<Self> {
        let imported = read(path, &Options::default())?;
        let domain = guess(imported.graph.input_shape())?;
        Self::new(imported, domain, &Preparation::default(), device)
    }

    /// The network of the file at `path` for rows of `domain`, which `preparation` leads to it.
    ///
    /// # Errors
    /// As [`read`] and [`Preparation::before`].
    pub fn with_domain(
        path: &Path,
        domain: Domain,
        preparation: &Preparation,
        device: &Device,
    ) -> Result<Self> {
        Self::new(read(path, &Options::default())?, domain, preparation, device)
    }

    /// An imported network for rows of `domain`, which `preparation` leads to it.
    ///
    /// # Errors
    /// As [`Preparation::before`] and [`Network::new`].
    pub fn new(
        imported: Imported,
        domain: Domain,
        preparation: &Preparation,
        device: &Device,
    ) -> Result<Self> {
        let (graph, ending) = preparation.before(imported.graph, &domain)?.with_logits()?;
        let classes = graph.output_shape()[0];
        let network = Network::new(graph, &device.clone().inner())?;
        let (digest, operators) = (imported.digest, imported.operators);
        Ok(Self { network, domain, classes, digest, ending, operators })
    }

    /// What is computed of a raw row.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        self.network.graph()
    }

    /// The network on its device.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// SHA-256 of the file.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What the file's network ended in.
    #[must_use]
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// Operators of the file and how often they occur.
    #[must_use]
    pub fn operators(&self) -> &[(String, usize)] {
        &self.operators
    }
}

impl Classifier for Onnx {
    fn domain(&self) -> &Domain {
        &self.domain
    }

    fn classes(&self) -> usize {
        self.classes
    }

    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        self.network.forward(rows)
    }

    fn activations(&self, rows: Tensor<2>) -> Vec<Activation> {
        self.network.activations(rows)
    }
}

/// The rows that an input of this shape takes.
fn guess(shape: &[usize]) -> Result<Domain> {
    let domain = match *shape {
        [height, width, channels @ (1 | 3 | 4)] if !matches!(height, 1 | 3 | 4) => {
            Domain::image(channels, height, width)?
        }
        [channels, height, width] => Domain::image(channels, height, width)?,
        [channels, samples] => Domain::waveform(channels, samples)?,
        _ => {
            return Err(Error::Interface {
                what: "input",
                expected: "pictures or waveforms, whose box is known, or a domain".into(),
                got: format!("rows of shape {shape:?}"),
            });
        }
    };
    Ok(domain)
}
