//! What stands before the layers of a network while it is trained.
use std::fmt::Debug;

use burn::prelude::*;

/// Changes rows before the layers see them: an encoding, say, or noise.
///
/// A network behind a front takes rows of the front's input space, in training, under attacks that
/// training makes, and where it is watched. A [`crate::Model`] is the layers alone.
pub trait Front: Debug + Send + Sync {
    /// Rows `[N, F]` in raw units to what the layers take, `[N, E]`; on the tape if the rows are,
    /// with the gradient by which an adversary passes it.
    ///
    /// Rows are treated independently: a result depends on its row alone.
    fn pass(&self, rows: Tensor<2>) -> Tensor<2>;
}
