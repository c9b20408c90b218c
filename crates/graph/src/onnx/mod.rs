//! Networks in ONNX files.
#[cfg(test)]
mod faults;
mod import;
mod interface;
mod proto;
mod read;
mod scan;
mod tensor;
mod write;

pub use import::operators;
pub(crate) use proto::element;
pub use read::{Imported, LARGEST_FILE, Options, decode, read};
pub use write::{encode, write};
