//! NPZ, a zip of `NumPy` arrays: images or table rows and their labels.
mod write;

use std::io::Cursor;

use duress_core::Domain;
use npyz::npz::NpzArchive;
use serde::{Deserialize, Serialize};

pub use write::encode;

use crate::{Dataset, Error, Input, Result, dataset::numbered, npy};

/// Where the colour channels stand in an array of images with four axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arrangement {
    /// `[N, C, H, W]`, planes.
    #[serde(alias = "NCHW", alias = "nchw")]
    ChannelsFirst,
    /// `[N, H, W, C]`, pixels.
    #[serde(alias = "NHWC", alias = "nhwc")]
    ChannelsLast,
}

/// Unit of the pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Units {
    /// Integers are bytes, floats are on the unit interval.
    #[default]
    ByType,
    /// 0 to 255: divided by 255.
    Bytes,
    /// 0 to 1: taken as they are.
    Unit,
}

/// What cannot always be told from the arrays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Name of the array of inputs and of the array of labels. If `None`: of `x`/`y`, `X`/`y`,
    /// `images`/`labels`, `data`/`target` and `data`/`labels`, the one pair that is there.
    pub keys: Option<(String, String)>,
    /// Part of the set, such as `train`: the guessed names are `x_train`/`y_train`,
    /// `X_train`/`y_train`, `train_images`/`train_labels`, `train_x`/`train_y` and
    /// `train_data`/`train_labels`.
    pub part: Option<String>,
    /// Order of the axes of colour images. If `None`: the one of the second and the last axis
    /// that has size 1, 3 or 4, if it is just one.
    pub arrangement: Option<Arrangement>,
    /// Unit of the pixels.
    pub units: Units,
    /// Names of the classes. If `None`: `0` to the largest label, which must then be below
    /// 65,536.
    pub classes: Option<Vec<String>>,
}

/// Reads a data set from an archive; see [`from_arrays`] for the accepted shapes.
///
/// # Errors
/// [`Error::Format`] for a damaged archive and for names that are missing or that leave more than
/// one choice (the names there are stand in the error); as [`npy::read`] and [`from_arrays`].
pub fn dataset(name: &str, input: Input<'_>, options: &Options) -> Result<Dataset> {
    let mut archive = Archive::open(input)?;
    let (inputs, labels) = pick(archive.file(), archive.names(), options)?;
    let (inputs, labels) = (archive.array(&inputs)?, archive.array(&labels)?);
    from_arrays(name, &inputs, &labels, options)
}

/// An archive whose arrays are read one by one.
pub(crate) struct Archive {
    file: String,
    limit: u64,
    names: Vec<String>,
    zip: NpzArchive<Cursor<Vec<u8>>>,
}

impl Archive {
    pub(crate) fn open(mut input: Input<'_>) -> Result<Self> {
        let (file, limit) = (input.name().to_owned(), input.limit());
        let zip = NpzArchive::new(Cursor::new(input.rest()?)).map_err(|error| {
            Error::format(&file, "archive", "a zip of arrays", error.to_string())
        })?;
        let mut names: Vec<String> = zip.array_names().map(str::to_owned).collect();
        names.sort_unstable();
        Ok(Self { file, limit, names, zip })
    }

    /// What errors call the archive.
    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// The arrays there are, in byte order.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    pub(crate) fn array(&mut self, key: &str) -> Result<npy::Array> {
        let member = npyz::npz::file_name_from_array_name(key);
        let entry = self.zip.zip_archive().by_name(&member).map_err(|error| {
            let expected = format!("a readable array `{key}` among {}", self.names.join(", "));
            Error::format(&self.file, "archive", expected, error.to_string())
        })?;
        npy::read(Input::new(format!("{}: {member}", self.file), entry)?.with_limit(self.limit))
    }
}

/// Puts inputs and labels together.
///
/// Inputs `[N, F]` are table rows in their own units, with the smallest box that holds them;
/// `[N, H, W]` are grey images, `[N, H, W, C]` and `[N, C, H, W]` colour images, in `[0, 1]`.
/// Labels are whole numbers `[N]` or `[N, 1]`. Rows and planes come out row-major, planes first.
///
/// # Errors
/// [`Error::Format`] for other shapes, an ambiguous axis or pixels outside the unit;
/// [`Error::Label`], [`Error::NotFinite`], [`Error::Empty`].
pub fn from_arrays(
    name: &str,
    inputs: &npy::Array,
    labels: &npy::Array,
    options: &Options,
) -> Result<Dataset> {
    let (file, shape) = (inputs.file(), inputs.shape());
    if shape.contains(&0) {
        return Err(Error::Empty { file: file.into() });
    }
    let arranged = match *shape {
        [_, _] | [_, _, _] => Arrangement::ChannelsFirst,
        [_, first, _, last] => arrangement(file, first, last, options.arrangement)?,
        _ => {
            let expected = "2 axes (rows), 3 (grey images) or 4 (colour images)";
            return Err(Error::format(file, "shape", expected, format!("{shape:?}")));
        }
    };
    let (labels, classes) = label_list(labels, shape[0], options.classes.as_deref())?;
    let values = inputs.floats();
    let features = values.len() / shape[0];
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        return Err(Error::NotFinite {
            file: file.into(),
            record: at / features,
            feature: at % features,
            value: values[at].to_string(),
        });
    }
    let [channels, height, width] = match (shape, arranged) {
        ([_, _], _) => return Dataset::table(name, features, values, labels, classes),
        ([_, height, width], _) => [1, *height, *width],
        ([_, height, width, channels], Arrangement::ChannelsLast) => [*channels, *height, *width],
        (sizes, _) => [sizes[1], sizes[2], sizes[3]],
    };
    let mut values = on_unit_interval(inputs, values, options.units)?;
    if arranged == Arrangement::ChannelsLast {
        let mut planes = Vec::with_capacity(values.len());
        for image in values.chunks_exact(features) {
            for channel in 0..channels {
                planes.extend(image[channel..].iter().step_by(channels));
            }
        }
        values = planes;
    }
    Dataset::new(name, Domain::image(channels, height, width)?, values, labels, classes)
}

/// The names of inputs and labels.
fn pick(file: &str, names: &[String], options: &Options) -> Result<(String, String)> {
    let has = |key: &str| names.iter().any(|name| name == key);
    let candidates: Vec<(String, String)> = match (&options.keys, &options.part) {
        (Some(keys), _) => vec![keys.clone()],
        (None, Some(part)) => vec![
            (format!("x_{part}"), format!("y_{part}")),
            (format!("X_{part}"), format!("y_{part}")),
            (format!("{part}_images"), format!("{part}_labels")),
            (format!("{part}_x"), format!("{part}_y")),
            (format!("{part}_data"), format!("{part}_labels")),
        ],
        (None, None) => {
            [("x", "y"), ("X", "y"), ("images", "labels"), ("data", "target"), ("data", "labels")]
                .map(|(inputs, labels)| (inputs.into(), labels.into()))
                .into()
        }
    };
    let shown = |pairs: &[(String, String)]| {
        let pairs: Vec<_> = pairs.iter().map(|(a, b)| format!("`{a}` with `{b}`")).collect();
        pairs.join(", ")
    };
    let there: Vec<_> = candidates.iter().filter(|(a, b)| has(a) && has(b)).cloned().collect();
    match &there[..] {
        [pair] => Ok(pair.clone()),
        [] => {
            let expected = format!("one of {}", shown(&candidates));
            Err(Error::format(file, "array names", expected, names.join(", ")))
        }
        several => {
            Err(Error::format(file, "array names", "one pair (name the keys)", shown(several)))
        }
    }
}

pub(crate) fn arrangement(
    file: &str,
    first: usize,
    last: usize,
    given: Option<Arrangement>,
) -> Result<Arrangement> {
    let channels = |size| matches!(size, 1 | 3 | 4);
    match (given, channels(first), channels(last)) {
        (Some(given), _, _) => Ok(given),
        (None, true, false) => Ok(Arrangement::ChannelsFirst),
        (None, false, true) => Ok(Arrangement::ChannelsLast),
        _ => {
            let expected = "just one of the second and the last axis with 1, 3 or 4 channels \
                            (give the arrangement)";
            Err(Error::format(file, "shape", expected, format!("[N, {first}, .., {last}]")))
        }
    }
}

fn on_unit_interval(array: &npy::Array, mut values: Vec<f32>, units: Units) -> Result<Vec<f32>> {
    let bytes = match units {
        Units::ByType => array.is_integer(),
        Units::Bytes => true,
        Units::Unit => false,
    };
    let most = if bytes { 255.0 } else { 1.0 };
    if let Some(value) = values.iter().find(|value| !(0.0..=most).contains(*value)) {
        let expected = format!("pixels in [0, {most}] (give the units)");
        return Err(Error::format(array.file(), "values", expected, value.to_string()));
    }
    if bytes {
        for value in &mut values {
            *value /= 255.0;
        }
    }
    Ok(values)
}

fn label_list(
    array: &npy::Array,
    count: usize,
    classes: Option<&[String]>,
) -> Result<(Vec<usize>, Vec<String>)> {
    let file = array.file();
    if !matches!(array.shape(), [n] | [n, 1] if *n == count) {
        let expected = format!("[{count}] or [{count}, 1], a label an input");
        return Err(Error::format(file, "shape", expected, format!("{:?}", array.shape())));
    }
    let limit = classes.map_or(GUESSED_CLASSES, <[String]>::len);
    let wrong =
        |record, label: String| Error::Label { file: file.into(), record, label, classes: limit };
    let mut labels = Vec::with_capacity(count);
    if let Some(numbers) = array.integers() {
        for (record, number) in numbers.into_iter().enumerate() {
            let label = usize::try_from(number).ok().filter(|&label| label < limit);
            labels.push(label.ok_or_else(|| wrong(record, number.to_string()))?);
        }
    } else {
        for (record, number) in array.floats().into_iter().enumerate() {
            // Exact: f32 holds every whole number below 2^24, and larger ones are no label.
            let whole = number >= 0.0 && number.fract() == 0.0 && number < 16_777_216.0;
            let label = whole.then_some(number as usize).filter(|&label| label < limit);
            labels.push(label.ok_or_else(|| wrong(record, number.to_string()))?);
        }
    }
    let largest = labels.iter().copied().max().unwrap_or(0);
    Ok((labels, classes.map_or_else(|| numbered(largest + 1), <[String]>::to_vec)))
}

/// Bound on the classes of a file that does not name them: a label is a `u16`.
const GUESSED_CLASSES: usize = 1 << 16;

#[cfg(test)]
mod tests;
