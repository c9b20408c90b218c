//! The command line.
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use duress_core::Norm;

/// Times one attack on a small network that other toolkits attack too.
#[derive(Debug, Parser)]
#[command(name = "duress-peers")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) work: Work,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Work {
    /// Runs one attack and prints one line of JSON.
    Attack(Assault),
    /// Trains the small network and writes a folder to attack; one that is complete stays.
    Export(Export),
    /// Measures networks of ONNX files, one line of JSON each.
    Networks(Networks),
    /// Bounds the margins of a network's predictions on balls.
    Bounds(Bounds),
    /// Prints where the time of a gradient goes, in microseconds of processor time a row.
    Pieces {
        /// The folder with the network.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Times steps of adversarial training, one line of JSON a recipe.
    Train(Steps),
}

/// How training is timed.
#[derive(Debug, Args)]
pub(crate) struct Steps {
    /// Samples of a step.
    #[arg(long, value_name = "N", default_value = "128", value_parser = count)]
    pub(crate) batch: usize,
    /// Threads.
    #[arg(long, value_name = "T", default_value = "1", value_parser = count)]
    pub(crate) threads: usize,
    /// Repeats each recipe until it took so long.
    #[arg(long, value_name = "S", default_value = "5", value_parser = seconds)]
    pub(crate) seconds: f64,
}

/// What is attacked, and how.
#[derive(Debug, Args)]
pub(crate) struct Assault {
    /// The folder with `model.safetensors`, `meta.json` and `eval.npz`.
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// The name in the table of attacks.
    #[arg(long, value_name = "NAME")]
    pub(crate) attack: String,
    /// The norm of the ball and of the distances.
    #[arg(long)]
    pub(crate) norm: Norm,
    /// The radius that samples are judged at, in units of the raw input.
    #[arg(long, value_name = "E", value_parser = positive)]
    pub(crate) epsilon: f64,
    /// So many of the first images, of which the network must get some right.
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) samples: usize,
    /// Threads.
    #[arg(long, value_name = "T", default_value = "1", value_parser = count)]
    pub(crate) threads: usize,
    /// The attack's parameters; those that are not named keep their defaults.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    pub(crate) config: String,
    /// Looks for the nearest point, whatever the radius. An attack that needs a ball gets one that
    /// holds the whole box and stops at its first success.
    #[arg(long)]
    pub(crate) nearest: bool,
    /// Repeats the attack until it took so long, and takes the mean.
    #[arg(long, value_name = "S", default_value = "0", value_parser = seconds)]
    pub(crate) least_seconds: f64,
    /// Repeats the attack so often at least.
    #[arg(long, value_name = "N", default_value = "1", value_parser = count)]
    pub(crate) repeat: usize,
    /// The seed of all draws.
    #[arg(long, default_value = "0")]
    pub(crate) seed: u64,
}

/// Which networks.
#[derive(Debug, Args)]
pub(crate) struct Networks {
    /// ONNX files.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Folder for the logits, one npy file a network.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Rows of a batch.
    #[arg(long, value_name = "N", default_value = "128", value_parser = count)]
    pub(crate) batch: usize,
    /// Threads.
    #[arg(long, value_name = "T", default_value = "1", value_parser = count)]
    pub(crate) threads: usize,
    /// Repeats each pass for so long.
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    pub(crate) seconds: f64,
}

/// What is bounded.
#[derive(Debug, Args)]
pub(crate) struct Bounds {
    /// The network (ONNX).
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Centres of the balls, `[N, F]` in [0, 1] (npy).
    #[arg(long, value_name = "FILE")]
    pub(crate) rows: PathBuf,
    /// Radius of the Linf balls, which [0, 1] cuts.
    #[arg(long, value_name = "E", value_parser = positive)]
    pub(crate) epsilon: f64,
    /// `ibp`, `crown-ibp`, `crown` or `alpha-crown`.
    #[arg(long, value_name = "NAME", default_value = "crown")]
    pub(crate) method: String,
    /// Where the lower bounds go, `[N, K]`: of `logit[predicted] - logit[class]` (npy).
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Threads.
    #[arg(long, value_name = "T", default_value = "1", value_parser = count)]
    pub(crate) threads: usize,
    /// Repeats the batch for so long.
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    pub(crate) seconds: f64,
}

/// What is trained.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The folder to write.
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// How to train.
    #[arg(long, value_enum, default_value = "standard")]
    pub(crate) training: Training,
    /// Where MNIST is looked for, in `mnist` or `vision/mnist` [`DURESS_DATA`]; without it the
    /// embedded digits take its place.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

/// How the network is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Training {
    /// On the images as they are.
    Standard,
    /// The same, then on images after one step of FGSM from a random start.
    Robust,
}

fn count(text: &str) -> Result<usize, String> {
    let value = text.parse().ok().filter(|&value| value >= 1);
    value.ok_or_else(|| "not a whole number of at least 1".into())
}

fn positive(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|&value: &f64| value.is_finite() && value > 0.0);
    value.ok_or_else(|| "not a positive number".into())
}

fn seconds(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|&value: &f64| value.is_finite() && value >= 0.0);
    value.ok_or_else(|| "not a number of seconds".into())
}

/// What was typed wrong, in one line.
pub(crate) fn usage(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let message = text.split("\n\nUsage:").next().unwrap_or_default();
    let message = message.split("\n\nFor more information").next().unwrap_or_default();
    one_line(message.trim_start_matches("error: "))
}

/// A text without its line breaks.
pub(crate) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTACK: &str = "duress-peers attack --folder a --attack pgd --norm linf --epsilon 0.3 \
                          --samples 128 --threads 2 --config {\"steps\":40}";

    fn parse(line: &str) -> Result<Work, String> {
        let arguments = Arguments::try_parse_from(line.split_whitespace());
        arguments.map(|arguments| arguments.work).map_err(|error| usage(&error))
    }

    #[test]
    fn the_line_that_the_comparison_calls_is_understood() {
        let Work::Attack(attack) = parse(&format!("{ATTACK} --nearest")).unwrap() else {
            panic!("not an attack");
        };
        assert_eq!((attack.folder, attack.attack), (PathBuf::from("a"), "pgd".to_owned()));
        assert_eq!((attack.norm, attack.samples, attack.threads), (Norm::Linf, 128, 2));
        assert_eq!((attack.epsilon.to_string(), attack.nearest), ("0.3".to_owned(), true));
        assert_eq!(attack.config, "{\"steps\":40}");
    }

    #[test]
    fn what_is_typed_wrong_is_told_in_one_line() {
        let told = |from: &str, to: &str| parse(&ATTACK.replace(from, to)).unwrap_err();
        assert_eq!(told("0.3", "-1"), "unexpected argument '-1' found");
        assert_eq!(
            told("0.3", "nan"),
            "invalid value 'nan' for '--epsilon <E>': not a positive number"
        );
        assert_eq!(
            told("128", "0"),
            "invalid value '0' for '--samples <N>': not a whole number of at least 1"
        );
        assert!(told("linf", "l3").starts_with("invalid value 'l3' for '--norm <NORM>'"));
        assert_eq!(
            told("--attack pgd", ""),
            "the following required arguments were not provided: --attack <NAME>"
        );
    }

    #[test]
    fn an_export_needs_a_folder_only() {
        let Work::Export(export) = parse("duress-peers export b").unwrap() else {
            panic!("not an export");
        };
        assert_eq!((export.folder, export.training), (PathBuf::from("b"), Training::Standard));
        assert!(parse("duress-peers export b --training strong").is_err());
    }
}
