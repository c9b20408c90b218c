//! One door for the files of a user: npz and npy arrays, folders of pictures, CSV tables, IDX and
//! CIFAR files.
//!
//! [`open()`] tells the format by what the path is; [`Options`] say what the files do not.
//! [`Opened::notes`] is what was guessed, for a person to read.
//!
//! ```no_run
//! use duress_datasets::open::{Options, open};
//!
//! let opened = open("my data/test.npz".as_ref(), &Options::default())?;
//! for note in &opened.notes {
//!     println!("{note}"); // inputs from `x_test`, labels from `y_test`: ...
//! }
//! # Ok::<(), duress_datasets::Error>(())
//! ```
//!
//! | Path | Read as |
//! | --- | --- |
//! | a zip of arrays | npz; the arrays by their names (`x`/`y`, `images`/`labels`, `test_images`, ...) or `keys` |
//! | an npy file | inputs; labels from `labels` or the file of the matching name (`x.npy`, `y.npy`) |
//! | a folder with `inputs.npy` and `labels.npy` | the same |
//! | an IDX file, or a folder with some | images; labels from `labels` or the file of the matching name |
//! | `*.bin` of CIFAR records, or a folder with some | pictures `[3, 32, 32]`, `more` files after the first |
//! | `*.csv`, `*.tsv`, `*.txt`, `*.data` | a table, by a schema or by its first line |
//! | any other folder | pictures, by class folders, a list in `labels`, or `label_pattern` |
//!
//! All but folders of pictures may be gzip streams. Values come out finite and in the box of the
//! domain, planes first; every sample has a label.
mod arrays;
mod colour;
mod detect;
mod labels;
mod options;
mod pairs;
mod pattern;
mod pictures;
mod raw;
mod records;
mod resize;
mod space;
mod table;
mod together;

use std::path::Path;

pub use options::{Classes, Format, Kind, Options, Units};
pub use together::together;

use crate::{Dataset, Result, cifar};

/// A user's data and what was guessed of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Opened {
    /// The samples, named after the file.
    pub dataset: Dataset,
    /// What was guessed, and which option chooses otherwise: one sentence each.
    pub notes: Vec<String>,
}

/// Reads a user's file or folder.
///
/// # Errors
/// [`crate::Error::Parameter`] for options out of range or without meaning for the format;
/// [`crate::Error::UnknownFormat`]; [`crate::Error::NoLabels`] names what there is instead;
/// [`crate::Error::OutsideBox`] for values that do not fit their box, with what they look like;
/// [`crate::Error::LabelNumber`] and [`crate::Error::Label`] for labels that are no class; the
/// errors of the readers.
pub fn open(path: &Path, options: &Options) -> Result<Opened> {
    options.check()?;
    let format = detect::detect(path, options)?;
    options.check_for(format)?;
    let mut notes = Vec::new();
    let classes = options.classes.as_ref();
    let classes = classes.map(|classes| labels::class_names(path, classes)).transpose()?;
    let raw = match format {
        Format::Npz => arrays::npz(path, options, &mut notes)?,
        Format::Npy => arrays::npy(path, options, &mut notes)?,
        Format::ImageFolder => pictures::folder(path, options, &mut notes)?,
        Format::Csv => table::csv(path, options, &mut notes)?,
        Format::Idx => records::idx(path, options, &mut notes)?,
        Format::Cifar10 => records::cifar(path, cifar::Labels::Single, options, &mut notes)?,
        Format::Cifar100 => {
            records::cifar(path, cifar::Labels::CoarseAndFine, options, &mut notes)?
        }
    };
    let dataset = raw.finish(&name(path, options), options, classes.as_deref(), &mut notes)?;
    Ok(Opened { dataset, notes })
}

/// The name of the file, and the part if one was given.
fn name(path: &Path, options: &Options) -> String {
    let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name =
        path.file_name().or(full.file_name()).map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_else(|| path.display().to_string());
    match &options.part {
        Some(part) => format!("{name}/{part}"),
        None => name,
    }
}
