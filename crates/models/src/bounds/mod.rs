//! Bounds of a network's margins on boxes of inputs, as tensors that stay on the tape: what
//! certified training minimises.
//!
//! A [`Propagation`] makes one pass of the clean batch, which fixes what batch norms subtract and
//! divide by; from there on the network is a list of fixed operations. [`Propagation::intervals`]
//! takes an [`InputBox`] through them by centre and radius; the margins `z_y − z_j` are bounded with
//! the last linear layer merged into the difference. [`Propagation::crown_margins`] goes back from
//! the margins to the input with linear bounds, on the intervals of the way there.
//!
//! These bounds are computed in f32 and round to nearest: they train. What certifies is the bounds
//! of `duress-certification`, in f64 and on the safe side.
//!
//! Gowal et al. *On the Effectiveness of Interval Bound Propagation for Training Verifiably Robust
//! Models.* 2018. <https://arxiv.org/abs/1810.12715>
mod crown;
mod input;
mod interval;
mod max_pool;
mod operation;
mod propagation;
mod relu;

pub use input::InputBox;
pub use interval::Interval;
pub use propagation::{Intervals, Propagation};
