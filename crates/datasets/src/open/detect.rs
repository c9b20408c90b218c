//! Which format a path has: a folder's content, a file's first bytes, its extension.
use std::path::{Path, PathBuf};

use super::{Format, Options};
use crate::{Error, Input, Result, image_folder};

/// The format of `path`, as told by the options or by the path.
pub(super) fn detect(path: &Path, options: &Options) -> Result<Format> {
    let file = || path.display().to_string();
    let meta = std::fs::metadata(path).map_err(|source| Error::Io { file: file(), source })?;
    if let Some(format) = options.format {
        let folder = matches!(format, Format::ImageFolder);
        let plain = matches!(format, Format::Npz | Format::Csv);
        if (folder && !meta.is_dir()) || (plain && meta.is_dir()) {
            let expected = if folder { "a folder" } else { "a file" };
            let got = if folder { "a file" } else { "a folder" };
            let expected = format!("{expected}, for `format = \"{}\"`", format.name());
            return Err(Error::format(file(), "path", expected, got));
        }
        return Ok(format);
    }
    if meta.is_dir() { of_folder(path) } else { of_file(path, meta.len()) }
}

fn of_folder(folder: &Path) -> Result<Format> {
    let entries = image_folder::sorted(folder)?;
    let named = |test: &dyn Fn(&str) -> bool| entries.iter().any(|entry| test(&base_name(entry)));
    if named(&|name| name == "inputs.npy") {
        return Ok(Format::Npy);
    }
    if named(&is_idx_images) {
        return Ok(Format::Idx);
    }
    if let Some(records) = entries.iter().find(|entry| is_records(&base_name(entry))) {
        let length = std::fs::metadata(records).map_or(0, |meta| meta.len());
        return of_records(records, length);
    }
    Ok(Format::ImageFolder)
}

fn of_file(path: &Path, length: u64) -> Result<Format> {
    let mut head = [0; 8];
    let read = Input::open(path)?.fill(&mut head, "first bytes")?;
    let (name, head) = (base_name(path), &head[..read]);
    let file = path.display().to_string();
    if head.is_empty() {
        return Err(Error::format(file, "content", "data", "an empty file"));
    }
    match head {
        [b'P', b'K', 3 | 5, 4 | 6, ..] if !OFFICE.iter().any(|end| name.ends_with(end)) => {
            return Ok(Format::Npz);
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => return Ok(Format::Npy),
        // Type and number of dimensions; a CIFAR file may begin with two zero bytes as well.
        [0, 0, 0x08..=0x0e, 1..=4, ..] if !is_records(&name) => return Ok(Format::Idx),
        _ => {}
    }
    if TABLES.iter().any(|end| name.ends_with(end)) {
        return Ok(Format::Csv);
    }
    if is_records(&name) {
        return of_records(path, length);
    }
    Err(Error::UnknownFormat { file, advice: advice(&name, head).into() })
}

fn of_records(path: &Path, length: u64) -> Result<Format> {
    let packed = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("gz"));
    match length {
        _ if packed => Ok(Format::Cifar10),
        length if length.is_multiple_of(3073) => Ok(Format::Cifar10),
        length if length.is_multiple_of(3074) => Ok(Format::Cifar100),
        length => {
            let expected = "CIFAR records of 3073 bytes (CIFAR-10) or 3074 (CIFAR-100)";
            let got = format!("{length} bytes");
            Err(Error::format(path.display().to_string(), "size", expected, got))
        }
    }
}

/// How to get a file of another kind into one that is read.
fn advice(name: &str, head: &[u8]) -> &'static str {
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    if ends(&[".pt", ".pth", ".pkl", ".pickle", ".mat", ".h5", ".hdf5", ".safetensors"]) {
        "write the arrays with `numpy.savez(\"data.npz\", x=inputs, y=labels)`"
    } else if ends(&[".parquet", ".feather", ".arrow", ".xlsx", ".xls", ".ods"]) {
        "write the table as CSV, numbers and one label column"
    } else if ends(&[".zip", ".tar", ".tgz", ".7z", ".rar"]) {
        "unpack the archive and give the folder"
    } else if image::guess_format(head).is_ok() || ends(&[".png", ".jpg", ".jpeg", ".bmp"]) {
        "a single picture is no data set: give a folder with one folder a class, or with `labels`"
    } else {
        "give `format` if it is one of these under another name"
    }
}

/// The file's name in lower case without `.gz`.
pub(super) fn base_name(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase());
    let name = name.unwrap_or_default();
    name.strip_suffix(".gz").map(str::to_owned).unwrap_or(name)
}

/// Whether a [`base_name`] is that of CIFAR records.
pub(super) fn is_records(name: &str) -> bool {
    name.ends_with(RECORDS)
}

/// Whether a [`base_name`] is that of IDX images.
pub(super) fn is_idx_images(name: &str) -> bool {
    name.contains("images") && (name.contains("idx3") || name.ends_with(IDX))
}

/// `given` as it stands, or beside `data` if only that is there.
pub(super) fn beside(data: &Path, given: &Path) -> PathBuf {
    let folder = if data.is_dir() { Some(data) } else { data.parent() };
    match folder.map(|folder| folder.join(given)) {
        Some(there) if !given.exists() && there.exists() => there,
        _ => given.to_owned(),
    }
}

const RECORDS: &str = ".bin";
const IDX: &str = ".idx";
const TABLES: [&str; 4] = [".csv", ".tsv", ".data", ".txt"];
const OFFICE: [&str; 3] = [".xlsx", ".ods", ".zip"];
