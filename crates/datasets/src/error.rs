//! Why bytes did not become examples: the file, the place, what was expected and what came.
use std::{io, path::PathBuf};

/// What can go wrong between a file (or a server) and a [`Dataset`](crate::Dataset).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("{file}: {source}")]
    Io {
        /// File or stream.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// A part of a file that does not follow its format.
    #[error("{file}: {at}: expected {expected}, got {got}")]
    Format {
        /// File or stream.
        file: String,
        /// Record, line, field or byte.
        at: String,
        /// What the format asks for.
        expected: String,
        /// What came.
        got: String,
    },
    /// A file that ends inside a part of it.
    #[error("{file}: {at}: the file ends too early: expected {expected} bytes, got {got}")]
    Truncated {
        /// File or stream.
        file: String,
        /// The part that is cut.
        at: String,
        /// Bytes of the whole part.
        expected: u64,
        /// Bytes there are.
        got: u64,
    },
    /// Bytes after the last record.
    #[error("{file}: bytes remain after {after}")]
    Trailing {
        /// File or stream.
        file: String,
        /// The last part of the format.
        after: String,
    },
    /// More bytes than the caller allows, counted after unpacking.
    #[error("{file}: more than the {limit} bytes allowed (raise the limit if the file is trusted)")]
    TooLarge {
        /// File or stream.
        file: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// A label that names no class.
    #[error("{file}: record {record}: label {label} is none of the {classes} classes")]
    Label {
        /// File or stream.
        file: String,
        /// Record, from 0.
        record: usize,
        /// The label as it was written.
        label: String,
        /// Number of classes.
        classes: usize,
    },
    /// A label that is a number and, after the offset, names no class.
    #[error(
        "{file}: record {record}: label {label} is not in {offset} to {}: {advice}",
        last.saturating_add(*offset)
    )]
    LabelNumber {
        /// File or stream.
        file: String,
        /// Record, from 0.
        record: usize,
        /// The label in the file.
        label: i64,
        /// The label of the first class.
        offset: i64,
        /// The largest label after the offset.
        last: i64,
        /// What would make it a class.
        advice: String,
    },
    /// Inputs without labels: robustness is measured against the right answer.
    #[error("{file}: no labels: {found}; {advice}")]
    NoLabels {
        /// File or folder of the inputs.
        file: String,
        /// What there is instead.
        found: String,
        /// How to give labels.
        advice: String,
    },
    /// A file that no reader knows.
    #[error(
        "{file}: not an npz, npy, CSV, IDX or CIFAR file (`.bin`), nor a folder of pictures; {advice}"
    )]
    UnknownFormat {
        /// The file.
        file: String,
        /// How to make it one of these.
        advice: String,
    },
    /// Values outside the box they should be in.
    #[error(
        "{file}: values from {least} to {most} (mean {mean:.3}, standard deviation {deviation:.3}) \
         are not in [{low}, {high}]: {advice}"
    )]
    OutsideBox {
        /// File or stream.
        file: String,
        /// Lower side of the box.
        low: f32,
        /// Upper side of the box.
        high: f32,
        /// Smallest value.
        least: f32,
        /// Largest value.
        most: f32,
        /// Mean of all values.
        mean: f64,
        /// Standard deviation of all values.
        deviation: f64,
        /// What they look like and how to mend it.
        advice: String,
    },
    /// A value that is NaN or infinite.
    #[error("{file}: record {record}, feature {feature}: {value} is not a finite number")]
    NotFinite {
        /// File or stream.
        file: String,
        /// Record, from 0.
        record: usize,
        /// Feature of the record, from 0.
        feature: usize,
        /// The value as it was written.
        value: String,
    },
    /// A file without records.
    #[error("{file}: no records")]
    Empty {
        /// File or stream.
        file: String,
    },
    /// A parameter outside its range.
    #[error("`{field}` must be {expected}, got {got}")]
    Parameter {
        /// Name of the parameter.
        field: &'static str,
        /// The range, in words.
        expected: String,
        /// The rejected value.
        got: String,
    },
    /// A data set that no table knows.
    #[error("no data set `{name}`; known: {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// Files of a known data set that are not there.
    #[error("{set}: no {files} in {looked}; {advice}")]
    Missing {
        /// Name of the data set.
        set: &'static str,
        /// The missing files, with the names that would do.
        files: String,
        /// Folders that were searched.
        looked: String,
        /// How to get the files.
        advice: String,
    },
    /// A file whose content is not the published one.
    #[error("{file}: SHA-256 is {got}, expected {expected}")]
    Checksum {
        /// The file.
        file: String,
        /// The checksum in the manifest.
        expected: String,
        /// The checksum of the bytes that came.
        got: String,
    },
    /// A server whose file has another size than the manifest says.
    #[error("{url}: the server sent or announced {got} bytes, the manifest says {expected}")]
    Size {
        /// The address.
        url: String,
        /// Bytes of the file according to the manifest.
        expected: u64,
        /// Bytes that the server announced or sent so far.
        got: u64,
    },
    /// A connection that broke; what came is kept and the next call continues there.
    #[error("{url}: interrupted after {got} of {expected} bytes ({cause}); run again to continue")]
    Interrupted {
        /// The address.
        url: String,
        /// Bytes held on disk.
        got: u64,
        /// Bytes of the whole file.
        expected: u64,
        /// What the network said.
        cause: String,
    },
    /// A server that answers with another status than success.
    #[error("{url}: the server answered with status {status}")]
    Status {
        /// The address.
        url: String,
        /// HTTP status code.
        status: u16,
    },
    /// No room for a download.
    #[error("{}: the disk is full; the download needs {needed} more bytes", file.display())]
    DiskFull {
        /// The file that was being written.
        file: PathBuf,
        /// Bytes that were still to come.
        needed: u64,
    },
    /// Another process is downloading the same file.
    #[error("{}: another process is downloading this file", file.display())]
    Busy {
        /// The file that is locked.
        file: PathBuf,
    },
    /// Values, labels or bounds that do not make up a data set.
    #[error(transparent)]
    Core(#[from] duress_core::Error),
}

/// Shorthand of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn format(
        file: impl Into<String>,
        at: impl Into<String>,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Self {
        Self::Format {
            file: file.into(),
            at: at.into(),
            expected: expected.into(),
            got: got.into(),
        }
    }

    pub(crate) fn parameter(
        field: &'static str,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Self {
        Self::Parameter { field, expected: expected.into(), got: got.into() }
    }
}
