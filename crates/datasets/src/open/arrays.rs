//! `NumPy` arrays: npz archives, and npy files of inputs and labels.
use std::path::{Path, PathBuf};

use duress_core::Layout;

use super::labels::Labels;
use super::raw::{Numbers, Raw};
use super::{Kind, Options, detect::beside, pairs};
use crate::npz::{Archive, Arrangement, arrangement};
use crate::{
    Error, Input, Result, image_folder,
    npy::{self, Array},
};

/// Inputs and labels of an archive.
pub(super) fn npz(path: &Path, options: &Options, notes: &mut Vec<String>) -> Result<Raw> {
    let mut archive = Archive::open(Input::open(path)?)?;
    let names = archive.names().to_vec();
    if options.unlabelled {
        let key = inputs_only(archive.file(), &names, options)?;
        notes.push(format!("inputs from `{key}`"));
        let inputs = archive.array(&key)?;
        return from_arrays(inputs, None, options, notes);
    }
    let [inputs, labels] = match &options.keys {
        Some(keys) => {
            if let Some(missing) = keys.iter().find(|key| !names.contains(key)) {
                let expected = format!("an array `{missing}` (from `keys`)");
                return Err(Error::format(
                    archive.file(),
                    "array names",
                    expected,
                    names.join(", "),
                ));
            }
            keys.clone()
        }
        None => pairs::pick(archive.file(), &names, options.part.as_deref(), notes)?,
    };
    let (inputs, labels) = (archive.array(&inputs)?, archive.array(&labels)?);
    from_arrays(inputs, Some(&labels), options, notes)
}

/// The array of inputs of an archive that need not have labels.
fn inputs_only(file: &str, names: &[String], options: &Options) -> Result<String> {
    if let Some([inputs, _]) = &options.keys {
        return Ok(inputs.clone());
    }
    if let [only] = names {
        return Ok(only.clone());
    }
    if let Ok([inputs, _]) = pairs::pick(file, names, options.part.as_deref(), &mut Vec::new()) {
        return Ok(inputs);
    }
    let expected = "one array, or `keys` with the name of the inputs";
    Err(Error::format(file, "array names", expected, names.join(", ")))
}

/// A file of inputs with one of labels, or a folder with `inputs.npy` and `labels.npy`.
pub(super) fn npy(path: &Path, options: &Options, notes: &mut Vec<String>) -> Result<Raw> {
    if options.unlabelled {
        let inputs = if path.is_dir() { path.join("inputs.npy") } else { path.to_owned() };
        return from_arrays(npy::read(Input::open(&inputs)?)?, None, options, notes);
    }
    let (inputs, labels) = if path.is_dir() {
        let labels = options.labels.as_ref();
        let labels = labels.map_or_else(|| path.join("labels.npy"), |given| beside(path, given));
        (path.join("inputs.npy"), labels)
    } else if let Some(given) = &options.labels {
        (path.to_owned(), beside(path, given))
    } else {
        let labels = pairs::sibling(path).filter(|sibling| sibling.is_file());
        let Some(labels) = labels else {
            return Err(Error::NoLabels {
                file: path.display().to_string(),
                found: format!("beside it are {}", files_beside(path)),
                advice: "give `labels`, the npy file with one label an input".into(),
            });
        };
        notes.push(format!("labels from {}: give `labels` for another file", labels.display()));
        (path.to_owned(), labels)
    };
    if !labels.exists() {
        return Err(Error::NoLabels {
            file: inputs.display().to_string(),
            found: format!("{} is not there", labels.display()),
            advice: "give `labels`, the npy file with one label an input".into(),
        });
    }
    let (inputs, labels) = (npy::read(Input::open(&inputs)?)?, npy::read(Input::open(&labels)?)?);
    from_arrays(inputs, Some(&labels), options, notes)
}

fn files_beside(path: &Path) -> String {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let files = image_folder::sorted(folder.unwrap_or(Path::new("."))).unwrap_or_default();
    let npy = |file: &PathBuf| file != path && file.extension().is_some_and(|end| end == "npy");
    let files: Vec<_> =
        files.iter().filter(|file| npy(file)).map(|file| file.display().to_string()).collect();
    if files.is_empty() { "no other npy files".into() } else { files.join(", ") }
}

fn from_arrays(
    inputs: Array,
    labels: Option<&Array>,
    options: &Options,
    notes: &mut Vec<String>,
) -> Result<Raw> {
    let (file, shape) = (inputs.file().to_owned(), inputs.shape().to_vec());
    if shape.contains(&0) {
        return Err(Error::Empty { file });
    }
    let count = shape.first().copied().unwrap_or(0);
    let (layout, last) = layout(&file, &shape, options, notes)?;
    let labels = match labels {
        Some(labels) => label_numbers(labels, count)?,
        None => Labels::Numbers(vec![0; count]),
    };
    let numbers = match inputs.is_integer() {
        true if inputs.is_byte() => Numbers::Bytes,
        true => Numbers::Integers,
        false => Numbers::Floats,
    };
    let rows = options.limit.map_or(count, |limit| limit.min(count));
    let inputs = inputs.first(rows);
    let mut values = inputs.floats();
    let features = layout.features();
    values.truncate(rows.saturating_mul(features));
    if last {
        values = planes_first(&values, features, channels(layout));
    }
    let domain = None;
    Ok(Raw { file, layout, values, numbers, labels, domain, feature_names: Vec::new(), ids: None })
}

fn channels(layout: Layout) -> usize {
    match layout {
        Layout::Image { channels, .. } | Layout::Waveform { channels, .. } => channels,
        Layout::Table { .. } => 1,
    }
}

/// `[.., C]` to `[C, ..]`, row by row.
pub(super) fn planes_first(values: &[f32], features: usize, channels: usize) -> Vec<f32> {
    let mut planes = Vec::with_capacity(values.len());
    for row in values.chunks_exact(features) {
        for channel in 0..channels {
            planes.extend(row[channel..].iter().step_by(channels));
        }
    }
    planes
}

/// The layout of a row, and whether its channels are the last axis.
fn layout(
    file: &str,
    shape: &[usize],
    options: &Options,
    notes: &mut Vec<String>,
) -> Result<(Layout, bool)> {
    let given_last = options.arrangement == Some(Arrangement::ChannelsLast);
    let wrong = |expected: &str| Error::format(file, "shape", expected, format!("{shape:?}"));
    let kind = options.kind.unwrap_or(match shape {
        [_, _] if options.shape.is_none() => Kind::Table,
        _ => Kind::Image,
    });
    let image = |channels, height, width| Layout::Image { channels, height, width };
    match (kind, shape) {
        (Kind::Table, &[_, features]) => Ok((Layout::Table { features }, false)),
        (Kind::Table, _) => Err(wrong("2 axes, [N, F], for a table")),
        (Kind::Waveform, &[_, samples]) => Ok((Layout::Waveform { channels: 1, samples }, false)),
        (Kind::Waveform, &[_, samples, channels]) if given_last => {
            Ok((Layout::Waveform { channels, samples }, true))
        }
        (Kind::Waveform, &[_, channels, samples]) => {
            Ok((Layout::Waveform { channels, samples }, false))
        }
        (Kind::Waveform, _) => Err(wrong("2 axes, [N, samples], or 3, [N, channels, samples]")),
        (Kind::Image, &[_, features]) => Ok((flat(file, features, options)?, given_last)),
        (Kind::Image, _) if options.shape.is_some() => {
            Err(wrong("2 axes, [N, F], for pictures of a given `shape`"))
        }
        (Kind::Image, &[_, height, width]) => {
            if options.arrangement.is_some() {
                notes.push("`arrangement` changes nothing: grey pictures have no channels".into());
            }
            if height <= 2 {
                notes.push(format!(
                    "the inputs are read as grey pictures of {height} x {width} pixels: give \
                     `kind = \"waveform\"` if they are sounds"
                ));
            }
            Ok((image(1, height, width), false))
        }
        (Kind::Image, &[_, first, second, last]) => {
            let chosen = arrangement(file, first, last, options.arrangement)?;
            Ok(match chosen {
                Arrangement::ChannelsFirst => (image(first, second, last), false),
                Arrangement::ChannelsLast => (image(last, first, second), true),
            })
        }
        (Kind::Image, _) => Err(wrong("2 axes (rows), 3 (grey pictures) or 4 (colour pictures)")),
    }
}

/// The layout of pictures that lie flat in rows.
pub(super) fn flat(file: &str, features: usize, options: &Options) -> Result<Layout> {
    let Some(shape) = options.shape else {
        let expected = "`shape`, [channels, height, width] of pictures that lie flat in rows";
        return Err(Error::format(file, "shape", expected, format!("[N, {features}]")));
    };
    let [channels, height, width] = shape;
    let layout = Layout::Image { channels, height, width };
    if layout.features() != features {
        let got = format!("{shape:?}");
        return Err(Error::parameter(
            "shape",
            format!("of {features} values, those of a row"),
            got,
        ));
    }
    Ok(layout)
}

/// Labels `[N]` or `[N, 1]`, whole numbers of any type.
fn label_numbers(array: &Array, count: usize) -> Result<Labels> {
    let file = array.file();
    match array.shape() {
        [n] | [n, 1] if *n == count => {}
        shape => {
            let hint = if matches!(shape, [n, _] if *n == count) {
                " (one-hot: take the arg max)"
            } else {
                ""
            };
            let expected = format!("[{count}] or [{count}, 1], a label an input{hint}");
            return Err(Error::format(file, "shape", expected, format!("{shape:?}")));
        }
    }
    if let Some(numbers) = array.integers() {
        return Ok(Labels::Numbers(numbers));
    }
    let mut numbers = Vec::with_capacity(count);
    for (record, number) in array.floats().into_iter().enumerate() {
        // Exact: f32 holds every whole number below 2^24, and larger ones are no label.
        if number.fract() != 0.0 || number.abs() >= 16_777_216.0 {
            let at = format!("record {record}");
            return Err(Error::format(file, at, "a whole number as label", number.to_string()));
        }
        numbers.push(number as i64);
    }
    Ok(Labels::Numbers(numbers))
}
