//! A region in the host's memory: what a CPU computes row by row.
use burn::prelude::*;
use rayon::prelude::*;

use crate::{device, host};

/// One row of a [`crate::Region`].
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The clean row.
    pub center: &'a [f32],
    /// Smallest allowed value of each feature.
    pub lower: &'a [f32],
    /// Largest allowed value of each feature.
    pub upper: &'a [f32],
    /// The radius of the ball.
    pub radius: f32,
}

/// A region whose device is a CPU, as f32 in the host's memory.
///
/// A batch of rows is then a vector: rows are computed each by itself, over all cores, and stop
/// where a row is done. Nothing is read back from another device.
#[derive(Debug)]
pub struct HostRegion {
    center: Vec<f32>,
    lower: Vec<f32>,
    upper: Vec<f32>,
    radius: Vec<f32>,
}

impl HostRegion {
    /// `None` on a device that is not a CPU, and where gradients are tracked.
    pub(crate) fn new(fields: [Tensor<2>; 4]) -> Option<Self> {
        let plain = |tensor: &Tensor<2>| device::is_cpu(&tensor.device()) && !tensor.is_autodiff();
        if !fields.iter().all(plain) {
            return None;
        }
        let [center, lower, upper, radius] = fields.map(host::of_cpu);
        Some(Self { center, lower, upper, radius })
    }

    /// The values of a tensor of the region's device, row after row.
    #[must_use]
    pub fn values(&self, tensor: Tensor<2>) -> Vec<f32> {
        host::of_cpu(tensor)
    }

    /// Runs `work` on each row of `rows` `[N, F]`, in place. `work` gets the number of the row, the
    /// row, its part of the region, and a scratch value that it may find used.
    ///
    /// # Panics
    /// If there is not one row for each of the region's.
    #[must_use]
    pub fn each_row<S: Default>(
        &self,
        rows: Tensor<2>,
        work: impl Fn(usize, &mut [f32], Part<'_>, &mut S) + Sync,
    ) -> Tensor<2> {
        let ([count, features], device) = (rows.dims(), rows.device());
        assert_eq!(count, self.radius.len(), "one row for each of the region's");
        let mut values = host::of_cpu(rows);
        let pieces = values.par_chunks_mut(features.max(1)).enumerate();
        pieces.for_each_init(S::default, |scratch, (index, row)| {
            let range = index * features..(index + 1) * features;
            let part = Part {
                center: &self.center[range.clone()],
                lower: &self.lower[range.clone()],
                upper: &self.upper[range],
                radius: self.radius[index],
            };
            work(index, row, part, scratch);
        });
        Tensor::from_data(TensorData::new(values, [count, features]), &device)
    }
}
