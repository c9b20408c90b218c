//! A device with its passes.
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::prelude::*;
use duress_core::{Domain, GPU_BATCH, Passes, Result, Seed, Use, device, host};
use duress_models::{Architecture, Network};
use rand::RngExt;

/// One of the two things compared.
pub struct Side {
    /// How a report calls it.
    pub name: String,
    /// Where tensors are made.
    pub device: Device,
    /// How batches are computed.
    pub passes: Passes,
}

/// A device that this build was made for is not on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The device's name.
    pub name: &'static str,
    /// What it said.
    pub said: String,
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, said } = self;
        write!(
            f,
            "no parity was measured: this build is for `{name}`, which does not answer here ({said}). \
             It needs an adapter and its driver; Mesa's software driver is one \
             (Debian: mesa-vulkan-drivers)"
        )
    }
}

impl std::error::Error for Missing {}

/// Flex, padded sub-batches on all cores.
///
/// # Errors
/// [`duress_core::Error::Device`] if the worker threads cannot be started.
pub fn reference() -> Result<Side> {
    let device = Device::flex();
    Ok(Side { name: "flex".into(), passes: Passes::new(&device)?, device })
}

/// What to compare with it.
///
/// # Errors
/// [`Missing`] for the first device that cannot add one and one.
pub fn others() -> Result<Vec<Side>, Missing> {
    let names: Vec<_> = device::NAMES.iter().filter(|name| **name != "flex").collect();
    if names.is_empty() {
        let device = Device::flex();
        let passes = Passes::with_batch(&device, GPU_BATCH);
        return Ok(vec![Side { name: "flex, whole batches".into(), device, passes }]);
    }
    names.into_iter().map(|name| Side::open(name)).collect()
}

impl Side {
    fn open(name: &'static str) -> Result<Self, Missing> {
        let missing = |said: String| Missing { name, said };
        let device = device::open(name).map_err(|error| missing(error.to_string()))?;
        // burn panics where there is no adapter.
        let answer =
            catch_unwind(AssertUnwindSafe(|| host::floats(Tensor::<1>::ones([1], &device) + 1.0)));
        match answer {
            Ok(Ok(two)) if two == [2.0] => {}
            Ok(Ok(other)) => return Err(missing(format!("1 + 1 gave {other:?}"))),
            Ok(Err(error)) => return Err(missing(error.to_string())),
            Err(panic) => return Err(missing(message(panic.as_ref()))),
        }
        let passes = Passes::new(&device).map_err(|error| missing(error.to_string()))?;
        Ok(Self { name: name.into(), device, passes })
    }

    /// Values on this device.
    #[must_use]
    pub fn rows(&self, values: &[f32], features: usize) -> Tensor<2> {
        let shape = [values.len() / features, features];
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &self.device)
    }

    /// A network on this device; its weights are the same bits on each.
    ///
    /// # Errors
    /// Those of [`Architecture::init`].
    pub fn network(
        &self,
        architecture: &Architecture,
        domain: &Domain,
        classes: usize,
    ) -> duress_models::Result<Network> {
        architecture.init(domain, classes, Seed(11), &self.device)
    }
}

/// `count` rows uniform in `[low, high)`, on the host.
#[must_use]
pub fn uniform(count: usize, features: usize, (low, high): (f32, f32), seed: u64) -> Vec<f32> {
    let row = |sample: usize| {
        let mut rng = Seed(seed).stream(sample as u64, 0, 0, Use::Noise);
        (0..features).map(|_| rng.random_range(low..high)).collect::<Vec<f32>>()
    };
    (0..count).flat_map(row).collect()
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without words".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_compiled_in_is_missing_and_says_so() {
        let missing = Side::open("tpu").err().unwrap();
        assert_eq!(missing.name, "tpu");
        assert!(missing.to_string().contains("no device `tpu`"), "{missing}");
    }

    #[test]
    fn a_panic_keeps_its_words() {
        let caught = catch_unwind(|| panic!("no adapter of kind {}", 3)).unwrap_err();
        assert_eq!(message(caught.as_ref()), "no adapter of kind 3");
    }
}
