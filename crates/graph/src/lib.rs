//! Networks as graphs of typed operations.
//!
//! A [`Graph`] is a list of operations on one sample, with all shapes known. It comes from an ONNX
//! file ([`onnx::read`]) or from a burn module ([`Graph::capture`]), and goes into an ONNX file
//! ([`onnx::write()`]). It runs in f64 on the host ([`Graph::evaluate`]: slow, exact, the
//! yardstick) and on any device as a burn module ([`Network`]), which is differentiated, attacked
//! and fine-tuned as any other. [`Onnx`] is a network of a file as a classifier of raw rows.
#![expect(clippy::float_cmp, reason = "what is compared is exact: 0, 1, integers held as floats")]

mod array;
mod capture;
mod classifier;
mod error;
mod graph;
mod interpolation;
mod lift;
mod network;
pub mod onnx;
mod op;
mod preparation;
mod reference;
mod scores;
mod shape;
mod simplify;

pub use array::{Array, MOST_VALUES, broadcast, product, strides};
pub use classifier::Onnx;
pub use error::{Error, Result, Unsupported};
pub use graph::{Builder, Graph, Node, Operand};
pub use network::{Network, max_pool2d};
pub use op::{Binary, Convolution, Op, Reduction, TransposedConvolution, Unary, Window};
pub use preparation::{Order, Preparation};
pub use reference::unary;
pub use scores::Ending;
