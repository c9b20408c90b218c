//! VNN-LIB 1.0, the format of the neural network verification competition (VNN-COMP).
//!
//! - [`Property`] is what a `.vnnlib` file says: boxes of inputs, and for each the outputs that must
//!   not occur there.
//! - [`Counterexample`] is written as the competition wants it.
//! - [`read_instances`] reads the `instances.csv` of a benchmark, [`KnownVerdicts`] what others said of it.
//!
//! Demarchi, Guidotti, Pulina, Tacchella. *Supporting Standardization of Neural Networks Verification
//! with VNNLIB and `CoCoNet`.* `FoMLAS` 2023. <https://www.vnnlib.org>
//!
//! Read are the declarations of `X_i` and `Y_j` as `Real` and assertions of `<=`, `>=`, `<`, `>`, `=`,
//! `and` and `or` over linear terms (`+`, `-`, `*`, `/`). An input may only be compared with a
//! number; what joins inputs and outputs in one comparison is refused, as is everything else that is
//! not known. Numbers, and arithmetic on them, are f64 rounded to nearest.
mod counterexample;
mod error;
mod formula;
mod instances;
mod normal_form;
mod property;
mod syntax;
mod verdicts;

pub use counterexample::Counterexample;
pub use error::VnnlibError;
pub use instances::{Instance, read_instances};
pub use property::{Conjunction, LinearConstraint, Property, Region};
pub use verdicts::KnownVerdicts;
