//! Folders of pictures: class folders, a list of labels, or labels in the file names.
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use csv::{ReaderBuilder, Trim};
use duress_core::Layout;
use image::DynamicImage;

use super::labels::{Labels, places};
use super::raw::{Numbers, Raw};
use super::{Options, detect::beside, pattern};
use crate::image_folder::{self, Colour, decode, sorted};
use crate::{DEFAULT_LIMIT, Error, Input, Result};

/// Pictures with their labels, in order.
struct Listed {
    pictures: Vec<(PathBuf, usize)>,
    names: Vec<String>,
    numeric: bool,
    /// Places in the whole list, where a limit left out some between.
    ids: Option<Vec<u64>>,
}

pub(super) fn folder(folder: &Path, options: &Options, notes: &mut Vec<String>) -> Result<Raw> {
    let file = folder.display().to_string();
    let mut listed = list(folder, options, notes)?;
    if listed.pictures.is_empty() {
        return Err(Error::Empty { file });
    }
    let labels: Vec<usize> = listed.pictures.iter().map(|&(_, label)| label).collect();
    if let Some(limit) = options.limit {
        listed.pictures.truncate(limit);
    }
    let (values, layout) = read(&file, &listed.pictures, options, notes)?;
    Ok(Raw {
        file,
        layout,
        values,
        numbers: Numbers::Bytes,
        labels: Labels::Names { indices: labels, names: listed.names, numeric: listed.numeric },
        domain: None,
        feature_names: Vec::new(),
        ids: listed.ids,
    })
}

fn list(folder: &Path, options: &Options, notes: &mut Vec<String>) -> Result<Listed> {
    if let Some(given) = &options.labels {
        return from_file(folder, &beside(folder, given), notes);
    }
    let entries = sorted(folder)?;
    if let Some(text) = &options.label_pattern {
        return from_names(folder, &entries, text, notes);
    }
    let (folders, files): (Vec<_>, Vec<_>) = entries.into_iter().partition(|path| path.is_dir());
    if folders.is_empty() {
        let default = folder.join("labels.csv");
        if default.is_file() {
            notes.push(format!("labels from {}", default.display()));
            return from_file(folder, &default, notes);
        }
        if files.is_empty() {
            return Err(Error::Empty { file: folder.display().to_string() });
        }
        return Err(Error::NoLabels {
            file: folder.display().to_string(),
            found: format!("it has {} files and no class folders", files.len()),
            advice: "give `labels`, a CSV file with the columns `file` and `label`, or \
                     `label_pattern`, such as `{label}_*`"
                .into(),
        });
    }
    if !files.is_empty() {
        let names: Vec<_> = files.iter().filter_map(|file| file.file_name()?.to_str()).collect();
        let shown = names.iter().take(3).copied().collect::<Vec<_>>().join(", ");
        notes.push(format!("{} files beside the class folders do not count: {shown}", files.len()));
    }
    of_classes(&folders, options.limit, notes)
}

/// One folder a class, in byte order of the names.
fn of_classes(
    folders: &[PathBuf],
    limit: Option<usize>,
    notes: &mut Vec<String>,
) -> Result<Listed> {
    let (mut names, mut classes) = (Vec::new(), Vec::new());
    for folder in folders {
        let name = folder.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| wrong(folder, "a class name in UTF-8", "other bytes"))?;
        names.push(name.to_owned());
        let pictures = sorted(folder)?;
        if let Some(inner) = pictures.iter().find(|path| path.is_dir()) {
            return Err(wrong(inner, "a picture", "a folder"));
        }
        classes.push(pictures);
    }
    let total: usize = classes.iter().map(Vec::len).sum();
    let mut ids = None;
    let mut counts: Vec<usize> = classes.iter().map(Vec::len).collect();
    if let Some(limit) = limit.filter(|&limit| limit < total) {
        counts = spread(&counts, limit);
        let (mut places, mut start) = (Vec::with_capacity(limit), 0);
        for (pictures, &count) in classes.iter().zip(&counts) {
            places.extend((start..start + count).map(|place| place as u64));
            start += pictures.len();
        }
        ids = Some(places);
        notes.push(format!(
            "{limit} of {total} pictures, as many from each class folder as it takes"
        ));
    }
    let mut pictures = Vec::with_capacity(counts.iter().sum());
    for (label, (files, count)) in classes.into_iter().zip(counts).enumerate() {
        pictures.extend(files.into_iter().take(count).map(|file| (file, label)));
    }
    Ok(Listed { pictures, names, numeric: false, ids })
}

/// Takes one from each in turn until there are `limit`.
fn spread(counts: &[usize], limit: usize) -> Vec<usize> {
    let mut taken = vec![0; counts.len()];
    let mut left = limit.min(counts.iter().sum());
    while left > 0 {
        for (taken, &count) in taken.iter_mut().zip(counts) {
            if left > 0 && *taken < count {
                *taken += 1;
                left -= 1;
            }
        }
    }
    taken
}

/// A CSV file with a picture and its label a line.
fn from_file(folder: &Path, list: &Path, notes: &mut Vec<String>) -> Result<Listed> {
    let mut input = Input::open(list)?.with_limit(LIST_LIMIT);
    let file = input.name().to_owned();
    let mut reader =
        ReaderBuilder::new().has_headers(false).trim(Trim::All).from_reader(&mut input);
    let (mut paths, mut texts, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    let mut columns = None;
    for record in reader.records() {
        let record = record.map_err(|error| {
            Error::format(&file, "content", "lines of a CSV file", error.to_string())
        })?;
        let line = format!("line {}", record.position().map_or(0, csv::Position::line));
        if columns.is_none() {
            let find = |known: &[&str]| record.iter().position(|cell| known.contains(&cell));
            match (
                find(&["file", "filename", "image", "path"]),
                find(&["label", "class", "target"]),
            ) {
                (Some(path), Some(label)) => {
                    columns = Some([path, label]);
                    continue;
                }
                _ if record.len() == 2 => columns = Some([0, 1]),
                _ => {
                    let got = record.iter().collect::<Vec<_>>().join(",");
                    return Err(Error::format(file, line, "the columns `file` and `label`", got));
                }
            }
        }
        let [path, label] = columns.unwrap_or([0, 1]).map(|at| record.get(at).unwrap_or_default());
        if label.is_empty() {
            return Err(Error::format(file, line, "a label", "nothing"));
        }
        let relative = Path::new(path);
        if path.is_empty()
            || !relative.components().all(|part| matches!(part, Component::Normal(_)))
        {
            let got = format!("`{path}`");
            return Err(Error::format(file, line, "a file inside the folder", got));
        }
        if !seen.insert(path.to_owned()) {
            return Err(Error::format(file, line, "each file once", format!("`{path}` again")));
        }
        paths.push(folder.join(relative));
        texts.push(label.to_owned());
    }
    if paths.is_empty() {
        return Err(Error::Empty { file });
    }
    let unlisted = sorted(folder)?.into_iter().filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        path.is_file() && path != list && !seen.contains(name)
    });
    let unlisted = unlisted.count();
    if unlisted > 0 {
        notes.push(format!("{unlisted} files of the folder are not in {file} and do not count"));
    }
    Ok(labelled(paths, &texts))
}

/// Labels in the names of the files, before the extension.
fn from_names(
    folder: &Path,
    entries: &[PathBuf],
    text: &str,
    notes: &mut Vec<String>,
) -> Result<Listed> {
    let (mut paths, mut texts) = (Vec::new(), Vec::new());
    for path in entries.iter().filter(|path| path.is_file()) {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let Some(label) = pattern::capture(text, stem) else {
            let expected = format!("a name like `{text}`, without the extension");
            return Err(Error::format(
                path.display().to_string(),
                "name",
                expected,
                format!("`{stem}`"),
            ));
        };
        paths.push(path.clone());
        texts.push(label.to_owned());
    }
    let folders = entries.iter().filter(|path| path.is_dir()).count();
    if folders > 0 {
        let file = folder.display();
        notes.push(format!(
            "{folders} folders in {file} do not count: `label_pattern` is for files"
        ));
    }
    Ok(labelled(paths, &texts))
}

fn labelled(paths: Vec<PathBuf>, texts: &[String]) -> Listed {
    let (indices, names) = places(texts);
    let pictures = paths.into_iter().zip(indices).collect();
    Listed { pictures, names, numeric: true, ids: None }
}

/// Rows in bytes, 0 to 255 (16-bit samples with fractions). One plane if all pictures are grey.
fn read(
    file: &str,
    pictures: &[(PathBuf, usize)],
    options: &Options,
    notes: &mut Vec<String>,
) -> Result<(Vec<f32>, Layout)> {
    let resize = options.resize.map(|[height, width]| (width, height));
    let reading = image_folder::Options { resize, ..image_folder::Options::default() };
    let (mut values, mut size, mut channels, mut grey) = (Vec::new(), None, 1, 0);
    for (index, (path, _)) in pictures.iter().enumerate() {
        let picture = decode(path, &reading)?;
        let found = (picture.width(), picture.height());
        let (width, height) = *size.get_or_insert(found);
        if found != (width, height) {
            let expected = format!("{width} x {height} pixels as before (or give `resize`)");
            return Err(wrong(path, &expected, &format!("{} x {}", found.0, found.1)));
        }
        let colour = if picture.color().has_color() { Colour::Rgb } else { Colour::Grey };
        if colour == Colour::Rgb && channels == 1 {
            // All before it were grey.
            let plane = width as usize * height as usize;
            values = values
                .chunks_exact(plane.max(1))
                .flat_map(|grey| [grey, grey, grey].concat())
                .collect();
            channels = 3;
            values.reserve((pictures.len() - index).min(64) * 3 * plane);
        }
        grey += usize::from(colour == Colour::Grey);
        push(&mut values, &picture, channels);
        if (values.len() as u64).saturating_mul(4) > DEFAULT_LIMIT {
            return Err(Error::TooLarge { file: file.into(), limit: DEFAULT_LIMIT });
        }
    }
    if channels == 3 && grey > 0 {
        let all = pictures.len();
        notes.push(format!("{grey} of {all} pictures are grey; their plane stands for all three"));
    }
    let (width, height) = size.unwrap_or((0, 0));
    Ok((values, Layout::Image { channels, height: height as usize, width: width as usize }))
}

/// Appends `[channels, H, W]`, 0 to 255.
fn push(values: &mut Vec<f32>, picture: &DynamicImage, channels: usize) {
    let samples = picture.color();
    let wide = samples.bytes_per_pixel() > samples.channel_count();
    let bytes = |bytes: Vec<u8>| bytes.into_iter().map(f32::from).collect();
    let words = |words: Vec<u16>| words.into_iter().map(|word| f32::from(word) / 257.0).collect();
    let pixels: Vec<f32> = match (channels, wide) {
        (1, false) => bytes(picture.to_luma8().into_raw()),
        (1, true) => words(picture.to_luma16().into_raw()),
        (_, false) => bytes(picture.to_rgb8().into_raw()),
        (_, true) => words(picture.to_rgb16().into_raw()),
    };
    for channel in 0..channels {
        values.extend(pixels.iter().skip(channel).step_by(channels));
    }
}

fn wrong(path: &Path, expected: &str, got: &str) -> Error {
    Error::format(path.display().to_string(), "content", expected, got)
}

const LIST_LIMIT: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_takes_from_each_class_in_turn() {
        assert_eq!(spread(&[5, 1, 5], 6), [3, 1, 2]);
        assert_eq!(spread(&[5, 0, 5], 2), [1, 0, 1]);
        assert_eq!(spread(&[2, 1], 9), [2, 1]);
    }
}
