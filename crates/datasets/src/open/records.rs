//! IDX files and CIFAR records.
use std::path::{Path, PathBuf};

use duress_core::Layout;

use super::detect::{base_name, beside, is_idx_images, is_records};
use super::labels::Labels;
use super::raw::{Numbers, Raw};
use super::{Options, pairs};
use crate::{
    Error, Input, Result,
    cifar::{self, PIXELS},
    dataset::numbered,
    idx, image_folder,
};

/// Images and labels in two IDX files.
pub(super) fn idx(path: &Path, options: &Options, notes: &mut Vec<String>) -> Result<Raw> {
    let images = if path.is_dir() { images_in(path, options, notes)? } else { path.to_owned() };
    if !path.is_dir() && options.part.is_some() {
        let expected = "left out: one file is one part";
        return Err(Error::parameter("part", expected, images.display().to_string()));
    }
    let labels = match &options.labels {
        Some(given) => beside(path, given),
        None => pairs::sibling(&images).ok_or_else(|| Error::NoLabels {
            file: images.display().to_string(),
            found: "no IDX file of labels is beside it".into(),
            advice: "give `labels`, such as `t10k-labels-idx1-ubyte`".into(),
        })?,
    };
    if options.labels.is_none() {
        notes.push(format!("labels from {}: give `labels` for another file", labels.display()));
    }
    let mut image_input = Input::open(&images)?;
    let array = idx::array(&mut image_input)?;
    let [count, height, width] = array.shape[..] else {
        let expected = "3 dimensions (images, magic number 2051)";
        let got = format!("{:?}", array.shape);
        return Err(Error::format(image_input.name(), "header", expected, got));
    };
    let mut label_input = Input::open(&labels)?;
    let label_array = idx::array(&mut label_input)?;
    if label_array.shape[..] != [count] {
        let expected = format!("[{count}], a label an image (magic number 2049)");
        let got = format!("{:?}", label_array.shape);
        return Err(Error::format(label_input.name(), "header", expected, got));
    }
    let rows = options.limit.map_or(count, |limit| limit.min(count));
    let bytes = array.bytes.iter().take(rows.saturating_mul(height * width));
    Ok(Raw {
        file: image_input.name().into(),
        layout: Layout::Image { channels: 1, height, width },
        values: bytes.copied().map(f32::from).collect(),
        numbers: Numbers::Bytes,
        labels: Labels::Numbers(label_array.bytes.into_iter().map(i64::from).collect()),
        domain: None,
        feature_names: Vec::new(),
        ids: None,
    })
}

/// The one file of images of a folder, of the part if one is given, else of the test part.
fn images_in(folder: &Path, options: &Options, notes: &mut Vec<String>) -> Result<PathBuf> {
    let mut files = image_folder::sorted(folder)?;
    files.retain(|file| is_idx_images(&base_name(file)));
    let of = |part: &str| -> Vec<PathBuf> {
        let part = part.to_lowercase();
        let known = |name: &str| name.contains(&part) || (part == "test" && name.contains("t10k"));
        files.iter().filter(|file| known(&base_name(file))).cloned().collect()
    };
    let mut found = one_part(folder, &files, options, notes, of)?;
    if found.len() != 1 {
        let expected = "one file of images (give its path)";
        return Err(Error::format(folder.display().to_string(), "files", expected, shown(&found)));
    }
    Ok(found.swap_remove(0))
}

/// The files of a part; without a part those of the test part, if there are several files.
fn one_part(
    folder: &Path,
    files: &[PathBuf],
    options: &Options,
    notes: &mut Vec<String>,
    of: impl Fn(&str) -> Vec<PathBuf>,
) -> Result<Vec<PathBuf>> {
    if let Some(part) = &options.part {
        let found = of(part);
        if found.is_empty() {
            let expected = format!("a file of part `{part}`");
            return Err(Error::format(
                folder.display().to_string(),
                "files",
                expected,
                shown(files),
            ));
        }
        return Ok(found);
    }
    let test = of("test");
    if files.len() > 1 && !test.is_empty() {
        notes.push(format!("the test part, {}: give `part` for another", shown(&test)));
        return Ok(test);
    }
    Ok(files.to_vec())
}

fn shown(files: &[PathBuf]) -> String {
    if files.is_empty() {
        return "none".into();
    }
    let names: Vec<_> = files.iter().filter_map(|file| file.file_name()?.to_str()).collect();
    names.join(", ")
}

/// One or several files of CIFAR records, or a folder of them.
pub(super) fn cifar(
    path: &Path,
    format: cifar::Labels,
    options: &Options,
    notes: &mut Vec<String>,
) -> Result<Raw> {
    let mut files = if path.is_dir() {
        let mut files = image_folder::sorted(path)?;
        files.retain(|file| is_records(&base_name(file)));
        let of = |part: &str| -> Vec<PathBuf> {
            let part = part.to_lowercase();
            let batch = |name: &str| part == "train" && name.starts_with("data_batch");
            let known = |name: &str| name.contains(&part) || batch(name);
            files.iter().filter(|file| known(&base_name(file))).cloned().collect()
        };
        let found = one_part(path, &files, options, notes, of)?;
        if found.is_empty() {
            return Err(Error::Empty { file: path.display().to_string() });
        }
        found
    } else {
        if options.part.is_some() {
            let expected = "left out: one file is one part (give `more` for others)";
            return Err(Error::parameter("part", expected, path.display().to_string()));
        }
        vec![path.to_owned()]
    };
    files.extend(options.more.iter().map(|more| beside(path, more)));
    let classes = match format {
        cifar::Labels::Single => 256,
        cifar::Labels::CoarseAndFine => 100,
    };
    let inputs = files.iter().map(|file| Input::open(file)).collect::<Result<Vec<_>>>()?;
    let set = cifar::dataset("records", inputs, format, numbered(classes))?;
    let rows = options.limit.map_or(set.len(), |limit| limit.min(set.len()));
    let bytes = set.values()[..rows * PIXELS].iter().map(|value| (value * 255.0).round());
    Ok(Raw {
        file: path.display().to_string(),
        layout: Layout::Image { channels: 3, height: 32, width: 32 },
        values: bytes.collect(),
        numbers: Numbers::Bytes,
        labels: Labels::Numbers(set.labels().iter().map(|&label| label as i64).collect()),
        domain: None,
        feature_names: Vec::new(),
        ids: None,
    })
}
