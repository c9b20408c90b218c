//! What can be typed. Hyperparameters come from files, never from flags.
mod subject;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use duress_evaluation::certification::bounds::Method;
use duress_evaluation::certification::verify::Complete;
use duress_evaluation::core::{Epsilon, Norm};

pub(crate) use subject::{Model, Samples, Service};

/// Attack, defend, certify and compare machine-learning models.
#[derive(Debug, Parser)]
#[command(name = "duress", version, propagate_version = true, arg_required_else_help = false)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show what there is: attacks, defences, certifiers, data sets, models, devices.
    List(List),
    /// Run an experiment file, or what is left of it, and write its report.
    Run(Run),
    /// Train one model of an experiment file.
    Train(Train),
    /// Train a generator on an experiment's data, and write samples that a model of it labels.
    Generate(Generate),
    /// Attack your own model on your own data, and print the verdict.
    Evaluate(Box<Evaluate>),
    /// Write what a model answers to data.
    Predict(Box<Predict>),
    /// Bound the margins of a network around samples, from below and from above.
    Bound(Box<Bound>),
    /// Prove a property of a network (VNN-LIB), or find a counterexample.
    Verify(Verify),
    /// Write a trained model as an ONNX file.
    Export(Export),
    /// Attack a trained model.
    Attack(Attack),
    /// Certify a trained model.
    Certify(Certify),
    /// Write the report of a run again.
    Report(Report),
    /// List data sets (without a command) and fetch the remote ones.
    Data(Data),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Attacks,
    Defenses,
    Detectors,
    Certifiers,
    Datasets,
    Models,
    Devices,
}

#[derive(Args, Debug)]
pub(crate) struct List {
    /// One kind only.
    pub(crate) kind: Option<Kind>,
    /// One JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
    /// A Markdown table.
    #[arg(long, conflicts_with = "json", requires = "kind")]
    pub(crate) markdown: bool,
}

/// Where to compute and where to look.
#[derive(Args, Debug)]
pub(crate) struct Place {
    /// Device: `duress list devices` shows those of this build.
    #[arg(long, default_value = "flex")]
    pub(crate) device: String,
    /// Worker threads on a CPU; one a core if missing. Never changes a result.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) threads: Option<u16>,
    /// Folder with data sets, looked into before `DURESS_DATA` and `~/.cache/duress/data`.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_folder: Option<PathBuf>,
    /// Folder where trained models are kept between runs; `~/.cache/duress/models` if missing.
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
}

/// Where the results go.
#[derive(Args, Debug)]
pub(crate) struct Target {
    /// Folder of the run; one of its own below `duress-runs` if missing.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Repeat all measurements instead of going on with an earlier run.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// One JSON object a row instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct Run {
    /// Experiment file (TOML).
    pub(crate) experiment: PathBuf,
    /// Folder below which the run gets a folder of its own, instead of `duress-runs`.
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    pub(crate) runs: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Args, Debug)]
pub(crate) struct Train {
    /// Experiment file (TOML).
    pub(crate) experiment: PathBuf,
    /// Name of the model in the file.
    #[arg(long)]
    pub(crate) model: String,
    /// Where to write the trained model (safetensors).
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Args, Debug)]
pub(crate) struct Generate {
    /// Experiment file (TOML): its data are learnt from.
    pub(crate) experiment: PathBuf,
    /// Name of the model in the file that labels the samples.
    #[arg(long)]
    pub(crate) model: String,
    /// File (TOML) of the generator: `name = "gan"` or `"diffusion"`, and its hyperparameters. A
    /// GAN with the default ones if missing.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Samples to write.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) samples: u32,
    /// Take only samples whose label has at least this probability, in [0, 1).
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub(crate) least_confidence: f64,
    /// Seed of the samples; the networks are trained by that of the experiment.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u32,
    /// Where to write the samples (npz: `x`, `y`, `confidence`), for the `mix` of a recipe.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Where to write a sheet of the first hundred (PNG).
    #[arg(long, value_name = "FILE")]
    pub(crate) sheet: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// A trained model and the data to measure it on.
#[derive(Args, Debug)]
pub(crate) struct Subject {
    /// Trained model (safetensors, as written by `duress train`).
    pub(crate) model: PathBuf,
    /// Data set: `duress list datasets` shows them.
    #[arg(long)]
    pub(crate) data: String,
    /// Use only the first so many test samples.
    #[arg(long, value_name = "SAMPLES", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: Option<u32>,
    /// Seed of all draws.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u32,
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Args, Debug)]
pub(crate) struct Evaluate {
    #[command(flatten)]
    pub(crate) model: Model,
    #[command(flatten)]
    pub(crate) samples: Samples,
    #[command(flatten)]
    pub(crate) service: Service,
    #[command(flatten)]
    pub(crate) question: Question,
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// What an adversary may do, and what follows from the verdict.
#[derive(Args, Debug)]
#[command(next_help_heading = "Attack")]
pub(crate) struct Question {
    /// Norm of the ball: l0, l1, l2 or linf.
    #[arg(long)]
    pub(crate) norm: Norm,
    /// Radius such as 8/255, or several, in units of the raw input; in l0 a number of features.
    #[arg(long, value_name = "RADII", required = true, value_delimiter = ',')]
    pub(crate) epsilon: Vec<Epsilon>,
    /// Suite or attack with its default hyperparameters. If missing: the strongest that the model
    /// allows, `autoattack-standard` for a network.
    #[arg(long, visible_alias = "attack", value_name = "NAME")]
    pub(crate) suite: Vec<String>,
    /// File of `[[attack]]` tables with hyperparameters.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Most queries of each attack on each sample.
    #[arg(long, value_name = "QUERIES")]
    pub(crate) budget: Option<u64>,
    /// Also certify, with a certifier of `duress list certifiers` at its default hyperparameters:
    /// the lower bound beside the attacks' upper one.
    #[arg(long, value_name = "NAME")]
    pub(crate) certify: Vec<String>,
    /// File of `[[certify]]` tables with hyperparameters.
    #[arg(long, value_name = "FILE")]
    pub(crate) certify_config: Option<PathBuf>,
    /// Certify only the first so many samples.
    #[arg(long, value_name = "SAMPLES", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) certify_samples: Option<u32>,
    /// Do not attack what is proved.
    #[arg(long)]
    pub(crate) skip_certified: bool,
    /// Exit with 1 if the robust accuracy at the largest radius is under this share.
    #[arg(long, value_name = "SHARE")]
    pub(crate) fail_under: Option<f64>,
    /// Attack even if model and data do not seem to fit.
    #[arg(long)]
    pub(crate) force: bool,
    /// Seed of all draws.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u32,
}

/// How bounds are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BoundMethod {
    Ibp,
    Zonotope,
    Forward,
    CrownIbp,
    Crown,
    AlphaCrown,
}

impl From<BoundMethod> for Method {
    fn from(method: BoundMethod) -> Self {
        match method {
            BoundMethod::Ibp => Method::Ibp,
            BoundMethod::Zonotope => Method::Zonotope,
            BoundMethod::Forward => Method::Forward,
            BoundMethod::CrownIbp => Method::CrownIbp,
            BoundMethod::Crown => Method::Crown,
            BoundMethod::AlphaCrown => Method::AlphaCrown,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Bound {
    #[command(flatten)]
    pub(crate) model: Model,
    #[command(flatten)]
    pub(crate) samples: Samples,
    /// Norm of the balls: l0, l1, l2 or linf.
    #[arg(long, requires = "epsilon")]
    pub(crate) norm: Option<Norm>,
    /// Radius of the balls such as 8/255, in units of the raw input.
    #[arg(long, requires = "norm")]
    pub(crate) epsilon: Option<Epsilon>,
    /// Lower sides of boxes (npy), one a sample, instead of balls.
    #[arg(long, value_name = "FILE", requires = "upper", conflicts_with = "norm")]
    pub(crate) lower: Option<PathBuf>,
    /// Upper sides of boxes (npy).
    #[arg(long, value_name = "FILE", requires = "lower")]
    pub(crate) upper: Option<PathBuf>,
    /// From intervals, the fastest, to optimised linear bounds, the tightest.
    #[arg(long, value_enum, default_value = "crown")]
    pub(crate) method: BoundMethod,
    /// One JSON object a sample: index, label, lower and upper by class, certified, seconds.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// Network (.onnx).
    #[arg(long, value_name = "FILE", requires = "property")]
    pub(crate) model: Option<PathBuf>,
    /// Property (.vnnlib): it says what is unsafe.
    #[arg(long, value_name = "FILE", requires = "model")]
    pub(crate) property: Option<PathBuf>,
    /// List of networks, properties and time limits (CSV), instead of one of each.
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    pub(crate) instances: Option<PathBuf>,
    /// Seconds after which a verification ends.
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0)]
    pub(crate) timeout: f64,
    /// Also write a counterexample here.
    #[arg(long, value_name = "FILE", conflicts_with = "instances")]
    pub(crate) counterexample: Option<PathBuf>,
    /// Results of a list (CSV): network, property, verdict, seconds. What is there is not repeated.
    #[arg(long, value_name = "FILE", requires = "instances")]
    pub(crate) out: Option<PathBuf>,
    /// Verdicts known from elsewhere (CSV: network, property, ..., sat or unsat), to compare with.
    #[arg(long, value_name = "FILE", requires = "instances")]
    pub(crate) reference: Option<PathBuf>,
    /// What is cut where a bound settles nothing.
    #[arg(long, value_enum, default_value_t = WhatIsCut::Auto)]
    pub(crate) complete: WhatIsCut,
    /// Device of the search: `duress list devices` shows those of this build.
    #[arg(long, default_value = "flex")]
    pub(crate) device: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WhatIsCut {
    /// Inputs where there are few, else neurons.
    Auto,
    /// Boxes of inputs.
    Inputs,
    /// Neurons with a kink, fixed on either side.
    Neurons,
    /// Nothing: an integer program, within its solver's tolerance, for some tens of neurons.
    Exact,
}

impl From<WhatIsCut> for Complete {
    fn from(cut: WhatIsCut) -> Self {
        match cut {
            WhatIsCut::Auto => Complete::Auto,
            WhatIsCut::Inputs => Complete::Inputs,
            WhatIsCut::Neurons => Complete::Neurons,
            WhatIsCut::Exact => Complete::Exact,
        }
    }
}

#[derive(Args, Debug)]
pub(crate) struct Export {
    /// Trained model (safetensors, as written by `duress train`).
    pub(crate) model: PathBuf,
    /// The file to write (.onnx): rows in raw units, normalisation inside, any batch.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Predict {
    #[command(flatten)]
    pub(crate) model: Model,
    #[command(flatten)]
    pub(crate) samples: Samples,
    #[command(flatten)]
    pub(crate) service: Service,
    /// The npy file to write: logits `[N, K]`, or labels `[N]` of a service that gives no more.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Args, Debug)]
pub(crate) struct Attack {
    /// Norm of the ball: l0, l1, l2 or linf.
    #[arg(long)]
    pub(crate) norm: Norm,
    /// Radii such as 0.1 or 8/255,16/255, in units of the raw input; in l0 a number of features.
    #[arg(long, value_name = "RADII", required = true, value_delimiter = ',')]
    pub(crate) epsilon: Vec<Epsilon>,
    /// Attack with its default hyperparameters, once or more: `duress list attacks`.
    #[arg(long = "attack", value_name = "NAME")]
    pub(crate) attacks: Vec<String>,
    /// File of `[[attack]]` tables with hyperparameters.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) subject: Subject,
}

#[derive(Args, Debug)]
pub(crate) struct Certify {
    /// Radii of the table such as 0.25,0.5: in the norm of the certifier and units of the raw input.
    #[arg(long, required = true, value_delimiter = ',')]
    pub(crate) radii: Vec<Epsilon>,
    /// Certifier with its default hyperparameters, once or more: `duress list certifiers`;
    /// smoothing if none is given.
    #[arg(long = "certifier", value_name = "NAME")]
    pub(crate) certifiers: Vec<String>,
    /// File of `[[certify]]` tables with hyperparameters.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) subject: Subject,
}

#[derive(Args, Debug)]
pub(crate) struct Report {
    /// Folder of a run: it gets `report.html` and `pictures`.
    pub(crate) run: PathBuf,
}

#[derive(Args, Debug)]
pub(crate) struct Data {
    #[command(subcommand)]
    pub(crate) action: Option<DataAction>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataAction {
    /// Show all data sets and where they are.
    List {
        /// Folder with data sets, looked into before `DURESS_DATA` and `~/.cache/duress/data`.
        #[arg(long, value_name = "DIR")]
        data_folder: Option<PathBuf>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Download data sets, resuming what was begun, and check their SHA-256.
    Fetch {
        /// Names of data sets: `duress data list`.
        #[arg(required = true)]
        names: Vec<String>,
        /// Folder to fetch into; `DURESS_DATA`, else `~/.cache/duress/data` if missing.
        #[arg(long, value_name = "DIR")]
        data_folder: Option<PathBuf>,
        /// Take `<URL>/<name>/<file>` instead of the publisher's files; checked all the same.
        #[arg(long, value_name = "URL")]
        mirror: Option<String>,
    },
}
