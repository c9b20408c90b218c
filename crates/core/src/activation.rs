//! What the layers of a network make of rows.
use burn::prelude::*;

/// The result of one layer for each row.
#[derive(Clone, Debug)]
pub struct Activation {
    /// The layer, unique within the network.
    pub name: String,
    /// One row a sample, `[N, W]`: maps plane by plane, `W = channels · positions`.
    pub values: Tensor<2>,
    /// Planes of maps; the width `W` where the layer has no positions.
    pub channels: usize,
}

impl Activation {
    /// A layer without positions, `[N, W]`.
    #[must_use]
    pub fn flat(name: impl Into<String>, values: Tensor<2>) -> Self {
        let channels = values.dims()[1];
        Self { name: name.into(), values, channels }
    }

    /// Maps `[N, C, H, W]`.
    #[must_use]
    pub fn maps(name: impl Into<String>, maps: Tensor<4>) -> Self {
        let channels = maps.dims()[1];
        Self { name: name.into(), values: maps.flatten(1, 3), channels }
    }

    /// The last layer, which every classifier shows.
    #[must_use]
    pub fn logits(values: Tensor<2>) -> Self {
        Self::flat("logits", values)
    }

    /// The mean of each channel over its positions, `[N, channels]`.
    #[must_use]
    pub fn pooled(self) -> Tensor<2> {
        let [rows, width] = self.values.dims();
        if width == self.channels || self.channels == 0 {
            return self.values;
        }
        let positions = width / self.channels;
        self.values.reshape([rows, self.channels, positions]).mean_dim(2).squeeze_dim(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host;

    /// Two planes of two positions: (1, 3) and (5, 9).
    #[test]
    fn a_channel_is_pooled_over_its_positions_and_a_flat_layer_is_left_alone() {
        let device = Device::flex();
        let values = Tensor::<4>::from_data([[[[1.0, 3.0]], [[5.0, 9.0]]]], &device);
        let layer = Activation::maps("conv", values);
        assert_eq!((layer.channels, layer.values.dims()), (2, [1, 4]));
        assert_eq!(host::floats(layer.pooled()).unwrap(), [2.0, 7.0]);
        let flat = Activation::logits(Tensor::from_data([[4.0, 6.0, 8.0]], &device));
        assert_eq!(host::floats(flat.pooled()).unwrap(), [4.0, 6.0, 8.0]);
    }
}
