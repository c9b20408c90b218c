//! `duress export`: a trained model as an ONNX file.
use duress_evaluation::core::device;
use duress_evaluation::models::Model;
use duress_evaluation::{Error, graph::onnx};

use super::{BadInput, Result};
use crate::arguments::Export;
use crate::output;

pub(super) fn export(arguments: &Export) -> Result<()> {
    let Export { model, out } = arguments;
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty());
    if out.is_dir() || parent.is_some_and(|parent| !parent.is_dir()) {
        let reason = format!("{}: give a file in a folder that exists", out.display());
        return Err(BadInput(reason).into());
    }
    if out.extension().is_none_or(|kind| kind != "onnx") {
        let reason = format!("--out {}: give a name that ends in .onnx", out.display());
        return Err(BadInput(reason).into());
    }
    let device = device::open("flex").map_err(Error::from)?;
    let model = Model::load(model, &device).map_err(Error::from)?;
    model.export_onnx(out).map_err(Error::from)?;
    // What cannot be read again is no export.
    let written = onnx::read(out, &onnx::Options::default())?;
    let (from, to) = (written.graph.input_shape(), written.graph.output_shape());
    output::line(&format!("network  {from:?} to {to:?}  {}", out.display()))
}
