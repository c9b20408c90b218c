//! Proofs of a model's predictions: what is known of its operations.
use std::ops::Range;
use std::path::PathBuf;

use burn::prelude::*;
use duress_certification::Prover;
use duress_certification::bounds;
use duress_certification::proof::{Subject, certify, prediction};
use duress_core::{Classifier, Domain, host};
use duress_graph::Graph;
use duress_metrics::Distance;
use rayon::prelude::*;

use super::certify::{Found, Refuted};
use super::contradiction::length;
use super::{Built, Runner};
use crate::{Error, Result};

/// A model whose operations are known.
pub(super) struct Network<'a> {
    graph: &'a Graph,
    bounded: bounds::Network,
    classifier: &'a dyn Classifier,
    /// The box of all perturbations, if there is one.
    domain: Option<Domain>,
}

impl Runner<'_> {
    /// The network of a model.
    pub(super) fn network<'a>(&self, model: &'a Built) -> Result<Network<'a>> {
        let classifier = model.classifier("a certifier")?.as_ref();
        let graph = model.graph.as_ref().ok_or_else(|| Error::Experiment {
            path: PathBuf::from(&model.name),
            reason: "a proof needs a network that was trained here or read from a file".into(),
        })?;
        let bounded = bounds::Network::new(graph)?;
        Ok(Network { graph, bounded, classifier, domain: self.limits() })
    }

    /// What `prover` shows of the test samples of a range.
    pub(super) fn prove(
        &self,
        network: &Network<'_>,
        prover: &dyn Prover,
        radii: &[f64],
        samples: Range<usize>,
    ) -> Result<Vec<Found>> {
        let Network { graph, bounded, classifier, domain } = network;
        let (test, passes) = (&self.data.test, self.context.passes);
        let device = passes.device();
        let forward = |row: &[f32]| -> bounds::Result<Vec<f64>> {
            let row = TensorData::new(row.to_vec(), [1, row.len()]);
            let rows = Tensor::from_data(row, device);
            let logits = host::floats(passes.logits(*classifier, rows)?)?;
            Ok(logits.into_iter().map(f64::from).collect())
        };
        let subject = Subject {
            graph,
            network: bounded,
            forward: &forward,
            domain: domain.as_ref(),
            device,
            together: samples.len().min(rayon::current_num_threads()).max(1),
        };
        let one = |index: usize| -> Result<Found> {
            let row = test.row(index);
            let found = certify(prover, &subject, row, radii, self.context.observer)?;
            let certificate = found.certificate;
            let mut refuted = None;
            if let Some((_, point)) = found.refuted {
                let prediction = prediction(&forward(&point)?);
                // A tie refutes the proof, but the network still answers as before.
                if certificate.prediction != Some(prediction) {
                    let distance = length(&Distance::between(row, &point)?, prover.norm());
                    refuted = Some(Refuted { distance, prediction });
                }
            }
            Ok(Found { certificate, refuted })
        };
        if prover.is_parallel() {
            return samples.map(one).collect();
        }
        samples.into_par_iter().map(one).collect()
    }
}
