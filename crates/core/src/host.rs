//! The one place where values leave the device, so that the reads can be counted.
//!
//! A read stops a GPU's queue. Attacks must not read inside a step; [`reads`] lets a test prove it.
use std::sync::atomic::{AtomicU64, Ordering};

use burn::prelude::*;

use crate::{Error, Result};

static READS: AtomicU64 = AtomicU64::new(0);

/// Reads from any device by this process so far.
#[must_use]
pub fn reads() -> u64 {
    READS.load(Ordering::Relaxed)
}

/// The values of a float tensor in row-major order.
///
/// # Errors
/// [`Error::Device`] if the device failed.
pub fn floats<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    READS.fetch_add(1, Ordering::Relaxed);
    tensor.inner().try_into_vec_as().map_err(device)
}

/// The values of an integer tensor in row-major order.
///
/// # Errors
/// [`Error::Device`] if the device failed.
pub fn integers<const D: usize>(tensor: Tensor<D, Int>) -> Result<Vec<i64>> {
    READS.fetch_add(1, Ordering::Relaxed);
    tensor.try_into_vec_as().map_err(device)
}

/// The values of a boolean tensor in row-major order.
///
/// # Errors
/// [`Error::Device`] if the device failed.
pub fn booleans<const D: usize>(tensor: Tensor<D, Bool>) -> Result<Vec<bool>> {
    Ok(integers(tensor.int())?.into_iter().map(|value| value != 0).collect())
}

/// Class labels of an integer tensor.
///
/// # Errors
/// [`Error::Device`] if the device failed.
pub fn labels(tensor: Tensor<1, Int>) -> Result<Vec<usize>> {
    Ok(integers(tensor)?.into_iter().map(|value| value as usize).collect())
}

/// The values of a tensor in a CPU's memory, without a copy where nobody else holds it. No device
/// waits for it: it does not count as a read.
///
/// # Panics
/// If the tensor is on another device (see [`crate::device::is_cpu`]).
#[must_use]
pub fn of_cpu(tensor: Tensor<2>) -> Vec<f32> {
    tensor.try_into_vec_as().expect("a CPU reads its own memory")
}

fn device(error: impl std::fmt::Display) -> Error {
    Error::Device(error.to_string())
}
