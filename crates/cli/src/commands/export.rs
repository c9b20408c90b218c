//! `duress export`: a trained model as an ONNX file.
use duress_evaluation::core::device;
use duress_evaluation::models::Model;
use duress_evaluation::{Error, graph::onnx};

use super::{Result, file_to_write};
use crate::arguments::Export;
use crate::output;

pub(super) fn export(arguments: &Export) -> Result<()> {
    let Export { model, out } = arguments;
    file_to_write(out, Some("onnx"))?;
    let device = device::open("flex").map_err(Error::from)?;
    let model = Model::load(model, &device).map_err(Error::from)?;
    model.export_onnx(out).map_err(Error::from)?;
    // What cannot be read again is no export.
    let written = onnx::read(out, &onnx::Options::default())?;
    let (from, to) = (written.graph.input_shape(), written.graph.output_shape());
    output::line(&format!("network  {from:?} to {to:?}  {}", out.display()))
}
