//! Properties of networks of files: VNN-LIB on ONNX.
use std::path::Path;

use burn::prelude::*;
use duress_certification::verify::{Options, Outcome, verify as check};
use duress_certification::{bounds, vnnlib::Property};
use duress_core::host;
use duress_graph::{Network, onnx};

use crate::{Error, Result};

/// Checks the property of the VNN-LIB file `property` on the network of the ONNX file `model`.
///
/// A counterexample is one of the network as `device` runs it in f32.
///
/// # Errors
/// Files that cannot be read, do not fit together or hold what cannot be bounded.
pub fn verify(
    model: &Path,
    property: &Path,
    options: &Options,
    device: &Device,
) -> Result<Outcome> {
    let imported = onnx::read(model, &onnx::Options::default()).map_err(Error::network(model))?;
    let property = Property::read(property).map_err(Error::property(property))?;
    let device = device.clone().inner();
    let network = Network::new(imported.graph.clone(), &device).map_err(Error::network(model))?;
    let forward = |inputs: &[f32]| -> bounds::Result<Vec<f64>> {
        let row = TensorData::new(inputs.to_vec(), [1, inputs.len()]);
        let outputs = host::floats(network.forward(Tensor::from_data(row, &device)))?;
        Ok(outputs.into_iter().map(f64::from).collect())
    };
    Ok(check(&imported.graph, &property, &forward, &device, options)?)
}
