//! Tables in CSV files, described by a [`Schema`] in TOML.
//!
//! ```toml
//! name = "adult"
//! missing = "?"               # how a missing value is written
//! on_missing = "drop_row"     # or "error" (the default) or "fill"
//!
//! [[column]]
//! name = "age"
//! kind = "number"
//!
//! [[column]]
//! name = "workclass"
//! kind = "category"           # one-hot, in the order of `values`
//! immutable = true            # no adversary may change it
//!
//! [[column]]
//! name = "income"
//! kind = "label"
//!
//! [[class]]                   # label 0
//! name = "<=50K"
//! codes = ["<=50K", "<=50K."] # how the file writes it; its name if left out
//!
//! [[class]]                   # label 1
//! name = ">50K"
//! codes = [">50K", ">50K."]
//! ```
//!
//! Parts that belong together (train and test) must share categories, ranges and fills: fit the
//! schema on the training part with [`fit`] and read each part with the result.
mod encode;
mod read;
mod schema;

pub use encode::{dataset, fit};
pub use schema::{Class, Column, Fill, Kind, OnMissing, Schema};

#[cfg(test)]
mod tests;
