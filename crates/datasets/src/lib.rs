//! Data sets for adversarial robustness: from bytes to labelled rows in raw units.
//!
//! - [`Dataset`]: rows, labels, class names, a [domain](duress_core::Domain) and a digest.
//! - [`embedded`]: handwritten digits and breast cancer, compiled in.
//! - Readers of [`idx`], [`cifar`], [`npy`], [`npz`], [`csv_table`] and [`image_folder`]. They
//!   take bytes as an [`Input`] and trust none of them: a malformed file is an [`Error`] that
//!   names the place, what was expected and what came, and a header's claim takes no memory.
//! - [`open`](mod@open): the files of a user, whatever of these they are, told by their path.
//! - [`registry`]: known data sets by name. [`Manifest`] and [`Fetch`] get their files.
//! - [`split`] and [`scale`]: stratified parts; columns in comparable units.
//!
//! ```
//! let digits = duress_datasets::embedded::digits()?;
//! assert_eq!((digits.len(), digits.features()), (1797, 64));
//! # Ok::<(), duress_datasets::Error>(())
//! ```
pub mod cifar;
pub mod csv_table;
mod dataset;
pub mod embedded;
mod error;
pub mod fetch;
pub mod idx;
pub mod image_folder;
mod input;
pub mod manifest;
pub mod npy;
pub mod npz;
pub mod open;
pub mod registry;
pub mod scale;
pub mod split;

pub use dataset::{Batch, Dataset};
pub use error::{Error, Result};
pub use fetch::Fetch;
pub use input::{DEFAULT_LIMIT, Input};
pub use manifest::Manifest;
pub use registry::{DATASETS, Entry, Folders, Part, find, load};
