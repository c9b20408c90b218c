//! Records a forward pass: its operations, and the values of the tensors it starts from.
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use burn::backend::Capture;
use burn::prelude::*;
use burn::tensor::TensorData;
use burn_ir::{OperationIr, TensorId};
use duress_core::Domain;

use crate::{Error, Result};

/// A recorded forward pass.
pub(super) struct Recording {
    /// In the order in which they were called.
    pub(super) operations: Vec<OperationIr>,
    /// Values that were given: weights and constants.
    pub(super) values: BTreeMap<TensorId, TensorData>,
    pub(super) input: TensorId,
    pub(super) output: TensorId,
}

/// Recording devices that nobody uses: a process can make 2^16 of them, so they are used again.
static IDLE: Mutex<Vec<Device>> = Mutex::new(Vec::new());

/// Records `forward` of a batch of rows of `domain`, each with other values.
pub(super) fn record(
    batch: usize,
    domain: &Domain,
    forward: &impl Fn(&Device, Tensor<2>) -> Tensor<2>,
) -> Result<Recording> {
    let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let device = idle.unwrap_or_else(Device::capture);
    let mut ends = None;
    let captured = device.capture_scope(|scope| {
        let rows = Tensor::<2>::from_data(rows(batch, domain), &device);
        let input = id(rows.clone());
        let output = forward(&device, rows);
        let count = output.dims()[0];
        ends = id(output).map(|output| (input, output, count));
        // Without an output the recording is not used.
        scope.complete(ends.and_then(|(input, ..)| input), ends.map(|(_, output, _)| output))
    });
    let fault = |reason: String| Error::Recording(reason);
    let captured = captured.map_err(|error| fault(error.to_string()))?;
    IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(device);
    let Some((Some(input), output, count)) = ends else {
        let reason = "the result is not on the recording device: use the device that is given";
        return Err(fault(reason.into()));
    };
    if count != batch {
        return Err(Error::Mixes(format!("{count} results of a batch of {batch}")));
    }
    // What was captured under another name has its own in the boundaries.
    let first = |ids: &[TensorId], given| ids.first().copied().unwrap_or(given);
    let (input, output) =
        (first(&captured.graph.inputs, input), first(&captured.graph.outputs, output));
    Ok(Recording { operations: captured.graph.operations, values: captured.values, input, output })
}

/// The name of a tensor that is on a recording device.
fn id(tensor: Tensor<2>) -> Option<TensorId> {
    Some(tensor.try_into_primitive::<Capture>().ok()?.id())
}

/// Rows that differ from each other and from those of another batch size: a forward pass that read
/// them would not be recorded twice as the same.
fn rows(batch: usize, domain: &Domain) -> TensorData {
    let features = domain.features();
    let (lower, upper) = (domain.lower(), domain.upper());
    let values: Vec<f32> = (0..batch * features)
        .map(|at| {
            let share = ((at + batch) as f32 * 0.618_034).fract();
            let (lower, upper) = (lower.at(at % features), upper.at(at % features));
            lower + share * (upper - lower)
        })
        .collect();
    TensorData::new(values, [batch, features])
}
