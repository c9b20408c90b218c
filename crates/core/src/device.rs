//! Devices by name. The name decides, never burn's default, which depends on compiled features.
use burn::prelude::*;

use crate::{Error, Result};

/// The names of the devices in this build.
pub const NAMES: &[&str] = &[
    #[cfg(feature = "flex")]
    "flex",
    #[cfg(feature = "ndarray")]
    "ndarray",
    #[cfg(feature = "wgpu")]
    "wgpu",
    #[cfg(feature = "vulkan")]
    "vulkan",
    #[cfg(feature = "metal")]
    "metal",
    #[cfg(feature = "cuda")]
    "cuda",
];

/// The device called `name`, its first one where there are several.
///
/// # Errors
/// [`Error::UnknownDevice`] if this build does not have it.
pub fn open(name: &str) -> Result<Device> {
    match name {
        #[cfg(feature = "flex")]
        "flex" => Ok(Device::flex()),
        #[cfg(feature = "ndarray")]
        #[expect(deprecated, reason = "offered by name while burn ships it")]
        "ndarray" => Ok(Device::ndarray()),
        #[cfg(feature = "wgpu")]
        "wgpu" => Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(feature = "vulkan")]
        "vulkan" => Ok(Device::vulkan(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(feature = "metal")]
        "metal" => Ok(Device::metal(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(feature = "cuda")]
        "cuda" => Ok(Device::cuda(0)),
        _ => Err(Error::UnknownDevice { name: name.into(), known: NAMES.join(", ") }),
    }
}

/// Whether the device computes on the host's cores and in its memory.
#[must_use]
pub fn is_cpu(device: &Device) -> bool {
    let name = format!("{:?}", device.clone().inner());
    name.contains("Flex") || name.contains("NdArray")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flex_is_a_cpu_with_and_without_autodiff() {
        assert!(is_cpu(&Device::flex()));
        assert!(is_cpu(&Device::flex().autodiff()));
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = open("tpu").unwrap_err().to_string();
        assert!(error.starts_with("no device `tpu`; this build has"), "{error}");
    }
}
