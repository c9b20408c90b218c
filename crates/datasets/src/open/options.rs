//! What a path alone does not say of a user's file.
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{Error, Result, npz::Arrangement};

/// How to read a file or a folder. Everything may be left out: what can be told from the files is
/// told from them, and [`Opened::notes`](super::Opened::notes) says what was guessed.
///
/// As TOML each field is a key, and an unknown key is an error. Paths are relative to the working
/// folder; a file that is not there is looked for beside the data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The format, where name and first bytes do not tell it.
    pub format: Option<Format>,
    /// What a row is. If `None`: a table for arrays `[N, F]` and CSV files, else pictures.
    pub kind: Option<Kind>,
    /// Names of the arrays of inputs and of labels in an npz archive.
    pub keys: Option<[String; 2]>,
    /// The part of an archive or folder that holds several, such as `test`.
    pub part: Option<String>,
    /// The file of labels: of an npy or IDX file of inputs, or a CSV file with the columns `file`
    /// and `label` for a folder of pictures.
    pub labels: Option<PathBuf>,
    /// How the names of pictures (without their extension) hold the label: `{label}_*`. A `*`
    /// stands for any text.
    pub label_pattern: Option<String>,
    /// The description of a CSV file ([`Schema`](crate::csv_table::Schema)). If `None`: the TOML
    /// file of the same name beside it, if there is one.
    pub schema: Option<PathBuf>,
    /// Name of the label column of a CSV file that has a header and no schema.
    pub label_column: Option<String>,
    /// Further files of CIFAR records, read after the first.
    pub more: Vec<PathBuf>,
    /// Order of the axes of colour pictures, or of waveforms of three axes.
    pub arrangement: Option<Arrangement>,
    /// `[channels, height, width]` of pictures that lie flat in rows `[N, F]`.
    pub shape: Option<[usize; 3]>,
    /// Unit of the numbers.
    pub units: Option<Units>,
    /// The box `[low, high]` of each value. Without `units`, the values are then taken as they are
    /// in the file. If `None`: `[0, 1]` for pictures, `[-1, 1]` for waveforms that lie in it, else
    /// the smallest box that holds the data.
    pub bounds: Option<[f32; 2]>,
    /// Names of the classes in the order of their labels: a list, or a file with one a line.
    pub classes: Option<Classes>,
    /// Subtracted from labels that are numbers: 1 for labels that begin at 1.
    pub label_offset: i64,
    /// Read only so many samples from the start. Of class folders, as many from each as it takes.
    pub limit: Option<usize>,
    /// Read inputs only: each sample gets label 0. For predictions, not for attacks.
    pub unlabelled: bool,
    /// Colour planes, 1 or 3. Grey is `0.299 R + 0.587 G + 0.114 B` (ITU-R BT.601), not rounded;
    /// grey pictures repeat their plane for 3.
    pub channels: Option<usize>,
    /// `[height, width]` that pictures are resized to: bilinear, with a wider kernel where it
    /// shrinks (the triangle filter of the `image` crate). The aspect ratio is not kept; bytes
    /// stay bytes, rounded.
    pub resize: Option<[u32; 2]>,
}

/// A format of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// An archive of `NumPy` arrays.
    Npz,
    /// One file of inputs and one of labels, or a folder with `inputs.npy` and `labels.npy`.
    Npy,
    /// A folder of pictures.
    ImageFolder,
    /// A table of values.
    Csv,
    /// One IDX file of images and one of labels, or a folder with both.
    Idx,
    /// CIFAR records with one label byte.
    Cifar10,
    /// CIFAR records with a coarse and a fine label byte; the fine one counts.
    Cifar100,
}

/// What one row of the data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A picture.
    Image,
    /// A sound: `[N, samples]` or `[N, channels, samples]`.
    Waveform,
    /// A row of a table, `[N, F]`.
    Table,
}

/// What the numbers of the file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Units {
    /// 0 to 255: divided by 255.
    Bytes,
    /// 0 to 1: taken as they are.
    Unit,
    /// Taken as they are, in the box of [`Options::bounds`].
    Raw,
}

/// Where the names of the classes come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Classes {
    /// The names themselves.
    Names(Vec<String>),
    /// A text file with one name a line, such as `classes.txt`.
    File(PathBuf),
}

impl Format {
    /// The name in options.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Format::Npz => "npz",
            Format::Npy => "npy",
            Format::ImageFolder => "image_folder",
            Format::Csv => "csv",
            Format::Idx => "idx",
            Format::Cifar10 => "cifar10",
            Format::Cifar100 => "cifar100",
        }
    }
}

impl Options {
    /// Parses options from TOML.
    ///
    /// # Errors
    /// [`Error::Parameter`] with what TOML says of an unknown key or a value of another type.
    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|error| {
            Error::parameter("options", "keys of the options of a file", error.message())
        })
    }

    /// Checks what can be said without a file.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the field, its range and what came.
    pub fn check(&self) -> Result<()> {
        if self.limit == Some(0) {
            return Err(Error::parameter("limit", "at least 1", "0"));
        }
        if let Some(channels) = self.channels
            && !matches!(channels, 1 | 3)
        {
            return Err(Error::parameter("channels", "1 (grey) or 3 (RGB)", channels.to_string()));
        }
        if let Some([height, width]) = self.resize
            && ![height, width].iter().all(|side| (1..=MOST_PIXELS).contains(side))
        {
            let expected = format!("[height, width], each 1 to {MOST_PIXELS}");
            return Err(Error::parameter("resize", expected, format!("[{height}, {width}]")));
        }
        if let Some([low, high]) = self.bounds
            && !(low.is_finite() && high.is_finite() && low < high)
        {
            let got = format!("[{low}, {high}]");
            return Err(Error::parameter("bounds", "[low, high], finite and in order", got));
        }
        if self.shape.is_some() && !matches!(self.kind, None | Some(Kind::Image)) {
            let expected = "left out unless `kind = \"image\"`: it is that of pictures";
            return Err(Error::parameter("shape", expected, format!("{:?}", self.shape)));
        }
        if let Some(pattern) = &self.label_pattern
            && (pattern.matches("{label}").count() != 1 || pattern.matches('*').count() > 4)
        {
            let expected = "a text with one `{label}` and at most four `*`, such as `{label}_*`";
            return Err(Error::parameter("label_pattern", expected, format!("`{pattern}`")));
        }
        if self.label_pattern.is_some() && self.labels.is_some() {
            let expected = "left out where `labels` names a file";
            return Err(Error::parameter("label_pattern", expected, "both"));
        }
        Ok(())
    }

    /// Checks that what was given means something for files of `format`.
    pub(super) fn check_for(&self, format: Format) -> Result<()> {
        use Format::{Cifar10, Cifar100, Csv, Idx, ImageFolder, Npy, Npz};
        let given = [
            ("kind", self.kind.is_some(), &[Npz, Npy, Csv][..]),
            ("keys", self.keys.is_some(), &[Npz]),
            ("part", self.part.is_some(), &[Npz, Idx, Cifar10, Cifar100]),
            ("labels", self.labels.is_some(), &[Npy, Idx, ImageFolder]),
            ("label_pattern", self.label_pattern.is_some(), &[ImageFolder]),
            ("schema", self.schema.is_some(), &[Csv]),
            ("label_column", self.label_column.is_some(), &[Csv]),
            ("more", !self.more.is_empty(), &[Cifar10, Cifar100]),
            ("arrangement", self.arrangement.is_some(), &[Npz, Npy, Csv]),
            ("shape", self.shape.is_some(), &[Npz, Npy, Csv]),
            ("unlabelled", self.unlabelled, &[Npz, Npy]),
        ];
        for (field, is_given, formats) in given {
            if is_given && !formats.contains(&format) {
                let names: Vec<_> = formats.iter().map(|format| format.name()).collect();
                let expected = format!("left out here: it is for {}", names.join(", "));
                return Err(Error::parameter(
                    field,
                    expected,
                    format!("a file of {}", format.name()),
                ));
            }
        }
        Ok(())
    }
}

/// Largest side of a resized picture.
const MOST_PIXELS: u32 = 1 << 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read_from_toml() {
        let options = Options::parse(
            "format = \"image_folder\"\nkind = \"waveform\"\nkeys = [\"a\", \"b\"]\npart = \"val\"\n\
             labels = \"y.npy\"\nlabel_pattern = \"{label}_*\"\nschema = \"s.toml\"\n\
             label_column = \"c\"\nmore = [\"b.bin\"]\narrangement = \"channels_last\"\n\
             shape = [1, 2, 3]\nunits = \"raw\"\nbounds = [-1, 1]\nclasses = [\"a\", \"b\"]\n\
             label_offset = -1\nlimit = 5\nchannels = 3\nresize = [4, 6]\n\
             unlabelled = true\n",
        )
        .unwrap();
        let text = toml::to_string(&options).unwrap();
        assert_eq!(text.lines().count(), 19, "{text}");
        assert_eq!(Options::parse(&text).unwrap(), options);
        assert_eq!(options.bounds, Some([-1.0, 1.0]));
        assert_eq!(options.arrangement, Some(Arrangement::ChannelsLast));
        let file = Options::parse("classes = \"classes.txt\"\narrangement = \"NHWC\"").unwrap();
        assert_eq!(file.classes, Some(Classes::File("classes.txt".into())));
        assert_eq!(file.arrangement, Some(Arrangement::ChannelsLast));
        let error = Options::parse("limt = 3").unwrap_err().to_string();
        assert!(error.contains("unknown field `limt`"), "{error}");
    }

    #[test]
    fn values_out_of_range_are_named() {
        let message = |text: &str| Options::parse(text).unwrap().check().unwrap_err().to_string();
        assert_eq!(message("limit = 0"), "`limit` must be at least 1, got 0");
        assert_eq!(message("channels = 2"), "`channels` must be 1 (grey) or 3 (RGB), got 2");
        let resize = "`resize` must be [height, width], each 1 to 16384, got [0, 9]";
        assert_eq!(message("resize = [0, 9]"), resize);
        let bounds = "`bounds` must be [low, high], finite and in order, got [1, 0]";
        assert_eq!(message("bounds = [1, 0]"), bounds);
        assert!(message("bounds = [nan, 0]").starts_with("`bounds`"));
        assert!(message("label_pattern = \"label_*\"").ends_with("got `label_*`"));
        assert!(message("shape = [1, 1, 1]\nkind = \"table\"").starts_with("`shape`"));
        assert!(message("label_pattern = \"{label}\"\nlabels = \"a\"").contains("both"));
    }

    #[test]
    fn a_key_of_another_format_is_not_ignored() {
        let options = Options::parse("keys = [\"a\", \"b\"]").unwrap();
        assert!(options.check_for(Format::Npz).is_ok());
        let error = options.check_for(Format::Idx).unwrap_err().to_string();
        assert_eq!(error, "`keys` must be left out here: it is for npz, got a file of idx");
    }
}
