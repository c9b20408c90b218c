//! A user's own model and data, as flags.
use std::path::PathBuf;

use clap::Args;

/// What is asked: a file, a service, a program.
#[derive(Args, Debug)]
#[expect(clippy::struct_field_names, reason = "flags are named after the fields")]
#[command(next_help_heading = "Model")]
pub(crate) struct Model {
    /// A network (.onnx), a model of `duress train` (.safetensors), weights whose layers a card
    /// names (.pt, .pth, .safetensors, .bpk), a service (http://...) or a program
    /// (cmd:"python predict.py").
    #[arg(long, value_name = "FILE|URL|CMD")]
    pub(crate) model: String,
    /// Model card (TOML): tables `input`, `data`, `http`, `command` and `settings` with what flags
    /// would say; of weights, `architecture`, `normalization` and `keys`. If missing: the file of the model's name that ends in `.toml`.
    #[arg(long, value_name = "FILE")]
    pub(crate) card: Option<PathBuf>,
    /// Order of the network's input axes; told by the shapes if missing.
    #[arg(long, value_name = "ORDER", value_parser = ["nchw", "nhwc"])]
    pub(crate) layout: Option<String>,
    /// What raw values are multiplied by first: 255 for a network that takes bytes.
    #[arg(long, value_name = "FACTOR")]
    pub(crate) scale: Option<f64>,
    /// Mean that the network's input is normalised by, after the scale: one value or one a channel.
    #[arg(
        long,
        value_name = "VALUES",
        value_delimiter = ',',
        requires = "std",
        allow_hyphen_values = true
    )]
    pub(crate) mean: Vec<f64>,
    /// Standard deviation that goes with the mean.
    #[arg(long, value_name = "VALUES", value_delimiter = ',', requires = "mean")]
    pub(crate) std: Vec<f64>,
    /// Name of the network's input, where it has several.
    #[arg(long, value_name = "NAME")]
    pub(crate) input_name: Option<String>,
    /// Name of the network's output, where it has several.
    #[arg(long, value_name = "NAME")]
    pub(crate) output_name: Option<String>,
}

/// How a service is asked.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Service")]
pub(crate) struct Service {
    /// What an HTTP service speaks: the Open Inference Protocol, or npy arrays.
    #[arg(long, value_parser = ["kserve", "npy"])]
    pub(crate) protocol: Option<String>,
    /// What the service answers with.
    #[arg(long, value_parser = ["logits", "probabilities", "labels"])]
    pub(crate) answers: Option<String>,
    /// Shape of a sample that the service takes, such as 28,28,1; that of the data if missing.
    #[arg(long, value_name = "SIDES", value_delimiter = ',')]
    pub(crate) sample_shape: Vec<usize>,
    /// File with a bearer token.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Environment variable with a bearer token.
    #[arg(long, value_name = "NAME", conflicts_with = "token_file")]
    pub(crate) token_env: Option<String>,
    /// Most requests a second.
    #[arg(long, value_name = "RATE")]
    pub(crate) requests_per_second: Option<f64>,
    /// Most rows of one request.
    #[arg(long, value_name = "ROWS")]
    pub(crate) rows_per_request: Option<usize>,
    /// Longest wait for an answer.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<f64>,
    /// Attempts after a failure that may pass.
    #[arg(long, value_name = "COUNT")]
    pub(crate) retries: Option<u32>,
    /// The program handles one batch and ends.
    #[arg(long)]
    pub(crate) one_batch: bool,
}

/// What a path does not say of the data.
#[derive(Args, Debug)]
#[command(next_help_heading = "Data")]
pub(crate) struct Samples {
    /// A known data set (`duress list datasets`), or the path of an npz, npy, CSV, IDX or CIFAR
    /// file or of a folder of pictures.
    #[arg(long, value_name = "NAME|PATH")]
    pub(crate) data: String,
    /// File of labels, where the data have them apart.
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,
    /// Names of the arrays of inputs and labels in an npz file, such as `x_test,y_test`.
    #[arg(long, value_name = "X,Y", value_delimiter = ',', num_args = 1)]
    pub(crate) keys: Vec<String>,
    /// Part of a file or folder that holds several, such as `test`.
    #[arg(long, value_name = "NAME")]
    pub(crate) part: Option<String>,
    /// Format, where the path does not tell it.
    #[arg(long, value_name = "FORMAT", value_parser = ["npz", "npy", "image_folder", "csv", "idx", "cifar10", "cifar100"])]
    pub(crate) data_format: Option<String>,
    /// What a row is.
    #[arg(long, value_name = "KIND", value_parser = ["image", "waveform", "table"])]
    pub(crate) data_kind: Option<String>,
    /// Where the channels of the data's pictures stand.
    #[arg(long, value_name = "ORDER", value_parser = ["nchw", "nhwc"])]
    pub(crate) data_layout: Option<String>,
    /// Channels, height, width of pictures that lie flat in rows.
    #[arg(long, value_name = "C,H,W", value_delimiter = ',', num_args = 1)]
    pub(crate) data_shape: Vec<usize>,
    /// Unit of the data's numbers: 0 to 255, 0 to 1, or as they are.
    #[arg(long, value_name = "UNITS", value_parser = ["bytes", "unit", "raw"])]
    pub(crate) units: Option<String>,
    /// Box of each value: what an adversary may not leave.
    #[arg(
        long,
        value_name = "LOW,HIGH",
        value_delimiter = ',',
        num_args = 1,
        allow_hyphen_values = true
    )]
    pub(crate) bounds: Vec<f32>,
    /// Schema of a CSV file (TOML).
    #[arg(long, value_name = "FILE")]
    pub(crate) schema: Option<PathBuf>,
    /// Column of a CSV file that holds the label.
    #[arg(long, value_name = "NAME")]
    pub(crate) label_column: Option<String>,
    /// How names of pictures hold the label, such as {label}_*.
    #[arg(long, value_name = "PATTERN")]
    pub(crate) label_pattern: Option<String>,
    /// Subtracted from labels: 1 for labels that begin at 1.
    #[arg(long, value_name = "OFFSET", allow_hyphen_values = true)]
    pub(crate) label_offset: Option<i64>,
    /// Names of the classes, one a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) classes: Option<PathBuf>,
    /// Height and width that pictures are resized to.
    #[arg(long, value_name = "H,W", value_delimiter = ',', num_args = 1)]
    pub(crate) resize: Vec<u32>,
    /// Colour planes that pictures are turned into, 1 (grey) or 3 (RGB).
    #[arg(long, value_name = "PLANES")]
    pub(crate) channels: Option<usize>,
    /// Use only the first so many samples.
    #[arg(long, value_name = "SAMPLES", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
}
