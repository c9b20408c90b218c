//! Imported networks are trained as any other.
use burn::prelude::*;

use crate::Trainable;

impl Trainable for duress_graph::Network {
    fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        duress_graph::Network::forward(self, rows)
    }
}
